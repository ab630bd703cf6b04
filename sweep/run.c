#include "sweep/run.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_json.h"
#include "sweep/changed.h"
#include "sweep/cmd.h"
#include "sweep/compare.h"
#include "sweep/experiment.h"
#include "sweep/print.h"
#include "sweep/run_impl.h"
#include "sweep/run_records.h"
#include "sweep/run_search.h"
#include "trainer/worker.h"

enum { TICK_MS = 200 };

/* Space that replaced checkpoints may take before they are freed while the sweep runs. */
static const int64_t garbage_limit = 1 << 30;

/* ---- before anything runs ---- */

static int check_data(const struct sweep_plan *plan, struct cs_error *err)
{
    const struct sweep_point *checked = NULL;
    int rc = 0;

    for (size_t i = 0; i < plan->trial_count && rc == 0; i++) {
        const struct sweep_point *point = plan->trials[i].point;
        if (checked && checked->dataset == point->dataset && checked->path == point->path)
            continue;
        struct train_spec *spec = sweep_trial_spec(plan, &plan->trials[i]);
        rc = train_spec_check_data(spec, err);
        train_spec_free(spec);
        checked = point;
    }
    return rc;
}

/* A trial that is over since before. */
static void take_over(struct run *r, const struct sweep_trial *trial,
                      const struct sweep_record *record)
{
    const double value = sweep_record_best(record, r->plan->metric, NULL);

    r->pruned += strcmp(record->state, "pruned") == 0;
    sweep_seeds_over(r->seeds, trial, record->epoch);
    if (!sweep_is_better(r->plan->maximize, value, r->best))
        return;
    r->best = value;
    r->best_name = trial->name;
}

static void add_item(struct run *r, const struct sweep_trial *trial,
                     const struct sweep_record *record)
{
    const bool anew = record && record->anew;
    const char *from = anew ? NULL : sweep_longer_find(r->longer, trial);
    const int attempts = record ? record->attempts : 0;

    r->items[r->item_count++] = (struct item){.trial = trial,
                                              .from = from,
                                              .state = WAITING,
                                              .slot = -1,
                                              .attempts = attempts,
                                              .anew = anew,
                                              .epoch = from || (attempts && !anew) ? -1 : 0};
}

/* The sweep's folder, the store, the journal with its lock; a place that cannot be made leaves none of the others. */
static int open_places(struct run *r, struct cs_error *err)
{
    CS_TRY(cs_make_dirs(r->dir, err));
    const int rc = ckpt_store_open(&r->store, r->options.store, true, err);
    if (rc < 0) { /* rmdir takes only folders that are empty, so only what was just made */
        rmdir(r->dir);
        rmdir(r->options.logdir);
        return rc;
    }
    return sweep_journal_open(&r->journal, r->dir, err);
}

static void drop_state(struct run *r)
{
    sweep_state_free(r->state);
    r->state = NULL;
}

bool sweep_run_is_over(const struct run *r, const struct sweep_record *record)
{
    return sweep_record_is_over(record) &&
           (r->plan->prune || strcmp(record->state, "pruned") != 0) &&
           (r->plan->limits.stop_trial > 0 || !sweep_record_is_slow(record));
}

