/* cmd_plan.c - `csweep plan`: what would run. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "common/cs_table.h"
#include "sweep/batch.h"
#include "sweep/cmd.h"
#include "sweep/estimate.h"
#include "sweep/explain.h"
#include "sweep/plan.h"
#include "sweep/print.h"

enum format { TABLE, JSON, CSV };

extern const struct sweep_command sweep_command_plan;

static json_t *value_json(const char *text, bool numeric)
{
    double num;
    return numeric && cs_parse_double(&num, text) ? cs_json_number(num) : cs_json_text(text);
}

/* Values as JSON, each made once: a plan has many trials and few values. */
struct words {
    struct cs_arena arena;
    struct cs_table numbers, texts;
};

static const char *word(struct words *words, const char *text, bool numeric)
{
    struct cs_table_slot *slot = cs_table_add(numeric ? &words->numbers : &words->texts, text);

    if (!slot->text) {
        struct cs_buf out = {0};
        json_t *value = value_json(text, numeric);
        cs_json_line(&out, value);
        slot->text = text;
        slot->item = cs_arena_strdup(&words->arena, out.data);
        json_decref(value);
        cs_buf_clear(&out);
    }
    return slot->item;
}

static void add_trial(struct cs_buf *out, struct words *words, const struct sweep_trial *trial)
{
    json_t *name = cs_json_text(trial->name);

    cs_buf_addf(out, "{\"number\":%d,\"name\":", trial->number);
    cs_json_line(out, name);
    cs_buf_addf(out, ",\"id\":\"%s\",\"seed\":%llu,\"params\":{", trial->id,
                (unsigned long long) trial->seed);
    for (size_t i = 0; i < trial->param_count; i++) {
        const struct sweep_param *param = &trial->params[i];
        cs_buf_adds(out, i ? "," : "");
        cs_buf_adds(out, word(words, param->key, false));
        cs_buf_adds(out, ":");
        cs_buf_adds(out, word(words, param->value, param->numeric));
    }
    cs_buf_adds(out, "}}");
    json_decref(name);
}

/* The object but for its last members, without the closing brace. */
static void add_head(struct cs_buf *out, const struct sweep_plan *plan)
{
    json_t *head = json_object(), *axes = json_array(), *excluded = json_object();

    for (size_t i = 0; i < plan->axis_count; i++) {
        const struct sweep_axis *axis = &plan->axes[i];
        json_t *object = json_object(), *values = json_array();
        for (size_t k = 0; k < axis->count; k++)
            json_array_append_new(values, value_json(axis->values[k], axis->numeric));
        cs_json_set(object, "key", cs_json_text(axis->key));
        cs_json_set(object, "values", values);
        if (axis->drawn) {
            cs_json_set(object, "low", cs_json_number(axis->low));
            cs_json_set(object, "high", cs_json_number(axis->high));
        }
        json_array_append_new(axes, object);
    }
    for (size_t i = 0; i < plan->rule_count; i++)
        cs_json_set(excluded, plan->rules[i].name,
                    json_integer((json_int_t) plan->rules[i].removed));
    cs_json_set(head, "sweep", cs_json_text(plan->name));
    cs_json_set(head, "points", json_integer((json_int_t) plan->point_count));
    cs_json_set(head, "trials", json_integer((json_int_t) plan->trial_count));
    cs_json_set(head, "merged", json_integer((json_int_t) plan->merged_count));
    cs_json_set(head, "excluded", excluded);
    cs_json_set(head, "follow", json_integer((json_int_t) (plan->wanted - plan->trial_count)));
    cs_json_set(head, "axes", axes);
    cs_json_line(out, head);
    out->data[--out->size] = '\0';
    json_decref(head);
}

static void add_estimate(struct cs_buf *out, const struct sweep_estimate *estimate)
{
    json_t *object = json_object();

    cs_json_set(object, "seconds",
                *estimate->basis || !estimate->trials ? cs_json_number(estimate->seconds)
                                                      : json_null());
    cs_json_set(object, "bytes", cs_json_number(floor(estimate->bytes)));
    cs_json_set(object, "basis", cs_json_text(estimate->basis));
    cs_json_set(object, "trials", json_integer((json_int_t) estimate->trials));
    cs_json_set(object, "slots", json_integer(estimate->slots));
    cs_buf_adds(out, ",\"estimate\":");
    cs_json_line(out, object);
    json_decref(object);
}

