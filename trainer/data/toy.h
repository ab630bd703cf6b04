/*
 * toy.h - what the toy data sets share: points of the plane in classes, with noise. Private to trainer/data/.
 *
 *     NAME N [classes=C] [noise=S] [seed=K]
 *
 * Point i belongs to class i mod C (2 unless given, and where the kind allows more); the kind says where it lies,
 * from two uniform numbers, and S times a standard normal number is added to each coordinate, in double, rounded to float. N points to
 * train on and ceil(N / 5) more, drawn after them, as the test set. All numbers depend on the seed (0) and the place
 * alone (draw.h).
 */
#ifndef TRAIN_DATA_TOY_H
#define TRAIN_DATA_TOY_H

#include "trainer/data/data.h"

struct train_toy {
    const char *name;
    int most_classes; /* 2: `classes` cannot be given */
    double noise;     /* unless given */
    /* Where a point of a class lies; u: two uniform numbers in [0, 1). *label may be changed. */
    void (*place)(double out[2], int *label, int classes, const double u[2]);
};

/* The functions of a kind of them; its `of` is the struct train_toy. */
int train_toy_describe(struct train_data_info *out, const struct train_data_source *from,
                       struct cs_error *err);
int train_toy_load(struct train_data *data, const struct train_data_source *from,
                   const struct train_data_info *info, struct cs_error *err);

#endif