/* Journal, experiment, items: all that is known before the first worker starts. */
static int prepare(struct run *r, struct sweep_plan *plan, struct cs_error *err)
{
    struct cs_error seeds;
    char experiment[41];
    bool stale = false; /* the state read, by what is appended */

    CS_TRY(train_worker_check(&r->instance, err));
    CS_TRY(check_data(plan, err));
    CS_TRY(open_places(r, err));
    CS_TRY(sweep_state_load(&r->state, r->dir, err));
    const struct sweep_state *state = r->state;
    sweep_changed_text(&r->changed, plan, state);
    sweep_run_adopt(plan, state);
    r->outside = sweep_run_count_outside(plan, state);
    sweep_experiment_hash(experiment, plan);
    int rc = sweep_run_freeze_grid(plan, r->dir, err);
    if (rc == 0 && strcmp(experiment, sweep_run_last_experiment(state)) != 0)
        rc = sweep_experiment_write(plan, r->dir, err);
    r->items = cs_xcalloc(plan->trial_count + 1, sizeof *r->items);
    r->rules = sweep_stop_rules_create(plan);
    r->longer = sweep_longer_create(plan, state, r->store);
    r->seeds =
        sweep_seeds_create(&(struct sweep_seeds_place){plan, r->dir, r->store, r->journal, state});
    for (size_t i = 0; i < plan->trial_count && rc == 0; i++) {
        const struct sweep_record *record = sweep_state_find(state, plan->trials[i].id);
        if (!record)
            rc = sweep_run_journal_trial(r->journal, &plan->trials[i], err);
        else
            rc = sweep_stop_rules_recall(r->rules, &plan->trials[i], record, r->store, r->journal,
                                         &stale, err);
        if (!record || !sweep_run_is_over(r, record))
            add_item(r, &plan->trials[i], record);
        else
            take_over(r, &plan->trials[i], record);
    }
    if (rc == 0 && plan->prune)
        rc = sweep_run_open_verdicts(r, state, err);
    if (rc == 0)
        rc = sweep_run_journal_sweep(
            r->journal, plan, experiment,
            err); /* last: flushes the trials; the experiment it names is written */
    if (rc == 0 && sweep_seeds_write_all(r->seeds, &seeds) < 0)
        sweep_print_error(&seeds);
    if (r->item_count > 0 || stale)
        drop_state(r);
    return rc;
}

/* ---- while it runs ---- */

void sweep_run_break_off(struct run *r, const struct cs_error *err)
{
    if (!r->broken)
        sweep_progress_message(
            r->progress, "csweep: %s; stopping, run the same command again to go on", err->detail);
    r->broken = true;
    sweep_pool_signal(r->pool, SIGTERM);
}

bool sweep_run_stopping(const struct run *r)
{
    return r->stops > 0 || r->broken || sweep_stop_rules_holds(r->rules) != SWEEP_STOP_NONE;
}

/* A rule holds for the sweep: its trials checkpoint and leave; after failures they may go on to their end. */
static void obey_rules(struct run *r)
{
    const enum sweep_stop_rule rule = sweep_stop_rules_holds(r->rules);

    if (rule != SWEEP_STOP_NONE && rule != SWEEP_STOP_HALT && !r->ruled)
        sweep_pool_signal(r->pool, SIGTERM);
    r->ruled = rule != SWEEP_STOP_NONE;
}

/* What a report means to the rules. A slow trial's worker saves all it has and leaves; the others wait again. */
static void watch_rules(struct run *r, int slot, struct item *item, const json_t *report)
{
    const bool epoch = strcmp(cs_json_get_text(report, "event", ""), "epoch") == 0;
    struct cs_buf detail = {0};

    sweep_stop_rules_watch(r->rules, item->trial, report);
    if (epoch && !item->again && !item->slow &&
        sweep_stop_rules_is_slow(r->rules, item->trial, report, &detail)) {
        item->slow = detail.data;
        sweep_pool_signal_slot(r->pool, slot, SIGTERM);
    }
    obey_rules(r);
}

/* The first failure is told at once, with what its log says. */
static void tell_failure(struct run *r, const struct item *item, const char *detail)
{
    r->failed = true;
    if (r->failure_told)
        return;
    r->failure_told = true;
    sweep_progress_message(r->progress, "csweep: %s failed: %s", item->trial->name, detail);
    struct cs_buf log = {0};
    char *path;
    const char *tail = sweep_log_tail(&log, &path, r->dir, item->trial->name, 6);
    if (tail)
        sweep_progress_message(r->progress, "last lines of %s:\n%s", path, tail);
    cs_buf_clear(&log);
    free(path);
}

static void free_garbage(struct run *r, int64_t limit)
{
    if (r->garbage <= limit)
        return;
    if (ckpt_gc(r->store, NULL, NULL) == 0) /* a busy store is tried again after the next trial */
        r->garbage = 0;
}

static void journal_or_break(struct run *r, json_t *line, bool sync)
{
    struct cs_error err;

    if (sweep_journal_append(r->journal, line, sync, &err) < 0)
        sweep_run_break_off(r, &err);
}

