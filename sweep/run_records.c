#include "sweep/run_records.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_table.h"
#include "version.h"

void sweep_run_adopt(struct sweep_plan *plan, const struct sweep_state *state)
{
    struct sweep_known *known = cs_xcalloc(state->count + 1, sizeof *known);

    for (size_t i = 0; i < state->count; i++)
        known[i] = (struct sweep_known){state->records[i].id, state->records[i].name,
                                        state->records[i].number};
    sweep_plan_adopt(plan, known, state->count);
    free(known);
}

size_t sweep_run_count_outside(const struct sweep_plan *plan, const struct sweep_state *state)
{
    struct cs_table ids = {0};
    size_t count = 0;

    for (size_t i = 0; i < plan->trial_count; i++)
        cs_table_add(&ids, plan->trials[i].id)->text = plan->trials[i].id;
    for (size_t i = 0; i < state->count; i++) {
        const struct sweep_record *record = &state->records[i];
        count += sweep_record_is_over(record) && !cs_table_find(&ids, record->id);
    }
    cs_table_clear(&ids);
    return count;
}

json_t *sweep_run_params(const struct sweep_trial *trial)
{
    json_t *list = json_array();

    for (size_t i = 0; i < trial->param_count; i++) {
        const struct sweep_param *p = &trial->params[i];
        json_t *one = json_object();
        cs_json_set(one, "key", cs_json_text(p->key));
        cs_json_set(one, "value", cs_json_text(p->value));
        if (p->numeric && isfinite(p->num))
            cs_json_set(one, "num", cs_json_number(p->num));
        json_array_append_new(list, one);
    }
    return list;
}

int sweep_run_journal_trial(sweep_journal *journal, const struct sweep_trial *trial,
                            struct cs_error *err)
{
    json_t *line = json_object();

    cs_json_set(line, "event", cs_json_text("trial"));
    cs_json_set(line, "number", json_integer(trial->number));
    cs_json_set(line, "name", cs_json_text(trial->name));
    cs_json_set(line, "id", cs_json_text(trial->id));
    cs_json_set(line, "point", cs_json_text(trial->point->id));
    cs_json_set(line, "seed", json_integer((json_int_t) trial->seed));
    cs_json_set(line, "params", sweep_run_params(trial));
    return sweep_journal_append(journal, line, false, err);
}

int sweep_run_journal_sweep(sweep_journal *journal, const struct sweep_plan *plan,
                            const char *experiment, struct cs_error *err)
{
    json_t *line = json_object();

    cs_json_set(line, "event", cs_json_text("sweep"));
    cs_json_set(line, "sweep", cs_json_text(plan->name));
    cs_json_set(line, "version", cs_json_text(CSWEEP_VERSION));
    cs_json_set(line, "grid", cs_json_text(plan->path));
    cs_json_set(line, "metric", cs_json_text(plan->metric));
    cs_json_set(line, "maximize", json_boolean(plan->maximize));
    cs_json_set(line, "target", cs_json_text(plan->target_text));
    cs_json_set(line, "experiment", cs_json_text(experiment));
    return sweep_journal_append(journal, line, true, err);
}

const char *sweep_run_last_experiment(const struct sweep_state *state)
{
    const char *last = "";
    size_t i;
    const json_t *line;

    json_array_foreach(state->lines, i, line)
    {
        if (strcmp(cs_json_get_text(line, "event", ""), "sweep") == 0)
            last = cs_json_get_text(line, "experiment", "");
    }
    return last;
}

int sweep_run_freeze_grid(const struct sweep_plan *plan, const char *dir, struct cs_error *err)
{
    char *path = cs_xasprintf("%s/sweep.ini", dir);
    struct cs_buf old = {0};
    int rc = 0;

    if (cs_read_file(&old, path, 1 << 24, NULL) < 0 || strcmp(old.data, plan->resolved) != 0)
        rc = cs_write_file(path, plan->resolved, strlen(plan->resolved), err);
    cs_buf_clear(&old);
    free(path);
    return rc;
}
