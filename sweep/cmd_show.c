/* cmd_show.c - `csweep show TRIAL`: one trial: configuration, curve, checkpoints, attempts, last log lines. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_json.h"
#include "sweep/cmd.h"
#include "sweep/compare.h"
#include "sweep/find.h"
#include "sweep/print.h"

extern const struct sweep_command sweep_command_show;

enum { OPT_LOGDIR = 256, OPT_CHECKPOINTS, OPT_JSON, SPARK_MAX = 60, LOG_LINES = 5 };

struct show {
    const char *logdir, *store;
    bool json;
    struct sweep_state *state;
    const struct sweep_record *record;
    char *dir;
    ckpt_checkpoint *last; /* NULL: none */
};

/* The `last` checkpoint; a missing one is no fault. */
static int load_last(struct show *s, struct cs_error *err)
{
    ckpt_store *store = NULL;
    int rc = ckpt_store_open(&store, s->store, false, err);

    if (rc == CS_ENONAME)
        return 0;
    if (rc == 0) {
        char *tag = cs_xasprintf("%s/%04d/last", s->state->sweep, s->record->number);
        rc = ckpt_load(&s->last, store, tag, err);
        free(tag);
    }
    ckpt_store_close(store);
    return rc == CS_ENONAME ? 0 : rc;
}

/* The column of curve.csv named tag; returns how many values, at most max. */
static size_t read_curve(double *out, size_t max, const struct ckpt_file *curve, const char *tag)
{
    char *copy = cs_xstrdup(curve->data), *lines = NULL;
    size_t count = 0;
    int column = -1, at = 0;

    char *line = strtok_r(copy, "\n", &lines), *fields = NULL;
    for (char *f = line ? strtok_r(line, ",", &fields) : NULL; f;
         f = strtok_r(NULL, ",", &fields), at++) {
        if (strcmp(f, tag) == 0)
            column = at;
    }
    while (column > 0 && count < max && (line = strtok_r(NULL, "\n", &lines))) {
        char *f = strtok_r(line, ",", &fields);
        for (int i = 0; f && i < column; i++)
            f = strtok_r(NULL, ",", &fields);
        out[count++] = f ? strtod(f, NULL) : NAN;
    }
    free(copy);
    return count;
}

/* Long curves are thinned to the width, keeping the last point. */
static void print_spark(const double *x, size_t count)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const size_t width = count < SPARK_MAX ? count : SPARK_MAX;
    double lo = INFINITY, hi = -INFINITY;

    for (size_t i = 0; i < count; i++) {
        if (isfinite(x[i])) {
            lo = fmin(lo, x[i]);
            hi = fmax(hi, x[i]);
        }
    }
    for (size_t i = 0; i < width; i++) {
        const double v = x[(i + 1) * count / width - 1];
        const int level = hi > lo ? (int) ((v - lo) / (hi - lo) * 7.999) : 0;
        fputs(isfinite(v) ? bars[level] : "x", stdout);
    }
}

/* Every column but the epoch, as the header line names them. */
static void print_curves(const struct show *s)
{
    enum { MAX = 1000000 };
    const struct ckpt_file *curve = s->last ? ckpt_checkpoint_file(s->last, "curve.csv") : NULL;

    if (!curve)
        return;
    double *x = cs_xcalloc(MAX, sizeof *x);
    char *header = cs_xstrdup(curve->data), *state = NULL;
    header[strcspn(header, "\n")] = '\0';
    for (const char *tag = strtok_r(header, ",", &state); tag; tag = strtok_r(NULL, ",", &state)) {
        const size_t count = read_curve(x, MAX, curve, tag);
        if (count == 0)
            continue;
        printf("  %-19s %10.5g ", tag, x[0]);
        print_spark(x, count);
        printf(" %.5g\n", x[count - 1]);
    }
    free(header);
    free(x);
}

static void print_log(const struct show *s)
{
    struct cs_buf log = {0};
    char *path;
    const char *tail = sweep_log_tail(&log, &path, s->dir, s->record->name, LOG_LINES);

    if (tail)
        printf("\n%s:\n%s", path, tail);
    cs_buf_clear(&log);
    free(path);
}