/* Mean and deviation over the seeds, when this was the last of its point. They hold up nothing when they fail. */
static void write_seeds(struct run *r, const struct item *item, const json_t *report)
{
    const char *state = cs_json_get_text(report, "state", "failed");
    struct cs_error err;

    if (item->state != OVER || strcmp(state, "failed") == 0)
        return;
    sweep_seeds_over(r->seeds, item->trial, (int) cs_json_get_int(report, "epoch", 0));
    if (sweep_seeds_write(r->seeds, item->trial, &err) < 0)
        sweep_progress_message(r->progress, "csweep: mean over the seeds of %s: %s",
                               item->trial->name, err.detail);
}

static void on_start(struct run *r, int slot, struct item *item, const json_t *report)
{
    json_t *line = json_object();

    item->anew = false;
    item->begun = true;
    cs_json_set(line, "event", cs_json_text("start"));
    cs_json_set(line, "number", json_integer(item->trial->number));
    cs_json_set(line, "attempt", json_integer(item->attempts));
    cs_json_set(line, "epochs", json_integer(item->trial->point->epochs));
    if (json_object_get(report, "from"))
        cs_json_set(line, "from", cs_json_text(cs_json_get_text(report, "from", "")));
    journal_or_break(r, line, false);
    if (json_object_get(report, "anew"))
        sweep_progress_message(r->progress, "csweep: %s starts anew: %s", item->trial->name,
                               cs_json_get_text(report, "anew", ""));
    sweep_progress_start(r->progress, slot, item->trial->number, item->trial->name, report);
}

/* To progress: a trial that only waits is told as interrupted, whatever the worker called it. */
static void tell_end(struct run *r, int slot, const struct item *item, const json_t *report,
                     const char *state)
{
    json_t *line = json_copy((json_t *) (uintptr_t) report);

    cs_json_set(line, "state", cs_json_text(state));
    sweep_progress_end(r->progress, slot, item->trial->number, item->trial->name, line);
    json_decref(line);
}

/* Its own words, or those of a trial that was told to end for being slow. */
static json_t *end_of(struct run *r, struct item *item, const json_t *report)
{
    json_t *end = json_copy((json_t *) (uintptr_t) report);

    if (item->slow && strcmp(cs_json_get_text(report, "state", ""), "interrupted") == 0) {
        cs_json_set(end, "state", cs_json_text("stopped"));
        cs_json_set(end, "cause", cs_json_text("slow"));
        cs_json_set(end, "detail", cs_json_text(item->slow));
        sweep_progress_message(r->progress,
                               "csweep: %s: %s: stopped; csweep rerun %s --slow goes on",
                               item->trial->name, item->slow, r->plan->name);
    }
    free(item->slow);
    item->slow = NULL;
    return end;
}

static void on_end(struct run *r, int slot, struct item *item, const json_t *said)
{
    static const char *const kept[] = {"number", "state",  "cause",       "detail",
                                       "epoch",  "epochs", "seconds",     "last",
                                       "best",   "tags",   "target_epoch"};
    json_t *report = end_of(r, item, said);
    const char *state = cs_json_get_text(report, "state", "failed");
    json_t *line = json_object();

    cs_json_set(line, "event", cs_json_text("end"));
    cs_json_set(line, "attempt", json_integer(item->attempts));
    for (size_t i = 0; i < CS_COUNT(kept); i++) {
        json_t *value = json_object_get(report, kept[i]);
        if (value)
            cs_json_set(line, kept[i], json_incref(value));
    }
    const bool no_space =
        strcmp(cs_json_get_text(report, "code", ""), cs_code_text(CS_ENOSPACE)) == 0;
    const bool aside = strcmp(state, "waiting") == 0;
    item->state = aside || strcmp(state, "interrupted") == 0 ? WAITING : OVER;
    item->slot = -1;
    item->epoch = (int) cs_json_get_int(report, "epoch", -1);
    item->step = (int) cs_json_get_int(report, "step", 0);
    if (no_space) { /* not the trial's fault: it waits for room */
        struct cs_error err;
        item->state = WAITING;
        cs_fail(&err, CS_ENOSPACE, "%s", cs_json_get_text(report, "detail", "no space left"));
        json_decref(line);
        sweep_run_break_off(r, &err);
    } else if (aside && !item->begun) { /* it has not even started */
        item->attempts--;
        json_decref(line);
    } else {
        journal_or_break(r, line, true);
    }
    if (r->verdicts && item->state == OVER)
        sweep_verdicts_end(r->verdicts, item->trial->number);
    r->garbage += cs_json_get_int(report, "superseded_bytes", 0);
    write_seeds(r, item, report);
    if (!aside || item->begun)
        tell_end(r, slot, item, report, item->state == OVER || aside ? state : "interrupted");
    if (item->state == WAITING && r->verdicts)
        sweep_run_wake_slots(r);
    if (strcmp(state, "failed") == 0 && !no_space) {
        tell_failure(r, item, cs_json_get_text(report, "detail", ""));
        sweep_stop_rules_failed(r->rules);
    }
    json_decref(report);
    free_garbage(r, garbage_limit);
}

