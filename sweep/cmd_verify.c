/*
 * cmd_verify.c - `csweep verify [SWEEP]`: check every invariant of what a sweep left on disk.
 *
 *   journal      readable to its last record; numbers and ids unique; no trial ended twice as done or diverged
 *   checkpoints  every tag of the sweep loads and matches its hash; a done trial has its `last`, and a `best` when
 *                any epoch had a value
 *   events       every file whole but for a torn tail; the steps of a done trial's epoch scalars are 1 ... epochs,
 *                each once, under the readers' rule that a START at step s drops what came at s or later
 *   locks        no .lock file under the sweep's tags while no one works on it
 *
 * It changes nothing. One line per fault; exit 1 when there is one.
 */
#include <dirent.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "common/cs_json.h"
#include "sweep/cmd.h"
#include "sweep/find.h"
#include "sweep/print.h"
#include "tbwriter/tbw_read.h"

extern const struct sweep_command sweep_command_verify;

enum { OPT_LOGDIR = 256, OPT_CHECKPOINTS, OPT_JSON };

struct verify {
    const char *logdir, *store_path;
    bool json;
    struct sweep_state *state;
    char *dir;
    ckpt_store *store;
    json_t *faults; /* ["what: why"] */
    int events, tags;
};

static void fault(struct verify *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fault(struct verify *v, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        abort();
    va_end(args);
    json_array_append_new(v->faults, cs_json_text(text));
    if (!v->json)
        puts(text);
    free(text);
}

/* ---- journal ---- */

/* Since it was last queued by hand. */
static int ends_of(const struct verify *v, int number)
{
    int ends = 0;
    size_t i;
    const json_t *line;

    json_array_foreach(v->state->lines, i, line)
    {
        const char *state = cs_json_get_text(line, "state", "");
        const char *event = cs_json_get_text(line, "event", "");
        if (cs_json_get_int(line, "number", -1) != number)
            continue;
        if (strcmp(event, "queue") == 0)
            ends = 0;
        else if (strcmp(event, "end") == 0)
            ends += strcmp(state, "done") == 0 || strcmp(state, "diverged") == 0 ||
                    (strcmp(state, "stopped") == 0 &&
                     strcmp(cs_json_get_text(line, "cause", ""), "slow") != 0);
    }
    return ends;
}

static void check_journal(struct verify *v)
{
    for (size_t i = 0; i < v->state->count; i++) {
        const struct sweep_record *r = &v->state->records[i];
        if (i > 0 && r->number == r[-1].number)
            fault(v, "journal: trial number %d is given twice", r->number);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(v->state->records[k].id, r->id) == 0)
                fault(v, "journal: trials %d and %d are the same configuration",
                      v->state->records[k].number, r->number);
        }
        const int ends = ends_of(v, r->number);
        if (ends > 1)
            fault(v, "journal: %s ended %d times", r->name, ends);
    }
}

/* ---- checkpoints ---- */

static void on_damage(void *context, const char *tag, const struct cs_error *damage)
{
    fault(context, "checkpoint %s: %s", tag, damage->detail);
}

static int count_tag(void *context, const char *tag, const char *message)
{
    struct verify *v = context;

    (void) tag;
    (void) message;
    v->tags++;
    return 0;
}

static void check_tags(struct verify *v)
{
    for (size_t i = 0; i < v->state->count; i++) {
        const struct sweep_record *r = &v->state->records[i];
        size_t t;
        const json_t *ref;
        if (!sweep_record_is_over(r))
            continue;
        json_array_foreach(r->tags, t, ref)
        {
            const char *tag = json_string_value(ref) + strlen("refs/tags/");
            const int before = v->tags;
            ckpt_list(v->store, tag, count_tag, v, NULL);
            if (v->tags == before)
                fault(v, "checkpoint %s: no such tag, but %s is %s", tag, r->name, r->state);
            v->tags = before;
        }
    }
}

/* Lock files below folder. */
static void check_locks(struct verify *v, const char *folder)
{
    DIR *dir = opendir(folder);

    for (struct dirent *e; dir && (e = readdir(dir));) {
        const size_t size = strlen(e->d_name);
        if (e->d_name[0] == '.')
            continue;
        char *path = cs_xasprintf("%s/%s", folder, e->d_name);
        if (size > 5 && strcmp(e->d_name + size - 5, ".lock") == 0)
            fault(v, "lock: %s is left over", path);
        check_locks(v, path);
        free(path);
    }
    if (dir)
        closedir(dir);
}

static int check_checkpoints(struct verify *v, struct cs_error *err)
{
    int rc = ckpt_store_open(&v->store, v->store_path, false, err);

    if (rc == 0)
        rc = ckpt_verify(v->store, v->state->sweep, on_damage, v, err);
    if (rc < 0)
        return rc;
    check_tags(v);
    ckpt_list(v->store, v->state->sweep, count_tag, v, NULL);
    if (!v->state->held) {
        char *folder = cs_xasprintf("%s/refs/tags/%s", v->store_path, v->state->sweep);
        check_locks(v, folder);
        free(folder);
    }
    return 0;
}

/* ---- events ---- */

/* Which epochs a run's files show, after the readers' purges. */
struct steps {
    unsigned char *seen; /* [epochs + 2] how often step s is shown */
    int epochs;
};

