/*
 * average.h - averages of a trial's weights: lookahead, EMA, SWA. Private to trainer/.
 *
 * Contract, rule 21. The weights that are trained stay in the bundle's weights; beside them lie the slow weights of
 * lookahead (TRAIN_SLOW) and the average (TRAIN_AVERAGE), as state tensors do. What is evaluated, and what
 * model.safetensors holds, is the average once there is one, else the slow weights, else the trained ones. Nothing is
 * counted: where a trial stands says which step or epoch is averaged.
 *
 * Formulas: Zhang et al. 2019 (arXiv 1907.08610), algorithm 1; torch/optim/swa_utils.py.
 */
#ifndef TRAIN_AVERAGE_H
#define TRAIN_AVERAGE_H

#include "trainer/bundle.h"

enum { TRAIN_WEIGHTS = -1 }; /* beside TRAIN_SLOW and TRAIN_AVERAGE: what is trained */

/* Does a trial have this state tensor, from the optimizer's first to TRAIN_AVERAGE? */
bool train_spec_has_state(const struct train_spec *spec, int state);

/* TRAIN_WEIGHTS, TRAIN_SLOW or TRAIN_AVERAGE: what is evaluated after `step` batches of the epoch after `epoch` whole ones. */
int train_spec_evaluated(const struct train_spec *spec, int epoch, int step);

/* Trial k has its initial weights. */
void train_average_begin(train_bundle *bundle, int k);

/* The optimizer's step n of trial k, from 1, is done. */
void train_average_step(train_bundle *bundle, int k, int64_t n);

/* The last step of an epoch, from 1, is done. */
void train_average_epoch(train_bundle *bundle, int k, int epoch);

#endif