static void on_epoch(struct run *r, int slot, const struct item *item, const json_t *report)
{
    if (r->verdicts)
        sweep_verdicts_epoch(r->verdicts, report);
    sweep_progress_epoch(r->progress, slot, item->trial->number, item->trial->name, report);
}

static void on_report(void *context, int slot, const json_t *report)
{
    struct run *r = context;
    const char *event = cs_json_get_text(report, "event", "");
    struct item *item = sweep_run_find_item(r, cs_json_get_int(report, "number", -1));

    if (strcmp(event, "ready") == 0 || strcmp(event, "idle") == 0)
        sweep_run_dispatch(r, slot);
    else if (strcmp(event, "ask") == 0 && r->verdicts)
        sweep_verdicts_ask(r->verdicts, slot, report);
    else if (!item || item->slot != slot)
        return;
    else if (strcmp(event, "start") == 0)
        on_start(r, slot, item, report);
    else if (strcmp(event, "progress") == 0)
        sweep_progress_step(r->progress, slot, report);
    else if (strcmp(event, "values") == 0 && r->verdicts)
        sweep_verdicts_values(r->verdicts, report);
    else if (strcmp(event, "epoch") == 0)
        on_epoch(r, slot, item, report);
    else if (strcmp(event, "end") == 0)
        on_end(r, slot, item, report);
    if (item && (item->slot == slot || strcmp(event, "end") == 0))
        watch_rules(r, slot, item, report);
    sweep_run_settle_verdicts(r);
}

/* The worker died with a trial in its hands. */
static void on_lost(struct run *r, int slot, struct item *item, const struct sweep_exit_info *how)
{
    char cause[64];

    item->slot = -1;
    item->state = WAITING;
    item->epoch = -1;
    if (sweep_run_stopping(r))
        return;
    if (how->signal)
        snprintf(cause, sizeof cause, "worker killed by signal %d (%s)", how->signal,
                 strsignal(how->signal));
    else
        snprintf(cause, sizeof cause, "worker exited with code %lld", (long long) how->status);
    if (++item->deaths <= r->options.retries) {
        sweep_progress_message(r->progress, "csweep: %s: %s; trying again from its last checkpoint",
                               item->trial->name, cause);
        return;
    }
    json_t *report = json_object();
    struct cs_buf detail = {0};
    cs_buf_addf(&detail, "%s, %d times", cause, item->deaths);
    if (*how->words)
        cs_buf_addf(&detail, "; it said: %s", how->words);
    cs_json_set(report, "number", json_integer(item->trial->number));
    cs_json_set(report, "state", cs_json_text("failed"));
    cs_json_set(report, "cause", cs_json_text(how->signal ? "signal" : "error"));
    cs_json_set(report, "detail", cs_json_text(detail.data));
    item->slot = slot;
    on_end(r, slot, item, report);
    json_decref(report);
    cs_buf_clear(&detail);
}

static void hold_signals(int how)
{
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigprocmask(how, &held, NULL);
}

/* The last worker is gone. From here to the exit code, or to the next round of a search, a signal is held back. */
static void close_rest(struct run *r)
{
    hold_signals(SIG_BLOCK);
    uv_close((uv_handle_t *) &r->timer, NULL);
    for (size_t i = 0; i < CS_COUNT(r->signals); i++)
        uv_close((uv_handle_t *) &r->signals[i], NULL);
}

