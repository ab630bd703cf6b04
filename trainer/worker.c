/*
 * worker.c - commands to bundles to reports. One thread; nothing is done in the signal handler but setting a flag.
 */
#include "trainer/worker.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_json.h"
#include "trainer/media.h"
#include "trainer/trial_impl.h"

static volatile sig_atomic_t stop_asked;

static void on_term(int signal_number)
{
    (void) signal_number;
    stop_asked = 1;
}

struct worker {
    int in, out;
    struct cs_buf pending; /* read from `in`, not used yet */
    const struct kern_ops *ops;
    ckpt_store *store;
    char *store_path;
    struct train_data *data; /* of the last command, kept for the next */
    double reported_at;      /* of the last progress line */
};

static json_t *event(const char *name)
{
    json_t *line = json_object();
    cs_json_set(line, "event", cs_json_text(name));
    return line;
}

/* One whole line per write; a controller that is gone ends the worker at its next command. */
static void send(const struct worker *w, json_t *line)
{
    struct cs_buf text = {0};

    cs_json_line(&text, line);
    cs_buf_adds(&text, "\n");
    if (cs_write_all(w->out, text.data, text.size, NULL) < 0)
        stop_asked = 1;
    cs_buf_clear(&text);
    json_decref(line);
}

static void send_ready(const struct worker *w)
{
    json_t *line = event("ready"), *cpus = json_array();
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        for (size_t i = 0; i < CPU_SETSIZE; i++) {
            if (CPU_ISSET(i, &set))
                json_array_append_new(cpus, json_integer((json_int_t) i));
        }
    }
    cs_json_set(line, "pid", json_integer(getpid()));
    cs_json_set(line, "backend", cs_json_text(w->ops->instance));
    cs_json_set(line, "cpus", cpus);
    send(w, line);
}

static void send_failed(const struct worker *w, int64_t number, const struct cs_error *err)
{
    json_t *line = event("end");

    cs_json_set(line, "number", json_integer(number));
    cs_json_set(line, "state", cs_json_text("failed"));
    cs_json_set(line, "cause", cs_json_text(err->code == CS_ENOMEM ? "oom" : "error"));
    cs_json_set(line, "code", cs_json_text(cs_code_text(err->code)));
    cs_json_set(line, "detail", cs_json_text(err->detail));
    send(w, line);
}

static void send_end_of(const struct worker *w, const struct train_trial *trial, const char *state,
                        const char *cause, const char *detail)
{
    json_t *line = event("end"), *tags = json_array();
    static const char *const which[] = {"best", "last"};

    for (size_t i = trial->now.best_epoch ? 0 : 1; i < CS_COUNT(which); i++) {
        char *ref = cs_xasprintf("refs/tags/%s/%s", trial->job.tag, which[i]);
        json_array_append_new(tags, cs_json_text(ref));
        free(ref);
    }
    cs_json_set(line, "number", json_integer(trial->job.number));
    cs_json_set(line, "state", cs_json_text(state));
    if (*cause) {
        cs_json_set(line, "cause", cs_json_text(cause));
        cs_json_set(line, "detail", cs_json_text(detail));
    }
    cs_json_set(line, "epoch", json_integer(trial->now.epoch));
    cs_json_set(line, "step", json_integer(trial->now.step));
    cs_json_set(line, "epochs", json_integer(trial->spec->epochs));
    cs_json_set(line, "seconds", cs_json_number(trial->now.seconds));
    cs_json_set(line, "last", train_trial_last_json(trial));
    cs_json_set(line, "best", train_trial_best_json(trial));
    cs_json_set(line, "tags", tags);
    cs_json_set(line, "target_epoch", json_integer(train_trial_target_epoch(trial)));
    cs_json_set(line, "superseded_bytes", json_integer((json_int_t) trial->superseded_bytes));
    train_trial_log(trial, "%s after epoch %d%s%s%s%s", state, trial->now.epoch,
                    *cause ? " by " : "", cause, *cause ? ": " : "", detail);
    send(w, line);
}

