/*
 * tpe.c - search = tpe: the tree-structured Parzen estimator of Bergstra, Bardenet, Bengio and Kegl ("Algorithms for
 * hyper-parameter optimization", NIPS 2011), each parameter by itself, in the form that Optuna's TPESampler gave it
 * (multivariate=False, its other defaults; optuna/samplers/_tpe/).
 *
 * Of n points with a result the best min(ceil(n / 10), 25) are good, the rest and the points that wait for a result
 * are not (constant liar). Each side has a density: one kernel per point that has the parameter, and one, the prior,
 * as wide as the range. Of `tpe_n_ei_candidates` draws from the good side's density the one with the highest ratio of
 * good to other is suggested.
 *
 *   weights  1 of the prior and of the newest 25 points, before them falling in a line to 1/n of the oldest
 *   kernels  normal, cut off at the ends of the range, over log x where the distribution is even over it; as wide as
 *            the farther neighbour (the outermost: the only one) is away, at least range / min(100, n + 2), at most
 *            the range; n counts the kernels but the prior
 *   steps    a value has the mass of the interval half a step to both sides
 *   choices  a kernel has 1 + 1 / (n + 1) at its choice and 1 / (n + 1) elsewhere, divided by the sum
 *
 * Results: pruned points come after the complete ones, by how far they got, then by their last value; failed and
 * diverged ones do not count. Before `tpe_n_startup_trials` points have a result, and when many draws in a row were
 * points that are there already, suggestions are those of search = random.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"
#include "sweep/search/search_impl.h"

extern const struct search_method sweep_search_tpe;

enum { GOOD_MAX = 25, NEWEST = 25, REJECTED_MAX = 32 };

/* One side's density of one parameter. */
struct density {
    double *mu, *sigma, *weight; /* the prior last; mu of a choice: its index */
    double *inside, *term;       /* mass of the kernel inside the range; log of its share at x */
    double *chance;              /* of a choice: by index */
    size_t count;
};

static bool counts(const struct search_point *point)
{
    return point->result.state == SEARCH_DONE || point->result.state == SEARCH_PRUNED;
}

