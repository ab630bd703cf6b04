/*
 * moons.c - two half circles that reach into each other, as scikit-learn's make_moons has them: `moons N [noise=S] [seed=K]`.
 *
 * Class 0 on the upper half of the unit circle, class 1 on the lower half of another around (1, 0.5), at uniform angles.
 */
#include "trainer/data/draw.h"
#include "trainer/data/toy.h"

static void place(double out[2], int *label, int classes, const double u[2])
{
    double c, s;

    (void) classes;
    train_draw_circle(&c, &s, 0.5 * u[0]);
    out[0] = *label ? 1 - c : c;
    out[1] = *label ? 0.5 - s : s;
}

static const struct train_toy toy = {
    .name = "moons", .most_classes = 2, .noise = 0.1, .place = place};

const struct train_dataset_kind train_dataset_moons = {
    .name = "moons",
    .usage = "moons N [noise=S] [seed=K]",
    .help = "N points of two half circles that reach into each other, with normal noise of "
            "deviation S (0.1); N/5 more as the test set",
    .describe = train_toy_describe,
    .load = train_toy_load,
    .of = &toy,
};
