/*
 * run_dispatch.c - which trials a slot gets next, and the controller's side of verdicts on them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_json.h"
#include "sweep/run_impl.h"
#include "sweep/run_records.h"

struct item *sweep_run_find_item(struct run *r, int64_t number)
{
    for (size_t i = 0; i < r->item_count; i++) {
        if (r->items[i].trial->number == number)
            return &r->items[i];
    }
    return NULL;
}

static int bundle_size(const struct run *r, const struct sweep_trial *first, size_t waiting)
{
    if (r->options.fuse > 0)
        return r->options.fuse;
    struct train_spec *spec = sweep_trial_spec(r->plan, first);
    const size_t best = (size_t) train_spec_fuse(spec);
    train_spec_free(spec);
    const size_t share = (waiting + (size_t) r->slots - 1) / (size_t) r->slots;
    return (int) (share < best ? share : best);
}

static json_t *trial_json(const struct run *r, const struct item *item)
{
    const struct sweep_trial *t = item->trial;
    json_t *one = json_object();
    struct cs_buf config = {0};

    char *dir = cs_xasprintf("%s/%s", r->dir, t->name);
    char *tag = cs_xasprintf("%s/%04d", r->plan->name, t->number);
    char *title = cs_xasprintf("%s %s", r->plan->name, t->name);
    struct train_spec *spec = sweep_trial_spec(r->plan, t);
    train_spec_config(&config, spec);
    train_spec_free(spec);
    cs_json_set(one, "number", json_integer(t->number));
    cs_json_set(one, "name", cs_json_text(t->name));
    cs_json_set(one, "dir", cs_json_text(dir));
    cs_json_set(one, "tag", cs_json_text(tag));
    cs_json_set(one, "title", cs_json_text(title));
    cs_json_set(one, "group", cs_json_text(r->plan->seed_count > 1 ? t->point->id : ""));
    cs_json_set(one, "attempt", json_integer(item->attempts));
    cs_json_set(one, "config", cs_json_text(config.data));
    if (item->anew)
        cs_json_set(one, "anew", json_true());
    if (item->from)
        cs_json_set(one, "from", cs_json_text(item->from));
    cs_json_set(one, "params", sweep_run_params(t));
    cs_buf_clear(&config);
    free(dir);
    free(tag);
    free(title);
    return one;
}

/* Texts of the plan's points are one pointer where they are equal. */
static bool is_wanted(void *context, const char *dataset, const char *path)
{
    const struct run *r = context;

    for (size_t i = 0; i < r->item_count; i++) {
        const struct sweep_point *point = r->items[i].trial->point;
        if (r->items[i].state != OVER && point->dataset == dataset && point->path == path)
            return true;
    }
    return false;
}

static json_t *train_command(const struct run *r, const char *data, size_t fuse, json_t *trials)
{
    json_t *command = json_object();

    cs_json_set(command, "cmd", cs_json_text("train"));
    cs_json_set(command, "store", cs_json_text(r->options.store));
    cs_json_set(command, "metric", cs_json_text(r->plan->metric));
    cs_json_set(command, "maximize", json_boolean(r->plan->maximize));
    cs_json_set(command, "target", cs_json_text(r->plan->target_text));
    cs_json_set(command, "fuse", json_integer((json_int_t) fuse));
    cs_json_set(command, "data", cs_json_text(data));
    cs_json_set(command, "judged", json_boolean(r->verdicts != NULL));
    cs_json_set(command, "trials", trials);
    return command;
}

/* The first trial that waits; NULL: none does, or the sweep is stopping. */
static const struct item *next_item(const struct run *r)
{
    for (size_t i = 0; i < r->item_count && !sweep_run_stopping(r); i++) {
        if (r->items[i].state == WAITING)
            return &r->items[i];
    }
    return NULL;
}

/* May it be trained together with the first? Judged ones stand at one place. */
static bool fits(const struct run *r, const struct item *first, const struct item *item)
{
    return first->trial->point->shape_key == item->trial->point->shape_key &&
           (!r->verdicts || (first->epoch == item->epoch && first->step == item->step));
}

