#include "sweep/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_json.h"
#include "common/cs_table.h"
#include "sweep/print.h"

struct stats {
    int n;
    double mean, std;
};

/* One parameter choice without its seed. */
struct point {
    const struct sweep_trial *trial; /* the first seed's */
    char *group;                     /* "optimizer=sgd momentum=0.9" */
    const char *lr;                  /* "" = has none */
    double *last, *best, *target;    /* [n]; target: epochs of those that reached it */
    int n, reached, pruned, bad;     /* bad: ended without a value */
};

struct points {
    struct point *list;
    size_t count;
};

double sweep_record_best(const struct sweep_record *record, const char *metric, int *epoch)
{
    const json_t *entry = json_object_get(record->best, metric);

    if (epoch)
        *epoch = (int) cs_json_get_int(entry, "epoch", 0);
    return cs_json_get_number(entry, "value", NAN);
}

bool sweep_is_better(bool maximize, double value, double than)
{
    if (isnan(value) || isnan(than))
        return !isnan(value);
    return maximize ? value > than : value < than;
}

double sweep_record_last(const struct sweep_record *record, const char *metric)
{
    return cs_json_get_number(record->last, metric, NAN);
}

static struct stats stats_of(const double *x, int n)
{
    struct stats s = {.n = n};
    double sum = 0;

    for (int i = 0; i < n; i++)
        s.mean += x[i] / n;
    for (int i = 0; i < n; i++)
        sum += (x[i] - s.mean) * (x[i] - s.mean);
    s.std = n > 1 ? sqrt(sum / (n - 1)) : NAN;
    return s;
}

static char *group_of(const struct sweep_trial *trial, const char **lr)
{
    struct cs_buf text = {0};

    *lr = "";
    cs_buf_adds(&text, "");
    /* weight_decay = = 0.1 * lr is no choice of its own: it would tear the rates of a choice apart */
    for (size_t i = 0; i < trial->param_count; i++) {
        const struct sweep_param *p = &trial->params[i];
        if (strcmp(p->key, "lr") == 0)
            *lr = p->value;
        else if (p->chosen && p->made)
            cs_buf_addf(&text, "%s%s=(%s)", text.size ? " " : "", p->key, p->made);
        else if (p->chosen)
            cs_buf_addf(&text, "%s%s=%s", text.size ? " " : "", p->key, p->value);
    }
    if (!text.size)
        cs_buf_adds(&text, "all");
    return text.data;
}

static struct point *find_point(struct points *points, const struct sweep_trial *trial,
                                size_t seeds)
{
    if (points->count && points->list[points->count - 1].trial->point == trial->point)
        return &points->list[points->count - 1];
    struct point *p = &points->list[points->count++];
    p->trial = trial;
    p->group = group_of(trial, &p->lr);
    p->last = cs_xcalloc(seeds + 1, sizeof *p->last);
    p->best = cs_xcalloc(seeds + 1, sizeof *p->best);
    p->target = cs_xcalloc(seeds + 1, sizeof *p->target);
    return p;
}

static struct points collect(const struct sweep_plan *plan, const struct sweep_state *state)
{
    struct points points = {cs_xcalloc(plan->trial_count + 1, sizeof *points.list), 0};

    for (size_t i = 0; i < plan->trial_count; i++) {
        const struct sweep_trial *trial = &plan->trials[i];
        const struct sweep_record *record = sweep_state_find(state, trial->id);
        struct point *p = find_point(&points, trial, plan->seed_count);
        const bool pruned = record && strcmp(record->state, "pruned") == 0;
        if (!record || !record->last || (!sweep_record_is_done(record) && !pruned)) {
            p->bad++;
            continue;
        }
        p->last[p->n] = sweep_record_last(record, plan->metric);
        p->best[p->n++] = sweep_record_best(record, plan->metric, NULL);
        p->pruned += pruned;
        if (record->target_epoch > 0)
            p->target[p->reached++] = record->target_epoch;
    }
    return points;
}

static void free_points(struct points *points)
{
    for (size_t i = 0; i < points->count; i++) {
        free(points->list[i].group);
        free(points->list[i].last);
        free(points->list[i].best);
        free(points->list[i].target);
    }
    free(points->list);
}

