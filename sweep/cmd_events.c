/*
 * cmd_events.c - `csweep events PATH`: what is in event files, as TensorBoard would show it.
 *
 * PATH is a log directory, a run or one file, of csweep, torch, tensorboardX or TensorFlow. The attempts
 * of a run are merged as TensorBoard merges them; with --follow points are printed as they come, since what
 * is printed cannot be taken back, and a resume is told.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "sweep/cmd.h"
#include "sweep/print.h"
#include "tbwriter/tbw_log.h"

extern const struct sweep_command sweep_command_events;

enum { OPT_CSV = 256, OPT_JSON, OPT_TAGS, OPT_TAG, OPT_TAIL, OPT_CHECK };

enum form { TEXT, CSV, JSON };

struct events {
    const char *path, *glob;
    enum form form;
    bool tags, check, follow;
    size_t tail;
    char *run; /* the last one named in text */
    bool damaged;
};

/* One point on its way out, of a view or as it came. */
struct shown {
    const char *run, *tag, *kind;
    int64_t step;
    double wall_time, value;
    const char *text; /* NULL: a scalar */
    uint64_t order;
};

/* ---- points ---- */

static const char *clock_text(char out[32], double wall_time)
{
    const time_t seconds = (time_t) wall_time;
    struct tm parts;

    if (!(wall_time >= 0 && wall_time < 1e11) || !localtime_r(&seconds, &parts) ||
        strftime(out, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0)
        return "-";
    return out;
}

static void name_run(struct events *e, const char *run)
{
    if (e->run && strcmp(e->run, run) == 0)
        return;
    free(e->run);
    e->run = cs_xstrdup(run);
    puts(run);
}

/* Scalars are stored as float32: the shortest text that gives the same one again. */
static const char *number_text(char out[CS_DOUBLE_MAX], double value)
{
    for (int digits = 6; digits < 9; digits++) {
        snprintf(out, CS_DOUBLE_MAX, "%.*g", digits, value);
        if (strtof(out, NULL) == (float) value)
            return out;
    }
    return cs_format_double(out, value);
}

static void print_text(struct events *e, const struct shown *p)
{
    char number[CS_DOUBLE_MAX], when[32];

    name_run(e, p->run);
    printf("  %6lld  %s  %s  %s\n", (long long) p->step, clock_text(when, p->wall_time), p->tag,
           p->text ? p->text : number_text(number, p->value));
}

static void print_csv(const struct shown *p)
{
    char number[CS_DOUBLE_MAX], when[CS_DOUBLE_MAX];

    sweep_print_csv_field(p->run);
    putchar(',');
    sweep_print_csv_field(p->tag);
    printf(",%s,%lld,%s,", p->kind, (long long) p->step, cs_format_double(when, p->wall_time));
    sweep_print_csv_field(p->text ? p->text : cs_format_double(number, p->value));
    putchar('\n');
}

static void print_json(const struct shown *p)
{
    json_t *line = json_object();

    cs_json_set(line, "run", cs_json_text(p->run));
    cs_json_set(line, "tag", cs_json_text(p->tag));
    cs_json_set(line, "kind", cs_json_text(p->kind));
    cs_json_set(line, "step", json_integer(p->step));
    cs_json_set(line, "wall_time", cs_json_number(p->wall_time));
    if (p->text)
        cs_json_set(line, "text", cs_json_text(p->text));
    else
        cs_json_set(line, "value", cs_json_number(p->value));
    sweep_print_json(line);
}

static void print_point(struct events *e, const struct shown *p)
{
    if (e->form == TEXT)
        print_text(e, p);
    else if (e->form == CSV)
        print_csv(p);
    else
        print_json(p);
}

static void print_header(const struct events *e)
{
    if (e->form == CSV)
        puts(e->tags ? "run,tag,plugin,kind,points,first_step,last_step,last,min,max"
                     : "run,tag,kind,step,wall_time,value");
}

/* What could not be read: on standard error, whatever the form. */
static void tell_damage(struct events *e, const struct tbw_log_item *item)
{
    const unsigned long long from = item->gap.from, size = item->gap.to - item->gap.from;

    if (item->kind == TBW_LOG_TORN) {
        fprintf(stderr, "csweep: %s: byte %llu: torn record, %llu bytes of it\n", item->path, from,
                size);
        return;
    }
    e->damaged = true;
    if (item->kind == TBW_LOG_LOST)
        fprintf(stderr, "csweep: %s: %s\n", item->path, item->why);
    else if (item->gap.to)
        fprintf(stderr, "csweep: %s: %s; skipped %llu bytes\n", item->path, item->why, size);
    else
        fprintf(stderr, "csweep: %s: %s; nothing whole follows\n", item->path, item->why);
}

static bool wanted(const struct events *e, const char *tag)
{
    return !e->glob || cs_glob(e->glob, tag);
}

/* ---- merged: the whole of a view ---- */

static int by_order(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    const int runs = strcmp(x->run, y->run);

    if (runs)
        return runs;
    return (x->order > y->order) - (x->order < y->order);
}

static struct shown *gather(const struct events *e, const struct tbw_view *view, size_t *count)
{
    struct shown *all;
    size_t total = 0, n = 0;

    for (size_t i = 0; i < view->count; i++)
        total += view->series[i]->count;
    all = cs_xcalloc(total + 1, sizeof *all);
    for (size_t i = 0; i < view->count; i++) {
        const struct tbw_series *s = view->series[i];
        for (size_t k = 0; k < s->count && wanted(e, s->tag); k++)
            all[n++] = (struct shown){.run = s->run,
                                      .tag = s->tag,
                                      .kind = tbw_point_word(s->kind),
                                      .step = s->samples[k].step,
                                      .wall_time = s->samples[k].wall_time,
                                      .value = s->samples[k].value,
                                      .text = s->samples[k].text,
                                      .order = s->samples[k].order};
    }
    qsort(all, n, sizeof *all, by_order);
    *count = n;
    return all;
}

static void print_points(struct events *e, const struct tbw_view *view)
{
    size_t count, left = 0;
    struct shown *all = gather(e, view, &count);

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(all[i].run, all[i - 1].run) != 0)
            for (left = 0; i + left < count && strcmp(all[i + left].run, all[i].run) == 0;)
                left++;
        if (e->tail == 0 || left-- <= e->tail)
            print_point(e, &all[i]);
    }
    free(all);
}

