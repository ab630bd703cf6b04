/*
 * search.h - points that are drawn instead of enumerated: what is drawn, and who draws it.
 *
 * A space is a list of parameters. A key of the grid file with several alternatives is a choice among them; an
 * alternative that is a distribution, such as loguniform(1e-4, 1e-1), is a number besides. The plan walks the keys
 * in force and asks for their parameters one by one, so that conditions may depend on what is drawn:
 *
 *   sweep_search_begin(s, draw); sweep_search_suggest(s, p) for every p in force; sweep_search_accept(s) unless the point is one that
 *   is there already or excluded
 *
 * and the next draw has the next number. Accepted draws are the points, in order.
 *
 * Invariants
 *   1 A suggestion depends on the seed, the number of the draw, the parameter and, for sequential methods, on the
 *     results told before; never on how many points are wanted, and never on a stream: a parameter out of force
 *     shifts no other's. Random numbers belong to a key by its name, whatever other keys there are; Sobol' dimensions
 *     are given out in the order of names.
 *   2 A drawn number is a decimal of about six digits (number.c), so that names are short and an ulp of the C library
 *     makes no other trial.
 *   3 A sequential method hears the results of a batch before the next is drawn, and of points that wait for theirs
 *     only that they exist.
 */
#ifndef SWEEP_SEARCH_SEARCH_H
#define SWEEP_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_param.h"

enum search_kind { SEARCH_CHOICE, SEARCH_NUMBER };

struct search_param {
    const char *key;  /* random numbers belong to this name */
    const char *name; /* the same, or another where one key has several parameters */
    enum search_kind kind;
    size_t count; /* SEARCH_CHOICE: alternatives, the suggestion is one's index */
    /* SEARCH_NUMBER: low <= x <= high, even over x or log x; step 0: continuous, else x = low + i * step. */
    double low, high, step;
    bool log;
    size_t
        share; /* it is one of so many alternatives of its key, chosen by the same random number */
};

enum search_state {
    SEARCH_PENDING, /* proposed, no result yet */
    SEARCH_DONE,    /* value counts; not finite: as failed */
    SEARCH_PRUNED,  /* value and step: the last one reported */
    SEARCH_FAILED   /* failed, diverged: as if it were not there */
};

struct search_result {
    enum search_state state;
    double value; /* smaller is better */
    double step;
};

struct search_options {
    uint64_t seed;
    double startup;    /* points drawn at random before results count */
    double candidates; /* looked at for every suggestion */
};

struct search;

struct search_method {
    const char *name, *help;
    bool drawn;      /* points are drawn; false: the grid */
    bool sequential; /* and depend on results */
    double (*suggest)(const struct search *search, size_t param);
    const struct cs_param *keys; /* of [sweep], that only this method reads */
    size_t key_count;
};

/* All methods, in the order of list.h. */
const struct search_method *const *sweep_search_methods(size_t *count);
const struct search_method *sweep_search_method_find(const char *name);

/* How many parameters' keys search_create takes for that method: Sobol' numbers end somewhere. */
enum { SEARCH_SOBOL_MAX = 64 };

/* params are copied, their names borrowed. */
struct search *sweep_search_create(const struct search_method *method,
                                   const struct search_param *params, size_t count,
                                   const struct search_options *options);
void sweep_search_free(struct search *search);

void sweep_search_begin(struct search *search, uint32_t draw);

/* An index below count, or a number of the distribution. */
double sweep_search_suggest(struct search *search, size_t param);

/* A value that is known, from a journal, instead of search_suggest. */
void sweep_search_put(struct search *search, size_t param, double value);

/* The draw is a point, its result pending; returns its number, from 0. */
size_t sweep_search_accept(struct search *search);

/* For sequential methods: what became of a point. */
void sweep_search_tell(struct search *search, size_t point, const struct search_result *result);

/* Keys with parameters; parameters. */
size_t sweep_search_dimensions(const struct search *search);
size_t sweep_search_param_count(const struct search *search);

/* May the parameter have that value? */
bool sweep_search_param_has(const struct search *search, size_t param, double value);

/* What a point was drawn as: NaN for a parameter out of force. */
double sweep_search_point_value(const struct search *search, size_t point, size_t param);
uint32_t sweep_search_point_draw(const struct search *search, size_t point);

#endif
