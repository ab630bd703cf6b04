/* cmd_run.c - `csweep [run] GRID.ini [KEY=VALUE ...]`: options, plan, then sweep_run. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "sweep/cmd.h"
#include "sweep/pool.h"
#include "sweep/run.h"

enum { PRESETS_MAX = 16 };

extern const struct sweep_command sweep_command_run, sweep_command_plan;

struct parsed {
    struct sweep_plan_input input;
    struct sweep_run_options run;
    const char *presets[PRESETS_MAX];
    bool dry_run;
};

static int whole(int *out, const char *text, int least)
{
    double value;

    if (!cs_parse_double(&value, text) || value != floor(value) || value < least || value > 100000)
        return -1;
    *out = (int) value;
    return 0;
}

int sweep_parse_jobs(int *out, const char *text)
{
    const int cpus = sweep_cpu_count();
    char number[16];
    const size_t size = strlen(text);
    int n;

    if (size > 1 && size < sizeof number && text[size - 1] == '%') {
        snprintf(number, sizeof number, "%.*s", (int) size - 1, text);
        if (whole(&n, number, 1) < 0)
            return -1;
        *out = (cpus * n + 99) / 100;
    } else if (text[0] == '-') {
        if (whole(&n, text + 1, 1) < 0)
            return -1;
        *out = cpus > n ? cpus - n : 1;
    } else {
        return whole(out, text, 1);
    }
    return 0;
}

static int parse_fuse(int *out, const char *text)
{
    if (strcmp(text, "auto") == 0)
        *out = 0;
    else if (strcmp(text, "off") == 0)
        *out = 1;
    else
        return whole(out, text, 1);
    return 0;
}

static int parse_device(const char *text)
{
    if (strcmp(text, "auto") == 0 || strcmp(text, "cpu") == 0)
        return 0;
    if (strcmp(text, "cuda") == 0) {
        fputs("csweep: --device cuda: this build has no CUDA backend; use --device cpu\n", stderr);
        return SWEEP_EXIT_ENVIRONMENT;
    }
    return sweep_usage(&sweep_command_run, "--device %s: expected auto, cpu or cuda", text);
}

static int bad_value(const char *option, const char *value, const char *expected)
{
    return sweep_usage(&sweep_command_run, "--%s %s: expected %s", option, value, expected);
}

enum {
    OPT_LOGDIR = 256,
    OPT_CHECKPOINTS,
    OPT_JOBS,
    OPT_DEVICE,
    OPT_FUSE,
    OPT_RETRIES,
    OPT_DRY,
    OPT_QUIET,
    OPT_JSON,
    OPT_PRESET
};

static int take_option(struct parsed *p, int option, const char *value)
{
    switch (option) {
    case OPT_LOGDIR:
        p->run.logdir = value;
        return 0;
    case OPT_CHECKPOINTS:
        p->run.store = value;
        return 0;
    case OPT_JOBS:
        return sweep_parse_jobs(&p->run.jobs, value) < 0 ? bad_value("jobs", value, "N, N% or -N")
                                                         : 0;
    case OPT_DEVICE:
        return parse_device(value);
    case OPT_FUSE:
        return parse_fuse(&p->run.fuse, value) < 0
                   ? bad_value("fuse", value, "auto, off or a number")
                   : 0;
    case OPT_RETRIES:
        return whole(&p->run.retries, value, 0) < 0 ? bad_value("retries", value, "a whole number")
                                                    : 0;
    case OPT_DRY:
        p->dry_run = true;
        return 0;
    case OPT_QUIET:
        p->run.quiet = true;
        return 0;
    case OPT_JSON:
        p->run.json = true;
        return 0;
    case OPT_PRESET:
        if (p->input.preset_count == PRESETS_MAX)
            return sweep_usage(&sweep_command_run, "more than %d presets", PRESETS_MAX);
        p->presets[p->input.preset_count++] = value;
        return 0;
    default:
        return SWEEP_EXIT_USAGE;
    }
}

static int parse(struct parsed *p, int argc, char **argv)
{
    static const struct option options[] = {
        {"logdir", required_argument, NULL, OPT_LOGDIR},
        {"checkpoints", required_argument, NULL, OPT_CHECKPOINTS},
        {"jobs", required_argument, NULL, OPT_JOBS},
        {"device", required_argument, NULL, OPT_DEVICE},
        {"fuse", required_argument, NULL, OPT_FUSE},
        {"retries", required_argument, NULL, OPT_RETRIES},
        {"dry-run", no_argument, NULL, OPT_DRY},
        {"quiet", no_argument, NULL, OPT_QUIET},
        {"json", no_argument, NULL, OPT_JSON},
        {"preset", required_argument, NULL, OPT_PRESET},
        {NULL, 0, NULL, 0}};
    int option;

    p->run = (struct sweep_run_options){.logdir = "runs", .store = "checkpoints.git", .retries = 2};
    p->input.presets = p->presets;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        const int code = option == '?'
                             ? sweep_usage(&sweep_command_run,
                                           "%s: unknown option or missing value", argv[optind - 1])
                             : take_option(p, option, optarg);
        if (code != 0)
            return code;
    }
    if (optind == argc)
        return sweep_usage(&sweep_command_run, "no grid file given");
    p->input.path = argv[optind];
    p->input.overrides = (const char *const *) argv + optind + 1;
    p->input.override_count = (size_t) (argc - optind - 1);
    return 0;
}

/* `--dry-run` is `plan` with the same grid, presets and overrides. */
static int dry_run(const struct parsed *p)
{
    char **argv = cs_xcalloc(p->input.override_count + 2 * p->input.preset_count + 8, sizeof *argv);
    int argc = 0;

    argv[argc++] = cs_xstrdup("plan");
    if (p->run.json)
        argv[argc++] = cs_xstrdup("--json");
    argv[argc++] = cs_xstrdup("--logdir");
    argv[argc++] = cs_xstrdup(p->run.logdir);
    if (p->run.jobs > 0) {
        argv[argc++] = cs_xstrdup("--jobs");
        argv[argc++] = cs_xasprintf("%d", p->run.jobs);
    }
    for (size_t i = 0; i < p->input.preset_count; i++) {
        argv[argc++] = cs_xstrdup("--preset");
        argv[argc++] = cs_xstrdup(p->presets[i]);
    }
    argv[argc++] = cs_xstrdup(p->input.path);
    for (size_t i = 0; i < p->input.override_count; i++)
        argv[argc++] = cs_xstrdup(p->input.overrides[i]);
    optind = 0; /* getopt starts anew */
    const int code = sweep_command_plan.run(argc, argv);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    free(argv);
    return code;
}