static void print_tag_json(const struct tbw_series *s, double min, double max)
{
    const struct tbw_sample *last = &s->samples[s->count - 1];
    json_t *line = json_object();

    cs_json_set(line, "run", cs_json_text(s->run));
    cs_json_set(line, "tag", cs_json_text(s->tag));
    cs_json_set(line, "plugin", cs_json_text(s->plugin));
    cs_json_set(line, "kind", cs_json_text(tbw_point_word(s->kind)));
    cs_json_set(line, "display_name", cs_json_text(s->display_name));
    cs_json_set(line, "description", cs_json_text(s->description));
    cs_json_set(line, "points", json_integer((json_int_t) s->count));
    cs_json_set(line, "dropped", json_integer((json_int_t) s->dropped));
    cs_json_set(line, "first_step", json_integer(s->samples[0].step));
    cs_json_set(line, "last_step", json_integer(last->step));
    if (last->text) {
        cs_json_set(line, "text", cs_json_text(last->text));
    } else {
        cs_json_set(line, "last", cs_json_number(last->value));
        cs_json_set(line, "min", cs_json_number(min));
        cs_json_set(line, "max", cs_json_number(max));
    }
    sweep_print_json(line);
}

static void print_tag_csv(const struct tbw_series *s, double min, double max)
{
    const struct tbw_sample *last = &s->samples[s->count - 1];
    char number[3][CS_DOUBLE_MAX];

    sweep_print_csv_field(s->run);
    putchar(',');
    sweep_print_csv_field(s->tag);
    putchar(',');
    sweep_print_csv_field(s->plugin);
    printf(",%s,%zu,%lld,%lld,", tbw_point_word(s->kind), s->count, (long long) s->samples[0].step,
           (long long) last->step);
    sweep_print_csv_field(last->text ? last->text : cs_format_double(number[0], last->value));
    if (last->text)
        puts(",,");
    else
        printf(",%s,%s\n", cs_format_double(number[1], min), cs_format_double(number[2], max));
}

static void print_tag(struct events *e, const struct tbw_series *s)
{
    const struct tbw_sample *last = &s->samples[s->count - 1];
    double min = (double) NAN, max = (double) NAN;
    char number[CS_DOUBLE_MAX];

    for (size_t i = 0; i < s->count; i++) {
        min = fmin(min, s->samples[i].value);
        max = fmax(max, s->samples[i].value);
    }
    if (e->form == JSON) {
        print_tag_json(s, min, max);
    } else if (e->form == CSV) {
        print_tag_csv(s, min, max);
    } else {
        name_run(e, s->run);
        printf("  %-9s  %5zu point%s  steps %lld to %lld  %s  %s\n", tbw_point_word(s->kind),
               s->count, s->count == 1 ? " " : "s", (long long) s->samples[0].step,
               (long long) last->step, s->tag,
               last->text ? last->text : number_text(number, last->value));
    }
}