/* Is a better than b? */
static bool better(const struct sweep_plan *plan, const struct point *a, const struct point *b)
{
    if ((a->bad > 0) != (b->bad > 0))
        return a->bad == 0;
    if (a->n == 0 || b->n == 0)
        return a->n > b->n;
    return sweep_is_better(plan->maximize, stats_of(a->best, a->n).mean,
                           stats_of(b->best, b->n).mean);
}

/* The best point of every group, groups in plan order. */
static const struct point **winners(const struct sweep_plan *plan, const struct points *points,
                                    size_t *count)
{
    const struct point **best = cs_xcalloc(points->count + 1, sizeof(struct point *));
    struct cs_table groups = {0};

    *count = 0;
    for (size_t i = 0; i < points->count; i++) {
        const struct point *p = &points->list[i];
        struct cs_table_slot *slot = cs_table_add(&groups, p->group);
        if (!slot->text) {
            slot->text = p->group;
            slot->number = *count;
            best[(*count)++] = p;
        } else if (better(plan, p, best[slot->number])) {
            best[slot->number] = p;
        }
    }
    cs_table_clear(&groups);
    return best;
}

static void format_stats(char out[64], const double *x, int n)
{
    const struct stats s = stats_of(x, n);

    if (n == 0)
        snprintf(out, 64, "-");
    else if (n == 1)
        snprintf(out, 64, "%.4f", s.mean);
    else
        snprintf(out, 64, "%.4f +- %.4f", s.mean, s.std);
}

static void format_target(char out[64], const struct sweep_plan *plan, const struct point *p)
{
    const double mean = stats_of(p->target, p->reached).mean;

    *out = '\0';
    if (*plan->target_text && p->reached == 0)
        snprintf(out, 64, "never");
    else if (*plan->target_text && p->reached == p->n)
        snprintf(out, 64, "%.1f", mean);
    else if (*plan->target_text)
        snprintf(out, 64, "%.1f (%d of %d)", mean, p->reached, p->n);
}

static void print_row(const struct sweep_plan *plan, const struct point *p, int width, int lr_width)
{
    char last[64], best[64], target[64];

    format_stats(last, p->last, p->n);
    format_stats(best, p->best, p->n);
    format_target(target, plan, p);
    printf("%-*s  %-*s  %-18s  %-18s  %5d%s%s%s", width, p->group, lr_width, *p->lr ? p->lr : "-",
           last, best, p->n, *target ? "  " : "", target,
           p->bad ? "  (some trials failed or diverged)" : "");
    if (p->pruned)
        printf("  (%d pruned)", p->pruned);
    if (plan->drawn) /* what else was drawn for it */
        printf("  %s", p->trial->name);
    putchar('\n');
}

static void print_counts(const struct sweep_plan *plan, const struct sweep_state *state)
{
    int done = 0, pruned = 0, slow = 0, diverged = 0, failed = 0;

    for (size_t i = 0; i < plan->trial_count; i++) {
        const struct sweep_record *r = sweep_state_find(state, plan->trials[i].id);
        done += r && sweep_record_is_done(r);
        slow += r && sweep_record_is_slow(r);
        pruned += r && strcmp(r->state, "pruned") == 0;
        diverged += r && strcmp(r->state, "diverged") == 0;
        failed += r && strcmp(r->state, "failed") == 0;
    }
    printf("%d done", done);
    if (pruned)
        printf(", %d pruned", pruned);
    if (slow)
        printf(", %d slow", slow);
    if (diverged)
        printf(", %d diverged", diverged);
    if (failed)
        printf(", %d failed", failed);
    printf(" of %zu trials\n", plan->trial_count);
}

