/*
 * median.c - prunes a trial whose best value so far is worse than the median of the earlier trials' values at the epoch
 * (optuna/pruners/_median.py). A trial none of whose values is a number is pruned; those of others are left out.
 */
#include "sweep/prune/rules.h"

static const struct cs_param params[] = {
    {"n_startup_trials", CS_INT, "5", 0, 1e9, 0, NULL, "the first so many trials are not judged"},
    SWEEP_PRUNE_INTERVAL_ROWS,
    {"n_min_trials", CS_INT, "1", 1, 1e9, 0, NULL,
     "fewer earlier trials at the epoch prune nobody"},
};

static bool due(const struct sweep_pruning *p, const struct sweep_curve *curve, int epoch)
{
    (void) curve;
    return sweep_prune_on_interval(epoch, p->args[SWEEP_WARMUP], p->args[SWEEP_INTERVAL]);
}

static enum sweep_verdict alone(const struct sweep_pruning *p, const struct sweep_case *c,
                                struct cs_buf *why)
{
    return sweep_prune_percentile_alone(p->args, c, why);
}

static bool compare(const struct sweep_pruning *p, const struct sweep_case *c, struct cs_buf *why)
{
    return sweep_prune_percentile_compare(p->args, 50, "the median", c, why);
}

const struct sweep_pruner sweep_pruner_median = {
    .name = "median",
    .help = "prunes when the best value so far is worse than the median of earlier trials there",
    .params = params,
    .param_count = CS_COUNT(params),
    .due = due,
    .alone = alone,
    .compare = compare,
};