static bool work_left(const struct run *r)
{
    for (size_t i = 0; i < r->item_count && !sweep_run_stopping(r); i++) {
        if (r->items[i].state == WAITING)
            return true;
    }
    return false;
}

static void on_exited(void *context, int slot, const struct sweep_exit_info *how)
{
    struct run *r = context;
    struct cs_error err;

    for (size_t i = 0; i < r->item_count; i++) {
        if (r->items[i].state == RUNNING && r->items[i].slot == slot)
            on_lost(r, slot, &r->items[i], how);
    }
    if (r->verdicts)
        sweep_verdicts_gone(r->verdicts, slot);
    sweep_run_settle_verdicts(r);
    if (how->status != 0 && !how->signal && *how->words && !sweep_run_stopping(r))
        sweep_progress_message(r->progress, "%s", how->words);
    if (work_left(r)) {
        if (how->status == SWEEP_EXIT_ENVIRONMENT || how->status == 1 || how->status < 0) {
            cs_fail(&err, CS_ECHILD, "workers cannot run here");
            sweep_run_break_off(r, &err);
        } else if (sweep_pool_start(r->pool, slot, &err) == 0) {
            return;
        } else {
            sweep_run_break_off(r, &err);
        }
    }
    for (int i = 0; i < r->slots; i++) {
        if (sweep_pool_alive(r->pool, i))
            return;
    }
    close_rest(r);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct run *r = handle->data;

    (void) signal_number;
    if (++r->stops == 1) {
        sweep_progress_message(
            r->progress,
            "csweep: stopping: trials checkpoint after the step in hand; again to stop at once");
        sweep_pool_signal(r->pool, SIGTERM);
    } else {
        sweep_pool_signal(r->pool, SIGKILL);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct run *r = timer->data;
    sweep_progress_tick(r->progress);
    obey_rules(r);
}

static void watch_signals(struct run *r)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < CS_COUNT(r->signals); i++) {
        uv_signal_init(&r->loop, &r->signals[i]);
        r->signals[i].data = r;
        uv_signal_start(&r->signals[i], on_signal, numbers[i]);
    }
    hold_signals(SIG_UNBLOCK); /* what came between two rounds comes now */
    signal(SIGPIPE, SIG_IGN);
}

static int run_loop(struct run *r, struct cs_error *err)
{
    const struct sweep_pool_hooks hooks = {r, on_report, on_exited};
    int started = 0, rc = 0;

    uv_loop_init(&r->loop);
    watch_signals(r);
    uv_timer_init(&r->loop, &r->timer);
    r->timer.data = r;
    uv_timer_start(&r->timer, on_tick, TICK_MS, TICK_MS);
    r->pool = sweep_pool_create(&r->loop, r->slots, &hooks);
    for (int i = 0; i < r->slots && rc == 0; i++) {
        rc = sweep_pool_start(r->pool, i, err);
        started += rc == 0;
    }
    if (rc < 0)
        sweep_run_break_off(r, err);
    if (started == 0)
        close_rest(r);
    uv_run(&r->loop, UV_RUN_DEFAULT);
    uv_loop_close(&r->loop);
    sweep_pool_free(r->pool);
    return rc;
}

/* ---- the whole ---- */

