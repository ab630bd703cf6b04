#include "sweep/verdicts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "sweep/prune/judge.h"

struct sweep_verdicts {
    const struct sweep_plan *plan;
    struct sweep_verdicts_hooks hooks;
    sweep_judge *judge;
    json_t **questions; /* [slots]: what a slot's worker waits for; NULL: nothing */
    int slots;
};

sweep_verdicts *sweep_verdicts_create(const struct sweep_plan *plan,
                                      const struct sweep_verdicts_hooks *hooks)
{
    sweep_verdicts *v = cs_xcalloc(1, sizeof *v);

    v->plan = plan;
    v->hooks = *hooks;
    v->judge = sweep_judge_create(plan->prune, plan->name, plan->maximize);
    return v;
}

void sweep_verdicts_free(sweep_verdicts *v)
{
    if (!v)
        return;
    for (int i = 0; i < v->slots; i++)
        json_decref(v->questions[i]);
    free(v->questions);
    sweep_judge_free(v->judge);
    free(v);
}

void sweep_verdicts_add(sweep_verdicts *v, const struct sweep_trial *trial, bool spared)
{
    sweep_judge_add(v->judge, trial->number, trial->point->epochs, spared);
}

/* Which column of the line is named so; 0: none, that is the epoch's. */
static int column_of(const char *line, const char *name)
{
    const size_t size = strlen(name);
    int column = 0;

    for (const char *at = line; *at && *at != '\n'; column++) {
        const size_t length = strcspn(at, ",\n");
        if (length == size && memcmp(at, name, size) == 0)
            return column;
        at += length + (at[length] == ',');
    }
    return 0;
}

/* curve.csv: the metric's value of every line but the first. */
static void recall_curve(sweep_verdicts *v, int number, const char *text, int epochs)
{
    const int column = column_of(text, v->plan->metric);
    const char *line = strchr(text, '\n');

    for (int e = 1; column && e <= epochs && line && line[1]; e++) {
        const char *at = ++line;
        for (int i = 0; i < column && at; i++)
            at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL;
        if (at)
            sweep_judge_tell(v->judge, number, e, strtod(at, NULL));
        line = strchr(line, '\n');
    }
}

static int lines_of(const char *text)
{
    int lines = 0;

    while ((text = strchr(text, '\n')) != NULL) {
        text++;
        lines++;
    }
    return lines;
}

int sweep_verdicts_recall(sweep_verdicts *v, const struct sweep_trial *trial, bool diverged,
                          ckpt_store *store, struct cs_error *err)
{
    char *tag = cs_xasprintf("%s/%04d/last", v->plan->name, trial->number);
    ckpt_checkpoint *c = NULL;
    const int rc = ckpt_load_file(&c, store, tag, "curve.csv", err);
    const struct ckpt_file *curve = c ? ckpt_checkpoint_file(c, "curve.csv") : NULL;

    if (curve)
        recall_curve(v, trial->number, curve->data, lines_of(curve->data) - 1 - diverged);
    sweep_judge_end(v->judge, trial->number);
    ckpt_checkpoint_free(c);
    free(tag);
    return rc;
}

static int number_of(const json_t *report)
{
    return (int) cs_json_get_int(report, "number", -1);
}

void sweep_verdicts_values(sweep_verdicts *v, const json_t *report)
{
    size_t i;
    const json_t *value;

    json_array_foreach(json_object_get(report, "values"), i, value)
        sweep_judge_tell(v->judge, number_of(report), (int) i + 1, cs_json_number_value(value, 0));
}

void sweep_verdicts_epoch(sweep_verdicts *v, const json_t *report)
{
    const json_t *metrics = json_object_get(report, "metrics");

    if (json_is_true(json_object_get(report, "diverged")))
        return;
    sweep_judge_tell(v->judge, number_of(report), (int) cs_json_get_int(report, "epoch", 0),
                     cs_json_get_number(metrics, v->plan->metric, 0));
}

void sweep_verdicts_ask(sweep_verdicts *v, int slot, const json_t *report)
{
    if (slot >= v->slots) {
        v->questions = cs_xrealloc(v->questions, ((size_t) slot + 1) * sizeof *v->questions);
        for (; v->slots <= slot; v->slots++)
            v->questions[v->slots] = NULL;
    }
    json_decref(v->questions[slot]);
    v->questions[slot] = json_incref(json_object_get(report, "trials"));
}

void sweep_verdicts_end(sweep_verdicts *v, int number)
{
    sweep_judge_end(v->judge, number);
}

void sweep_verdicts_gone(sweep_verdicts *v, int slot)
{
    if (slot >= v->slots)
        return;
    json_decref(v->questions[slot]);
    v->questions[slot] = NULL;
}

/* The answer on one trial; NULL: it is to wait. */
static json_t *answer_on(sweep_verdicts *v, const json_t *asked)
{
    const int number = number_of(asked), epoch = (int) cs_json_get_int(asked, "epoch", 0);
    const bool inside = cs_json_get_int(asked, "step", 0) > 0; /* of an epoch: judged before */
    enum sweep_verdict verdict = SWEEP_GO;
    struct cs_buf why = {0};
    int on = 0;

    if (!inside)
        verdict = sweep_judge_verdict(v->judge, number, epoch, &on, &why);
    if (verdict == SWEEP_COMPARE && v->hooks.held(v->hooks.context, on))
        return NULL;
    json_t *out = json_object();
    cs_json_set(out, "number", json_integer(number));
    if (verdict == SWEEP_PRUNE) {
        cs_json_set(out, "verdict", cs_json_text("prune"));
        cs_json_set(out, "pruner", cs_json_text(v->plan->prune->kind->name));
        cs_json_set(out, "why", cs_json_text(why.data));
    } else if (verdict == SWEEP_COMPARE) {
        cs_json_set(out, "verdict", cs_json_text("aside"));
    } else {
        cs_json_set(out, "verdict", cs_json_text("go"));
        cs_json_set(out, "next", json_integer(sweep_judge_next(v->judge, number, epoch)));
    }
    cs_buf_clear(&why);
    return out;
}

static void settle_slot(sweep_verdicts *v, int slot)
{
    json_t *command = json_object(), *list = json_array();
    size_t i;
    const json_t *asked;
    bool known = true;

    json_array_foreach(v->questions[slot], i, asked)
    {
        json_t *one = known ? answer_on(v, asked) : NULL;
        known = one != NULL;
        if (one)
            json_array_append_new(list, one);
    }
    cs_json_set(command, "cmd", cs_json_text("judge"));
    cs_json_set(command, "trials", list);
    if (known) {
        sweep_verdicts_gone(v, slot);
        v->hooks.answer(v->hooks.context, slot, command);
    }
    json_decref(command);
}

void sweep_verdicts_settle(sweep_verdicts *v)
{
    for (int slot = 0; slot < v->slots; slot++) {
        if (v->questions[slot])
            settle_slot(v, slot);
    }
}
