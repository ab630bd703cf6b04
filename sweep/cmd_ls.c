/* cmd_ls.c - `csweep ls [SWEEP]`: the sweeps, or the trials of one, from their journals. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "common/cs_json.h"
#include "sweep/cmd.h"
#include "sweep/compare.h"
#include "sweep/find.h"
#include "sweep/print.h"

extern const struct sweep_command sweep_command_ls;

struct ls {
    const char *logdir, *where, *sort;
    bool json, csv;
};

enum { OPT_LOGDIR = 256, OPT_JSON, OPT_CSV, OPT_WHERE, OPT_SORT };

static const char *param_value(const struct sweep_record *r, const char *key)
{
    size_t i;
    const json_t *one;

    json_array_foreach(sweep_record_params(r), i, one)
    {
        if (strcmp(cs_json_get_text(one, "key", ""), key) == 0)
            return cs_json_get_text(one, "value", "");
    }
    return NULL;
}

/* A name of --where and --sort: a column, a parameter, or the tag of a metric (its last value). */
static struct cs_expr_value lookup(void *context, const char *name)
{
    const struct sweep_record *r = context;
    const char *text = strcmp(name, "state") == 0  ? r->state
                       : strcmp(name, "name") == 0 ? r->name
                                                   : param_value(r, name);
    double num;

    if (text && cs_parse_double(&num, text))
        return (struct cs_expr_value){.kind = CS_EXPR_NUMBER, .num = num};
    if (text)
        return (struct cs_expr_value){.kind = CS_EXPR_WORD, .word = text};
    if (strcmp(name, "number") == 0)
        num = r->number;
    else if (strcmp(name, "seed") == 0)
        num = (double) r->seed;
    else if (strcmp(name, "epoch") == 0)
        num = r->epoch;
    else if (strcmp(name, "seconds") == 0)
        num = r->seconds;
    else if (strcmp(name, "attempts") == 0)
        num = r->attempts;
    else
        num = sweep_record_last(r, name);
    return (struct cs_expr_value){.kind = isnan(num) ? CS_EXPR_ABSENT : CS_EXPR_NUMBER, .num = num};
}

/* Keep the records that fit --where; returns how many. */
static int filter(struct sweep_state *state, const char *where, struct cs_error *err)
{
    struct cs_arena arena = {0};
    struct cs_expr *expr;
    size_t kept = 0;
    int rc = cs_expr_compile(&expr, where, &arena, err);

    for (size_t i = 0; i < state->count && rc == 0; i++) {
        bool fits = false;
        rc = cs_expr_test(&fits, expr, lookup, &state->records[i], err);
        if (fits)
            state->records[kept++] = state->records[i];
    }
    if (rc == 0)
        state->count = kept;
    cs_arena_clear(&arena);
    return rc;
}

static const char *sort_key;
static bool sort_descending;

/* Absent values last, numbers before words, ties by number. */
static int compare_records(const void *a, const void *b)
{
    const struct sweep_record *x = a, *y = b;
    const struct cs_expr_value vx = lookup((void *) (uintptr_t) x, sort_key),
                               vy = lookup((void *) (uintptr_t) y, sort_key);
    int order = 0;

    if ((vx.kind == CS_EXPR_ABSENT) != (vy.kind == CS_EXPR_ABSENT))
        return vx.kind == CS_EXPR_ABSENT ? 1 : -1;
    if (vx.kind == CS_EXPR_WORD && vy.kind == CS_EXPR_WORD)
        order = strcmp(vx.word, vy.word);
    else if (vx.kind != vy.kind)
        order = vx.kind == CS_EXPR_NUMBER ? -1 : 1;
    else if (vx.kind != CS_EXPR_ABSENT)
        order = vx.num < vy.num ? -1 : vx.num > vy.num;
    if (sort_descending)
        order = -order;
    return order ? order : x->number - y->number;
}