static void take_event(struct verify *v, struct steps *steps, const struct sweep_record *r,
                       const struct tbw_event *e)
{
    if (e->kind == TBW_EVENT_SESSION && e->session_status == TBW_SESSION_START) {
        for (int s = e->step > 0 ? (int) e->step : 0; s <= steps->epochs; s++)
            steps->seen[s] = 0;
        return;
    }
    for (size_t i = 0; e->kind == TBW_EVENT_SUMMARY && i < e->count; i++) {
        if (e->points[i].kind != TBW_POINT_SCALAR || strcmp(e->points[i].tag, "Loss/Train") != 0)
            continue;
        if (e->step < 1 || e->step > steps->epochs)
            fault(v, "events of %s: step %lld of %d", r->name, (long long) e->step, steps->epochs);
        else
            steps->seen[e->step]++;
    }
}

static void read_file(struct verify *v, struct steps *steps, const struct sweep_record *r,
                      const char *path)
{
    tbw_reader *reader;
    struct tbw_event event;
    struct cs_error err;
    int rc = tbw_reader_open(&reader, path, &err);

    while (rc >= 0 && (rc = tbw_reader_next(&event, reader, &err)) > 0) {
        v->events++;
        take_event(v, steps, r, &event);
    }
    if (rc < 0)
        fault(v, "events of %s: %s", r->name, err.detail);
    tbw_reader_close(reader);
}

static int is_event_file(const struct dirent *e)
{
    return strstr(e->d_name, "tfevents") != NULL;
}

/* As TensorBoard orders the files of a run. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void check_run(struct verify *v, const struct sweep_record *r)
{
    struct steps steps = {cs_xcalloc((size_t) r->epochs + 2, 1), r->epochs};
    char *dir = cs_xasprintf("%s/%s", v->dir, r->name);
    struct dirent **files = NULL;
    const int count = scandir(dir, &files, is_event_file, by_bytes);
    const int last = strcmp(r->state, "done") == 0 ? r->epochs : r->epoch;

    for (int i = 0; i < count; i++) {
        char *path = cs_xasprintf("%s/%s", dir, files[i]->d_name);
        read_file(v, &steps, r, path);
        free(path);
        free(files[i]);
    }
    for (int s = 1; s <= last; s++) {
        if (steps.seen[s] != 1)
            fault(v, "events of %s: epoch %d is there %d times", r->name, s, steps.seen[s]);
    }
    free(files);
    free(dir);
    free(steps.seen);
}

static int verify_sweep(struct verify *v, struct cs_error *err)
{
    check_journal(v);
    CS_TRY(check_checkpoints(v, err));
    for (size_t i = 0; i < v->state->count; i++) {
        if (sweep_record_is_over(&v->state->records[i]))
            check_run(v, &v->state->records[i]);
    }
    return 0;
}

static int report(struct verify *v)
{
    const size_t count = json_array_size(v->faults);

    if (v->json) {
        json_t *root = json_object();
        cs_json_set(root, "sweep", cs_json_text(v->state->sweep));
        cs_json_set(root, "trials", json_integer((json_int_t) v->state->count));
        cs_json_set(root, "checkpoints", json_integer(v->tags));
        cs_json_set(root, "events", json_integer(v->events));
        cs_json_set(root, "faults", json_incref(v->faults));
        sweep_print_json(root);
    } else {
        printf("%s: %zu trials, %d checkpoints, %d events: %zu fault%s\n", v->state->sweep,
               v->state->count, v->tags, v->events, count, count == 1 ? "" : "s");
    }
    return count ? SWEEP_EXIT_TRIAL : SWEEP_EXIT_OK;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {
        {"logdir", required_argument, NULL, OPT_LOGDIR},
        {"checkpoints", required_argument, NULL, OPT_CHECKPOINTS},
        {"json", no_argument, NULL, OPT_JSON},
        {NULL, 0, NULL, 0}};
    struct verify v = {.logdir = "runs", .store_path = "checkpoints.git"};
    struct cs_error err;
    int option, code;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == OPT_LOGDIR)
            v.logdir = optarg;
        else if (option == OPT_CHECKPOINTS)
            v.store_path = optarg;
        else if (option == OPT_JSON)
            v.json = true;
        else
            return sweep_usage(&sweep_command_verify, "unknown option or missing value");
    }
    if (argc - optind > 1)
        return sweep_usage(&sweep_command_verify, "one sweep at a time");
    int rc = sweep_find(&v.state, &v.dir, v.logdir, optind < argc ? argv[optind] : NULL, &err);
    if (rc < 0) {
        sweep_print_error(&err);
        return err.code == CS_ECORRUPT ? SWEEP_EXIT_TRIAL : sweep_exit_code(&err);
    }
    v.faults = json_array();
    rc = verify_sweep(&v, &err);
    if (rc < 0)
        sweep_print_error(&err);
    code = rc < 0 ? SWEEP_EXIT_ENVIRONMENT : report(&v);
    json_decref(v.faults);
    ckpt_store_close(v.store);
    sweep_state_free(v.state);
    free(v.dir);
    return code;
}

const struct sweep_command sweep_command_verify = {
    .name = "verify",
    .summary = "check what a sweep left on disk: journal, checkpoints, events, locks",
    .help = "usage: csweep verify [SWEEP] [options]\n"
            "\n"
            "Checks that each trial ended once, that checkpoints load and match their hash, that "
            "event files are\n"
            "whole and show every epoch once, and that no lock is left. Changes nothing. Exit 0: "
            "no fault.\n"
            "\n"
            "  --json              for programs\n"
            "  --logdir DIR        default runs\n"
            "  --checkpoints REPO  default checkpoints.git\n"
            "\n"
            "example: csweep verify optimizers\n",
    .run = run,
};
