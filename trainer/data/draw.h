/*
 * draw.h - what the made data sets share: their arguments' numbers, and normal draws. Private to trainer/data/.
 *
 * A draw depends on nothing but its place: Marsaglia's polar method on Philox words with key 0, logarithm and root of
 * the number contract, so that it is the same on every machine.
 */
#ifndef TRAIN_DATA_DRAW_H
#define TRAIN_DATA_DRAW_H

#include <stdbool.h>
#include <stdint.h>

/* What is drawn, each with places of its own. */
enum train_draw { TRAIN_DRAW_INPUTS, TRAIN_DRAW_WEIGHTS, TRAIN_DRAW_NOISE };

/* Standard normal number of place i. */
float train_draw_normal(enum train_draw what, uint64_t i);

/* Decimal digits as a number in [1, 10^9]; *at moves past them. */
bool train_take_count(int *out, const char **at);

/* `NxD` with N x D <= 10^8; *at moves past it. */
bool train_take_size(int *rows, int *columns, const char **at);

#endif
