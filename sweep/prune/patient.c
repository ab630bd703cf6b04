/*
 * patient.c - holds another pruner back while a trial still gets better (optuna/pruners/_patient.py): it may prune only
 * when the best of the last prune_patience + 1 epochs is worse, by more than prune_min_delta, than the best before
 * them; without one the trial is pruned then. Values that are not a number are left out; where none is left on one side
 * the trial goes on.
 *
 * Around asha and hyperband the rungs stay where they are, also when a trial passed one while it got better, where
 * Optuna would judge it late, as at that rung. prune_patience and prune_min_delta are Optuna's patience and min_delta,
 * which are keys of trials here.
 */
#include <math.h>

#include "common/cs_error.h"
#include "sweep/prune/list.h"
#include "sweep/prune/rules.h"

static const char *const wrapped_names[] = {"none",
#define X(name) #name,
                                            SWEEP_PRUNERS(X)
#undef X
                                                NULL};

static const struct cs_param params[] = {
    {"prune_patience", CS_INT, "", 0, 1e9, 0, NULL,
     "epochs without an improvement that are borne; to be given"},
    {"prune_min_delta", CS_FLOAT, "0", 0, INFINITY, 0, NULL,
     "a loss by no more than this is borne too"},
    {"wrapped_pruner", CS_NAME, "none", 0, 0, 0, wrapped_names,
     "who decides then, by keys of its own; none: it is pruned"},
};
enum { PATIENCE, MIN_DELTA };

static int check(const double *args, struct cs_error *err)
{
    if (isnan(args[PATIENCE]))
        return cs_fail(err, CS_EPARSE,
                       "prune_patience: must be given with prune = patient, such as 3");
    return 0;
}

static int lot(const struct sweep_pruning *p, const char *sweep, const struct sweep_curve *curve)
{
    return p->wrapped && p->wrapped->kind->lot ? p->wrapped->kind->lot(p->wrapped, sweep, curve)
                                               : 0;
}

static bool due(const struct sweep_pruning *p, const struct sweep_curve *curve, int epoch)
{
    return epoch > p->args[PATIENCE] + 1 &&
           (!p->wrapped || p->wrapped->kind->due(p->wrapped, curve, epoch));
}

/* The best of the trial's epochs first ... last. */
static double best_of(const struct sweep_case *c, int first, int last)
{
    double best = NAN;

    for (int e = first; e <= last; e++) {
        const double value = c->curves[c->index].value[e - 1];
        if (!isnan(value) && (isnan(best) || sweep_prune_better(c, value, best)))
            best = value;
    }
    return best;
}

static enum sweep_verdict alone(const struct sweep_pruning *p, const struct sweep_case *c,
                                struct cs_buf *why)
{
    const int turn = c->epoch - (int) p->args[PATIENCE] - 1;
    const double before = best_of(c, 1, turn), after = best_of(c, turn + 1, c->epoch);
    const double bar = c->maximize ? before - p->args[MIN_DELTA] : before + p->args[MIN_DELTA];

    if (!sweep_prune_better(c, bar, after))
        return SWEEP_GO;
    if (p->wrapped)
        return p->wrapped->kind->alone(p->wrapped, c, why);
    cs_buf_addf(why, "best %.6g since epoch %d, before it %.6g", after, turn + 1, before);
    return SWEEP_PRUNE;
}

static bool compare(const struct sweep_pruning *p, const struct sweep_case *c, struct cs_buf *why)
{
    return p->wrapped->kind->compare(p->wrapped, c, why);
}

const struct sweep_pruner sweep_pruner_patient = {
    .name = "patient",
    .help = "lets another pruner decide, or prunes, once the value does not get better any more",
    .params = params,
    .param_count = CS_COUNT(params),
    .check = check,
    .lot = lot,
    .due = due,
    .alone = alone,
    .compare = compare,
};