/* Trial by trial: as one tree of objects a large plan would take a kilobyte for each parameter. */
static void print_json(const struct sweep_plan *plan, const struct sweep_estimate *estimate)
{
    struct words words = {0};
    struct cs_buf out = {0};

    add_head(&out, plan);
    cs_buf_adds(&out, ",\"trial\":[");
    for (size_t i = 0; i < plan->trial_count; i++) {
        cs_buf_adds(&out, i ? "," : "");
        add_trial(&out, &words, &plan->trials[i]);
        fwrite(out.data, 1, out.size, stdout);
        out.size = 0;
    }
    cs_buf_adds(&out, "]");
    if (estimate)
        add_estimate(&out, estimate);
    cs_buf_adds(&out, "}\n");
    fwrite(out.data, 1, out.size, stdout);
    cs_buf_clear(&out);
    cs_table_clear(&words.numbers);
    cs_table_clear(&words.texts);
    cs_arena_clear(&words.arena);
}

static void print_csv(const struct sweep_plan *plan)
{
    struct cs_buf text = {0};

    sweep_batch_write(&text, plan, plan->sweep_lines);
    fwrite(text.data, 1, text.size, stdout);
    cs_buf_clear(&text);
}

enum { COLUMN_MAX = 40 };

static int column_width(const struct sweep_plan *plan, const char *key)
{
    size_t width = strlen(key);

    for (size_t t = 0; t < plan->trial_count; t++) {
        if (t && plan->trials[t].point == plan->trials[t - 1].point)
            continue; /* another seed */
        const char *value = sweep_trial_value(&plan->trials[t], key);
        if (value && strlen(value) > width)
            width = strlen(value);
    }
    return width > COLUMN_MAX ? COLUMN_MAX : (int) width;
}

/* A cell of that width; a text too long ends in "...". */
static void add_cell(struct cs_buf *row, const char *text, int width)
{
    static const char blanks[COLUMN_MAX + 1] = "                                        ";
    const size_t size = strlen(text), room = (size_t) width;

    cs_buf_add(row, "  ", 2);
    cs_buf_add(row, text, size <= room ? size : room - 3);
    if (size <= room)
        cs_buf_add(row, blanks, room - size);
    else
        cs_buf_add(row, "...", 3);
}

static void print_row(struct cs_buf *row)
{
    while (row->size && row->data[row->size - 1] == ' ')
        row->data[--row->size] = '\0';
    puts(row->data);
    row->size = 0;
}

static void print_summary(const struct sweep_plan *plan)
{
    const bool even = plan->point_count * plan->seed_count == plan->trial_count;

    printf("%s: %zu point%s", plan->name, plan->point_count, plan->point_count == 1 ? "" : "s");
    if (even)
        printf(" x %zu seed%s =", plan->seed_count, plan->seed_count == 1 ? "" : "s");
    printf("%s %zu trial%s", even ? "" : ",", plan->trial_count, plan->trial_count == 1 ? "" : "s");
    if (plan->merged_count)
        printf(" (%zu equal point%s merged)", plan->merged_count,
               plan->merged_count == 1 ? "" : "s");
    if (plan->excluded_count)
        printf(" (%zu excluded)", plan->excluded_count);
    printf("; %s %s", plan->maximize ? "max" : "min", plan->metric);
    if (*plan->target_text)
        printf("; target %s", plan->target_text);
    if (plan->drawn)
        printf("; search %s", plan->search->name);
    putchar('\n');
    if (plan->wanted > plan->trial_count)
        printf("%zu more trials follow when there are results\n", plan->wanted - plan->trial_count);
}

static void print_rules(const struct sweep_plan *plan)
{
    for (size_t i = 0; i < plan->rule_count; i++)
        printf("excluded by %s: %zu (%s)\n", plan->rules[i].name, plan->rules[i].removed,
               plan->rules[i].text);
}

/* "12 s", "3 min", "2 h 10 min", "3 days": two digits are more than it is worth. */
static void format_seconds(char out[32], double seconds)
{
    const double minutes = floor(seconds / 60 + 0.5), hours = floor(seconds / 3600);

    if (seconds < 1)
        snprintf(out, 32, "a second");
    else if (seconds < 90)
        snprintf(out, 32, "%.0f s", seconds);
    else if (minutes < 90)
        snprintf(out, 32, "%.0f min", minutes);
    else if (hours < 48)
        snprintf(out, 32, "%.0f h %.0f min", hours, floor((seconds - 3600 * hours) / 60));
    else
        snprintf(out, 32, "%.0f days", seconds / 86400);
}

