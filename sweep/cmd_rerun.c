/*
 * cmd_rerun.c - `csweep rerun SWEEP ...`: trials that are over, or were left, wait to be trained again.
 *
 * It writes `queue` records (journal.h) and trains nothing. A trial that is not at its own end goes on from its last
 * checkpoint; one that is (done, stopped early, diverged) has nothing to go on to, and is refused without --anew.
 * Nothing is written when any trial is refused, or while another process holds the sweep.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "sweep/cmd.h"
#include "sweep/find.h"

extern const struct sweep_command sweep_command_rerun;

static const char *const kinds[] = {"failed", "interrupted", "pruned", "slow", "diverged"};

enum { OPT_LOGDIR = 256, OPT_ANEW, OPT_KIND };

struct rerun {
    const char *logdir;
    bool wanted[CS_COUNT(kinds)]; /* all trials of these states */
    bool anew;
    struct sweep_state *state;
    char *dir;
    sweep_journal *journal;
    bool *chosen; /* [state->count] */
    size_t count;
};

static int parse(struct rerun *r, int argc, char **argv)
{
    struct option options[CS_COUNT(kinds) + 3] = {
        {"logdir", required_argument, NULL, OPT_LOGDIR},
        {"anew", no_argument, NULL, OPT_ANEW},
    };
    int option;

    for (size_t i = 0; i < CS_COUNT(kinds); i++)
        options[i + 2] = (struct option){kinds[i], no_argument, NULL, OPT_KIND + (int) i};
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == OPT_LOGDIR)
            r->logdir = optarg;
        else if (option == OPT_ANEW)
            r->anew = true;
        else if (option >= OPT_KIND)
            r->wanted[option - OPT_KIND] = true;
        else
            return sweep_usage(&sweep_command_rerun, "%s: unknown option or missing value",
                               argv[optind - 1]);
    }
    return 0;
}

/* As kinds calls it. */
static const char *kind_of(const struct sweep_record *record)
{
    return sweep_record_is_slow(record) ? "slow" : record->state;
}

static bool is_wanted(const struct rerun *r, const struct sweep_record *record)
{
    for (size_t i = 0; i < CS_COUNT(kinds); i++) {
        if (r->wanted[i] && strcmp(kind_of(record), kinds[i]) == 0)
            return true;
    }
    return false;
}

/* Those of the states asked for, and those named. */
static int choose(struct rerun *r, char **words, int count, struct cs_error *err)
{
    r->chosen = cs_xcalloc(r->state->count + 1, sizeof *r->chosen);
    for (size_t i = 0; i < r->state->count; i++)
        r->chosen[i] = is_wanted(r, &r->state->records[i]);
    for (int i = 0; i < count; i++) {
        const struct sweep_record *record;
        CS_TRY(sweep_find_record(&record, r->state, words[i], err));
        r->chosen[record - r->state->records] = true;
    }
    for (size_t i = 0; i < r->state->count; i++)
        r->count += r->chosen[i];
    return 0;
}

/* Has training come to an end of its own, so that its checkpoint leads nowhere? */
static bool is_at_end(const struct sweep_record *record)
{
    return sweep_record_is_done(record) || strcmp(record->state, "diverged") == 0;
}

static int check(const struct rerun *r, struct cs_error *err)
{
    for (size_t i = 0; i < r->state->count; i++) {
        const struct sweep_record *record = &r->state->records[i];
        if (r->chosen[i] && is_at_end(record) && !r->anew)
            return cs_fail(err, CS_ERANGE,
                           "%s is %s: there is nothing to go on to; --anew trains it from epoch 0",
                           record->name, record->state);
    }
    return 0;
}

static int queue(const struct rerun *r, struct cs_error *err)
{
    size_t left = r->count;

    for (size_t i = 0; i < r->state->count; i++) {
        const struct sweep_record *record = &r->state->records[i];
        json_t *line;
        if (!r->chosen[i])
            continue;
        line = json_object();
        cs_json_set(line, "event", cs_json_text("queue"));
        cs_json_set(line, "number", json_integer(record->number));
        if (r->anew)
            cs_json_set(line, "anew", json_true());
        CS_TRY(sweep_journal_append(r->journal, line, --left == 0, err));
        printf("%s: %s, now queued%s\n", record->name, kind_of(record),
               r->anew ? " from epoch 0" : "");
    }
    return 0;
}

/* The grid that was run last. */
static const char *grid_of(const struct sweep_state *state)
{
    const char *grid = "GRID.ini";
    size_t i;
    const json_t *line;

    json_array_foreach(state->lines, i, line)
    {
        if (strcmp(cs_json_get_text(line, "event", ""), "sweep") == 0)
            grid = cs_json_get_text(line, "grid", grid);
    }
    return grid;
}

/* The journal is locked before the state is read: what is decided is still true when it is written. */
static int rerun(struct rerun *r, const char *sweep, char **words, int count, struct cs_error *err)
{
    CS_TRY(sweep_find(&r->state, &r->dir, r->logdir, sweep, err));
    sweep_state_free(r->state);
    r->state = NULL;
    CS_TRY(sweep_journal_open(&r->journal, r->dir, err));
    CS_TRY(sweep_state_load(&r->state, r->dir, err));
    for (size_t i = 0; i < r->state->count; i++) {
        if (r->state->records[i].started) /* "running", but the lock is ours */
            r->state->records[i].state = "interrupted";
    }
    CS_TRY(choose(r, words, count, err));
    CS_TRY(check(r, err));
    CS_TRY(queue(r, err));
    if (r->count > 0)
        printf("%zu trial%s queued; csweep %s trains %s\n", r->count, r->count == 1 ? "" : "s",
               grid_of(r->state), r->count == 1 ? "it" : "them");
    else
        printf("%s: no such trials\n", r->state->sweep);
    return 0;
}

static int run(int argc, char **argv)
{
    struct rerun r = {.logdir = "runs"};
    struct cs_error err;
    bool by_state = false;
    int code = parse(&r, argc, argv);

    if (code != 0)
        return code;
    if (optind == argc)
        return sweep_usage(&sweep_command_rerun, "which sweep?");
    for (size_t i = 0; i < CS_COUNT(kinds); i++)
        by_state = by_state || r.wanted[i];
    if (argc - optind == 1 && !by_state)
        return sweep_usage(&sweep_command_rerun,
                           "which trials? give them, or --failed, --interrupted, --pruned, "
                           "--slow or --diverged");
    if (rerun(&r, argv[optind], argv + optind + 1, argc - optind - 1, &err) < 0) {
        sweep_print_error(&err);
        code = err.code == CS_ERANGE ? SWEEP_EXIT_USAGE : sweep_exit_code(&err);
    }
    sweep_journal_close(r.journal);
    sweep_state_free(r.state);
    free(r.chosen);
    free(r.dir);
    return code;
}

const struct sweep_command sweep_command_rerun = {
    .name = "rerun",
    .summary = "queue trials again, to go on from their checkpoint or from epoch 0",
    .help =
        "usage: csweep rerun SWEEP [TRIAL ...] [options]\n"
        "\n"
        "The trials wait again, and csweep GRID.ini trains them: failed, interrupted, pruned and "
        "slow ones (stop_trial) go\n"
        "on from their last checkpoint, the last two to their end. What is done, stopped early "
        "or diverged takes --anew.\n"
        "\n"
        "  --failed --interrupted --pruned --slow --diverged\n"
        "                all trials that are\n"
        "  --anew        from epoch 0; their checkpoints are replaced when they start\n"
        "  --logdir DIR  default runs\n"
        "\n"
        "example: csweep rerun optimizers --failed\n",
    .run = run,
};
