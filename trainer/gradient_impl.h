/*
 * gradient_impl.h - what happens to a whole gradient between the backward pass and the update. Private to trainer/.
 *
 * Contract, rule 19. Trials that ask for none of it keep their updates fused into the products.
 */
#ifndef TRAIN_GRADIENT_IMPL_H
#define TRAIN_GRADIENT_IMPL_H

#include <stdbool.h>

#include "trainer/bundle.h"
#include "trainer/bundle_impl.h"

struct train_gradient {
    const struct train_spec *spec;
    struct train_sums *sums; /* norm and norms are added to */
    float *total;            /* accumulated so far; NULL without accumulation */
    float *scratch;          /* of the model's size; NULL unless the optimizer works by tensors */
    int step;                /* of the batch, in its epoch */
    bool last;               /* batch of the epoch */
};

/* Does the trial want its whole gradient in every step? */
bool train_gradient_is_worked_on(const struct train_spec *spec);

/* The norm of a trial's gradient: over its trained segments, of pass->model, as pass->ops computes it. */
double train_gradient_norm(const struct train_pass *pass, const float *grad);

/*
 * pass->grad holds the batch's gradient of trial t: accumulate; and when the update is due add the L1 penalty, clip,
 * update. *norm is set at the epoch's last batch.
 */
void train_gradient_finish(const struct train_gradient *g, const struct train_pass *pass, int t,
                           double *norm);

#endif