static void print_plan(struct run *r)
{
    const struct sweep_plan *plan = r->plan;
    const size_t before = plan->trial_count - r->item_count - r->pruned;
    char pruned[64] = "";

    if (r->options.json) {
        json_t *line = json_object();
        cs_json_set(line, "event", cs_json_text("plan"));
        cs_json_set(line, "sweep", cs_json_text(plan->name));
        cs_json_set(line, "points", json_integer((json_int_t) plan->point_count));
        cs_json_set(line, "trials", json_integer((json_int_t) plan->trial_count));
        cs_json_set(line, "done", json_integer((json_int_t) before));
        if (plan->prune || r->pruned)
            cs_json_set(line, "pruned", json_integer((json_int_t) r->pruned));
        cs_json_set(line, "backend", cs_json_text(r->instance));
        if (r->outside)
            cs_json_set(line, "outside", json_integer((json_int_t) r->outside));
        if (r->changed.data)
            cs_json_set(line, "changed", cs_json_text(r->changed.data));
        sweep_longer_json(line, r->longer);
        sweep_progress_json(r->progress, line);
        json_decref(line);
    } else if (!r->options.quiet) {
        printf("%s: %zu points", plan->name, plan->point_count);
        if (plan->point_count * plan->seed_count == plan->trial_count)
            printf(" x %zu seed%s =", plan->seed_count, plan->seed_count == 1 ? "" : "s");
        else
            putchar(',');
        if (r->pruned)
            snprintf(pruned, sizeof pruned, ", %zu pruned", r->pruned);
        printf(" %zu trials, %zu done%s before, %d slot%s; TensorBoard: tensorboard --logdir %s\n",
               plan->trial_count, before, pruned, r->slots, r->slots == 1 ? "" : "s", r->dir);
        struct cs_buf text = {0};
        if (r->changed.data)
            cs_buf_addf(&text, "%s\n", r->changed.data);
        sweep_longer_text(&text, r->longer);
        if (r->outside && !text.data)
            cs_buf_addf(&text,
                        "%zu finished trial%s no longer belong%s to the grid, whose settings are "
                        "others now; %s kept\n",
                        r->outside, r->outside == 1 ? "" : "s", r->outside == 1 ? "s" : "",
                        r->outside == 1 ? "it is" : "they are");
        fputs(text.data ? text.data : "", stdout);
        cs_buf_clear(&text);
        fflush(stdout);
    }
}

static void warn_of_slowness(const struct run *r)
{
    const char *warning = train_worker_warning(r->instance, getenv("CSWEEP_CPU"));

    if (warning && r->item_count > 0 && !r->options.quiet)
        fprintf(stderr, "csweep: %s\n", warning);
}

/* The comparison as a text card, when something was trained. */
static void write_comparison(const struct run *r, const struct sweep_state *state)
{
    struct cs_buf text = {0};
    struct cs_error err;
    int64_t over = 0;

    for (size_t i = 0; i < state->count; i++)
        over += sweep_record_is_over(&state->records[i]);
    if (r->item_count == 0 || over == 0)
        return;
    sweep_compare_markdown(&text, r->plan, state);
    if (sweep_experiment_note(r->dir, "Comparison", over, text.data, &err) < 0)
        sweep_print_error(&err);
    cs_buf_clear(&text);
}

/* The rule that ended the sweep before all was trained. */
static enum sweep_stop_rule ended_by(const struct run *r, size_t *waiting)
{
    *waiting = 0;
    for (size_t i = 0; i < r->item_count; i++)
        *waiting += r->items[i].state != OVER;
    if (*waiting == 0 || r->broken || r->stops)
        return SWEEP_STOP_NONE;
    return sweep_stop_rules_holds(r->rules);
}

/* Its last words, and the exit code. */
static int tell_rule(const struct run *r, enum sweep_stop_rule rule, size_t waiting)
{
    struct cs_buf text = {0};

    sweep_stop_rules_text(&text, r->rules, waiting);
    if (r->options.json) {
        json_t *line = json_object();
        cs_json_set(line, "event", cs_json_text("stop"));
        cs_json_set(line, "why", cs_json_text(text.data));
        sweep_print_json(line);
    }
    if (rule != SWEEP_STOP_TARGET)
        fprintf(stderr, "csweep: %s\n", text.data);
    else if (!r->options.quiet && !r->options.json)
        puts(text.data);
    cs_buf_clear(&text);
    return rule == SWEEP_STOP_BUDGET ? SWEEP_EXIT_INTERRUPTED
           : r->failed               ? SWEEP_EXIT_TRIAL
                                     : SWEEP_EXIT_OK;
}

static bool is_complete(const struct run *r)
{
    size_t waiting;

    return !r->stops && !r->broken && ended_by(r, &waiting) == SWEEP_STOP_NONE;
}