void sweep_compare_print(const struct sweep_plan *plan, const struct sweep_state *state)
{
    struct points points = collect(plan, state);
    size_t count;
    const struct point **best = winners(plan, &points, &count);
    int width = (int) strlen("choice"), lr_width = (int) strlen("best lr");

    for (size_t i = 0; i < count; i++) {
        width = (int) strlen(best[i]->group) > width ? (int) strlen(best[i]->group) : width;
        lr_width = (int) strlen(best[i]->lr) > lr_width ? (int) strlen(best[i]->lr) : lr_width;
    }
    char last_title[64], best_title[64], target_title[256] = "";
    snprintf(last_title, sizeof last_title, "final %.40s", plan->metric);
    snprintf(best_title, sizeof best_title, "best %.40s", plan->metric);
    if (*plan->target_text)
        snprintf(target_title, sizeof target_title, "epochs to %.200s", plan->target_text);
    printf("\n%-*s  %-*s  %-18.18s  %-18.18s  %5s%s%s%s\n", width, "choice", lr_width, "best lr",
           last_title, best_title, "seeds", *target_title ? "  " : "", target_title,
           plan->drawn ? "  trial" : "");
    for (size_t i = 0; i < count; i++)
        print_row(plan, best[i], width, lr_width);
    print_counts(plan, state);
    free(best);
    free_points(&points);
}

/* As a cell of a Markdown table: a '|' would end it. */
static void add_cell(struct cs_buf *out, const char *text)
{
    cs_buf_adds(out, " ");
    for (; *text; text++)
        cs_buf_addf(out, "%s%c", *text == '|' ? "\\" : "", *text);
    cs_buf_adds(out, " |");
}

void sweep_compare_markdown(struct cs_buf *out, const struct sweep_plan *plan,
                            const struct sweep_state *state)
{
    struct points points = collect(plan, state);
    const bool target = *plan->target_text != '\0';
    size_t count;
    const struct point **rows = winners(plan, &points, &count);

    cs_buf_addf(out, "| choice | best lr | final %s | best %s | seeds |", plan->metric,
                plan->metric);
    if (target) {
        cs_buf_adds(out, " epochs to");
        add_cell(out, plan->target_text);
    }
    cs_buf_addf(out, "\n| --- | --- | --- | --- | --- |%s\n", target ? " --- |" : "");
    for (size_t i = 0; i < count; i++) {
        const struct point *p = rows[i];
        char cells[4][64];
        format_stats(cells[0], p->last, p->n);
        format_stats(cells[1], p->best, p->n);
        snprintf(cells[2], sizeof cells[2], p->bad ? "%d of %d" : "%d", p->n, p->n + p->bad);
        format_target(cells[3], plan, p);
        cs_buf_adds(out, "|");
        add_cell(out, p->group);
        add_cell(out, *p->lr ? p->lr : "-");
        for (int c = 0; c < (target ? 4 : 3); c++)
            add_cell(out, cells[c]);
        cs_buf_adds(out, "\n");
    }
    free(rows);
    free_points(&points);
}

static json_t *stats_json(const double *x, int n)
{
    const struct stats s = stats_of(x, n);
    json_t *out = json_object();

    cs_json_set(out, "n", json_integer(n));
    cs_json_set(out, "mean", cs_json_number(n ? s.mean : NAN));
    cs_json_set(out, "std", cs_json_number(s.std));
    return out;
}

static json_t *lr_json(const char *lr)
{
    double value;
    return cs_parse_double(&value, lr) ? cs_json_number(value) : json_null();
}

void sweep_compare_json_line(const struct sweep_plan *plan, const struct sweep_state *state)
{
    struct points points = collect(plan, state);
    size_t count;
    const struct point **best = winners(plan, &points, &count);
    json_t *line = json_object(), *rows = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct point *p = best[i];
        json_t *row = json_object();
        cs_json_set(row, "choice", cs_json_text(p->group));
        cs_json_set(row, "lr", lr_json(p->lr));
        cs_json_set(row, "final", stats_json(p->last, p->n));
        cs_json_set(row, "best", stats_json(p->best, p->n));
        cs_json_set(row, "epochs_to_target", stats_json(p->target, p->reached));
        cs_json_set(row, "pruned", json_integer(p->pruned));
        json_array_append_new(rows, row);
    }
    cs_json_set(line, "event", cs_json_text("sweep"));
    cs_json_set(line, "sweep", cs_json_text(plan->name));
    cs_json_set(line, "metric", cs_json_text(plan->metric));
    cs_json_set(line, "rows", rows);
    sweep_print_json(line);
    free(best);
    free_points(&points);
}