/* The better first; of equal ones the earlier. */
static int compare_points(const void *a, const void *b)
{
    const struct search_point *x = *(const struct search_point *const *) a;
    const struct search_point *y = *(const struct search_point *const *) b;
    const bool pruned = x->result.state == SEARCH_PRUNED;

    if (x->result.state != y->result.state)
        return pruned ? 1 : -1;
    if (pruned && x->result.step != y->result.step)
        return x->result.step > y->result.step ? -1 : 1;
    if (x->result.value != y->result.value && !(isnan(x->result.value) && isnan(y->result.value)))
        return isnan(y->result.value) || x->result.value < y->result.value ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Which points are good; returns how many have a result. */
static size_t find_good(const struct search *s, bool *good)
{
    const struct search_point **sorted = cs_xcalloc(s->point_count + 1, sizeof *sorted);
    size_t n = 0;

    for (size_t i = 0; i < s->point_count; i++) {
        if (counts(&s->points[i]))
            sorted[n++] = &s->points[i];
    }
    if (n)
        qsort(sorted, n, sizeof *sorted, compare_points);
    for (size_t i = 0; i < n && i < (n + 9) / 10 && i < GOOD_MAX; i++)
        good[sorted[i] - s->points] = true;
    free(sorted);
    return n;
}

/* Of the i-th of n, oldest first. */
static double weight_of(size_t i, size_t n)
{
    const size_t ramp = n > NEWEST ? n - NEWEST : 0;

    if (i >= ramp)
        return 1;
    if (ramp == 1)
        return 1 / (double) n;
    return 1 / (double) n + (1 - 1 / (double) n) * (double) i / (double) (ramp - 1);
}

static struct density collect(const struct search *s, size_t param, const bool *good, bool side)
{
    struct density d = {0};
    const struct search_param *p = &s->params[param];
    double sum = 0;

    d.mu = cs_xcalloc(s->point_count + 1, sizeof *d.mu);
    d.weight = cs_xcalloc(s->point_count + 1, sizeof *d.weight);
    for (size_t i = 0; i < s->point_count; i++) {
        const double value = s->points[i].values[param];
        if (good[i] != side || isnan(value) || s->points[i].result.state == SEARCH_FAILED)
            continue;
        d.mu[d.count++] = p->kind == SEARCH_NUMBER && p->log ? log(value) : value;
    }
    for (size_t i = 0; i <= d.count; i++)
        sum += d.weight[i] = i < d.count ? weight_of(i, d.count) : 1;
    for (size_t i = 0; i <= d.count; i++)
        d.weight[i] /= sum;
    d.count++;
    return d;
}

static void clear(struct density *d)
{
    free(d->mu);
    free(d->sigma);
    free(d->weight);
    free(d->inside);
    free(d->term);
    free(d->chance);
}

/* Choices. */

static void fill_chances(struct density *d, const struct search_param *p)
{
    const double prior = 1 / (double) d->count, sum = 1 + prior * (double) p->count;
    const size_t last = d->count - 1;

    d->chance = cs_xcalloc(p->count, sizeof *d->chance);
    for (size_t c = 0; c < p->count; c++)
        d->chance[c] = d->weight[last] / (double) p->count + (1 - d->weight[last]) * prior / sum;
    for (size_t i = 0; i < last; i++)
        d->chance[(size_t) d->mu[i]] += d->weight[i] / sum;
}

static size_t pick(const double *weights, size_t count, double u)
{
    size_t i = 0;

    for (double sum = weights[0]; i + 1 < count && sum <= u; sum += weights[i])
        i++;
    return i;
}

/* Numbers. */

/* The normal distribution's mass in [a, b], exact also far out. */
static double mass(double a, double b)
{
    if (a > 0)
        return 0.5 * (erfc(a * M_SQRT1_2) - erfc(b * M_SQRT1_2));
    if (b < 0)
        return 0.5 * (erfc(-b * M_SQRT1_2) - erfc(-a * M_SQRT1_2));
    return 0.5 * (erf(b * M_SQRT1_2) - erf(a * M_SQRT1_2));
}

struct place {
    double mu;
    size_t index;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->mu != y->mu)
        return x->mu < y->mu ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void fill_widths(struct density *d, double low, double high)
{
    const size_t n = d->count - 1;
    const double narrowest = (high - low) / fmin(100, (double) n + 2);
    struct place *sorted = cs_xcalloc(d->count, sizeof *sorted);

    d->sigma = cs_xcalloc(d->count, sizeof *d->sigma);
    d->inside = cs_xcalloc(d->count, sizeof *d->inside);
    d->term = cs_xcalloc(d->count, sizeof *d->term);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct place){d->mu[i], i};
    if (n)
        qsort(sorted, n, sizeof *sorted, compare_places);
    for (size_t i = 0; i < n; i++) {
        const double left = sorted[i].mu - (i ? sorted[i - 1].mu : low);
        const double right = (i + 1 < n ? sorted[i + 1].mu : high) - sorted[i].mu;
        double width = fmax(left, right);
        if (n > 1 && i == 0)
            width = right;
        if (n > 1 && i == n - 1)
            width = left;
        d->sigma[sorted[i].index] = fmax(narrowest, fmin(width, high - low));
    }
    free(sorted);
    d->mu[n] = 0.5 * (low + high);
    d->sigma[n] = high - low;
    for (size_t i = 0; i <= n; i++)
        d->inside[i] = mass((low - d->mu[i]) / d->sigma[i], (high - d->mu[i]) / d->sigma[i]);
}

/* The number below which a share q of the kernel's mass inside [low, high] lies: by bisection. */
static double quantile(double mu, double sigma, double low, double high, double q)
{
    const double a = (low - mu) / sigma, wanted = q * mass(a, (high - mu) / sigma);
    double left = a, right = (high - mu) / sigma;

    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (left + right);
        if (mass(a, middle) < wanted)
            left = middle;
        else
            right = middle;
    }
    return mu + sigma * 0.5 * (left + right);
}

