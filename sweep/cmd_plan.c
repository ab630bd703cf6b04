/* cmd_plan.c - `csweep plan`: what would run. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "sweep/batch.h"
#include "sweep/cmd.h"
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

static json_t *trial_json(const struct sweep_trial *trial)
{
    json_t *out = json_object(), *params = json_object();

    for (size_t i = 0; i < trial->param_count; i++) {
        const struct sweep_param *param = &trial->params[i];
        cs_json_set(params, param->key, value_json(param->value, param->numeric));
    }
    cs_json_set(out, "number", cs_json_number(trial->number));
    cs_json_set(out, "name", cs_json_text(trial->name));
    cs_json_set(out, "id", cs_json_text(trial->id));
    cs_json_set(out, "seed", json_integer((json_int_t) trial->seed));
    cs_json_set(out, "params", params);
    return out;
}

static void print_json(const struct sweep_plan *plan)
{
    json_t *out = json_object(), *axes = json_array(), *trials = json_array();
    json_t *excluded = json_object();

    for (size_t i = 0; i < plan->axis_count; i++) {
        const struct sweep_axis *axis = &plan->axes[i];
        json_t *object = json_object(), *values = json_array();
        for (size_t k = 0; k < axis->count; k++)
            json_array_append_new(values, value_json(axis->values[k], axis->numeric));
        cs_json_set(object, "key", cs_json_text(axis->key));
        cs_json_set(object, "values", values);
        json_array_append_new(axes, object);
    }
    for (size_t i = 0; i < plan->rule_count; i++)
        cs_json_set(excluded, plan->rules[i].name,
                    json_integer((json_int_t) plan->rules[i].removed));
    for (size_t i = 0; i < plan->trial_count; i++)
        json_array_append_new(trials, trial_json(&plan->trials[i]));
    cs_json_set(out, "sweep", cs_json_text(plan->name));
    cs_json_set(out, "points", json_integer((json_int_t) plan->point_count));
    cs_json_set(out, "trials", json_integer((json_int_t) plan->trial_count));
    cs_json_set(out, "merged", json_integer((json_int_t) plan->merged_count));
    cs_json_set(out, "excluded", excluded);
    cs_json_set(out, "axes", axes);
    cs_json_set(out, "trial", trials);
    sweep_print_json(out);
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
    putchar('\n');
}

static void print_rules(const struct sweep_plan *plan)
{
    for (size_t i = 0; i < plan->rule_count; i++)
        printf("excluded by %s: %zu (%s)\n", plan->rules[i].name, plan->rules[i].removed,
               plan->rules[i].text);
}

static void print_table(const struct sweep_plan *plan)
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

/* explained: the key to explain instead, or NULL. */
static int print_plan(const struct sweep_plan_input *input, enum format format,
                      const char *explained)
{
    struct sweep_plan *plan;
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
    if (explained)
        status = print_explanation(input, explained);
    else if (format == JSON)
        print_json(plan);
    else if (format == CSV)
        print_csv(plan);
    else
        print_table(plan);
    sweep_plan_free(plan);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("csweep: cannot write the plan\n", stderr);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    return status;
}

static int run_plan(int argc, char **argv)
{
    static const struct option options[] = {
        {"preset", required_argument, NULL, 'p'}, {"explain", required_argument, NULL, 'e'},
        {"json", no_argument, NULL, 'j'},         {"csv", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    const char **presets = cs_xcalloc((size_t) argc, sizeof *presets);
    struct sweep_plan_input input = {.presets = presets};
    enum format format = TABLE;
    const char *explained = NULL;
    int rc = -1;

    opterr = 0;
    optind = 0;
    for (int c; rc < 0 && (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'p')
            presets[input.preset_count++] = optarg;
        else if (c == 'e')
            explained = optarg;
        else if (c == 'j' || c == 'c')
            format = c == 'j' ? JSON : CSV;
        else if (c == 'h')
            rc =
                fputs(sweep_command_plan.help, stdout) < 0 ? SWEEP_EXIT_ENVIRONMENT : SWEEP_EXIT_OK;
        else
            rc = sweep_usage(&sweep_command_plan, "%s: unknown option or missing value",
                             argv[optind - 1]);
    }
    if (rc < 0 && optind >= argc)
        rc = sweep_usage(&sweep_command_plan, "no grid file given");
    if (rc < 0 && explained && format != TABLE)
        rc = sweep_usage(&sweep_command_plan, "--explain is neither --json nor --csv");
    if (rc < 0 && explained && sweep_batch_is(argv[optind]))
        rc = sweep_usage(&sweep_command_plan,
                         "--explain is about grids; in a batch file every line says its values");
    if (rc < 0) {
        input.path = argv[optind];
        input.overrides = (const char *const *) &argv[optind + 1];
        input.override_count = (size_t) (argc - optind - 1);
        rc = print_plan(&input, format, explained);
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
        "  --json         one JSON object: sweep, points, trials, axes, trial\n"
        "  --csv          one line a trial: number, name, id, seed, every setting; csweep run and "
        "plan take\n"
        "                 such a file back, and one with only some of the columns\n"
        "\n"
        "example: csweep plan sweeps/optimizers.ini optimizer=sgd,adam seeds=1\n",
    .run = run_plan,
};
