/*
 * percentile.c - as median.c, with another percentile than 50: the best `percentile` of a hundred are kept
 * (optuna/pruners/_percentile.py).
 */
#include "sweep/prune/rules.h"

#include <math.h>

#include "common/cs_error.h"

static const struct cs_param params[] = {
    {"percentile", CS_FLOAT, "", 0, 100, 0, NULL, "so many of a hundred are kept; to be given"},
    {"n_startup_trials", CS_INT, "5", 0, 1e9, 0, NULL, "the first so many trials are not judged"},
    SWEEP_PRUNE_INTERVAL_ROWS,
    {"n_min_trials", CS_INT, "1", 1, 1e9, 0, NULL,
     "fewer earlier trials at the epoch prune nobody"},
};
enum { PERCENTILE, REST };

static int check(const double *args, struct cs_error *err)
{
    if (isnan(args[PERCENTILE]))
        return cs_fail(err, CS_EPARSE,
                       "percentile: must be given with prune = percentile, such as 25");
    return 0;
}

static bool due(const struct sweep_pruning *p, const struct sweep_curve *curve, int epoch)
{
    const double *args = p->args + REST;

    (void) curve;
    return sweep_prune_on_interval(epoch, args[SWEEP_WARMUP], args[SWEEP_INTERVAL]);
}

static enum sweep_verdict alone(const struct sweep_pruning *p, const struct sweep_case *c,
                                struct cs_buf *why)
{
    return sweep_prune_percentile_alone(p->args + REST, c, why);
}

static bool compare(const struct sweep_pruning *p, const struct sweep_case *c, struct cs_buf *why)
{
    return sweep_prune_percentile_compare(p->args + REST, p->args[PERCENTILE], "the percentile", c,
                                          why);
}

const struct sweep_pruner sweep_pruner_percentile = {
    .name = "percentile",
    .help = "prunes when the best value so far is not among the best percentile of earlier trials "
            "there",
    .params = params,
    .param_count = CS_COUNT(params),
    .check = check,
    .due = due,
    .alone = alone,
    .compare = compare,
};
