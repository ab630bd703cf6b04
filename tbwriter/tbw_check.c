/*
 * The rules, by the fault that breaking one is. What TensorBoard's two readers do with it stands in
 * the texts: D is its data server, P its Python reader.
 *
 *   framing    both checksums, length, a whole event, UTF-8: reading stops there (D and P). A torn
 *              end is a fault unless a later file of the run goes on.
 *   order      file_version first, START second (notes: where a later file has no START, P keeps
 *              the points of both attempts). Steps of a tag rise, but for a START in between: D
 *              drops what a point does not rise above.
 *   contents   wall times are finite; a tag keeps its plugin; a tensor's first point in a file has
 *              metadata; its data class is the plugin's; it has the form that the plugin wants.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "tbwriter/tbw_log.h"
#include "tbwriter/tbw_tags.h"

struct seen {
    char *plugin;
    int64_t last_step;
    bool any;      /* a point counts for last_step */
    uint64_t file; /* the last that gave metadata, from 1 */
};

struct check {
    struct tbw_check_counts *counts;
    tbw_check_report *report;
    void *context;
    char *run;
    struct tbw_tags tags; /* of the run; call: number in seen, plus 1 */
    struct seen *seen;
    size_t seen_count;
    uint64_t files_of_run;
    uint64_t events_of_file;
    bool started, has_graph;
    const struct tbw_log_item *item;
};

