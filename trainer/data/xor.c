/*
 * xor.c - the quadrants of a square: `xor N [noise=S] [seed=K]`.
 *
 * Uniform in [-1, 1) x [-1, 1); class 1 where one coordinate is negative and the other is not. The noise comes after the class.
 */
#include "trainer/data/draw.h"
#include "trainer/data/toy.h"

static void place(double out[2], int *label, int classes, const double u[2])
{
    (void) classes;
    out[0] = 2 * u[0] - 1;
    out[1] = 2 * u[1] - 1;
    *label = (out[0] < 0) != (out[1] < 0);
}

static const struct train_toy toy = {
    .name = "xor", .most_classes = 2, .noise = 0.0, .place = place};

const struct train_dataset_kind train_dataset_xor = {
    .name = "xor",
    .usage = "xor N [noise=S] [seed=K]",
    .help = "N points of a square whose opposite quadrants are one class, with normal noise of "
            "deviation S (0); N/5 more as the test set",
    .describe = train_toy_describe,
    .load = train_toy_load,
    .of = &toy,
};