static void send_end(const struct worker *w, const struct train_trial *trial, const char *state)
{
    send_end_of(w, trial, state, "", "");
}

static const char *state_name(const struct train_trial *trial)
{
    static const char *const names[] = {"running", "done", "diverged", "stopped", "pruned"};
    return names[trial->now.state];
}

/* ---- one bundle ---- */

struct batch {
    struct worker *worker;
    train_bundle *bundle;
    struct train_trial **trial; /* [count], in the bundle's order */
    int count;
    double *grad_norm;
    struct train_sums *val;
};

static void leave(struct batch *b, int k)
{
    train_bundle_remove(b->bundle, k);
    train_trial_free(b->trial[k]);
    b->count--;
    b->trial[k] = b->trial[b->count];
    b->grad_norm[k] = b->grad_norm[b->count];
    b->val[k] = b->val[b->count];
}

static void fail_trial(struct batch *b, int k, const struct cs_error *err)
{
    train_trial_log(b->trial[k], "failed: %s", err->detail);
    train_trial_fail_events(b->trial[k], err);
    send_failed(b->worker, b->trial[k]->job.number, err);
    leave(b, k);
}

static void send_start(const struct batch *b, const struct train_trial *trial)
{
    json_t *line = event("start");

    cs_json_set(line, "number", json_integer(trial->job.number));
    cs_json_set(line, "epoch", json_integer(trial->now.epoch));
    cs_json_set(line, "step", json_integer(trial->now.step));
    cs_json_set(line, "epochs", json_integer(trial->spec->epochs));
    cs_json_set(line, "steps", json_integer(train_bundle_steps(b->bundle)));
    const int met = train_trial_target_epoch(trial);
    if (met > 0)
        cs_json_set(line, "target_epoch", json_integer(met));
    if (trial->taken)
        cs_json_set(line, "from", cs_json_text(trial->job.from));
    if (trial->anew)
        cs_json_set(line, "anew", cs_json_text(trial->anew));
    send(b->worker, line);
}

static void send_progress(struct batch *b, double samples_per_second)
{
    const double now = cs_mono_seconds();

    if (now - b->worker->reported_at < 0.2)
        return;
    b->worker->reported_at = now;
    for (int k = 0; k < b->count; k++) {
        const struct train_sums *sums = train_bundle_sums(b->bundle, k);
        json_t *line = event("progress");
        cs_json_set(line, "number", json_integer(b->trial[k]->job.number));
        cs_json_set(line, "epoch", json_integer(b->trial[k]->now.epoch + 1));
        cs_json_set(line, "step", json_integer(train_bundle_step(b->bundle)));
        cs_json_set(line, "steps", json_integer(train_bundle_steps(b->bundle)));
        cs_json_set(line, "loss", cs_json_number(sums->of.loss / sums->of.weight));
        cs_json_set(line, "samples_per_second", cs_json_number(samples_per_second));
        send(b->worker, line);
    }
}

static void send_epoch(const struct batch *b, const struct train_trial *trial, double seconds)
{
    json_t *line = event("epoch");

    cs_json_set(line, "number", json_integer(trial->job.number));
    cs_json_set(line, "epoch", json_integer(trial->now.epoch));
    cs_json_set(line, "epochs", json_integer(trial->spec->epochs));
    cs_json_set(line, "seconds", cs_json_number(seconds));
    cs_json_set(line, "total_seconds", cs_json_number(trial->now.seconds));
    if (trial->now.state == TRAIN_DIVERGED)
        cs_json_set(line, "diverged", json_true());
    cs_json_set(line, "metrics", train_trial_last_json(trial));
    send(b->worker, line);
}