static void say(struct check *c, bool fault, uint64_t offset, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void say(struct check *c, bool fault, uint64_t offset, const char *fmt, ...)
{
    char text[600];
    va_list args;

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    c->counts->faults += fault;
    c->report(c->context, c->item->path, offset, fault, text);
}

/* ---- runs and files ---- */

static void forget_run(struct check *c)
{
    for (size_t i = 0; i < c->seen_count; i++)
        free(c->seen[i].plugin);
    free(c->seen);
    c->seen = NULL;
    c->seen_count = 0;
    tbw_tags_clear(&c->tags);
    free(c->run);
    c->run = NULL;
}

static void begin_file(struct check *c)
{
    c->counts->files++;
    if (!c->run || strcmp(c->run, c->item->run) != 0) {
        forget_run(c);
        c->run = cs_xstrdup(c->item->run);
        c->files_of_run = 0;
        c->has_graph = false;
    }
    c->files_of_run++;
    c->events_of_file = 0;
    c->started = false;
}

static void check_damage(struct check *c)
{
    const struct tbw_log_item *item = c->item;
    const unsigned long long size = item->gap.to - item->gap.from;

    if (item->kind == TBW_LOG_LOST)
        say(c, true, 0, "%s", item->why);
    else if (item->kind == TBW_LOG_TORN)
        say(c, item->last, item->gap.from, "torn record: the file ends after %llu bytes of it",
            size);
    else if (item->gap.to)
        say(c, true, item->gap.from, "%s; the next whole record follows after %llu bytes",
            item->why, size);
    else
        say(c, true, item->gap.from, "%s; no whole record follows", item->why);
}

/* ---- order ---- */

static void begin_session(struct check *c, const struct tbw_event *e)
{
    c->started = true;
    if (c->events_of_file != 2)
        say(c, false, e->offset, "START is record %llu of the file, not the second",
            (unsigned long long) c->events_of_file);
    if (c->files_of_run == 1 && c->events_of_file <= 2) {
        if (e->step != 0)
            say(c, false, e->offset, "the run's first file starts at step %lld",
                (long long) e->step);
        return;
    }
    for (size_t i = 0; i < c->seen_count; i++)
        if (c->seen[i].any && c->seen[i].last_step >= e->step)
            c->seen[i].last_step = e->step - 1;
}

/* Once per file, before its first summary. */
static void check_start(struct check *c, const struct tbw_event *e)
{
    if (c->started)
        return;
    c->started = true;
    say(c, false, e->offset, "no START before the first summary%s",
        c->files_of_run > 1 ? ": the Python reader keeps what earlier files have at its steps"
                            : "");
}

static void check_step(struct check *c, struct seen *seen, const struct tbw_point *p,
                       const struct tbw_event *e)
{
    if (seen->any && e->step <= seen->last_step)
        say(c, true, e->offset,
            "tag '%.200s': step %lld after %lld: the data server drops what is at it and above",
            p->tag, (long long) e->step, (long long) seen->last_step);
    seen->any = true;
    seen->last_step = e->step;
}

/* ---- contents ---- */

static const struct class_of {
    const char *plugin;
    int data_class;
} classes[] = {
    {"scalars", 1},
    {"text", 2},
    {"histograms", 2},
    {"hparams", 2},
    {"pr_curves", 2},
    {"custom_scalars", 2},
    {"mesh", 2},
    {"projector", 2},
    {"images", 3},
    {"audio", 3},
    {"graph_keras_model", 3},
    {"graph_run_metadata", 3},
    {"graph_run_metadata_graph", 3},
};

static int class_of(const char *plugin)
{
    for (size_t i = 0; i < CS_COUNT(classes); i++)
        if (strcmp(classes[i].plugin, plugin) == 0)
            return classes[i].data_class;
    return 0;
}

/* The tag's first point in this file. Old forms (no data class wanted) need no metadata. */
static void check_first(struct check *c, const struct tbw_point *p, const struct tbw_event *e)
{
    const int wanted = class_of(p->plugin);

    if (!*p->plugin)
        say(c, true, e->offset, "tag '%.200s': its first point names no plugin: no reader shows it",
            p->tag);
    else if (p->data_class && wanted && p->data_class != wanted)
        say(c, true, e->offset, "tag '%.200s': data class %d, but %d is that of plugin %.100s",
            p->tag, p->data_class, wanted, p->plugin);
    else if (!p->data_class && !wanted)
        say(c, true, e->offset,
            "tag '%.200s': plugin %.100s without a data class: no reader shows "
            "it",
            p->tag, p->plugin);
}

static void check_form(struct check *c, const struct tbw_point *p, const struct tbw_event *e)
{
    const struct tbw_tensor *t = p->tensor;

    if (p->kind == TBW_POINT_OTHER && *p->plugin)
        say(c, true, e->offset, "tag '%.200s': not of the form that plugin %.100s wants", p->tag,
            p->plugin);
    else if (p->kind == TBW_POINT_SCALAR && t && t->dtype != 1)
        say(c, true, e->offset,
            "tag '%.200s': a scalar of type %d: the data server shows floats "
            "only",
            p->tag, t->dtype);
    else if (p->kind == TBW_POINT_IMAGE && t->rank != 1)
        say(c, true, e->offset, "tag '%.200s': images of rank %d: the data server wants 1", p->tag,
            t->rank);
}

static void check_point(struct check *c, const struct tbw_point *p, const struct tbw_event *e)
{
    struct tbw_tag *tag = tbw_tags_find(&c->tags, p->tag);

    if (!tag) {
        c->seen = cs_xrealloc(c->seen, (c->seen_count + 1) * sizeof *c->seen);
        c->seen[c->seen_count++] = (struct seen){.plugin = cs_xstrdup(p->plugin)};
        tag = tbw_tags_add(&c->tags, p->tag);
        tag->call = c->seen_count;
        if (!*p->tag)
            say(c, false, e->offset, "a tag is empty");
    }
    struct seen *seen = &c->seen[tag->call - 1];
    if (strcmp(seen->plugin, p->plugin) != 0 && *p->plugin)
        say(c, true, e->offset, "tag '%.200s' was of plugin %.100s and is of %.100s", p->tag,
            *seen->plugin ? seen->plugin : "none", p->plugin);
    if (seen->file != c->files_of_run)
        check_first(c, p, e);
    seen->file = c->files_of_run;
    check_form(c, p, e);
    if (p->kind == TBW_POINT_HPARAMS && seen->any)
        say(c, false, e->offset, "tag '%.200s' again: readers keep the run's first", p->tag);
    else
        check_step(c, seen, p, e);
}

static void check_event(struct check *c)
{
    const struct tbw_event *e = &c->item->event;

    c->counts->events++;
    c->events_of_file++;
    if (!isfinite(e->wall_time))
        say(c, true, e->offset, "wall time is not finite: the data server drops the %s",
            isnan(e->wall_time) ? "whole file" : "event");
    if (c->events_of_file == 1 && e->kind != TBW_EVENT_VERSION)
        say(c, false, e->offset, "the first record is no file_version");
    if (e->kind == TBW_EVENT_VERSION && strcmp(e->version, "brain.Event:2") != 0)
        say(c, false, e->offset, "file_version is '%.100s', not 'brain.Event:2'", e->version);
    if (e->kind == TBW_EVENT_SESSION && e->session_status == TBW_SESSION_START)
        begin_session(c, e);
    if (e->kind == TBW_EVENT_GRAPH && c->has_graph)
        say(c, false, e->offset, "another graph: readers keep the last");
    c->has_graph |= e->kind == TBW_EVENT_GRAPH;
    if (e->kind == TBW_EVENT_SUMMARY) {
        check_start(c, e);
        for (size_t i = 0; i < e->count; i++)
            check_point(c, &e->points[i], e);
    }
}

int tbw_check(struct tbw_check_counts *out, const char *path, tbw_check_report *report,
              void *context, struct cs_error *err)
{
    struct check c = {.counts = out, .report = report, .context = context};
    struct tbw_log_item item;
    tbw_log *log;
    int rc;

    *out = (struct tbw_check_counts){0};
    CS_TRY(tbw_log_open(&log, path, err));
    while ((rc = tbw_log_next(&item, log, err)) == 1) {
        c.item = &item;
        if (item.kind == TBW_LOG_EVENT)
            check_event(&c);
        else if (item.kind == TBW_LOG_FILE)
            begin_file(&c);
        else
            check_damage(&c);
    }
    forget_run(&c);
    tbw_log_close(log);
    return rc;
}
