/* search_impl.h - shared by the samplers. */
#ifndef SWEEP_SEARCH_SEARCH_IMPL_H
#define SWEEP_SEARCH_SEARCH_IMPL_H

#include "sweep/search/search.h"

/* One accepted draw. */
struct search_point {
    uint32_t draw;
    double *values; /* by parameter; NaN: not in force */
    struct search_result result;
};

struct search {
    const struct search_method *method;
    struct search_options options;
    struct search_param *params;
    uint64_t *hashes, *key_hashes; /* by parameter */
    size_t *dimensions;            /* by parameter: the place of its key in the order of names */
    size_t count;
    uint32_t draw;
    size_t rejected; /* draws begun since the last that became a point */
    double *values;  /* of the draw in hand */
    struct search_point *points;
    size_t point_count, point_capacity;
};

struct search_words {
    uint32_t v[4];
};

/* Philox4x32-10: key, counter -> four random words (Salmon, Moraes, Dror, Shaw, SC 2011). */
struct search_words sweep_search_philox(uint64_t key, const uint32_t counter[4]);

enum search_use { SEARCH_USE_DRAW, SEARCH_USE_KERNEL, SEARCH_USE_VALUE, SEARCH_USE_SCRAMBLE };

/*
 * Uniform in [0, 1), 53 bits, for the draw in hand: Philox with the search's seed as key and the counter (draw,
 * use << 24 | index, hash of a name in two halves).
 */
double sweep_search_uniform(const struct search *search, uint64_t name, enum search_use use,
                            uint32_t index);

/* The value of a parameter at u in [0, 1) of its key's random number. */
double sweep_search_at(const struct search_param *param, double u);

/* x as a value of the distribution: on its steps or of few digits, between its ends. */
double sweep_search_near(const struct search_param *param, double x);

/* Where x goes in the space of the density: log or not; ends widened by half a step. */
double sweep_search_low(const struct search_param *param);
double sweep_search_high(const struct search_param *param);

/* Sobol' point `index` in a dimension, without scrambling. */
uint32_t sweep_search_sobol_point(uint32_t index, size_t dimension);

/* x with every bit turned by the bits above it. */
uint32_t sweep_search_owen_scramble(uint32_t x, uint32_t seed);

/* What tpe looks for: log of the good points' density at x over that of the others. */
double sweep_search_tpe_gain(const struct search *search, size_t param, double x);

double sweep_search_random_suggest(const struct search *search, size_t param);

#endif