static void format_bytes(char out[32], double bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    size_t unit = 0;

    for (bytes /= 1000; bytes >= 1000 && unit + 1 < CS_COUNT(units); unit++)
        bytes /= 1000;
    snprintf(out, 32, bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void print_estimate(const struct sweep_plan *plan, const struct sweep_estimate *e)
{
    char seconds[32], bytes[32];
    const bool journal = strncmp(e->basis, "journal", 7) == 0;

    if (e->trials == 0) {
        puts("every trial is done");
        return;
    }
    if (e->trials < plan->trial_count)
        printf("%zu of %zu trials are done; the others: ", plan->trial_count - e->trials,
               plan->trial_count);
    format_seconds(seconds, e->seconds);
    format_bytes(bytes, e->bytes);
    if (*e->basis)
        printf("about %s on %d slot%s (%s), ", seconds, e->slots, e->slots == 1 ? "" : "s",
               strcmp(e->basis, "journal") == 0 ? "from finished trials"
               : journal                        ? "from finished trials and steps on random data"
                                                : "from a few steps on random data");
    else
        printf("time not known, ");
    printf("about %s of checkpoints and event files\n", bytes);
}

static void print_table(const struct sweep_plan *plan, const struct sweep_estimate *estimate)
{
    size_t count;
    const char **keys = sweep_plan_keys(plan, true, &count);
    int *widths = cs_xcalloc(count, sizeof *widths);
    struct cs_buf row = {0};

    cs_buf_addf(&row, "%6s", "trial");
    for (size_t k = 0; k < count; k++) {
        widths[k] = column_width(plan, keys[k]);
        add_cell(&row, keys[k], widths[k]);
    }
    cs_buf_adds(&row, plan->seed_count > 1 ? "  seed" : "");
    print_row(&row);
    for (size_t t = 0; t < plan->trial_count; t++) {
        const struct sweep_trial *trial = &plan->trials[t];
        cs_buf_addf(&row, "%6d", trial->number);
        for (size_t k = 0; k < count; k++) {
            const char *value = sweep_trial_value(trial, keys[k]);
            add_cell(&row, value ? value : "-", widths[k]);
        }
        if (plan->seed_count > 1)
            cs_buf_addf(&row, "  %llu", (unsigned long long) trial->seed);
        print_row(&row);
    }
    putchar('\n');
    print_summary(plan);
    print_rules(plan);
    if (estimate)
        print_estimate(plan, estimate);
    cs_buf_clear(&row);
    free(widths);
    free(keys);
}

static int print_explanation(const struct sweep_plan_input *input, const char *key)
{
    struct cs_buf text = {0};
    struct cs_error err;

    if (sweep_explain(&text, input, key, &err) < 0)
        return sweep_usage(&sweep_command_plan, "--explain %s", err.detail);
    fputs(text.data, stdout);
    cs_buf_clear(&text);
    return SWEEP_EXIT_OK;
}

struct options {
    struct sweep_plan_input input;
    enum format format;
    const char *explained; /* the key to explain instead, or NULL */
    const char *logdir;
    int jobs; /* 0: one per CPU */
    bool estimate;
};

static int print_plan(const struct options *o)
{
    const struct sweep_plan_input *input = &o->input;
    struct sweep_plan *plan;
    struct sweep_estimate estimate;
    const bool wanted = o->estimate && !o->explained && o->format != CSV;
    struct sweep_faults faults = {0};
    const int rc = sweep_plan_create(&plan, input, &faults);

    if (rc < 0) {
        fputs(faults.text.data ? faults.text.data : "", stderr);
        if (rc != CS_EIO)
            fprintf(stderr, "csweep: %s: %zu fault%s; nothing planned\n", input->path, faults.count,
                    faults.count == 1 ? "" : "s");
        cs_buf_clear(&faults.text);
        return SWEEP_EXIT_GRID;
    }
    for (size_t i = 0; i < plan->warning_count; i++)
        fprintf(stderr, "csweep: warning: %s\n", plan->warnings[i]);
    int status = SWEEP_EXIT_OK;
    if (wanted)
        sweep_estimate_plan(&estimate, plan, o->logdir, o->jobs);
    if (o->explained)
        status = print_explanation(input, o->explained);
    else if (o->format == JSON)
        print_json(plan, wanted ? &estimate : NULL);
    else if (o->format == CSV)
        print_csv(plan);
    else
        print_table(plan, wanted ? &estimate : NULL);
    sweep_plan_free(plan);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("csweep: cannot write the plan\n", stderr);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    return status;
}

enum { OPT_LOGDIR = 256, OPT_JOBS, OPT_NO_ESTIMATE };

static int take_option(struct options *o, int option, const char **presets)
{
    switch (option) {
    case 'p':
        presets[o->input.preset_count++] = optarg;
        return -1;
    case 'e':
        o->explained = optarg;
        return -1;
    case 'j':
    case 'c':
        o->format = option == 'j' ? JSON : CSV;
        return -1;
    case OPT_LOGDIR:
        o->logdir = optarg;
        return -1;
    case OPT_JOBS:
        return sweep_parse_jobs(&o->jobs, optarg) == 0
                   ? -1
                   : sweep_usage(&sweep_command_plan, "--jobs %s: expected N, N%% or -N", optarg);
    case OPT_NO_ESTIMATE:
        o->estimate = false;
        return -1;
    case 'h':
        return fputs(sweep_command_plan.help, stdout) < 0 ? SWEEP_EXIT_ENVIRONMENT : SWEEP_EXIT_OK;
    default:
        return SWEEP_EXIT_USAGE;
    }
}

static int run_plan(int argc, char **argv)
{
    static const struct option options[] = {{"preset", required_argument, NULL, 'p'},
                                            {"explain", required_argument, NULL, 'e'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"csv", no_argument, NULL, 'c'},
                                            {"logdir", required_argument, NULL, OPT_LOGDIR},
                                            {"jobs", required_argument, NULL, OPT_JOBS},
                                            {"no-estimate", no_argument, NULL, OPT_NO_ESTIMATE},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char **presets = cs_xcalloc((size_t) argc, sizeof *presets);
    struct options o = {.input.presets = presets, .logdir = "runs", .estimate = true};
    int rc = -1;

    opterr = 0;
    optind = 0;
    for (int c; rc < 0 && (c = getopt_long(argc, argv, "h", options, NULL)) != -1;)
        rc = c == '?' ? sweep_usage(&sweep_command_plan, "%s: unknown option or missing value",
                                    argv[optind - 1])
                      : take_option(&o, c, presets);
    if (rc < 0 && optind >= argc)
        rc = sweep_usage(&sweep_command_plan, "no grid file given");
    if (rc < 0 && o.explained && o.format != TABLE)
        rc = sweep_usage(&sweep_command_plan, "--explain is neither --json nor --csv");
    if (rc < 0 && o.explained && sweep_batch_is(argv[optind]))
        rc = sweep_usage(&sweep_command_plan,
                         "--explain is about grids; in a batch file every line says its values");
    if (rc < 0) {
        o.input.path = argv[optind];
        o.input.overrides = (const char *const *) &argv[optind + 1];
        o.input.override_count = (size_t) (argc - optind - 1);
        rc = print_plan(&o);
    }
    free(presets);
    return rc;
}

const struct sweep_command sweep_command_plan = {
    .name = "plan",
    .summary = "print every trial a grid file asks for; writes nothing",
    .help =
        "usage: csweep plan GRID.ini|TRIALS.csv [KEY=VALUE ...] [--preset NAME] [--json | --csv]\n"
        "       csweep plan GRID.ini [KEY=VALUE ...] [--preset NAME] --explain KEY\n"
        "\n"
        "Print the trials that would run: their numbers, the settings that vary, their count.\n"
        "Nothing is written and nothing trained.\n"
        "\n"
        "  KEY=VALUE      replace a key of the file, with the same syntax: lr=0.1,0.01 seeds=1\n"
        "  --preset NAME  apply [preset NAME] of the file; may be repeated, applied in order\n"
        "  --explain KEY  instead: everything that gives KEY a value, in order of precedence, "
        "with\n"
        "                 its place, and what counts at how many points\n"
        "  --json         one JSON object: sweep, points, trials, merged, excluded, axes, trial, "
        "estimate\n"
        "  --csv          one line a trial: number, name, id, seed, every setting; csweep run and "
        "plan take\n"
        "                 such a file back, and one with only some of the columns\n"
        "\n"
        "Below the table stands about how long the trials that are not done will take, and how "
        "much of the disk:\n"
        "from finished trials of the sweep where there are any, else from a few steps on random "
        "data.\n"
        "\n"
        "  --logdir DIR   where the sweep's finished trials are looked for; default runs\n"
        "  --jobs N|N%|-N worker processes it will run on; default one per CPU\n"
        "  --no-estimate  leave that out\n"
        "\n"
        "example: csweep plan sweeps/optimizers.ini optimizer=sgd,adam seeds=1\n",
    .run = run_plan,
};
