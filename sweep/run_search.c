#include "sweep/run_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "sweep/compare.h"
#include "sweep/journal.h"

/* The points of batch `number` (from 0) of this space, as an earlier run drew them, or NULL. */
static const char *known_batch(const struct sweep_state *state, const struct sweep_plan *plan)
{
    size_t i, seen = 0;
    const json_t *line;

    json_array_foreach(state->lines, i, line)
    {
        if (strcmp(cs_json_get_text(line, "event", ""), "batch") != 0 ||
            strcmp(cs_json_get_text(line, "space", ""), plan->space) != 0)
            continue;
        if (seen++ == plan->batches)
            return cs_json_get_text(line, "points", "");
    }
    return NULL;
}

static bool is_over(const struct sweep_plan *plan, const struct sweep_record *record, bool ended)
{
    if (!record)
        return false;
    if (strcmp(record->state, "pruned") == 0)
        return plan->prune != NULL;
    return sweep_record_is_over(record) || (ended && strcmp(record->state, "failed") == 0);
}

/* What became of every trial; false: some is not over. */
static bool collect(struct sweep_outcome *outcomes, const struct sweep_plan *plan,
                    const struct sweep_state *state, bool ended)
{
    bool over = true;

    for (size_t i = 0; i < plan->trial_count; i++) {
        const struct sweep_record *record = sweep_state_find(state, plan->trials[i].id);
        over = over && is_over(plan, record, ended);
        outcomes[i] = (struct sweep_outcome){.state = record ? record->state : "queued"};
        if (!record)
            continue;
        outcomes[i].epoch = record->epoch;
        outcomes[i].value = strcmp(record->state, "pruned") == 0
                                ? sweep_record_last(record, plan->metric)
                                : sweep_record_best(record, plan->metric, NULL);
    }
    return over;
}

static int write_batch(const struct sweep_plan *plan, const char *dir, const char *points,
                       struct cs_error *err)
{
    sweep_journal *journal;
    json_t *line = json_object();

    cs_json_set(line, "event", cs_json_text("batch"));
    cs_json_set(line, "space", cs_json_text(plan->space));
    cs_json_set(line, "points", cs_json_text(points));
    const int rc = sweep_journal_open(&journal, dir, err);
    if (rc < 0) {
        json_decref(line);
        return rc;
    }
    const int appended = sweep_journal_append(journal, line, true, err);
    sweep_journal_close(journal);
    return appended;
}

/* One batch more, if it can be had. */
static int extend(struct sweep_plan *plan, const char *dir, const struct sweep_state *state,
                  bool ended, bool *extended, struct cs_error *err)
{
    struct sweep_outcome *outcomes = cs_xcalloc(plan->trial_count + 1, sizeof *outcomes);
    const bool over = collect(outcomes, plan, state, ended);
    const char *known = known_batch(state, plan);
    struct cs_buf batch = {0}, faults = {0};
    int rc = 0;

    *extended = false;
    if (known || over) {
        *extended = true;
        const size_t added = sweep_plan_extend(plan, outcomes, known, &batch, &faults);
        fputs(faults.data ? faults.data : "", stderr);
        if (!known && added)
            rc = write_batch(plan, dir, batch.data, err);
    }
    cs_buf_clear(&batch);
    cs_buf_clear(&faults);
    free(outcomes);
    return rc;
}

int sweep_run_extend(struct sweep_plan *plan, const char *dir, bool ended, struct cs_error *err)
{
    struct sweep_state *state;
    bool extended = true;

    if (!plan->more)
        return 0;
    int rc = sweep_state_load(&state, dir, err);
    if (rc == CS_ENONAME)
        return 0;
    if (rc < 0)
        return rc;
    while (plan->more && extended && rc == 0)
        rc = extend(plan, dir, state, ended, &extended, err);
    sweep_state_free(state);
    return rc;
}