/* log of the density at x, or of the mass of its step. */
static double log_density_number(const struct density *d, const struct search_param *p, double x)
{
    const double half = p->step / 2, from = p->log ? log(x - half) : x - half;
    const double to = p->log ? log(x + half) : x + half;
    double largest = -INFINITY, sum = 0;

    for (size_t i = 0; i < d->count; i++) {
        const double z = (from - d->mu[i]) / d->sigma[i];
        const double kernel = p->step > 0 ? log(mass(z, (to - d->mu[i]) / d->sigma[i]))
                                          : -0.5 * z * z - log(d->sigma[i]);
        d->term[i] = kernel - log(d->inside[i]) + log(d->weight[i]);
        largest = fmax(largest, d->term[i]);
    }
    for (size_t i = 0; i < d->count && largest > -INFINITY; i++)
        sum += exp(d->term[i] - largest);
    return log(sum) + largest;
}

/* Both sides. */

static void fill(struct density *d, const struct search_param *p)
{
    if (p->kind == SEARCH_CHOICE)
        fill_chances(d, p);
    else
        fill_widths(d, sweep_search_low(p), sweep_search_high(p));
}

static double log_density(const struct density *d, const struct search_param *p, double x)
{
    return p->kind == SEARCH_CHOICE ? log(d->chance[(size_t) x]) : log_density_number(d, p, x);
}

static double draw(const struct search *s, size_t param, const struct density *good,
                   uint32_t candidate)
{
    const struct search_param *p = &s->params[param];
    const double u = sweep_search_uniform(s, s->hashes[param], SEARCH_USE_VALUE, candidate);

    if (p->kind == SEARCH_CHOICE)
        return (double) pick(good->chance, p->count, u);
    const double v = sweep_search_uniform(s, s->hashes[param], SEARCH_USE_KERNEL, candidate);
    const size_t k = pick(good->weight, good->count, v);
    const double x =
        quantile(good->mu[k], good->sigma[k], sweep_search_low(p), sweep_search_high(p), u);
    return sweep_search_near(p, p->log ? exp(x) : x);
}

static double suggest(const struct search *s, size_t param)
{
    const struct search_param *p = &s->params[param];
    bool *good = cs_xcalloc(s->point_count + 1, sizeof *good);
    double best = -INFINITY, value = NAN;

    if ((double) find_good(s, good) < s->options.startup || s->rejected > REJECTED_MAX ||
        (p->kind == SEARCH_NUMBER && p->high <= p->low)) {
        free(good);
        return sweep_search_random_suggest(s, param);
    }
    struct density l = collect(s, param, good, true), g = collect(s, param, good, false);
    fill(&l, p);
    fill(&g, p);
    for (uint32_t i = 0; i < (uint32_t) s->options.candidates; i++) {
        const double x = draw(s, param, &l, i),
                     gain = log_density(&l, p, x) - log_density(&g, p, x);
        if (i == 0 || gain > best) {
            best = gain;
            value = x;
        }
    }
    clear(&l);
    clear(&g);
    free(good);
    return value;
}

double sweep_search_tpe_gain(const struct search *s, size_t param, double x)
{
    const struct search_param *p = &s->params[param];
    bool *good = cs_xcalloc(s->point_count + 1, sizeof *good);

    find_good(s, good);
    struct density l = collect(s, param, good, true), g = collect(s, param, good, false);
    fill(&l, p);
    fill(&g, p);
    const double gain = log_density(&l, p, x) - log_density(&g, p, x);
    clear(&l);
    clear(&g);
    free(good);
    return gain;
}

static const struct cs_param keys[] = {
    {"tpe_n_startup_trials", CS_INT, "10", 1, 1000000, 0, NULL,
     "points drawn at random before results count; the first batch"},
    {"tpe_n_ei_candidates", CS_INT, "24", 1, 1000000, 0, NULL,
     "draws of each parameter of which the most promising is taken"},
    {"tpe_batch", CS_INT, "8", 1, 1000000, 0, NULL,
     "points proposed at once: so many can run side by side, and results count for the next batch"},
};

const struct search_method sweep_search_tpe = {
    .name = "tpe",
    .help = "tree-structured Parzen estimator: draws where results were good, batch by batch",
    .drawn = true,
    .sequential = true,
    .suggest = suggest,
    .keys = keys,
    .key_count = CS_COUNT(keys),
};
