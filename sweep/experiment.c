#include "sweep/experiment.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "common/cs_table.h"
#include "tbwriter/tbw.h"

struct keys {
    const char **name;
    size_t count;
};

/* The parameters of all trials, in the order in which they first appear. */
static struct keys collect(const struct sweep_plan *plan)
{
    struct keys keys = {0};
    size_t capacity = 0;

    for (size_t t = 0; t < plan->trial_count; t++) {
        if (t > 0 && plan->trials[t].point == plan->trials[t - 1].point)
            continue; /* another seed */
        for (size_t p = 0; p < plan->trials[t].param_count; p++) {
            const char *key = plan->trials[t].params[p].key;
            size_t i = 0;
            while (i < keys.count && keys.name[i] != key)
                i++;
            if (i < keys.count)
                continue;
            if (keys.count == capacity)
                keys.name = cs_xrealloc(keys.name,
                                        (capacity = capacity ? 2 * capacity : 16) * sizeof(char *));
            keys.name[keys.count++] = key;
        }
    }
    return keys;
}

static const struct sweep_param *find_param(const struct sweep_trial *trial, const char *key)
{
    for (size_t p = 0; p < trial->param_count; p++) {
        if (trial->params[p].key == key)
            return &trial->params[p];
    }
    return NULL;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = ((const struct tbw_hvalue *) a)->num, y = ((const struct tbw_hvalue *) b)->num;
    return (x > y) - (x < y);
}

/* A key of drawn points: what is written, be it drawn or not. The domain is malloc'ed. */
static struct tbw_hparam_info describe_axis(const struct sweep_axis *axis)
{
    struct tbw_hvalue *domain = cs_xcalloc(axis->count + 2, sizeof *domain);
    struct tbw_hparam_info info = {.name = axis->key,
                                   .kind = axis->numeric ? TBW_FLOAT : TBW_STRING,
                                   .domain = domain,
                                   .interval = axis->drawn,
                                   .differs = true};

    for (size_t i = 0; i < axis->count && !axis->drawn; i++) {
        struct tbw_hvalue *value = &domain[info.domain_count++];
        *value = (struct tbw_hvalue){.name = axis->key, .kind = info.kind, .text = axis->values[i]};
        if (axis->numeric)
            cs_parse_double(&value->num, axis->values[i]);
    }
    for (int end = 0; end < 2 && axis->drawn; end++)
        domain[info.domain_count++] = (struct tbw_hvalue){.name = axis->key,
                                                          .kind = TBW_FLOAT,
                                                          .text = end ? "high" : "low",
                                                          .num = end ? axis->high : axis->low};
    return info;
}

/*
 * One key with the distinct values tried, numbers ascending. Whether it is a number is the same in all trials (plan.h).
 * The domain is malloc'ed.
 */
static struct tbw_hparam_info describe(const struct sweep_plan *plan, const char *key)
{
    for (size_t a = 0; a < plan->axis_count && plan->drawn; a++) {
        if (plan->axes[a].key == key)
            return describe_axis(&plan->axes[a]);
    }
    struct tbw_hvalue *domain = cs_xcalloc(plan->trial_count, sizeof *domain);
    struct tbw_hparam_info info = {.name = key, .domain = domain};
    struct cs_table seen = {0};

    for (size_t t = 0; t < plan->trial_count; t++) {
        const struct sweep_param *p = find_param(&plan->trials[t], key);
        if (!p)
            continue;
        info.kind = p->numeric ? TBW_FLOAT : TBW_STRING;
        info.differs |= p->varies;
        struct cs_table_slot *slot = cs_table_add(&seen, p->value);
        if (slot->text)
            continue;
        slot->text = p->value;
        domain[info.domain_count++] =
            (struct tbw_hvalue){.name = key, .kind = info.kind, .text = p->value, .num = p->num};
    }
    cs_table_clear(&seen);
    if (info.kind == TBW_FLOAT)
        qsort(domain, info.domain_count, sizeof *domain, compare_numbers);
    return info;
}

enum { GRID_SHOWN = 1 << 16 }; /* bytes of the grid, the more so of a batch file, in a text card */

enum { CHARTS_MAX = 16, CHART_TAGS = 4, METRICS_MAX = 2 * CHARTS_MAX + 1 };

/* Tags of one group, as a chart: "Loss/Train" and "Loss/Val" as "loss". */
struct chart {
    char title[64];
    const char *tags[CHART_TAGS];
};

struct charts {
    struct chart list[CHARTS_MAX];
    size_t count;
};

/* "Accuracy_Top5/Val" -> "accuracy top5" */
static void make_title(char out[64], const char *tag)
{
    size_t n = 0;

    for (; tag[n] && tag[n] != '/' && n < 63; n++)
        out[n] = tag[n] == '_' ? ' ' : (char) tolower((unsigned char) tag[n]);
    out[n] = '\0';
}

