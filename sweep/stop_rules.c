#include "sweep/stop_rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "common/cs_io.h"

enum { MEDIAN_OF = 3 }; /* finished trials that make one */

/* Training times of the finished trials of one shape and number of epochs. */
struct kind {
    const char *shape; /* the plan's pointer */
    int epochs;
    double *seconds; /* [count] rising */
    size_t count, capacity;
};

struct sweep_stop_rules {
    const struct sweep_plan *plan;
    double began; /* monotonic */
    enum sweep_stop_rule rule;
    const struct sweep_trial *reached; /* the target, */
    int reached_epoch;                 /* after this epoch */
    bool before;                       /* in an earlier run */
    size_t failed;
    struct kind *kinds;
    size_t kind_count;
};

sweep_stop_rules *sweep_stop_rules_create(const struct sweep_plan *plan)
{
    sweep_stop_rules *r = cs_xcalloc(1, sizeof *r);

    r->plan = plan;
    r->began = cs_mono_seconds();
    return r;
}

void sweep_stop_rules_free(sweep_stop_rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->kind_count; i++)
        free(r->kinds[i].seconds);
    free(r->kinds);
    free(r);
}

/* ---- target ---- */

static void reach(sweep_stop_rules *r, const struct sweep_trial *trial, int epoch)
{
    if (r->rule != SWEEP_STOP_NONE || !r->plan->limits.target_stops)
        return;
    r->rule = SWEEP_STOP_TARGET;
    r->reached = trial;
    r->reached_epoch = epoch;
}

struct report_names {
    const json_t *metrics;
    double epoch;
};

static struct cs_expr_value look_up_report(void *context, const char *name)
{
    const struct report_names *names = context;
    const json_t *value = json_object_get(names->metrics, name);

    if (strcmp(name, "epoch") == 0)
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = names->epoch};
    if (!value)
        return (struct cs_expr_value){.kind = CS_EXPR_ABSENT};
    return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = cs_json_number_value(value, NAN)};
}

static void watch_target(sweep_stop_rules *r, const struct sweep_trial *trial, const json_t *report)
{
    const int epoch = (int) cs_json_get_int(report, "epoch", 0);
    const int known = (int) cs_json_get_int(report, "target_epoch", 0);
    struct report_names names = {json_object_get(report, "metrics"), epoch};
    bool met = false;

    if (known > 0)
        reach(r, trial, known);
    else if (names.metrics &&
             cs_expr_test(&met, r->plan->target, look_up_report, &names, NULL) == 0 && met)
        reach(r, trial, epoch);
}

/* A line of curve.csv under the names of its first. */
struct row_names {
    const char *header, *row;
};

static struct cs_expr_value look_up_row(void *context, const char *name)
{
    const struct row_names *names = context;
    const char *head = names->header, *cell = names->row;

    for (;;) {
        const size_t head_size = strcspn(head, ",\n"), cell_size = strcspn(cell, ",\n");
        if (strlen(name) == head_size && memcmp(head, name, head_size) == 0) {
            char text[CS_DOUBLE_MAX + 1];
            double value;
            snprintf(text, sizeof text, "%.*s", (int) cell_size, cell);
            if (!cs_parse_double(&value, text)) /* "nan" */
                value = NAN;
            return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = value};
        }
        if (head[head_size] != ',' || cell[cell_size] != ',')
            return (struct cs_expr_value){.kind = CS_EXPR_ABSENT};
        head += head_size + 1;
        cell += cell_size + 1;
    }
}

/* The first epoch of a curve that meets the target, 0: none. */
static int search_curve(const struct cs_expr *target, const char *curve)
{
    struct row_names names = {curve, strchr(curve, '\n')};

    for (int epoch = 1; names.row && names.row[1]; epoch++) {
        bool met = false;
        names.row++;
        if (cs_expr_test(&met, target, look_up_row, &names, NULL) == 0 && met)
            return epoch;
        names.row = strchr(names.row, '\n');
    }
    return 0;
}

/* In the trial's checkpoint; without one it never met any target that is known. */
static int search_target(const sweep_stop_rules *r, const struct sweep_trial *trial,
                         ckpt_store *store)
{
    char *tag = cs_xasprintf("%s/%04d/last", r->plan->name, trial->number);
    ckpt_checkpoint *last = NULL;
    int epoch = 0;

    if (ckpt_load_file(&last, store, tag, "curve.csv", NULL) == 0) {
        const struct ckpt_file *curve = ckpt_checkpoint_file(last, "curve.csv");
        epoch = curve ? search_curve(r->plan->target, curve->data) : 0;
        ckpt_checkpoint_free(last);
    }
    free(tag);
    return epoch;
}

static int recall_target(sweep_stop_rules *r, const struct sweep_trial *trial,
                         const struct sweep_record *record, ckpt_store *store,
                         sweep_journal *journal, bool *journaled, struct cs_error *err)
{
    int epoch = record->target_epoch;

    if (strcmp(record->target, r->plan->target_text) != 0 && record->epoch > 0) {
        json_t *line = json_object();
        epoch = search_target(r, trial, store);
        cs_json_set(line, "event", cs_json_text("target"));
        cs_json_set(line, "number", json_integer(trial->number));
        cs_json_set(line, "target", cs_json_text(r->plan->target_text));
        cs_json_set(line, "target_epoch", json_integer(epoch));
        CS_TRY(sweep_journal_append(journal, line, false, err));
        *journaled = true;
    }
    if (epoch > 0 && record->epoch > 0 && r->rule == SWEEP_STOP_NONE) {
        reach(r, trial, epoch);
        r->before = true;
    }
    return 0;
}

