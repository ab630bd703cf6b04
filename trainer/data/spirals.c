/*
 * spirals.c - arms that wind around one another: `spirals N [classes=C] [noise=S] [seed=K]`.
 *
 * At radius r, uniform in [0, 1), class k of C lies at 1.5 r + k / C turns.
 */
#include "trainer/data/draw.h"
#include "trainer/data/toy.h"

static void place(double out[2], int *label, int classes, const double u[2])
{
    double c, s;

    train_draw_circle(&c, &s, 1.5 * u[0] + (double) *label / classes);
    out[0] = u[0] * c;
    out[1] = u[0] * s;
}

static const struct train_toy toy = {
    .name = "spirals", .most_classes = 100, .noise = 0.02, .place = place};

const struct train_dataset_kind train_dataset_spirals = {
    .name = "spirals",
    .usage = "spirals N [classes=C] [noise=S] [seed=K]",
    .help = "N points on C (2) spiral arms of one and a half turns, with normal noise of deviation "
            "S (0.02); N/5 more as the test set",
    .describe = train_toy_describe,
    .load = train_toy_load,
    .of = &toy,
};