/* whole: else the epoch was cut short, and there are no values of its end. */
static struct train_row make_row(const struct batch *b, int k, bool whole)
{
    const struct train_trial *trial = b->trial[k];
    const struct train_measured measured = {
        .sums = {train_bundle_sums(b->bundle, k), &b->val[k]},
        .spread = {b->worker->data->spread[0], b->worker->data->spread[1]},
        .labels = trial->spec->targets == KERN_CLASSES ? 1 : trial->spec->width,
        .batch_means = trial->spec->loss_average_batches,
        .lr = trial->now.rate[0].lr,
        .norm = b->grad_norm[k],
        .whole = whole,
    };
    struct train_row row;

    train_row_fill(&row, trial->spec, &measured);
    return row;
}

/* The gradient of an epoch's last step. */
static void on_gradient(void *context, int k, const float *gradient)
{
    struct train_trial *trial = ((struct batch *) context)->trial[k];

    if (train_media_due(trial->spec, trial->now.epoch + 1))
        train_media_gradients(trial, gradient, &trial->watch_error);
}

/* How far the walk over the bundle goes on: 0 when the trial has left and another stands at k. */
static int end_epoch(struct batch *b, int k, bool whole, double seconds, double samples_per_second)
{
    struct train_trial *trial = b->trial[k];
    const struct train_row row = make_row(b, k, whole);
    struct cs_error err;
    int rc = trial->watch_error.code;

    if (rc < 0)
        err = trial->watch_error;
    else
        rc = train_trial_end_epoch(trial, b->bundle, k, &row, seconds, samples_per_second, &err);
    const bool over = trial->now.state != TRAIN_RUNNING;
    if (rc == 0 && over)
        rc = train_trial_restore_best(trial, b->bundle, k, b->worker->store, &err);
    if (rc == 0 && over)
        rc = train_media_end(trial, b->bundle, k, b->worker->data, &err);
    if (rc == 0 && over)
        rc = train_trial_end_events(trial, &err);
    if (rc == 0 && (over || train_trial_save_due(trial, b->count)))
        rc = train_trial_save(trial, b->bundle, k, b->worker->store, &err);
    if (rc < 0) {
        fail_trial(b, k, &err);
        return 0;
    }
    send_epoch(b, trial, seconds);
    if (!over)
        return 1;
    send_end(b->worker, trial, state_name(trial));
    leave(b, k);
    return 0;
}

/* Trials whose loss is not finite any more end inside the epoch. */
static void end_diverged(struct batch *b, double seconds, double samples_per_second)
{
    for (int k = 0; k < b->count;) {
        if (isfinite(train_bundle_sums(b->bundle, k)->of.loss))
            k++;
        else
            k += end_epoch(b, k, false, seconds, samples_per_second);
    }
}

/* After a step inside an epoch; a trial whose schedule fails leaves. */
static void end_step(struct batch *b)
{
    struct cs_error err;

    for (int k = 0; k < b->count;) {
        if (train_trial_end_step(b->trial[k], b->bundle, k, &err) < 0)
            fail_trial(b, k, &err);
        else
            k++;
    }
}

/* Train one epoch, or what is left of it; false when SIGTERM came inside. Times exclude other trials' shares. */
static bool train_epoch(struct batch *b)
{
    const double start = cs_mono_seconds();
    const int epoch = train_bundle_epoch(b->bundle), first_step = train_bundle_step(b->bundle);
    const int batch_size = b->trial[0]->spec->batch_size;

    while (b->count > 0 && train_bundle_epoch(b->bundle) == epoch) {
        train_bundle_train_step(b->bundle, b->grad_norm);
        const int step = train_bundle_step(b->bundle);
        const double elapsed = cs_mono_seconds() - start;
        const double speed = (double) (step - first_step) * batch_size / (elapsed / b->count);
        if (step > 0)
            end_diverged(b, elapsed / b->count, speed);
        if (step > 0)
            end_step(b);
        if (b->count == 0)
            return true;
        if (step > 0)
            send_progress(b, speed);
        if (step > 0 && stop_asked && train_bundle_between_updates(b->bundle)) {
            for (int k = 0; k < b->count; k++)
                b->trial[k]->now.seconds += elapsed / b->count;
            return false;
        }
    }
    if (b->count == 0)
        return true;
    const double trained = (cs_mono_seconds() - start) / b->count;
    const double samples =
        (double) b->trial[0]->spec->train_examples - (double) first_step * batch_size;
    train_bundle_evaluate(b->bundle, b->val);
    const double total = (cs_mono_seconds() - start) / b->count;
    for (int k = 0; k < b->count;)
        k += end_epoch(b, k, true, total, samples / trained);
    train_bundle_clear_sums(b->bundle);
    return !stop_asked || b->count == 0;
}

