/*
 * bundle_lanes.h - the trials of a bundle in the lanes of vectors, for small nets (kernels/lanes.h). Private to
 * trainer/.
 *
 * Trials are put into groups of as many as a vector has lanes, those with equal optimizers together; one that is
 * left over, where a whole group would cost more, is trained as any other. A trial's weights and state then
 * lie in its group's arenas; the bundle's own arenas are brought up to date when a view of them is asked for, and
 * read back before the next step, since whoever has a view may write.
 */
#ifndef TRAIN_BUNDLE_LANES_H
#define TRAIN_BUNDLE_LANES_H

#include <stdbool.h>

#include "trainer/bundle.h"

struct train_lanes;

/* Do so many trials fill a vector well enough? Measured: alone, a trial takes 1.2 times a lane's share. */
static inline bool train_lanes_pay(int trials, int lanes)
{
    return trials * 8 >= lanes * 7;
}

/* Can this trial be trained in a lane? Then *net says as what. */
bool train_spec_lanes(const struct train_spec *spec, struct kern_lanes_net *net);

/* Sets bundle->lanes where that pays. CS_ENOMEM when the arenas do not fit. */
int train_lanes_create(train_bundle *bundle, struct cs_error *err);
void train_lanes_free(struct train_lanes *lanes);

/* Trials have come or gone: the bundle's arenas are right, groups are made again. */
void train_lanes_scatter(train_bundle *bundle);

/* Make the bundle's arenas right for trial k, before somebody reads or writes them. */
void train_lanes_view(train_bundle *bundle, int k);

/* Is trial k in a lane? Groups are made if they are not. */
bool train_lanes_has(train_bundle *bundle, int k);

/* The next batch, of `rows` samples, of every trial that is in a lane; the bundle's place stays. */
void train_lanes_train(train_bundle *bundle, int rows, double *grad_norm);

void train_lanes_evaluate(train_bundle *bundle, struct train_sums *sums);

#endif
