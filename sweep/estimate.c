#include "sweep/estimate.h"

#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_table.h"
#include "sweep/journal.h"
#include "sweep/plan.h"
#include "sweep/pool.h"
#include "trainer/worker.h"

enum { MEASURED = 6 };

static const double budget = 0.15; /* seconds of measuring in all */

/* Seconds besides training: of a trial (folder, event file, last checkpoint), of an epoch. */
static const double trial_share = 0.012, epoch_share = 0.001;

/* Trials with one shape key. */
struct shape {
    const struct sweep_trial *trial; /* the first that is to run */
    size_t trials;                   /* that are to run */
    double work;                     /* of theirs */
    double done_seconds, done_work;  /* of finished trials */
    double rate;                     /* seconds per unit of work, 0: not known */
};

struct shapes {
    struct cs_table keys;
    struct shape *list;
    size_t count, capacity;
};

static struct shape *find_shape(struct shapes *s, const struct sweep_trial *trial)
{
    struct cs_table_slot *slot = cs_table_add(&s->keys, trial->point->shape_key);

    if (!slot->text) {
        if (s->count == s->capacity) {
            s->capacity = s->capacity ? 2 * s->capacity : 16;
            s->list = cs_xrealloc(s->list, s->capacity * sizeof *s->list);
        }
        slot->text = trial->point->shape_key;
        slot->number = s->count;
        s->list[s->count++] = (struct shape){.trial = NULL};
    }
    return &s->list[slot->number];
}

static void add_trial(struct shapes *s, struct sweep_estimate *out, const struct sweep_trial *trial,
                      const struct sweep_record *record)
{
    const struct sweep_point *point = trial->point;
    struct shape *shape = find_shape(s, trial);
    const bool over = record && sweep_record_is_over(record);

    if (over && record->epoch > 0) {
        shape->done_seconds += record->seconds;
        shape->done_work += record->epoch * point->work;
    }
    if (over)
        return;
    if (shape->trials++ == 0)
        shape->trial = trial;
    shape->work += point->epochs * point->work;
    out->trials++;
    out->bytes += point->bytes;
    out->seconds += trial_share + point->epochs * epoch_share;
}

/* The one that is to run with most work and no rate. */
static struct shape *heaviest(struct shapes *s)
{
    struct shape *most = NULL;

    for (size_t i = 0; i < s->count; i++) {
        struct shape *shape = &s->list[i];
        if (shape->trials && !(shape->rate > 0) && (!most || shape->work > most->work))
            most = shape;
    }
    return most;
}

/* In bundles as the run will make them. */
static void measure(struct shape *shape, const struct sweep_plan *plan, int slots, double seconds)
{
    struct train_spec *spec = sweep_trial_spec(plan, shape->trial);
    const size_t share = (shape->trials + (size_t) slots - 1) / (size_t) slots;
    const size_t fuse = (size_t) train_spec_fuse(spec);
    double epoch;

    if (train_estimate(&epoch, spec, (int) (share < fuse ? share : fuse), seconds, NULL) == 0)
        shape->rate = epoch / shape->trial->point->work;
    train_spec_free(spec);
}

/* What finished trials took; where there are none, measured. How many rates are of either kind. */
static void find_rates(struct shapes *s, const struct sweep_plan *plan, int slots, size_t *known,
                       size_t *measured)
{
    size_t open = 0;

    *known = *measured = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct shape *shape = &s->list[i];
        if (shape->done_work > 0)
            shape->rate = shape->done_seconds / shape->done_work;
        *known += shape->trials && shape->rate > 0;
        open += shape->trials && !(shape->rate > 0);
    }
    const size_t count = open < MEASURED ? open : MEASURED;
    for (struct shape *shape; *measured < count && (shape = heaviest(s)); ++*measured) {
        measure(shape, plan, slots, budget / (double) count);
        if (!(shape->rate > 0))
            return;
    }
}

/* Shapes that were not looked at: as the others in the mean. */
static double all_seconds(const struct shapes *s)
{
    double seconds = 0, work = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct shape *shape = &s->list[i];
        seconds += shape->rate > 0 ? shape->rate * shape->work : 0;
        work += shape->rate > 0 ? shape->work : 0;
    }
    const double mean = work > 0 ? seconds / work : 0;
    for (size_t i = 0; i < s->count; i++)
        seconds += s->list[i].rate > 0 ? 0 : mean * s->list[i].work;
    return seconds;
}

void sweep_estimate_plan(struct sweep_estimate *out, const struct sweep_plan *plan,
                         const char *logdir, int jobs)
{
    char *dir = cs_xasprintf("%s/%s", logdir, plan->name);
    struct sweep_state *state = NULL;
    struct shapes shapes = {.count = 0};
    size_t known, measured;

    sweep_state_load(&state, dir, NULL); /* none, or a damaged one: nothing is known */
    *out = (struct sweep_estimate){.basis = "", .slots = jobs > 0 ? jobs : sweep_cpu_count()};
    for (size_t i = 0; i < plan->trial_count; i++)
        add_trial(&shapes, out, &plan->trials[i],
                  state ? sweep_state_find(state, plan->trials[i].id) : NULL);
    if (out->trials) {
        if ((size_t) out->slots > out->trials)
            out->slots = (int) out->trials;
        find_rates(&shapes, plan, out->slots, &known, &measured);
        out->seconds = (out->seconds + all_seconds(&shapes)) / out->slots;
        out->basis = known && measured ? "journal, measured" : known ? "journal" : "measured";
    }
    sweep_state_free(state);
    cs_table_clear(&shapes.keys);
    free(shapes.list);
    free(dir);
}