static void add_chart_tag(struct charts *charts, const char *tag)
{
    char title[64];
    size_t c = 0, t = 0;

    make_title(title, tag);
    while (c < charts->count && strcmp(charts->list[c].title, title) != 0)
        c++;
    if (c == CHARTS_MAX)
        return;
    struct chart *chart = &charts->list[c];
    if (c == charts->count) {
        charts->count++;
        memcpy(chart->title, title, sizeof title);
    }
    while (t < CHART_TAGS && chart->tags[t] && strcmp(chart->tags[t], tag) != 0)
        t++;
    if (t < CHART_TAGS)
        chart->tags[t] = tag;
}

/* What the trials write and somebody may want high or low, or see change. */
static struct charts collect_charts(const struct sweep_plan *plan)
{
    struct charts charts = {.count = 0};

    for (size_t i = 0; i < plan->trial_count; i++)
        for (const char *const *tag = plan->trials[i].point->tags; *tag; tag++) {
            if (train_tag_better(*tag) || strcmp(*tag, "Learning_Rate") == 0)
                add_chart_tag(&charts, *tag);
        }
    return charts;
}

void sweep_experiment_hash(char out[41], const struct sweep_plan *plan)
{
    const struct charts charts = collect_charts(plan);
    struct keys keys = collect(plan);
    struct cs_buf text = {0};

    cs_buf_addf(&text, "%s|%s|%s%s\n", plan->name, plan->description, plan->metric,
                plan->seed_count > 1 ? "|seeds" : "");
    for (size_t k = 0; k < keys.count; k++) {
        const struct tbw_hparam_info info = describe(plan, keys.name[k]);
        cs_buf_addf(&text, "%s:%d:%d", info.name, (int) info.kind, info.differs);
        for (size_t i = 0; i < info.domain_count; i++)
            if (info.interval)
                cs_buf_addf(&text, ",%.17g", info.domain[i].num);
            else
                cs_buf_addf(&text, ",%s", info.domain[i].text);
        cs_buf_adds(&text, "\n");
        free((void *) (uintptr_t) info.domain);
    }
    for (size_t c = 0; c < charts.count; c++)
        for (size_t t = 0; t < CHART_TAGS && charts.list[c].tags[t]; t++)
            cs_buf_addf(&text, "%s\n", charts.list[c].tags[t]);
    ckpt_hash(out, text.data, text.size);
    cs_buf_clear(&text);
    free(keys.name);
}

static bool is_of(const char *tag, const char *side)
{
    const char *slash = strchr(tag, '/');
    return slash && strcmp(slash, side) == 0;
}

static size_t add_metrics(struct tbw_metric_info *out, size_t count, const struct charts *charts,
                          const char *side, enum tbw_dataset dataset)
{
    for (size_t c = 0; c < charts->count; c++)
        for (size_t t = 0; t < CHART_TAGS && charts->list[c].tags[t] && count < METRICS_MAX; t++) {
            if (is_of(charts->list[c].tags[t], side))
                out[count++] =
                    (struct tbw_metric_info){charts->list[c].tags[t], NULL, NULL, dataset};
        }
    return count;
}

/* The validation tags as bands over the seeds, of the runs that seeds.h writes; how many. */
static size_t make_bands(struct tbw_chart *out, const struct charts *charts, struct cs_arena *arena)
{
    size_t count = 0;

    for (size_t c = 0; c < charts->count; c++)
        for (size_t t = 0; t < CHART_TAGS && charts->list[c].tags[t]; t++) {
            const char *tag = charts->list[c].tags[t];
            if (!is_of(tag, "/Val"))
                continue;
            struct tbw_band *band = cs_arena_alloc(arena, sizeof *band);
            *band = (struct tbw_band){cs_arena_printf(arena, "Seeds/%s/mean", tag),
                                      cs_arena_printf(arena, "Seeds/%s/low", tag),
                                      cs_arena_printf(arena, "Seeds/%s/high", tag)};
            out[count++] = (struct tbw_chart){.title = tag, .bands = band, .band_count = 1};
        }
    return count;
}

static int write_layout(tbw_writer *w, const struct charts *charts, bool seeds,
                        struct cs_error *err)
{
    struct tbw_chart list[CHARTS_MAX], bands[CHARTS_MAX * CHART_TAGS];
    struct cs_arena arena = {0};

    for (size_t c = 0; c < charts->count; c++) {
        size_t tags = 0;
        while (tags < CHART_TAGS && charts->list[c].tags[tags])
            tags++;
        list[c] = (struct tbw_chart){
            .title = charts->list[c].title, .tags = charts->list[c].tags, .tag_count = tags};
    }
    const struct tbw_category categories[] = {
        {"mean and standard deviation over the seeds", bands, make_bands(bands, charts, &arena)},
        {"training", list, charts->count},
    };
    const int rc = tbw_writer_layout(w, categories + (seeds ? 0 : 1), seeds ? 2 : 1, err);
    cs_arena_clear(&arena);
    return rc;
}