/* Series come in the order of their runs. */
static void print_tags(struct events *e, const struct tbw_view *view)
{
    for (size_t i = 0; i < view->count; i++)
        if (view->series[i]->count && wanted(e, view->series[i]->tag))
            print_tag(e, view->series[i]);
}

/* ---- as they come ---- */

static void print_event(struct events *e, const struct tbw_log_item *item)
{
    const struct tbw_event *event = &item->event;
    struct cs_buf text = {0};

    if (event->kind == TBW_EVENT_SESSION && event->session_status == TBW_SESSION_START &&
        event->step > 0 && e->form == TEXT) {
        name_run(e, item->run);
        printf("  %6lld  goes on here: what was at this step and above is replaced\n",
               (long long) event->step);
    }
    for (size_t i = 0; event->kind == TBW_EVENT_SUMMARY && i < event->count; i++) {
        const struct tbw_point *p = &event->points[i];
        if (!wanted(e, p->tag))
            continue;
        text.size = 0;
        if (p->kind != TBW_POINT_SCALAR)
            tbw_point_summary(&text, p);
        const struct shown shown = {.run = item->run,
                                    .tag = p->tag,
                                    .kind = tbw_point_word(p->kind),
                                    .step = event->step,
                                    .wall_time = event->wall_time,
                                    .value = p->value,
                                    .text = p->kind == TBW_POINT_SCALAR ? NULL : text.data};
        print_point(e, &shown);
    }
    cs_buf_clear(&text);
}

/* ---- the command ---- */

static int read_all(struct events *e, struct tbw_view *view, tbw_log *log, struct cs_error *err)
{
    struct tbw_log_item item;
    int rc;

    while ((rc = tbw_log_next(&item, log, err)) == 1) {
        if (item.kind == TBW_LOG_EVENT)
            tbw_view_take(view, &item);
        else if (item.kind != TBW_LOG_FILE && !(item.kind == TBW_LOG_TORN && !item.last))
            tell_damage(e, &item); /* a torn end is nothing where a later attempt goes on */
    }
    return rc;
}

/* Until the path is gone, or a signal ends the program. */
static int follow(struct events *e, tbw_log *log, struct cs_error *err)
{
    static const struct timespec pause = {0, 200000000};
    struct tbw_log_item item;
    int rc;

    do {
        while ((rc = tbw_log_next(&item, log, err)) == 1) {
            if (item.kind == TBW_LOG_EVENT)
                print_event(e, &item);
            else if (item.kind != TBW_LOG_FILE && item.kind != TBW_LOG_TORN)
                tell_damage(e, &item);
        }
        fflush(stdout);
        if (rc == 0)
            nanosleep(&pause, NULL);
    } while (rc == 0 && !ferror(stdout));
    return rc;
}

static int show(struct events *e, struct cs_error *err)
{
    struct tbw_view view = {.rules = TBW_RULE_STEPS | TBW_RULE_START};
    tbw_log *log;

    CS_TRY(tbw_log_open(&log, e->path, err));
    print_header(e);
    int rc = read_all(e, &view, log, err);
    if (rc == 0 && e->tags)
        print_tags(e, &view);
    else if (rc == 0)
        print_points(e, &view);
    tbw_view_clear(&view);
    if (rc == 0 && e->follow)
        rc = follow(e, log, err);
    tbw_log_close(log);
    free(e->run);
    return rc;
}

struct report {
    const struct events *e;
    json_t *lines;
};

static void report_line(void *context, const char *path, uint64_t offset, bool fault,
                        const char *text)
{
    const struct report *r = context;
    json_t *line;

    if (r->e->form != JSON) {
        printf("%s: byte %llu: %s%s\n", path, (unsigned long long) offset,
               fault ? "" : "note: ", text);
        return;
    }
    line = json_object();
    cs_json_set(line, "path", cs_json_text(path));
    cs_json_set(line, "offset", json_integer((json_int_t) offset));
    cs_json_set(line, "fault", json_boolean(fault));
    cs_json_set(line, "text", cs_json_text(text));
    json_array_append_new(r->lines, line);
}