static json_t *record_json(const struct sweep_record *r)
{
    json_t *one = json_object(), *params = json_object();
    size_t i;
    const json_t *p;

    json_array_foreach(sweep_record_params(r), i, p)
    {
        json_t *num = json_object_get(p, "num");
        cs_json_set(params, cs_json_get_text(p, "key", ""),
                    num ? json_incref(num) : cs_json_text(cs_json_get_text(p, "value", "")));
    }
    cs_json_set(one, "number", json_integer(r->number));
    cs_json_set(one, "name", cs_json_text(r->name));
    cs_json_set(one, "id", cs_json_text(r->id));
    cs_json_set(one, "state", cs_json_text(r->state));
    cs_json_set(one, "cause", cs_json_text(r->cause));
    cs_json_set(one, "attempts", json_integer(r->attempts));
    cs_json_set(one, "seed", json_integer((json_int_t) r->seed));
    cs_json_set(one, "params", params);
    cs_json_set(one, "epoch", json_integer(r->epoch));
    cs_json_set(one, "epochs", json_integer(r->epochs));
    cs_json_set(one, "seconds", cs_json_number(r->seconds));
    cs_json_set(one, "last", r->last ? json_incref((json_t *) (uintptr_t) r->last) : json_object());
    cs_json_set(one, "best", r->best ? json_incref((json_t *) (uintptr_t) r->best) : json_object());
    cs_json_set(one, "tags", r->tags ? json_incref((json_t *) (uintptr_t) r->tags) : json_array());
    return one;
}

static void print_trials_json(const struct sweep_state *state)
{
    json_t *root = json_object(), *list = json_array();

    for (size_t i = 0; i < state->count; i++)
        json_array_append_new(list, record_json(&state->records[i]));
    cs_json_set(root, "sweep", cs_json_text(state->sweep));
    cs_json_set(root, "metric", cs_json_text(state->metric));
    cs_json_set(root, "trials", list);
    sweep_print_json(root);
}

static void print_number(double value, int width)
{
    if (isnan(value))
        printf("  %*s", width, "-");
    else
        printf("  %*.4f", width, value);
}

static void print_trials(const struct sweep_state *state)
{
    printf("%6s  %-11s  %7s  %8s  %10s  %10s  %s\n", "trial", "state", "epoch", "seconds", "last",
           "best", "name");
    for (size_t i = 0; i < state->count; i++) {
        const struct sweep_record *r = &state->records[i];
        char epoch[32];
        snprintf(epoch, sizeof epoch, "%d/%d", r->epoch, r->epochs);
        printf("%6d  %-11s  %7s  %8.1f", r->number, r->state, epoch, r->seconds);
        print_number(sweep_record_last(r, state->metric), 10);
        print_number(sweep_record_best(r, state->metric, NULL), 10);
        printf("  %s%s%s\n", r->name, *r->detail ? "  " : "", r->detail);
    }
    printf("%s: %zu trials; last and best are %s\n", state->sweep, state->count, state->metric);
}

static void print_trials_csv(const struct sweep_state *state)
{
    char number[CS_DOUBLE_MAX];

    puts("number,name,id,state,cause,attempts,seed,epoch,epochs,seconds,last,best");
    for (size_t i = 0; i < state->count; i++) {
        const struct sweep_record *r = &state->records[i];
        printf("%d,", r->number);
        sweep_print_csv_field(r->name);
        printf(",%s,%s,%s,%d,%llu,%d,%d,%s,", r->id, r->state, r->cause, r->attempts,
               (unsigned long long) r->seed, r->epoch, r->epochs,
               cs_format_double(number, r->seconds));
        printf("%s,", cs_format_double(number, sweep_record_last(r, state->metric)));
        puts(cs_format_double(number, sweep_record_best(r, state->metric, NULL)));
    }
}

static int list_trials(const struct ls *ls, const char *word, struct cs_error *err)
{
    struct sweep_state *state;
    char *dir;
    int rc;

    CS_TRY(sweep_find(&state, &dir, ls->logdir, word, err));
    rc = ls->where ? filter(state, ls->where, err) : 0;
    sort_key = ls->sort ? ls->sort : "number";
    sort_descending = sort_key[0] == '-';
    sort_key += sort_descending;
    if (rc == 0) {
        qsort(state->records, state->count, sizeof *state->records, compare_records);
        if (ls->json)
            print_trials_json(state);
        else if (ls->csv)
            print_trials_csv(state);
        else
            print_trials(state);
    }
    sweep_state_free(state);
    free(dir);
    return rc;
}

struct summary {
    int trials, done, pruned, failed, running;
    double best;
};

static struct summary summarise(const struct sweep_state *state)
{
    struct summary s = {.best = NAN};

    for (size_t i = 0; i < state->count; i++) {
        const struct sweep_record *r = &state->records[i];
        const double best = sweep_record_best(r, state->metric, NULL);
        s.trials++;
        s.pruned += strcmp(r->state, "pruned") == 0;
        s.done += sweep_record_is_over(r);
        s.failed += strcmp(r->state, "failed") == 0;
        s.running += strcmp(r->state, "running") == 0;
        if (sweep_is_better(state->maximize, best, s.best))
            s.best = best;
    }
    return s;
}