static int write_all(tbw_writer *w, const struct sweep_plan *plan,
                     const struct tbw_hparam_info *infos, size_t count, struct cs_error *err)
{
    const struct charts charts = collect_charts(plan);
    struct tbw_metric_info metrics[METRICS_MAX];
    size_t metric_count = 1;
    char best[128], shown[128];

    snprintf(best, sizeof best, "Best/%.100s", plan->metric);
    snprintf(shown, sizeof shown, "best %.100s", plan->metric);
    metrics[0] = (struct tbw_metric_info){best, shown, "best value of the trial", TBW_VALIDATION};
    metric_count = add_metrics(metrics, metric_count, &charts, "/Val", TBW_VALIDATION);
    metric_count = add_metrics(metrics, metric_count, &charts, "/Train", TBW_TRAINING);
    const struct tbw_experiment experiment = {
        .name = plan->name,
        .description = plan->description,
        .hparams = infos,
        .hparam_count = count,
        .metrics = metrics,
        .metric_count = metric_count,
    };
    CS_TRY(tbw_writer_experiment(w, &experiment, err));
    CS_TRY(write_layout(w, &charts, plan->seed_count > 1, err));
    struct cs_buf text = {0};
    const int size =
        strlen(plan->resolved) > GRID_SHOWN ? GRID_SHOWN : (int) strlen(plan->resolved);
    cs_buf_addf(&text, "%s\n\n```\n%.*s\n%s```\n", plan->description, size, plan->resolved,
                plan->resolved[size] ? "...\n" : "");
    const int rc = tbw_writer_text(w, "Sweep", 0, text.data, err);
    cs_buf_clear(&text);
    return rc;
}

static void remove_run(const char *path)
{
    DIR *dir = opendir(path);

    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!strstr(e->d_name, "tfevents"))
            continue;
        char *file = cs_xasprintf("%s/%s", path, e->d_name);
        unlink(file);
        free(file);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

/* _sweep is 1, _sweep-2 is 2, anything else 0. */
static int run_number(const char *name)
{
    if (strcmp(name, "_sweep") == 0)
        return 1;
    return strncmp(name, "_sweep-", 7) == 0 ? atoi(name + 7) : 0;
}

static int highest_run(const char *dir)
{
    DIR *d = opendir(dir);
    int highest = 0;

    for (struct dirent *e; d && (e = readdir(d));)
        highest = run_number(e->d_name) > highest ? run_number(e->d_name) : highest;
    if (d)
        closedir(d);
    return highest;
}

static char *run_path(const char *dir, int number)
{
    return number == 1 ? cs_xasprintf("%s/_sweep", dir) : cs_xasprintf("%s/_sweep-%d", dir, number);
}

int sweep_experiment_write(const struct sweep_plan *plan, const char *dir, struct cs_error *err)
{
    const int highest = highest_run(dir);
    char *path = run_path(dir, highest + 1);
    struct keys keys = collect(plan);
    struct tbw_hparam_info *infos = cs_xcalloc(keys.count + 1, sizeof *infos);
    tbw_writer *w = NULL;

    for (size_t k = 0; k < keys.count; k++)
        infos[k] = describe(plan, keys.name[k]);
    int rc = tbw_writer_open(&w, path, NULL, err);
    if (rc == 0)
        rc = write_all(w, plan, infos, keys.count, err);
    if (rc == 0)
        rc = tbw_writer_sync(w, err);
    const int closed = tbw_writer_close(w, rc == 0 ? err : NULL);
    rc = rc < 0 ? rc : closed;
    for (int old = 1; rc == 0 && old <= highest; old++) {
        char *old_path = run_path(dir, old);
        remove_run(old_path);
        free(old_path);
    }
    for (size_t k = 0; k < keys.count; k++)
        free((void *) (uintptr_t) infos[k].domain);
    free(infos);
    free(keys.name);
    free(path);
    return rc;
}

int sweep_experiment_note(const char *dir, const char *tag, int64_t step, const char *text,
                          struct cs_error *err)
{
    char *path = run_path(dir, highest_run(dir));
    const struct tbw_options options = {.start_step = step};
    tbw_writer *w = NULL;

    int rc = tbw_writer_open(&w, path, &options, err);
    if (rc == 0)
        rc = tbw_writer_text(w, tag, step, text, err);
    const int closed = tbw_writer_close(w, rc == 0 ? err : NULL);
    free(path);
    return rc < 0 ? rc : closed;
}