/* The trials that wait and fit to the first, marked as given to the slot. Judged ones: without a gap in their numbers. */
static json_t *take_trials(struct run *r, const struct item *first, int slot, size_t limit)
{
    const struct item like = *first;
    json_t *trials = json_array();

    for (size_t i = 0; i < r->item_count && json_array_size(trials) < limit; i++) {
        struct item *item = &r->items[i];
        if (item->state == WAITING && r->verdicts && !fits(r, &like, item))
            break;
        if (item->state != WAITING || !fits(r, &like, item))
            continue;
        item->state = RUNNING;
        item->slot = slot;
        item->begun = false;
        item->attempts++;
        json_array_append_new(trials, trial_json(r, item));
    }
    return trials;
}

void sweep_run_dispatch(struct run *r, int slot)
{
    const struct item *first = next_item(r);
    struct cs_error err;
    size_t waiting = 0;

    sweep_shares_prune(&r->shares, is_wanted, r);
    const struct sweep_point *point = first ? first->trial->point : NULL;
    const char *data = NULL;
    if (first)
        data = sweep_shares_name(&r->shares, point->dataset, point->path, &err);
    if (first && !data)
        sweep_run_break_off(r, &err);
    if (!data) {
        sweep_pool_finish(r->pool, slot);
        return;
    }
    for (size_t i = 0; i < r->item_count; i++)
        waiting += r->items[i].state == WAITING;
    const size_t limit = (size_t) bundle_size(r, first->trial, waiting);
    json_t *command = train_command(r, data, limit, take_trials(r, first, slot, limit));
    sweep_pool_send(r->pool, slot, command);
    json_decref(command);
}

static bool is_held(void *context, int number)
{
    const struct item *item = sweep_run_find_item(context, number);
    return item && item->state == RUNNING;
}

static void send_verdicts(void *context, int slot, const json_t *command)
{
    const struct run *r = context;
    sweep_pool_send(r->pool, slot, command);
}

static int by_number(const void *a, const void *b)
{
    const struct sweep_trial *x = *(const struct sweep_trial *const *) a,
                             *y = *(const struct sweep_trial *const *) b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Judged trials are handed out by number (prune/judge.h). */
static int by_trial_number(const void *a, const void *b)
{
    return by_number(&((const struct item *) a)->trial, &((const struct item *) b)->trial);
}

int sweep_run_open_verdicts(struct run *r, const struct sweep_state *state, struct cs_error *err)
{
    const struct sweep_verdicts_hooks hooks = {r, is_held, send_verdicts};
    const size_t count = r->plan->trial_count;
    const struct sweep_trial **trials = cs_xcalloc(count + 1, sizeof(struct sweep_trial *));
    int rc = 0, missing = 0;

    r->verdicts = sweep_verdicts_create(r->plan, &hooks);
    for (size_t i = 0; i < count; i++)
        trials[i] = &r->plan->trials[i];
    qsort(trials, count, sizeof(struct sweep_trial *), by_number);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct sweep_record *record = sweep_state_find(state, trials[i]->id);
        sweep_verdicts_add(r->verdicts, trials[i], record && record->spared);
        if (!record || !sweep_run_is_over(r, record))
            continue;
        rc = sweep_verdicts_recall(r->verdicts, trials[i], strcmp(record->state, "diverged") == 0,
                                   r->store, err);
        missing += rc == CS_ENONAME;
        rc = rc == CS_ENONAME ? 0 : rc;
    }
    free(trials);
    qsort(r->items, r->item_count, sizeof *r->items, by_trial_number);
    if (missing)
        fprintf(stderr,
                "csweep: %d trials have no checkpoint any more: nothing is compared with them\n",
                missing);
    return rc;
}

void sweep_run_settle_verdicts(struct run *r)
{
    if (r->verdicts)
        sweep_verdicts_settle(r->verdicts);
}

void sweep_run_wake_slots(struct run *r)
{
    struct cs_error err;

    for (int i = 0; i < r->slots && !sweep_run_stopping(r); i++) {
        if (!sweep_pool_alive(r->pool, i) && sweep_pool_start(r->pool, i, &err) < 0)
            sweep_run_break_off(r, &err);
    }
}