static void print_sweep(const struct ls *ls, json_t *list, size_t number,
                        const struct sweep_state *state)
{
    const struct summary s = summarise(state);

    if (!ls->json) {
        printf("%5zu  %6d  %6d  %6d  %6d  %7d", number, s.trials, s.done - s.pruned, s.pruned,
               s.failed, s.running);
        print_number(s.best, 8);
        printf("  %s\n", state->sweep);
        return;
    }
    json_t *one = json_object();
    cs_json_set(one, "sweep", cs_json_text(state->sweep));
    cs_json_set(one, "trials", json_integer(s.trials));
    cs_json_set(one, "done", json_integer(s.done - s.pruned));
    cs_json_set(one, "pruned", json_integer(s.pruned));
    cs_json_set(one, "failed", json_integer(s.failed));
    cs_json_set(one, "running", json_integer(s.running));
    cs_json_set(one, "best", cs_json_number(s.best));
    json_array_append_new(list, one);
}

static int list_sweeps(const struct ls *ls, struct cs_error *err)
{
    struct sweep_names names;
    json_t *list = json_array();
    int rc = sweep_names_load(&names, ls->logdir, err);

    if (rc == 0 && !ls->json)
        printf("%5s  %6s  %6s  %6s  %6s  %7s  %8s  %s\n", "sweep", "trials", "done", "pruned",
               "failed", "running", "best", "name");
    for (size_t i = 0; i < names.count && rc == 0; i++) {
        struct sweep_state *state;
        char *dir = cs_xasprintf("%s/%s", ls->logdir, names.list[i]);
        rc = sweep_state_load(&state, dir, err);
        if (rc == 0) {
            print_sweep(ls, list, i + 1, state);
            sweep_state_free(state);
        }
        free(dir);
    }
    if (rc == 0 && ls->json) {
        json_t *root = json_object();
        cs_json_set(root, "sweeps", json_incref(list));
        sweep_print_json(root);
    }
    json_decref(list);
    sweep_names_free(&names);
    return rc;
}

static int run(int argc, char **argv)
{
    static const struct option options[] = {{"logdir", required_argument, NULL, OPT_LOGDIR},
                                            {"json", no_argument, NULL, OPT_JSON},
                                            {"csv", no_argument, NULL, OPT_CSV},
                                            {"where", required_argument, NULL, OPT_WHERE},
                                            {"sort", required_argument, NULL, OPT_SORT},
                                            {NULL, 0, NULL, 0}};
    struct ls ls = {.logdir = "runs"};
    struct cs_error err;
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == OPT_LOGDIR)
            ls.logdir = optarg;
        else if (option == OPT_JSON)
            ls.json = true;
        else if (option == OPT_CSV)
            ls.csv = true;
        else if (option == OPT_WHERE)
            ls.where = optarg;
        else if (option == OPT_SORT)
            ls.sort = optarg;
        else
            return sweep_usage(&sweep_command_ls, "unknown option or missing value");
    }
    if (argc - optind > 1)
        return sweep_usage(&sweep_command_ls, "one sweep at a time");
    const bool one = optind < argc;
    if (!one && (ls.where || ls.sort || ls.csv))
        return sweep_usage(&sweep_command_ls, "--where, --sort and --csv need a sweep");
    const int rc = one ? list_trials(&ls, argv[optind], &err) : list_sweeps(&ls, &err);
    if (rc == 0)
        return SWEEP_EXIT_OK;
    sweep_print_error(&err);
    return rc == CS_EPARSE ? SWEEP_EXIT_USAGE : sweep_exit_code(&err);
}

const struct sweep_command sweep_command_ls = {
    .name = "ls",
    .summary = "the sweeps, or the trials of one",
    .help = "usage: csweep ls [SWEEP] [options]\n"
            "\n"
            "Without SWEEP: every sweep with its counts. With one (name, unique prefix or number): "
            "its trials.\n"
            "\n"
            "  --where EXPR   only trials that fit: state = done and lr >= 0.01\n"
            "  --sort KEY     by a parameter, a tag's last value, number, seconds, ...; -KEY: "
            "descending\n"
            "  --json, --csv  for programs\n"
            "  --logdir DIR   default runs\n"
            "\n"
            "example: csweep ls optimizers --sort -Accuracy/Val\n",
    .run = run,
};
