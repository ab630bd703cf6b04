/* What of a log is shown: series of points, after the rules about attempts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"
#include "tbwriter/tbw_log.h"
#include "tbwriter/tbw_tags.h"

struct tbw_view_run {
    char *name;
    struct tbw_tags tags; /* call: number of the series in the view, plus 1 */
    bool started;         /* a START was seen */
    bool versioned;       /* a file_version was */
    int64_t last_step;    /* of a summary */
};

static struct tbw_view_run *run_of(struct tbw_view *view, const char *name)
{
    /* Items of a run mostly follow each other. */
    for (size_t i = view->run_count; i-- > 0;)
        if (strcmp(view->runs[i]->name, name) == 0)
            return view->runs[i];
    view->runs = cs_xrealloc(view->runs, (view->run_count + 1) * sizeof(void *));
    struct tbw_view_run *run = cs_xcalloc(1, sizeof *run);
    run->name = cs_xstrdup(name);
    view->runs[view->run_count++] = run;
    return run;
}

static struct tbw_series *series_of(struct tbw_view *view, struct tbw_view_run *run,
                                    const struct tbw_point *point)
{
    struct tbw_tag *tag = tbw_tags_find(&run->tags, point->tag);

    if (tag)
        return view->series[tag->call - 1];
    if (view->count == view->capacity) {
        view->capacity = view->capacity ? 2 * view->capacity : 32;
        view->series = cs_xrealloc(view->series, view->capacity * sizeof(void *));
    }
    struct tbw_series *series = cs_xcalloc(1, sizeof *series);
    series->run = cs_xstrdup(run->name);
    series->tag = cs_xstrdup(point->tag);
    series->plugin = cs_xstrdup(point->plugin);
    series->display_name = cs_xstrdup(point->display_name);
    series->description = cs_xstrdup(point->description);
    series->kind = point->kind;
    view->series[view->count++] = series;
    tbw_tags_add(&run->tags, point->tag)->call = view->count;
    return series;
}

/* Drop what is at the step or above. Of HParams only the metadata counts, which readers keep. */
static void cut(struct tbw_series *series, int64_t step)
{
    size_t kept = 0;

    if (series->kind == TBW_POINT_HPARAMS)
        return;
    for (size_t i = 0; i < series->count; i++) {
        if (series->samples[i].step < step)
            series->samples[kept++] = series->samples[i];
        else
            free(series->samples[i].text);
    }
    series->dropped += series->count - kept;
    series->count = kept;
}

static void cut_run(struct tbw_view *view, const struct tbw_view_run *run, int64_t step)
{
    for (size_t i = 0; i < view->count; i++)
        if (strcmp(view->series[i]->run, run->name) == 0)
            cut(view->series[i], step);
}

static void add_sample(struct tbw_view *view, struct tbw_series *series, struct tbw_sample sample,
                       const struct tbw_point *point)
{
    if (series->count == series->capacity) {
        series->capacity = series->capacity ? 2 * series->capacity : 16;
        series->samples = cs_xrealloc(series->samples, series->capacity * sizeof sample);
    }
    if (point->kind != TBW_POINT_SCALAR) {
        struct cs_buf text = {0};
        tbw_point_summary(&text, point);
        sample.text = text.data;
    }
    sample.order = view->order++;
    series->samples[series->count++] = sample;
}

/* Under this rule the points of a series rise, so the last is the highest. */
static bool reaches(const struct tbw_series *series, int64_t step)
{
    return series->count > 0 && series->samples[series->count - 1].step >= step;
}

static void take_summary(struct tbw_view *view, struct tbw_view_run *run,
                         const struct tbw_event *event)
{
    const bool back =
        (view->rules & TBW_RULE_START) && !run->versioned && event->step < run->last_step;

    for (size_t i = 0; i < event->count; i++) {
        const struct tbw_point *point = &event->points[i];
        struct tbw_series *series = series_of(view, run, point);
        if (back || (view->rules & TBW_RULE_STEPS && reaches(series, event->step)))
            cut(series, event->step);
        const struct tbw_sample sample = {.step = event->step,
                                          .wall_time = event->wall_time,
                                          .value = point->kind == TBW_POINT_SCALAR ? point->value
                                                                                   : (double) NAN};
        add_sample(view, series, sample, point);
    }
    run->last_step = event->step;
}

void tbw_view_take(struct tbw_view *view, const struct tbw_log_item *item)
{
    if (item->kind != TBW_LOG_EVENT)
        return;
    struct tbw_view_run *run = run_of(view, item->run);
    const struct tbw_event *event = &item->event;
    if (event->kind == TBW_EVENT_VERSION) {
        run->versioned = true;
    } else if (event->kind == TBW_EVENT_SESSION && event->session_status == TBW_SESSION_START) {
        if (run->started && (view->rules & TBW_RULE_START) && run->versioned)
            cut_run(view, run, event->step);
        run->started = true;
    } else if (event->kind == TBW_EVENT_SUMMARY) {
        take_summary(view, run, event);
    }
}

void tbw_view_clear(struct tbw_view *view)
{
    for (size_t i = 0; i < view->count; i++) {
        struct tbw_series *s = view->series[i];
        for (size_t k = 0; k < s->count; k++)
            free(s->samples[k].text);
        free(s->samples);
        free(s->run);
        free(s->tag);
        free(s->plugin);
        free(s->display_name);
        free(s->description);
        free(s);
    }
    for (size_t i = 0; i < view->run_count; i++) {
        tbw_tags_clear(&view->runs[i]->tags);
        free(view->runs[i]->name);
        free(view->runs[i]);
    }
    free(view->series);
    free(view->runs);
    *view = (struct tbw_view){.rules = view->rules};
}