/* Save a trial where it stands, and let it go. */
static void put_down(struct batch *b, int k, const char *state)
{
    struct train_trial *trial = b->trial[k];
    struct cs_error err;

    trial->now.step = train_bundle_step(b->bundle);
    trial->now.sums = *train_bundle_sums(b->bundle, k);
    train_trial_remember(trial, b->bundle, k);
    int rc = tbw_writer_sync(trial->events, &err);
    if (rc == 0)
        rc = train_trial_save(trial, b->bundle, k, b->worker->store, &err);
    if (rc < 0) {
        fail_trial(b, k, &err);
        return;
    }
    send_end(b->worker, trial, state);
    leave(b, k);
}

static void interrupt_all(struct batch *b)
{
    while (b->count > 0)
        put_down(b, 0, "interrupted");
}

/* ---- verdicts on judged trials ---- */

static void prune(struct batch *b, int k, const char *pruner, const char *why)
{
    struct train_trial *trial = b->trial[k];
    struct cs_error err;

    trial->now.state = TRAIN_PRUNED;
    int rc = train_trial_prune_events(trial, pruner, why, &err);
    if (rc == 0)
        rc = train_trial_save(trial, b->bundle, k, b->worker->store, &err);
    if (rc < 0) {
        fail_trial(b, k, &err);
        return;
    }
    send_end_of(b->worker, trial, "pruned", pruner, why);
    leave(b, k);
}

static void take_verdict(struct batch *b, const json_t *one)
{
    const int64_t number = cs_json_get_int(one, "number", -1);
    const char *verdict = cs_json_get_text(one, "verdict", "go");
    int k = 0;

    while (k < b->count && b->trial[k]->job.number != number)
        k++;
    if (k == b->count)
        return;
    if (strcmp(verdict, "prune") == 0)
        prune(b, k, cs_json_get_text(one, "pruner", ""), cs_json_get_text(one, "why", ""));
    else if (strcmp(verdict, "aside") == 0)
        put_down(b, k, "waiting");
    else
        b->trial[k]->judge_at = (int) cs_json_get_int(one, "next", 0);
}

