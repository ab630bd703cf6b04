/*
 * asha.c - asynchronous successive halving (Li et al. 2020; optuna/pruners/_successive_halving.py). Rungs lie at
 * min_resource * reduction_factor^(min_early_stopping_rate + 0, 1, 2, ...) epochs; a trial goes on from one only if it
 * is among the best 1/reduction_factor of those that got there before it, itself included; the first so many need
 * to be the best. A trial without a value there is pruned, and counts for nobody.
 *
 * min_resource = auto is a hundredth of the epochs that trials have, at least 1, where Optuna waits for a complete one.
 */
#include "sweep/prune/rules.h"

#include <math.h>

static const struct cs_param params[] = {
    {"min_resource", CS_TEXT, "auto", 0, 0, 0, NULL,
     "epochs before the first rung; auto: a hundredth of epochs"},
    {"reduction_factor", CS_INT, "4", 2, 1e9, 0, NULL, "one of so many goes on from a rung"},
    {"min_early_stopping_rate", CS_INT, "0", 0, 100, 0, NULL, "so many rungs are left out"},
    {"bootstrap_count", CS_INT, "0", 0, 1e9, 0, NULL,
     "the first so many trials at a rung are pruned there"},
};
enum { RESOURCE, FACTOR, RATE, BOOTSTRAP };

static bool due(const struct sweep_pruning *p, const struct sweep_curve *curve, int epoch)
{
    const double resource =
        p->args[RESOURCE] > 0 ? p->args[RESOURCE] : fmax(1, floor(curve->most / 100.0));

    return sweep_prune_is_rung(epoch, resource, p->args[FACTOR], p->args[RATE]);
}

static enum sweep_verdict alone(const struct sweep_pruning *p, const struct sweep_case *c,
                                struct cs_buf *why)
{
    (void) p;
    return sweep_prune_rung_alone(c, why);
}

static bool compare(const struct sweep_pruning *p, const struct sweep_case *c, struct cs_buf *why)
{
    return sweep_prune_rung_compare(c, p->args[FACTOR], p->args[BOOTSTRAP], why);
}

const struct sweep_pruner sweep_pruner_asha = {
    .name = "asha",
    .help = "prunes at rungs, ever further apart, whoever is not among the best of those that got "
            "there",
    .params = params,
    .param_count = CS_COUNT(params),
    .due = due,
    .alone = alone,
    .compare = compare,
};