static int check(const struct events *e)
{
    struct report report = {e, json_array()};
    struct tbw_check_counts counts;
    struct cs_error err;

    if (tbw_check(&counts, e->path, report_line, &report, &err) < 0) {
        json_decref(report.lines);
        sweep_print_error(&err);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    if (e->form == JSON) {
        json_t *root = json_object();
        cs_json_set(root, "files", json_integer((json_int_t) counts.files));
        cs_json_set(root, "events", json_integer((json_int_t) counts.events));
        cs_json_set(root, "faults", json_integer((json_int_t) counts.faults));
        cs_json_set(root, "found", report.lines);
        sweep_print_json(root);
        return counts.faults ? SWEEP_EXIT_TRIAL : SWEEP_EXIT_OK;
    }
    json_decref(report.lines);
    printf("%llu file%s, %llu events: %llu fault%s\n", (unsigned long long) counts.files,
           counts.files == 1 ? "" : "s", (unsigned long long) counts.events,
           (unsigned long long) counts.faults, counts.faults == 1 ? "" : "s");
    return counts.faults ? SWEEP_EXIT_TRIAL : SWEEP_EXIT_OK;
}

static int parse(struct events *e, int argc, char **argv)
{
    static const struct option options[] = {
        {"csv", no_argument, NULL, OPT_CSV},         {"json", no_argument, NULL, OPT_JSON},
        {"tags", no_argument, NULL, OPT_TAGS},       {"tag", required_argument, NULL, OPT_TAG},
        {"tail", required_argument, NULL, OPT_TAIL}, {"check", no_argument, NULL, OPT_CHECK},
        {"follow", no_argument, NULL, 'f'},          {NULL, 0, NULL, 0}};
    double tail = 0;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "f", options, NULL)) != -1) {
        if (option == OPT_CSV || option == OPT_JSON)
            e->form = option == OPT_CSV ? CSV : JSON;
        else if (option == OPT_TAGS)
            e->tags = true;
        else if (option == OPT_TAG)
            e->glob = optarg;
        else if (option == OPT_CHECK)
            e->check = true;
        else if (option == 'f')
            e->follow = true;
        else if (option != OPT_TAIL)
            return sweep_usage(&sweep_command_events, "unknown option or missing value");
        else if (!cs_parse_double(&tail, optarg) || !(tail >= 1 && tail < 1e15) ||
                 tail != floor(tail))
            return sweep_usage(&sweep_command_events, "--tail %s: a whole number from 1", optarg);
    }
    e->tail = (size_t) tail;
    if (argc - optind != 1)
        return sweep_usage(&sweep_command_events, "one path, of a log directory, run or file");
    if (e->check && (e->tags || e->follow || e->tail || e->glob || e->form == CSV))
        return sweep_usage(&sweep_command_events, "--check goes with --json only");
    if (e->tags && (e->follow || e->tail))
        return sweep_usage(&sweep_command_events, "--tags goes with neither --tail nor --follow");
    e->path = argv[optind];
    return SWEEP_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct events e = {0};
    struct cs_error err;
    const int code = parse(&e, argc, argv);

    if (code != SWEEP_EXIT_OK)
        return code;
    if (e.check)
        return check(&e);
    if (show(&e, &err) < 0) {
        sweep_print_error(&err);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    return e.damaged ? SWEEP_EXIT_TRIAL : SWEEP_EXIT_OK;
}

const struct sweep_command sweep_command_events = {
    .name = "events",
    .summary = "read event files back: points, tags, faults",
    .help =
        "usage: csweep events PATH [options]\n"
        "\n"
        "Prints what the event files below PATH hold: a log directory, a run, or one file, by any "
        "writer. The\n"
        "attempts of a run are merged as TensorBoard does. Exit 1: something could not be read "
        "(it is skipped).\n"
        "\n"
        "  --tags        one line per tag: kind, points, steps, last value\n"
        "  --tag GLOB    only tags like this\n"
        "  --tail N      of each run the last N points\n"
        "  -f, --follow  go on with what is written from now\n"
        "  --csv         run,tag,kind,step,wall_time,value\n"
        "  --json        an object a line\n"
        "  --check       every rule of framing, order and contents instead, with byte offsets; "
        "exit 1 when one\n"
        "                is broken; notes are no faults\n"
        "\n"
        "example: csweep events runs/optimizers --tag 'Loss/*' --tail 3\n",
    .run = run,
};
