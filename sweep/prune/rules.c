/*
 * rules.c - intervals, percentiles and rungs, as in optuna/pruners/_percentile.py and _successive_halving.py.
 *
 * A median of a case costs time in the number of trials before it, so ten thousand trials of ten epochs compare some
 * billion numbers: seconds.
 */
#include "sweep/prune/rules.h"

#include <math.h>
#include <stdlib.h>

bool sweep_prune_on_interval(int epoch, double warmup, double interval)
{
    if (epoch < warmup)
        return false;
    return epoch == 1 || fmod(epoch - warmup, interval) == 0;
}

bool sweep_prune_better(const struct sweep_case *c, double a, double b)
{
    return c->maximize ? a > b : a < b;
}

double sweep_prune_now(const struct sweep_case *c)
{
    return c->curves[c->index].value[c->epoch - 1];
}

double sweep_prune_best(const struct sweep_case *c)
{
    const double *value = c->curves[c->index].value;
    double best = NAN;

    for (int e = 0; e < c->epoch; e++) {
        if (!isnan(value[e]) && (isnan(best) || sweep_prune_better(c, value[e], best)))
            best = value[e];
    }
    return best;
}

bool sweep_prune_rival(const struct sweep_case *c, int m, double *value)
{
    const struct sweep_curve *rival = &c->curves[m];

    if (rival->count < c->epoch || rival->lot != c->curves[c->index].lot)
        return false;
    *value = rival->value[c->epoch - 1];
    return true;
}

/* Put in place k what sorting would put there, with nothing greater before and nothing less behind it. */
static void select_place(double *x, int count, int k)
{
    int low = 0, high = count - 1;

    while (low < high) {
        const double pivot = x[low + (high - low) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (x[j] > pivot)
                j--;
            if (i <= j) {
                const double swap = x[i];
                x[i++] = x[j];
                x[j--] = swap;
            }
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            return;
    }
}

/* numpy's linear interpolation of the sorted values at (count - 1) * share. */
static double interpolate(double *x, int count, double share)
{
    const double at = (count - 1) * share;
    const int below = (int) floor(at);
    const double t = at - below;

    select_place(x, count, below);
    const double a = x[below];
    double b = a;
    if (below + 1 < count) {
        b = INFINITY;
        for (int i = below + 1; i < count; i++)
            b = x[i] < b ? x[i] : b;
    }
    if (t == 0 || a == b) /* and infinite values stay what they are */
        return a;
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

double sweep_prune_percentile(const struct sweep_case *c, double percentile, double least,
                              int *count)
{
    double *x = cs_xcalloc((size_t) c->index + 1, sizeof *x), value, result = NAN;
    int numbers = 0;

    *count = 0;
    for (int m = 0; m < c->index; m++) {
        if (!sweep_prune_rival(c, m, &value))
            continue;
        ++*count;
        if (!isnan(value))
            x[numbers++] = value;
    }
    if (*count >= least && numbers > 0)
        result = interpolate(x, numbers, (c->maximize ? 100 - percentile : percentile) / 100);
    free(x);
    return result;
}

enum sweep_verdict sweep_prune_percentile_alone(const double *args, const struct sweep_case *c,
                                                struct cs_buf *why)
{
    if (c->index < 1 || c->index < args[SWEEP_STARTUP])
        return SWEEP_GO;
    if (!isnan(sweep_prune_best(c)))
        return SWEEP_COMPARE;
    cs_buf_addf(why, "no epoch up to %d had a value", c->epoch);
    return SWEEP_PRUNE;
}

bool sweep_prune_percentile_compare(const double *args, double percentile, const char *what,
                                    const struct sweep_case *c, struct cs_buf *why)
{
    int count;
    const double bar = sweep_prune_percentile(c, percentile, args[SWEEP_LEAST], &count);
    const double best = sweep_prune_best(c);

    if (isnan(bar) || !sweep_prune_better(c, bar, best))
        return false;
    cs_buf_addf(why, "best %.6g up to epoch %d, %s of %d trials is %.6g", best, c->epoch, what,
                count, bar);
    return true;
}

bool sweep_prune_is_rung(int epoch, double resource, double factor, double rate)
{
    double rung = resource;

    for (; rate > 0 || rung < epoch; rate--)
        rung *= factor;
    return rung == epoch;
}

enum sweep_verdict sweep_prune_rung_alone(const struct sweep_case *c, struct cs_buf *why)
{
    if (!isnan(sweep_prune_now(c)))
        return SWEEP_COMPARE;
    cs_buf_addf(why, "no value at epoch %d", c->epoch);
    return SWEEP_PRUNE;
}

/* To go on, a trial must be among the best of each `factor` that got here, and there must be enough of them. */
bool sweep_prune_rung_compare(const struct sweep_case *c, double factor, double bootstrap,
                              struct cs_buf *why)
{
    const double own = sweep_prune_now(c);
    int rivals = 1, better = 0; /* the trial itself is one of them */
    double value;

    for (int m = 0; m < c->index; m++) {
        if (!sweep_prune_rival(c, m, &value) || isnan(value))
            continue;
        rivals++;
        better += sweep_prune_better(c, value, own);
    }
    const double places = fmax(1, floor(rivals / factor));
    if (rivals <= bootstrap)
        cs_buf_addf(why, "rung of epoch %d: %d of the first %g trials", c->epoch, rivals,
                    bootstrap);
    else if (better >= places)
        cs_buf_addf(why, "rung of epoch %d: place %d of %d trials, the first %g go on", c->epoch,
                    better + 1, rivals, places);
    return rivals <= bootstrap || better >= places;
}
