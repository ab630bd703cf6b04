/*
 * bundle.h - K >= 1 trials with the same shape key, trained together.
 *
 * Everything per trial lives in arrays of length K: weights and optimizer state in flat arenas [K][floats]
 * (trial-major), learning rate, seed, order of the data. A trial's bits do not depend on K or on its place.
 * All trials of a bundle stand at the same epoch and step. A trial that leaves (diverged, finished) is moved
 * out at an epoch's end; the others keep their bits.
 *
 * It computes: no files, no clock, no events. CS_ENOMEM when the arenas do not fit.
 */
#ifndef TRAIN_BUNDLE_H
#define TRAIN_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "trainer/data/data.h"
#include "trainer/spec.h"

struct cs_error;
struct train_torch;
typedef struct train_bundle train_bundle;

/* State tensors of a trial: the optimizer's, then what average.h says. */
enum { TRAIN_SLOW = KERN_SLOTS, TRAIN_AVERAGE, TRAIN_STATES };

/* What an epoch of training accumulates, per trial; part of a checkpoint taken inside an epoch. */
struct train_sums {
    struct kern_loss_sums of; /* over the samples */
    double batch_means;       /* sum over the batches of the mean loss */
    int64_t batches;          /* in which something counted */
    double f1;                /* of classes, mean over them; set by train_bundle_evaluate */
    double norm;              /* sum of the gradient's norms over the updates that computed one */
    int64_t norms;
};

/*
 * data must outlive the bundle. group: trials per call of an operation, 0 = what suits the backend: small nets go
 * into the lanes of vectors, others one after the other.
 */
int train_bundle_create(train_bundle **out, const struct kern_ops *ops,
                        struct train_spec *const *specs, int trials, const struct train_data *data,
                        int group, struct cs_error *err);
void train_bundle_free(train_bundle *bundle);

int train_bundle_trials(const train_bundle *bundle);
int train_bundle_steps(const train_bundle *bundle); /* batches per epoch */

/* Borrowed views of trial k: weights[floats], those that are trained, and state tensors (NULL: it has none such). */
float *train_bundle_weights(train_bundle *bundle, int k);
float *train_bundle_slot(train_bundle *bundle, int k, int slot);
struct train_sums *train_bundle_sums(train_bundle *bundle, int k);

/* Fresh initial weights for trial k; or the caller fills the views and says where the trial stands. */
void train_bundle_init(train_bundle *bundle, int k);
void train_bundle_seek(train_bundle *bundle, int epoch, int step);

/* Set the rate (and momentum; NAN: as configured) of a parameter group of trial k, in force until set again. */
void train_bundle_set_rate(train_bundle *bundle, int k, int group, double lr, double momentum);

/* Borrowed: what the optimizer remembers besides its tensors, [TRAIN_GROUPS][KERN_MEMORY]. */
double *train_bundle_memory(train_bundle *bundle, int k);

/* Borrowed: where trial k stands in PyTorch's stream; NULL unless rng = torch. */
struct train_torch *train_bundle_torch(train_bundle *bundle, int k);

/* Epoch (from 0) and step inside it of the next batch. */
int train_bundle_epoch(const train_bundle *bundle);
int train_bundle_step(const train_bundle *bundle);

/* May training stop here? Not between the batches of an accumulated gradient, which no checkpoint holds. */
bool train_bundle_between_updates(const train_bundle *bundle);

/*
 * Train the next batch of every trial. At the epoch's last batch grad_norm[k] is set (before that untouched; with
 * clipping by norm it is the mean over the epoch's updates, else of the last) and
 * the position moves to the next epoch's first step; sums stay until train_bundle_clear_sums.
 */
void train_bundle_train_step(train_bundle *bundle, double *grad_norm);
void train_bundle_clear_sums(train_bundle *bundle);

/* Everything measured on the validation set, dropout off, of the averaged weights where there are any: sums[k].
 * Once an epoch: with rng = torch it draws. */
void train_bundle_evaluate(train_bundle *bundle, struct train_sums *sums);

/*
 * The outputs of trial k's evaluated weights for every row of the validation set, out[count][outputs]; draws nothing and
 * changes nothing.
 */
void train_bundle_outputs(train_bundle *bundle, int k, float *out);

/*
 * At the last batch of every epoch, gradient(context, k, g) is called with the gradient as trial k's optimizer gets it
 * (accumulated, penalised, clipped), laid out as the weights. NULL: not.
 */
struct train_watch {
    void (*gradient)(void *context, int k, const float *g);
    void *context;
};
void train_bundle_watch(train_bundle *bundle, const struct train_watch *watch);

/* Are all weights of trial k finite? */
bool train_bundle_finite(train_bundle *bundle, int k);

/* Take trial k out; the last trial takes its place. Its spec is not looked at again. */
void train_bundle_remove(train_bundle *bundle, int k);

#endif
