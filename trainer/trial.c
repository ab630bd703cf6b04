/*
 * trial.c - opening, logging, events and the end of an epoch. Checkpoints: trial_save.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "common/cs_io.h"
#include "common/cs_json.h"
#include "trainer/media.h"
#include "trainer/model.h"
#include "trainer/trial_impl.h"
#include "trainer/trial_save_impl.h"

void train_trial_log(const struct train_trial *trial, const char *fmt, ...)
{
    struct cs_buf line = {0};
    char when[32];
    struct tm tm;
    const time_t now = time(NULL);
    va_list args;

    if (trial->log < 0)
        return;
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    cs_buf_addf(&line, "%s ", when);
    char *text = NULL;
    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) >= 0)
        cs_buf_adds(&line, text);
    va_end(args);
    free(text);
    cs_buf_adds(&line, "\n");
    if (cs_write_all(trial->log, line.data, line.size, NULL) < 0) {
        /* The log is a convenience: a full disk shows itself in the next checkpoint. */
    }
    cs_buf_clear(&line);
}

/* trial.log, locked for this process; a predecessor that is being killed gets a moment to go. */
static int open_log(struct train_trial *trial, struct cs_error *err)
{
    char *path = cs_xasprintf("%s/trial.log", trial->job.dir);
    int rc = cs_make_dirs(trial->job.dir, err);

    if (rc == 0) {
        trial->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (trial->log < 0)
            rc = cs_fail_errno(err, "%s: cannot open", path);
    }
    for (int tries = 0; rc == 0 && flock(trial->log, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (errno != EWOULDBLOCK || tries == 200)
            rc = cs_fail(err, CS_EBUSY, "%s: another process works on this trial", path);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    free(path);
    return rc;
}

int train_trial_open(struct train_trial **out, const struct train_job *job, const char *config,
                     ckpt_store *store, struct cs_error *err)
{
    struct train_trial *trial = cs_xcalloc(1, sizeof *trial);
    int rc = 0;

    trial->job = *job;
    trial->log = -1;
    rc = train_spec_load(&trial->spec, "config.ini", config, strlen(config), err);
    if (rc == 0)
        rc = open_log(trial, err);
    if (rc == 0) {
        trial->rows = cs_xcalloc((size_t) trial->spec->epochs + 1, sizeof *trial->rows);
        trial->metric_column = train_spec_column(trial->spec, job->metric);
        if (trial->metric_column < 0)
            rc = cs_fail(err, CS_ENONAME, "metric %s: not written by this trial", job->metric);
    }
    if (rc == 0)
        rc = ckpt_remove_stale_locks(store, job->tag, NULL, err);
    if (rc == 0 && !job->anew)
        rc = train_trial_load(trial, store, err);
    if (rc == 0 && !trial->resumed && job->from && *job->from)
        rc = train_trial_take_over(trial, store, err);
    if (rc < 0)
        train_trial_free(trial);
    else
        *out = trial;
    return rc;
}

void train_snapshot_clear(struct train_snapshot *s)
{
    free(s->w);
    for (int i = 0; i < TRAIN_STATES; i++)
        free(s->slot[i]);
    *s = (struct train_snapshot){0};
}

void train_trial_free(struct train_trial *trial)
{
    if (!trial)
        return;
    tbw_writer_close(trial->events, NULL);
    train_snapshot_clear(&trial->best);
    train_snapshot_clear(&trial->resume);
    if (trial->log >= 0)
        close(trial->log);
    train_spec_free(trial->spec);
    free(trial->rows);
    free(trial->anew);
    free(trial);
}

static void config_table(struct cs_buf *out, const struct train_trial *trial)
{
    cs_buf_adds(out, "| key | value |\n| --- | --- |\n");
    cs_buf_addf(out, "| seed | %llu |\n", (unsigned long long) trial->spec->seed);
    for (size_t i = 0; i < trial->spec->setting_count; i++) {
        const struct train_setting *s = &trial->spec->settings[i];
        if (*s->value)
            cs_buf_addf(out, "| %s | %s |\n", s->key, s->value);
    }
}

static int write_hparams(struct train_trial *trial, struct cs_error *err)
{
    const size_t count = json_array_size(trial->job.params);
    struct tbw_hvalue *values = cs_xcalloc(count + 1, sizeof *values);
    size_t i;
    const json_t *param;

    json_array_foreach(trial->job.params, i, param)
    {
        const json_t *num = json_object_get(param, "num");
        values[i] = (struct tbw_hvalue){
            .name = cs_json_get_text(param, "key", ""),
            .kind = num ? TBW_FLOAT : TBW_STRING,
            .text = cs_json_get_text(param, "value", ""),
            .num = num ? json_number_value(num) : 0,
        };
    }
    const int rc = tbw_writer_hparams_start(trial->events, values, count, trial->job.group, 0, err);
    free(values);
    return rc;
}

int train_trial_begin_events(struct train_trial *trial, struct cs_error *err)
{
    const bool fresh = trial->now.epoch == 0 || trial->taken;
    const struct tbw_options options = {.start_step = fresh ? 0 : trial->now.epoch + 1};

    if (trial->events) /* with the epochs of the shorter trial */
        return 0;
    CS_TRY(tbw_writer_open(&trial->events, trial->job.dir, &options, err));
    if (!fresh)
        return 0;
    CS_TRY(write_hparams(trial, err));
    struct cs_buf text = {0};
    config_table(&text, trial);
    int rc = tbw_writer_text(trial->events, "Config", 0, text.data, err);
    cs_buf_clear(&text);
    if (rc == 0)
        rc = train_media_graph(trial, err);
    if (rc == 0)
        rc = tbw_writer_flush(trial->events, err);
    return rc;
}

/* How it ended, as a text card. */
static int write_state(struct train_trial *trial, struct cs_error *err)
{
    static const char *const words[] = {"interrupted", "done", "diverged", "stopped early",
                                        "pruned"};
    const struct train_standing *now = &trial->now;
    struct cs_buf text = {0};

    cs_buf_addf(&text, "%s after epoch %d of %d", words[now->state], now->epoch,
                trial->spec->epochs);
    if (now->best_epoch)
        cs_buf_addf(&text, "; best %s %.6g at epoch %d", trial->job.metric, now->best_value,
                    now->best_epoch);
    const int rc = tbw_writer_text(trial->events, "State", now->epoch, text.data, err);
    cs_buf_clear(&text);
    return rc;
}

static int close_events(struct train_trial *trial, int rc, struct cs_error *err)
{
    if (rc == 0)
        rc = tbw_writer_sync(trial->events, err);
    const int closed = tbw_writer_close(trial->events, rc == 0 ? err : NULL);
    trial->events = NULL;
    return rc < 0 ? rc : closed;
}

int train_trial_end_events(struct train_trial *trial, struct cs_error *err)
{
    const enum tbw_status status = trial->now.state == TRAIN_DIVERGED ? TBW_FAILURE : TBW_SUCCESS;
    int rc = write_state(trial, err);

    if (rc == 0)
        rc = tbw_writer_hparams_end(trial->events, status, 0, err);
    return close_events(trial, rc, err);
}

int train_trial_prune_events(struct train_trial *trial, const char *pruner, const char *why,
                             struct cs_error *err)
{
    char *text = cs_xasprintf("pruned after epoch %d of %d by %s: %s", trial->now.epoch,
                              trial->spec->epochs, pruner, why);
    const int rc = tbw_writer_text(trial->events, "State", trial->now.epoch + 1, text, err);

    free(text);
    return close_events(trial, rc, err);
}

void train_trial_fail_events(struct train_trial *trial, const struct cs_error *why)
{
    if (!trial->events)
        return;
    char *text = cs_xasprintf("failed after epoch %d of %d: %s", trial->now.epoch,
                              trial->spec->epochs, why->detail);
    tbw_writer_text(trial->events, "State", trial->now.epoch + 1, text, NULL);
    free(text);
}

/* Steps are the optimizer's: `accumulate` batches make one. */
static struct train_clock clock_of(const struct train_trial *trial, int step)
{
    const int64_t every = trial->spec->accumulate, batch = trial->spec->batch_size;
    const int64_t batches = (trial->spec->train_examples + batch - 1) / batch;
    const int64_t steps = (batches + every - 1) / every;

    return (struct train_clock){
        .epoch = trial->now.epoch,
        .step = trial->now.epoch * steps + step / every,
        .epochs = trial->spec->epochs,
        .steps_per_epoch = steps,
    };
}

/* Every parameter group's rate is moved on. */
static int move_rates(struct train_trial *trial, const struct train_clock *clock,
                      struct cs_error *err)
{
    for (int g = 0; g < trial->spec->group_count; g++)
        CS_TRY(train_schedule_next(trial->spec->schedule, &trial->now.rate[g], clock, err));
    return 0;
}

static void set_rates(const struct train_trial *trial, train_bundle *bundle, int k)
{
    for (int g = 0; g < trial->spec->group_count; g++)
        train_bundle_set_rate(bundle, k, g, trial->now.rate[g].lr, trial->now.rate[g].momentum);
}

int train_trial_place(struct train_trial *trial, train_bundle *bundle, int k, struct cs_error *err)
{
    const struct train_clock clock = clock_of(trial, trial->now.step);
    const size_t bytes = trial->spec->model->floats * sizeof(float);

    if (!trial->resumed) {
        train_bundle_init(bundle, k);
    } else { /* the memory read holds the padding too */
        memcpy(train_bundle_weights(bundle, k), trial->resume.w, bytes);
        for (int i = 0; i < TRAIN_STATES; i++)
            if (trial->resume.slot[i])
                memcpy(train_bundle_slot(bundle, k, i), trial->resume.slot[i], bytes);
    }
    if (trial->resumed)
        memcpy(train_bundle_memory(bundle, k), trial->now.memory, sizeof trial->now.memory);
    if (trial->resumed && train_bundle_torch(bundle, k))
        *train_bundle_torch(bundle, k) = trial->now.torch;
    *train_bundle_sums(bundle, k) = trial->now.sums;
    train_snapshot_clear(&trial->resume);
    for (int g = 0; g < trial->spec->group_count && !trial->resumed; g++)
        CS_TRY(train_schedule_begin(trial->spec->schedule, &trial->now.rate[g],
                                    trial->spec->groups[g].args[0], &clock, err));
    set_rates(trial, bundle, k);
    return 0;
}

void train_trial_remember(struct train_trial *trial, train_bundle *bundle, int k)
{
    const struct train_torch *torch = train_bundle_torch(bundle, k);

    memcpy(trial->now.memory, train_bundle_memory(bundle, k), sizeof trial->now.memory);
    if (torch)
        trial->now.torch = *torch;
}

int train_trial_end_step(struct train_trial *trial, train_bundle *bundle, int k,
                         struct cs_error *err)
{
    const int step = train_bundle_step(bundle);
    const struct train_clock clock = clock_of(trial, step);

    if (!train_schedule_by_step(trial->spec->schedule) || step % trial->spec->accumulate != 0)
        return 0;
    CS_TRY(move_rates(trial, &clock, err));
    set_rates(trial, bundle, k);
    return 0;
}

static void keep(float **to, const float *from, size_t floats)
{
    if (!from)
        return;
    if (!*to)
        *to = cs_xmalloc(floats * sizeof **to);
    memcpy(*to, from, floats * sizeof **to);
}

static void take_snapshot(struct train_trial *trial, train_bundle *bundle, int k)
{
    const size_t floats = trial->spec->model->floats;

    keep(&trial->best.w, train_bundle_weights(bundle, k), floats);
    for (int i = 0; i < TRAIN_STATES; i++)
        keep(&trial->best.slot[i], train_bundle_slot(bundle, k, i), floats);
}

static bool improves(const struct train_trial *trial, double value)
{
    if (!isfinite(value))
        return false;
    if (trial->now.best_epoch == 0)
        return true;
    return trial->job.maximize ? value > trial->now.best_value : value < trial->now.best_value;
}

int train_trial_write_epoch(struct train_trial *trial, double seconds, double samples_per_second,
                            struct cs_error *err)
{
    const struct train_spec *spec = trial->spec;
    const struct train_row *row = &trial->rows[trial->now.epoch - 1];
    struct tbw_scalar points[TRAIN_METRICS_MAX + TRAIN_GROUPS + 3];
    size_t n = 0;
    char best_tag[128], rate_tags[TRAIN_GROUPS][64];

    for (int i = 0; i < spec->metric_count; i++)
        points[n++] = (struct tbw_scalar){spec->tags[i], row->value[i], spec->metrics[i]->help};
    for (int g = 1; g < spec->group_count && seconds > 0; g++) {
        snprintf(rate_tags[g], sizeof rate_tags[g], "Learning_Rate/%.48s", spec->groups[g].name);
        points[n++] = (struct tbw_scalar){rate_tags[g], trial->epoch_rate[g],
                                          "of this parameter group, at the epoch's last step"};
    }
    if (seconds > 0) {
        points[n++] = (struct tbw_scalar){"Time/Epoch_Seconds", seconds,
                                          "seconds of the epoch, evaluation included"};
        points[n++] = (struct tbw_scalar){"Throughput/Samples_Per_Second", samples_per_second,
                                          "training only"};
    }
    snprintf(best_tag, sizeof best_tag, "Best/%.100s", trial->job.metric);
    if (trial->now.best_epoch)
        points[n++] = (struct tbw_scalar){best_tag, trial->now.best_value, "best value so far"};
    CS_TRY(tbw_writer_scalars(trial->events, trial->now.epoch, points, n, err));
    return tbw_writer_flush(trial->events, err);
}

/* Has the metric been without an improvement of more than min_delta for too many epochs? */
static bool stops_early(struct train_trial *trial, double value)
{
    struct train_standing *now = &trial->now;
    const double gain = trial->job.maximize ? value - now->stop_value : now->stop_value - value;

    if (trial->spec->early_stopping == 0)
        return false;
    if (isfinite(value) && (now->epoch == 1 || gain > trial->spec->min_delta)) {
        now->stop_value = value;
        now->bad_epochs = 0;
        return false;
    }
    return ++now->bad_epochs >= trial->spec->early_stopping;
}

bool train_trial_judge(struct train_trial *trial, bool diverged)
{
    struct train_standing *now = &trial->now;
    const double value = trial->rows[now->epoch - 1].value[trial->metric_column];

    if (diverged)
        now->state = TRAIN_DIVERGED;
    else if (now->epoch == trial->spec->epochs)
        now->state = TRAIN_DONE;
    else if (stops_early(trial, value))
        now->state = TRAIN_STOPPED;
    if (diverged || !improves(trial, value))
        return false;
    now->best_epoch = now->epoch;
    now->best_value = value;
    return true;
}

int train_trial_move_on(struct train_trial *trial, struct cs_error *err)
{
    const struct train_row *row = &trial->rows[trial->now.epoch - 1];
    struct train_clock clock = clock_of(trial, 0);

    clock.epoch_over = true;
    clock.val_loss = train_row_value(row, trial->spec, "Loss/Val");
    clock.val_score = train_row_value(
        row, trial->spec, trial->spec->targets == KERN_VALUES ? "R2/Val" : "Accuracy/Val");
    return move_rates(trial, &clock, err);
}

static void log_epoch(const struct train_trial *trial, const struct train_row *row, double seconds)
{
    struct cs_buf text = {0};

    cs_buf_addf(&text, "epoch %d/%d", trial->now.epoch, trial->spec->epochs);
    for (int i = 0; i < trial->spec->metric_count; i++)
        cs_buf_addf(&text, " %s %.6g", trial->spec->tags[i], row->value[i]);
    train_trial_log(trial, "%s %.2f s", text.data, seconds);
    cs_buf_clear(&text);
}

int train_trial_end_epoch(struct train_trial *trial, train_bundle *bundle, int k,
                          const struct train_row *row, double seconds, double samples_per_second,
                          struct cs_error *err)
{
    struct train_standing *now = &trial->now;

    trial->rows[now->epoch++] = *row;
    now->step = 0;
    train_trial_remember(trial, bundle, k);
    now->sums = (struct train_sums){0};
    now->seconds += seconds;
    for (int g = 0; g < trial->spec->group_count; g++)
        trial->epoch_rate[g] = now->rate[g].lr;
    const bool diverged = !isfinite(train_row_value(row, trial->spec, "Loss/Train")) ||
                          !train_bundle_finite(bundle, k);
    const bool better = train_trial_judge(trial, diverged);
    if (now->state == TRAIN_RUNNING) {
        CS_TRY(train_trial_move_on(trial, err));
        set_rates(trial, bundle, k);
    }
    if (better) {
        take_snapshot(trial, bundle, k);
        trial->best.standing = *now;
        trial->best_saved = false;
    }
    log_epoch(trial, row, seconds);
    if (train_media_due(trial->spec, now->epoch))
        CS_TRY(train_media_weights(trial, train_bundle_weights(bundle, k), err));
    return train_trial_write_epoch(trial, seconds, samples_per_second, err);
}

/* Automatic: when the trial's share of the time since the last save has earned a hundred times its cost. */
bool train_trial_save_due(const struct train_trial *trial, int together)
{
    if (trial->spec->checkpoint_every > 0)
        return trial->now.epoch % trial->spec->checkpoint_every == 0;
    const double cost = trial->save_cost > 0 ? trial->save_cost : 0.03;
    return cs_mono_seconds() - trial->saved_at >= 100 * cost * together;
}

json_t *train_trial_last_json(const struct train_trial *trial)
{
    const char *const *tags = train_spec_tags(trial->spec);
    json_t *out = json_object();

    for (int i = 0; i < trial->spec->metric_count && trial->now.epoch > 0; i++)
        cs_json_set(out, tags[i], cs_json_number(trial->rows[trial->now.epoch - 1].value[i]));
    return out;
}

json_t *train_trial_best_json(const struct train_trial *trial)
{
    const char *const *tags = train_spec_tags(trial->spec);
    json_t *out = json_object();

    for (int i = 0; i < trial->spec->metric_count; i++) {
        const bool high = trial->spec->metrics[i]->better > 0;
        int best = -1;
        if (trial->spec->metrics[i]->better == 0)
            continue;
        for (int e = 0; e < trial->now.epoch; e++) {
            const double v = trial->rows[e].value[i];
            const double old = best < 0 ? 0 : trial->rows[best].value[i];
            if (isfinite(v) && (best < 0 || (high ? v > old : v < old)))
                best = e;
        }
        if (best < 0)
            continue;
        json_t *entry = json_object();
        cs_json_set(entry, "value", cs_json_number(trial->rows[best].value[i]));
        cs_json_set(entry, "epoch", json_integer(best + 1));
        cs_json_set(out, tags[i], entry);
    }
    return out;
}

struct row_names {
    const struct train_trial *trial;
    int epoch; /* row, from 0 */
};

static struct cs_expr_value lookup_row(void *context, const char *name)
{
    const struct row_names *c = context;
    const int column = train_spec_column(c->trial->spec, name);

    if (strcmp(name, "epoch") == 0)
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = c->epoch + 1};
    if (column < 0)
        return (struct cs_expr_value){.kind = CS_EXPR_ABSENT};
    return (struct cs_expr_value){.kind = CS_EXPR_NUMBER,
                                  .num = c->trial->rows[c->epoch].value[column]};
}

int train_trial_target_epoch(const struct train_trial *trial)
{
    struct cs_arena arena = {0};
    struct cs_expr *target = NULL;
    struct row_names names = {.trial = trial};
    bool met = false;

    if (!*trial->job.target || cs_expr_compile(&target, trial->job.target, &arena, NULL) < 0)
        target = NULL;
    for (; target && !met && names.epoch < trial->now.epoch; names.epoch++) {
        if (cs_expr_test(&met, target, lookup_row, &names, NULL) < 0)
            break;
    }
    cs_arena_clear(&arena);
    return met ? names.epoch : 0;
}