/* The next line into buf, without its end; false at the end of input or on SIGTERM. */
static bool read_line(struct worker *w, struct cs_buf *line)
{
    struct cs_buf *pending = &w->pending;
    char chunk[65536];

    for (;;) {
        char *end = pending->size ? memchr(pending->data, '\n', pending->size) : NULL;
        if (end) {
            const size_t size = (size_t) (end - pending->data);
            line->size = 0;
            cs_buf_add(line, pending->data, size);
            memmove(pending->data, end + 1, pending->size - size - 1);
            pending->size -= size + 1;
            return true;
        }
        if (stop_asked)
            return false;
        struct pollfd input = {.fd = w->in, .events = POLLIN};
        if (poll(&input, 1, 200) <= 0) /* a signal may have come just before */
            continue;
        const ssize_t n = read(w->in, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        cs_buf_add(pending, chunk, (size_t) n);
    }
}

/* Wait for the verdicts asked for; without any the bundle is stopped. */
static void await_verdicts(struct batch *b)
{
    struct cs_buf line = {0};
    size_t i;
    const json_t *one;
    json_t *answer = read_line(b->worker, &line) ? cs_json_read(line.data, line.size) : NULL;

    if (strcmp(cs_json_get_text(answer, "cmd", ""), "judge") != 0)
        stop_asked = 1;
    json_array_foreach(json_object_get(answer, "trials"), i, one) take_verdict(b, one);
    json_decref(answer);
    cs_buf_clear(&line);
}

/* Ask about the trials that are to be judged where they stand, or about all. */
static void ask(struct batch *b, bool all)
{
    json_t *line = event("ask"), *list = json_array();

    for (int k = 0; k < b->count; k++) {
        const struct train_standing *now = &b->trial[k]->now;
        if (!all && b->trial[k]->judge_at != now->epoch)
            continue;
        json_t *one = json_object();
        cs_json_set(one, "number", json_integer(b->trial[k]->job.number));
        cs_json_set(one, "epoch", json_integer(now->epoch));
        cs_json_set(one, "step", json_integer(now->step));
        json_array_append_new(list, one);
    }
    const bool any = json_array_size(list) > 0;
    cs_json_set(line, "trials", list);
    if (!any) {
        json_decref(line);
        return;
    }
    send(b->worker, line);
    await_verdicts(b);
}

/* A trial that begins anew replaces what it had saved before it says that it began. */
static int begin_one(struct batch *b, int k, struct cs_error *err)
{
    struct train_trial *trial = b->trial[k];

    trial->saved_at = cs_mono_seconds();
    CS_TRY(train_trial_place(trial, b->bundle, k, err));
    CS_TRY(train_trial_begin_events(trial, err));
    if (!trial->job.anew)
        return 0;
    train_trial_remember(trial, b->bundle, k);
    return train_trial_save(trial, b->bundle, k, b->worker->store, err);
}

static void begin_all(struct batch *b)
{
    train_bundle_seek(b->bundle, b->trial[0]->now.epoch, b->trial[0]->now.step);
    for (int k = 0; k < b->count;) {
        struct train_trial *trial = b->trial[k];
        struct cs_error err;
        if (begin_one(b, k, &err) < 0) {
            fail_trial(b, k, &err);
            continue;
        }
        train_trial_log(trial, "%s attempt %lld at epoch %d step %d, %s", trial->job.name,
                        (long long) trial->job.attempt, trial->now.epoch, trial->now.step,
                        b->worker->ops->instance);
        send_start(b, trial);
        k++;
    }
}

/* Takes the trials: all are ended and freed on return. */
static void train_batch(struct worker *w, struct train_trial **trials, int count, bool judged)
{
    struct batch b = {.worker = w, .trial = trials, .count = count};
    struct train_spec **specs = cs_xcalloc((size_t) count, sizeof *specs);
    struct cs_error err;

    for (int k = 0; k < count; k++)
        specs[k] = trials[k]->spec;
    b.grad_norm = cs_xcalloc((size_t) count, sizeof *b.grad_norm);
    b.val = cs_xcalloc((size_t) count, sizeof *b.val);
    if (train_bundle_create(&b.bundle, w->ops, specs, count, w->data, 0, &err) < 0) {
        for (int k = 0; k < count; k++) {
            send_failed(w, trials[k]->job.number, &err);
            train_trial_free(trials[k]);
        }
    } else {
        train_bundle_watch(b.bundle, &(struct train_watch){on_gradient, &b});
        begin_all(&b);
        if (judged)
            ask(&b, true);
        while (b.count > 0) {
            if ((judged && stop_asked) || !train_epoch(&b))
                interrupt_all(&b);
            else if (judged)
                ask(&b, false);
        }
    }
    train_bundle_free(b.bundle);
    free(b.grad_norm);
    free(b.val);
    free(specs);
}

/* ---- one command ---- */

static int load_data(struct worker *w, const struct train_spec *spec, const char *share,
                     struct cs_error *err)
{
    char *key = train_data_key(spec);
    int rc = 0;

    if (!w->data || strcmp(w->data->key, key) != 0) {
        train_data_free(w->data);
        w->data = NULL;
        rc = train_data_load_shared(&w->data, spec, share, err);
    }
    free(key);
    return rc;
}

static int open_store(struct worker *w, const char *path, struct cs_error *err)
{
    if (w->store && strcmp(path, w->store_path) == 0)
        return 0;
    ckpt_store_close(w->store);
    w->store = NULL;
    free(w->store_path);
    w->store_path = cs_xstrdup(path);
    return ckpt_store_open(&w->store, path, true, err);
}

static struct train_job job_of(const json_t *command, const json_t *one)
{
    return (struct train_job){
        .store_path = cs_json_get_text(command, "store", ""),
        .metric = cs_json_get_text(command, "metric", ""),
        .maximize = json_is_true(json_object_get(command, "maximize")),
        .anew = json_is_true(json_object_get(one, "anew")),
        .name = cs_json_get_text(one, "name", ""),
        .dir = cs_json_get_text(one, "dir", ""),
        .tag = cs_json_get_text(one, "tag", ""),
        .from = cs_json_get_text(one, "from", ""),
        .title = cs_json_get_text(one, "title", ""),
        .group = cs_json_get_text(one, "group", ""),
        .target = cs_json_get_text(command, "target", ""),
        .number = cs_json_get_int(one, "number", 0),
        .attempt = cs_json_get_int(one, "attempt", 1),
        .params = json_object_get(one, "params"),
    };
}

/* What the trial had of the metric before; bits of an epoch that diverged are nobody's. */
static void send_values(const struct worker *w, const struct train_trial *trial)
{
    json_t *line = event("values"), *list = json_array();
    const int epochs = trial->now.epoch - (trial->now.state == TRAIN_DIVERGED);

    for (int e = 0; e < epochs; e++)
        json_array_append_new(list, cs_json_number(trial->rows[e].value[trial->metric_column]));
    cs_json_set(line, "number", json_integer(trial->job.number));
    cs_json_set(line, "values", list);
    send(w, line);
}

/* Open a trial; one that cannot be opened, or is over already, is reported and NULL is returned. */
static struct train_trial *open_trial(struct worker *w, const json_t *command, const json_t *one)
{
    const struct train_job job = job_of(command, one);
    const bool judged = json_is_true(json_object_get(command, "judged"));
    struct train_trial *trial = NULL;
    struct cs_error err;
    int rc = open_store(w, job.store_path, &err);

    if (rc == 0)
        rc = train_trial_open(&trial, &job, cs_json_get_text(one, "config", ""), w->store, &err);
    if (rc == 0)
        rc = load_data(w, trial->spec, cs_json_get_text(command, "data", ""), &err);
    if (rc < 0) {
        send_failed(w, job.number, &err);
        train_trial_free(trial);
        return NULL;
    }
    if (judged)
        send_values(w, trial);
    if (trial->now.state != TRAIN_RUNNING) {
        send_end(w, trial, state_name(trial));
        train_trial_free(trial);
        return NULL;
    }
    return trial;
}

static int by_position(const void *a, const void *b)
{
    const struct train_trial *x = *(struct train_trial *const *) a,
                             *y = *(struct train_trial *const *) b;

    if (x->now.epoch != y->now.epoch)
        return x->now.epoch < y->now.epoch ? -1 : 1;
    if (x->now.step != y->now.step)
        return x->now.step < y->now.step ? -1 : 1;
    return x->job.number < y->job.number ? -1 : x->job.number > y->job.number;
}

/* Bundles of trials that stand at the same place. */
static void train_all(struct worker *w, struct train_trial **trials, int count, int fuse)
{
    qsort(trials, (size_t) count, sizeof(struct train_trial *), by_position);
    for (int first = 0; first < count;) {
        int n = 1;
        while (first + n < count && n < fuse &&
               trials[first + n]->now.epoch == trials[first]->now.epoch &&
               trials[first + n]->now.step == trials[first]->now.step)
            n++;
        if (stop_asked) { /* not begun: nothing to save */
            for (int k = first; k < first + n; k++) {
                send_end(w, trials[k], "interrupted");
                train_trial_free(trials[k]);
            }
        } else {
            train_batch(w, trials + first, n, false);
        }
        first += n;
    }
}

/* Judged trials are all at one epoch: where the one with the lowest number is. The others wait. */
static void train_judged(struct worker *w, struct train_trial **trials, int count)
{
    const struct train_trial *first = count ? trials[0] : NULL;
    int kept = 0;

    for (int k = 1; k < count; k++)
        first = trials[k]->job.number < first->job.number ? trials[k] : first;
    for (int k = 0; k < count; k++) {
        struct train_trial *trial = trials[k];
        if (!stop_asked && trial->now.epoch == first->now.epoch &&
            trial->now.step == first->now.step) {
            trials[kept++] = trial;
            continue;
        }
        send_end(w, trial, stop_asked ? "interrupted" : "waiting");
        if (trial != first)
            train_trial_free(trial);
    }
    if (kept > 0)
        train_batch(w, trials, kept, true);
}

static int obey(struct worker *w, const char *line)
{
    json_t *command = cs_json_read(line, strlen(line));
    const json_t *list = json_object_get(command, "trials");

    if (!command || strcmp(cs_json_get_text(command, "cmd", ""), "train") != 0 ||
        !json_is_array(list)) {
        fprintf(stderr, "csweep worker: malformed command: %.200s\n", line);
        json_decref(command);
        return -1;
    }
    struct train_trial **trials =
        cs_xcalloc(json_array_size(list) + 1, sizeof(struct train_trial *));
    int count = 0;
    size_t i;
    const json_t *one;
    json_array_foreach(list, i, one)
    {
        struct train_trial *trial = open_trial(w, command, one);
        if (trial)
            trials[count++] = trial;
    }
    if (json_is_true(json_object_get(command, "judged")))
        train_judged(w, trials, count);
    else
        train_all(w, trials, count, (int) cs_json_get_int(command, "fuse", 1));
    free(trials);
    json_decref(command);
    send(w, event("idle"));
    return 0;
}

int train_worker_check(const char **instance, struct cs_error *err)
{
    const struct kern_ops *ops;

    CS_TRY(kern_backend_find(&ops, "cpu", err));
    *instance = ops->instance;
    return 0;
}

const char *train_worker_warning(const char *instance, const char *cap)
{
    const bool ref = strcmp(instance, "ref") == 0;

    if (!ref && strcmp(instance, "generic") != 0)
        return NULL;
    if (cap && *cap)
        return ref ? "CSWEEP_CPU = ref: naive kernels, for checking"
                   : "CSWEEP_CPU = generic: slow kernels, for checking";
    return "this machine has neither AVX2 with FMA nor AVX-512: only the generic kernels fit, the "
           "same bits many times slower";
}

/* What a checkpoint needs goes back to the system afterwards; glibc would learn to keep it. */
static void keep_heap_small(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 1 << 18);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
#endif
}

int train_worker_run(int in, int out)
{
    struct worker w = {.in = in, .out = out};
    struct cs_buf line = {0};
    struct cs_error err;
    int rc = 0;
    const struct sigaction action = {.sa_handler = on_term}; /* no SA_RESTART: read() returns */

    if (kern_backend_find(&w.ops, "cpu", &err) < 0) {
        fprintf(stderr, "csweep worker: %s\n", err.detail);
        return 1;
    }
    keep_heap_small();
    sigaction(SIGTERM, &action, NULL);
    signal(SIGINT, SIG_IGN); /* the controller decides */
    signal(SIGPIPE, SIG_IGN);
    send_ready(&w);
    while (rc == 0 && read_line(&w, &line))
        rc = obey(&w, line.data);
    ckpt_store_close(w.store);
    free(w.store_path);
    train_data_free(w.data);
    cs_buf_clear(&w.pending);
    cs_buf_clear(&line);
    return rc < 0 ? 1 : 0;
}