static int run(int argc, char **argv)
{
    struct parsed p = {.dry_run = false};
    struct sweep_faults faults = {0};
    struct sweep_plan *plan = NULL;

    int code = parse(&p, argc, argv);
    if (code != 0)
        return code;
    if (p.dry_run)
        return dry_run(&p);
    if (sweep_plan_create(&plan, &p.input, &faults) < 0) {
        fputs(faults.text.data ? faults.text.data : "csweep: the grid cannot be planned\n", stderr);
        code = SWEEP_EXIT_GRID;
    } else {
        for (size_t i = 0; i < plan->warning_count; i++)
            fprintf(stderr, "csweep: warning: %s\n", plan->warnings[i]);
        code = sweep_run(plan, &p.run);
    }
    sweep_plan_free(plan);
    cs_buf_clear(&faults.text);
    return code;
}

const struct sweep_command sweep_command_run = {
    .name = "run",
    .summary = "train every trial of a grid that is not done yet",
    .help = "usage: csweep [run] GRID.ini|TRIALS.csv [KEY=VALUE ...] [options]\n"
            "\n"
            "Expands the grid, trains what is not done yet, shows progress, prints the comparison. "
            "Running it again\n"
            "goes on where it stopped; a finished sweep does nothing and says so. KEY=VALUE "
            "overrides the file. TRIALS.csv has a trial a line: csweep plan GRID.ini --csv prints "
            "one.\n"
            "\n"
            "  --preset NAME       apply [preset NAME] of the file; may be given several times\n"
            "  --logdir DIR        TensorBoard log directory; default runs\n"
            "  --checkpoints REPO  git repository of the checkpoints; default checkpoints.git\n"
            "  --jobs N|N%|-N      worker processes; default one per CPU\n"
            "  --device DEVICE     auto, cpu (cuda: not in this build)\n"
            "  --fuse auto|off|K   trials trained together in one worker; never changes results\n"
            "  --retries N         tries after a worker died; default 2\n"
            "  --dry-run           only print the plan\n"
            "  --quiet             print errors only\n"
            "  --json              one JSON object per event on stdout\n"
            "\n"
            "exit codes: 0 all trials done, 1 some trial failed, 2 usage, 3 the grid file is "
            "wrong, 4 the environment\n"
            "is (no space, sweep held by another process, dataset unavailable), 130 interrupted or "
            "out of budget (resumable)\n"
            "\n"
            "example: csweep sweeps/optimizers.ini epochs=3 seeds=1\n",
    .run = run,
};
