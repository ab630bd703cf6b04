/*
 * hyperband.c - Hyperband (Li et al. 2018; optuna/pruners/_hyperband.py): trials are spread over brackets, and inside a
 * bracket asha.c's rule holds, with the bracket's number as min_early_stopping_rate.
 *
 * There are 1 + the greatest k with min_resource * reduction_factor^k <= max_resource brackets, counted in whole
 * numbers, where Optuna's logarithm may lose one (243 over 3). A trial's bracket follows from the CRC-32 of
 * "SWEEP_NUMBER", with the shares that Optuna gives the brackets. max_resource = auto is the epochs that trials have,
 * where Optuna waits for a complete one.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <zlib.h>

#include "common/cs_error.h"
#include "sweep/prune/rules.h"

static const struct cs_param params[] = {
    {"min_resource", CS_INT, "1", 1, 1e9, 0, NULL, "epochs before the first rung of bracket 0"},
    {"max_resource", CS_TEXT, "auto", 0, 0, 0, NULL,
     "epochs that trials have at most; auto: as the grid says"},
    {"reduction_factor", CS_INT, "3", 2, 1e9, 0, NULL, "one of so many goes on from a rung"},
    {"bootstrap_count", CS_INT, "0", 0, 1e9, 0, NULL,
     "the first so many trials at a rung are pruned there"},
};
enum { LEAST, MOST, FACTOR, BOOTSTRAP };

static int check(const double *args, struct cs_error *err)
{
    if (args[MOST] > 0 && args[MOST] < args[LEAST])
        return cs_fail(err, CS_ERANGE, "max_resource = %g: must be at least min_resource = %g",
                       args[MOST], args[LEAST]);
    return 0;
}

static int brackets(const double *args, double most)
{
    int count = 1;

    for (double rung = args[LEAST] * args[FACTOR]; rung <= most; rung *= args[FACTOR])
        count++;
    return count;
}

/* The share of a bracket in the trials: ceil(count * factor^s / (s + 1)), s brackets come after it. */
static int64_t share_of(int count, int bracket, double factor)
{
    const int s = count - 1 - bracket;
    double share = count;

    for (int i = 0; i < s; i++)
        share *= factor;
    return (int64_t) ceil(share / (s + 1));
}

static int lot(const struct sweep_pruning *p, const char *sweep, const struct sweep_curve *curve)
{
    const double most = p->args[MOST] > 0 ? p->args[MOST] : curve->most;
    const int count = brackets(p->args, most);
    int64_t total = 0;
    char text[256];

    const int size = snprintf(text, sizeof text, "%.200s_%d", sweep, curve->number);
    for (int b = 0; b < count; b++)
        total += share_of(count, b, p->args[FACTOR]);
    int64_t n = (int64_t) crc32(0, (const unsigned char *) text, (unsigned) size) % total;
    for (int b = 0; b < count; b++) {
        n -= share_of(count, b, p->args[FACTOR]);
        if (n < 0)
            return b;
    }
    return count - 1;
}

static bool due(const struct sweep_pruning *p, const struct sweep_curve *curve, int epoch)
{
    return sweep_prune_is_rung(epoch, p->args[LEAST], p->args[FACTOR], curve->lot);
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

const struct sweep_pruner sweep_pruner_hyperband = {
    .name = "hyperband",
    .help = "asha in several brackets, the trials of which have their first rung ever later",
    .params = params,
    .param_count = CS_COUNT(params),
    .check = check,
    .lot = lot,
    .due = due,
    .alone = alone,
    .compare = compare,
};