static void print_text(const struct show *s)
{
    const struct sweep_record *r = s->record;
    const struct ckpt_file *config = s->last ? ckpt_checkpoint_file(s->last, "config.ini") : NULL;
    int epoch;
    const double best = sweep_record_best(r, s->state->metric, &epoch);
    size_t i;
    const json_t *one;

    printf("%s/%s\n  %s after epoch %d of %d, %.1f s, %d attempt%s\n", s->state->sweep, r->name,
           r->state, r->epoch, r->epochs, r->seconds, r->attempts, r->attempts == 1 ? "" : "s");
    if (*r->detail)
        printf("  %s: %s\n", r->cause, r->detail);
    if (!isnan(best))
        printf("  best %s %.5g at epoch %d\n", s->state->metric, best, epoch);
    print_curves(s);
    json_array_foreach(r->tags, i, one) printf("  %s\n", json_string_value(one));
    if (config)
        printf("\n%s", (const char *) config->data);
    print_log(s);
}

static void print_json(const struct show *s)
{
    const struct sweep_record *r = s->record;
    json_t *root = json_object();
    const struct ckpt_file *config = s->last ? ckpt_checkpoint_file(s->last, "config.ini") : NULL,
                           *curve = s->last ? ckpt_checkpoint_file(s->last, "curve.csv") : NULL;

    cs_json_set(root, "sweep", cs_json_text(s->state->sweep));
    cs_json_set(root, "number", json_integer(r->number));
    cs_json_set(root, "name", cs_json_text(r->name));
    cs_json_set(root, "id", cs_json_text(r->id));
    cs_json_set(root, "state", cs_json_text(r->state));
    cs_json_set(root, "cause", cs_json_text(r->cause));
    cs_json_set(root, "detail", cs_json_text(r->detail));
    cs_json_set(root, "attempts", json_integer(r->attempts));
    cs_json_set(root, "epoch", json_integer(r->epoch));
    cs_json_set(root, "epochs", json_integer(r->epochs));
    cs_json_set(root, "seconds", cs_json_number(r->seconds));
    cs_json_set(root, "config", cs_json_text(config ? config->data : NULL));
    cs_json_set(root, "curve", cs_json_text(curve ? curve->data : NULL));
    cs_json_set(root, "tags", r->tags ? json_incref((json_t *) (uintptr_t) r->tags) : json_array());
    sweep_print_json(root);
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"logdir", required_argument, NULL, OPT_LOGDIR},
        {"checkpoints", required_argument, NULL, OPT_CHECKPOINTS},
        {"json", no_argument, NULL, OPT_JSON},
        {NULL, 0, NULL, 0}};
    struct show s = {.logdir = "runs", .store = "checkpoints.git"};
    struct cs_error err;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == OPT_LOGDIR)
            s.logdir = optarg;
        else if (option == OPT_CHECKPOINTS)
            s.store = optarg;
        else if (option == OPT_JSON)
            s.json = true;
        else
            return sweep_usage(&sweep_command_show, "unknown option or missing value");
    }
    if (argc - optind != 1)
        return sweep_usage(&sweep_command_show, "expected one trial");
    int rc = sweep_find_trial(&s.state, &s.record, &s.dir, s.logdir, argv[optind], &err);
    if (rc < 0) {
        sweep_print_error(&err);
        return sweep_exit_code(&err);
    }
    rc = load_last(&s, &err);
    if (rc < 0)
        sweep_print_error(&err);
    if (s.json)
        print_json(&s);
    else
        print_text(&s);
    ckpt_checkpoint_free(s.last);
    sweep_state_free(s.state);
    free(s.dir);
    return rc < 0 ? SWEEP_EXIT_TRIAL : SWEEP_EXIT_OK;
}

const struct sweep_command sweep_command_show = {
    .name = "show",
    .summary = "one trial: configuration, curves, checkpoints, log",
    .help = "usage: csweep show [SWEEP/]TRIAL [options]\n"
            "\n"
            "TRIAL is a number, a run name, or the start of one or of an id. SWEEP may be left out "
            "when there is one.\n"
            "\n"
            "  --json              for programs\n"
            "  --logdir DIR        default runs\n"
            "  --checkpoints REPO  default checkpoints.git\n"
            "\n"
            "example: csweep show optimizers/7\n",
    .run = run,
};
