/*
 * threshold.c - prunes a trial whose value at the epoch is below lower, above upper, or not a number
 * (optuna/pruners/_threshold.py). Other trials are not looked at.
 */
#include <math.h>

#include "common/cs_error.h"
#include "sweep/prune/rules.h"

static const struct cs_param params[] = {
    {"lower", CS_FLOAT, "", -INFINITY, INFINITY, 0, NULL, "values below are pruned"},
    {"upper", CS_FLOAT, "", -INFINITY, INFINITY, 0, NULL, "values above are pruned"},
    SWEEP_PRUNE_INTERVAL_ROWS,
};
enum { LOWER, UPPER, WARMUP, INTERVAL };

static int check(const double *args, struct cs_error *err)
{
    if (isnan(args[LOWER]) && isnan(args[UPPER]))
        return cs_fail(err, CS_EPARSE,
                       "lower: it or upper, or both, must be given with prune = threshold");
    if (args[LOWER] > args[UPPER])
        return cs_fail(err, CS_ERANGE, "lower = %g: must be at most upper = %g", args[LOWER],
                       args[UPPER]);
    return 0;
}

static bool due(const struct sweep_pruning *p, const struct sweep_curve *curve, int epoch)
{
    (void) curve;
    return sweep_prune_on_interval(epoch, p->args[WARMUP], p->args[INTERVAL]);
}

static enum sweep_verdict alone(const struct sweep_pruning *p, const struct sweep_case *c,
                                struct cs_buf *why)
{
    const double value = sweep_prune_now(c);

    if (isnan(value))
        cs_buf_addf(why, "no value at epoch %d", c->epoch);
    else if (value < p->args[LOWER])
        cs_buf_addf(why, "%.6g at epoch %d is below %g", value, c->epoch, p->args[LOWER]);
    else if (value > p->args[UPPER])
        cs_buf_addf(why, "%.6g at epoch %d is above %g", value, c->epoch, p->args[UPPER]);
    else
        return SWEEP_GO;
    return SWEEP_PRUNE;
}

const struct sweep_pruner sweep_pruner_threshold = {
    .name = "threshold",
    .help = "prunes when the value is below lower, above upper, or not a number",
    .params = params,
    .param_count = CS_COUNT(params),
    .check = check,
    .due = due,
    .alone = alone,
};
