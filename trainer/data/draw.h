/*
 * draw.h - what the made data sets share: their arguments' numbers, and normal draws. Private to trainer/data/.
 *
 * A draw depends on nothing but its place and the data set's seed (0 where it has none): Marsaglia's polar method on
 * Philox words, logarithm and root of the number contract, so that it is the same on every machine.
 */
#ifndef TRAIN_DATA_DRAW_H
#define TRAIN_DATA_DRAW_H

#include <stdbool.h>
#include <stdint.h>

/* What is drawn, each with places of its own. */
enum train_draw { TRAIN_DRAW_INPUTS, TRAIN_DRAW_WEIGHTS, TRAIN_DRAW_NOISE, TRAIN_DRAW_PLACES };

/* Standard normal number of place i. */
float train_draw_normal(uint64_t seed, enum train_draw what, uint64_t i);

/* Two uniform numbers in [0, 1) of place i, multiples of 2^-32. */
void train_draw_uniform(double out[2], uint64_t seed, enum train_draw what, uint64_t i);

/* Cosine and sine of so many turns of 2 pi, in [0, 64]; absolute error below 1e-14, the same on every machine. */
void train_draw_circle(double *cosine, double *sine, double turns);

/* Decimal digits as a number in [1, 10^9]; *at moves past them. */
bool train_take_count(int *out, const char **at);

/* `NxD` with N x D <= 10^8; *at moves past it. */
bool train_take_size(int *rows, int *columns, const char **at);

#endif