static int finish(struct run *r)
{
    size_t waiting;
    const enum sweep_stop_rule rule = ended_by(r, &waiting);
    const bool complete = is_complete(r) && !r->plan->more; /* else the next round tells */
    struct cs_error err;

    free_garbage(r, 0);
    sweep_progress_free(r->progress);
    r->progress = NULL;
    sweep_journal_close(r->journal);
    r->journal = NULL;
    if (!r->state && sweep_state_load(&r->state, r->dir, &err) < 0) {
        sweep_print_error(&err);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    if (complete && r->options.json)
        sweep_compare_json_line(r->plan, r->state);
    else if (complete && !r->options.quiet)
        sweep_compare_print(r->plan, r->state);
    if (complete)
        write_comparison(r, r->state);
    if (r->broken)
        return SWEEP_EXIT_ENVIRONMENT;
    if (r->stops) {
        fputs("csweep: interrupted; run the same command again to go on\n", stderr);
        return SWEEP_EXIT_INTERRUPTED;
    }
    if (rule != SWEEP_STOP_NONE)
        return tell_rule(r, rule, waiting);
    return r->failed ? SWEEP_EXIT_TRIAL : SWEEP_EXIT_OK;
}

static void create_progress(struct run *r)
{
    const struct sweep_progress_options options = {
        .quiet = r->options.quiet,
        .json = r->options.json,
        .slots = r->slots,
        .total = (int) r->plan->wanted,
        .done = (int) (r->plan->trial_count - r->item_count - r->pruned),
        .pruned = (int) r->pruned,
        .best = r->best,
        .best_name = r->best_name,
        .metric = r->plan->metric,
        .maximize = r->plan->maximize,
    };
    r->progress = sweep_progress_create(&options);
}

/* Train what the plan has; *complete: nothing but results is missing for more. */
static int run_round(struct sweep_plan *plan, const struct sweep_run_options *options, bool again,
                     bool *complete)
{
    struct run r = {.plan = plan,
                    .options = *options,
                    .slots = 1,
                    .best = NAN,
                    .best_name = "",
                    .again = again};
    struct cs_error err = {0};
    int code;

    *complete = false;
    r.dir = cs_xasprintf("%s/%s", options->logdir, plan->name);
    if (prepare(&r, plan, &err) < 0) {
        sweep_print_error(&err);
        code = SWEEP_EXIT_ENVIRONMENT;
    } else {
        r.slots = options->jobs > 0 ? options->jobs : sweep_cpu_count();
        if ((size_t) r.slots > r.item_count)
            r.slots = r.item_count ? (int) r.item_count : 1;
        create_progress(&r);
        if (!again) {
            print_plan(&r);
            warn_of_slowness(&r);
        }
        if (r.item_count > 0 && !sweep_run_stopping(&r))
            run_loop(&r, &err);
        else if (r.item_count == 0 && !again && !options->quiet && !options->json)
            printf("nothing to do: every trial is done%s\n", r.pruned ? " or pruned" : "");
        code = finish(&r);
        *complete = is_complete(&r);
    }
    sweep_shares_clear(&r.shares);
    sweep_longer_free(r.longer);
    cs_buf_clear(&r.changed);
    sweep_stop_rules_free(r.rules);
    sweep_seeds_free(r.seeds);
    sweep_verdicts_free(r.verdicts);
    ckpt_store_close(r.store);
    sweep_journal_close(r.journal);
    sweep_progress_free(r.progress);
    drop_state(&r);
    free(r.items);
    free(r.dir);
    return code;
}

/* The budget is that of all rounds together. */
static void spend(struct sweep_plan *plan, double seconds)
{
    if (plan->limits.budget > 0)
        plan->limits.budget = fmax(plan->limits.budget - seconds, 1e-3);
}

int sweep_run(struct sweep_plan *plan, const struct sweep_run_options *options)
{
    char *dir = cs_xasprintf("%s/%s", options->logdir, plan->name);
    struct cs_error err;
    bool complete = true, again = false, failed = false;
    int code = SWEEP_EXIT_OK;

    while (complete) {
        const double began = cs_mono_seconds();
        const bool more = plan->more != NULL;
        if (sweep_run_extend(plan, dir, again, &err) < 0) {
            sweep_print_error(&err);
            code = SWEEP_EXIT_ENVIRONMENT;
            break;
        }
        if (again && !more)
            break;
        code = run_round(plan, options, again, &complete);
        failed = failed || code == SWEEP_EXIT_TRIAL;
        again = true;
        spend(plan, cs_mono_seconds() - began);
    }
    free(dir);
    return code == SWEEP_EXIT_OK && failed ? SWEEP_EXIT_TRIAL : code;
}