/* ---- times ---- */

static struct kind *find_kind(const sweep_stop_rules *r, const struct sweep_trial *trial)
{
    for (size_t i = 0; i < r->kind_count; i++) {
        if (r->kinds[i].shape == trial->point->shape_key &&
            r->kinds[i].epochs == trial->point->epochs)
            return &r->kinds[i];
    }
    return NULL;
}

static void add_seconds(sweep_stop_rules *r, const struct sweep_trial *trial, double seconds)
{
    struct kind *kind = find_kind(r, trial);
    size_t at;

    if (r->plan->limits.stop_trial == 0)
        return;
    if (!kind) {
        r->kinds = cs_xrealloc(r->kinds, (r->kind_count + 1) * sizeof *r->kinds);
        kind = &r->kinds[r->kind_count++];
        *kind = (struct kind){.shape = trial->point->shape_key, .epochs = trial->point->epochs};
    }
    if (kind->count == kind->capacity) {
        kind->capacity = kind->capacity ? 2 * kind->capacity : 16;
        kind->seconds = cs_xrealloc(kind->seconds, kind->capacity * sizeof *kind->seconds);
    }
    for (at = kind->count++; at > 0 && kind->seconds[at - 1] > seconds; at--)
        kind->seconds[at] = kind->seconds[at - 1];
    kind->seconds[at] = seconds;
}

bool sweep_stop_rules_is_slow(const sweep_stop_rules *r, const struct sweep_trial *trial,
                              const json_t *report, struct cs_buf *detail)
{
    const struct kind *kind = find_kind(r, trial);
    const double seconds = cs_json_get_number(report, "total_seconds", 0);

    if (!kind || kind->count < MEDIAN_OF || r->plan->limits.stop_trial == 0)
        return false;
    const double median =
        (kind->seconds[(kind->count - 1) / 2] + kind->seconds[kind->count / 2]) / 2;
    if (seconds <= r->plan->limits.stop_trial * median)
        return false;
    cs_buf_addf(detail, "%.3g s is more than %s, %.3g s of %zu trials", seconds,
                r->plan->limits.stop_trial_text, median, kind->count);
    return true;
}

/* ---- all of them ---- */

int sweep_stop_rules_recall(sweep_stop_rules *r, const struct sweep_trial *trial,
                            const struct sweep_record *record, ckpt_store *store,
                            sweep_journal *journal, bool *journaled, struct cs_error *err)
{
    if (strcmp(record->state, "done") == 0)
        add_seconds(r, trial, record->seconds);
    if (!r->plan->target)
        return 0;
    return recall_target(r, trial, record, store, journal, journaled, err);
}

void sweep_stop_rules_watch(sweep_stop_rules *r, const struct sweep_trial *trial,
                            const json_t *report)
{
    if (r->plan->limits.target_stops)
        watch_target(r, trial, report);
    if (strcmp(cs_json_get_text(report, "event", ""), "end") == 0 &&
        strcmp(cs_json_get_text(report, "state", ""), "done") == 0)
        add_seconds(r, trial, cs_json_get_number(report, "seconds", 0));
}

void sweep_stop_rules_failed(sweep_stop_rules *r)
{
    const struct sweep_limits *limits = &r->plan->limits;
    const double share = limits->halt_percent ? (double) r->plan->trial_count / 100 : 1;

    r->failed++;
    if (limits->halt > 0 && r->rule == SWEEP_STOP_NONE &&
        (double) r->failed >= limits->halt * share)
        r->rule = SWEEP_STOP_HALT;
}

enum sweep_stop_rule sweep_stop_rules_holds(sweep_stop_rules *r)
{
    if (!r)
        return SWEEP_STOP_NONE;
    if (r->rule == SWEEP_STOP_NONE && r->plan->limits.budget > 0 &&
        cs_mono_seconds() - r->began >= r->plan->limits.budget)
        r->rule = SWEEP_STOP_BUDGET;
    return r->rule;
}

void sweep_stop_rules_text(struct cs_buf *out, const sweep_stop_rules *r, size_t waiting)
{
    const char *s = waiting == 1 ? "" : "s";

    switch (r->rule) {
    case SWEEP_STOP_TARGET:
        cs_buf_addf(out,
                    "target = %s: met by %s after epoch %d%s; %zu trial%s not trained to the end; "
                    "raise target or leave it out to go on",
                    r->plan->target_text, r->reached->name, r->reached_epoch,
                    r->before ? ", in an earlier run" : "", waiting, s);
        break;
    case SWEEP_STOP_BUDGET:
        cs_buf_addf(out,
                    "budget = %s is used up, %zu trial%s left; run the same command again to go on",
                    r->plan->limits.budget_text, waiting, s);
        break;
    case SWEEP_STOP_HALT:
        cs_buf_addf(out,
                    "halt = %s: %zu of %zu trials failed, %zu trial%s left; run the same command "
                    "again to go on",
                    r->plan->limits.halt_text, r->failed, r->plan->trial_count, waiting, s);
        break;
    case SWEEP_STOP_NONE:
        break;
    }
}
