/*
 * media.h - what a run's event file has besides numbers. Private to trainer/.
 *
 *   step 0          the model as a graph
 *   some epochs     histograms of every trained parameter tensor and of its gradient at the epoch's last step, as the
 *                   optimizer got it: Weights/NAME, Gradients/NAME
 *   the last epoch  of classes, unless the trial diverged, of the weights it ends with on the validation set: Confusion and
 *                   Most_Wrong (images), PR/CLASS (curves), Classes (a table)
 *
 * All of it follows from settings, weights and data alone: never from K, the slot, the attempt or the clock. A resumed trial
 * writes the epochs again that its file had beyond the checkpoint, as it does with its scalars.
 *
 * Unless `histograms` says how many epochs have them: TRAIN_HISTOGRAMS, but not more often than once for as many training
 * examples as make them cost at most 1 % of the time, nor more than TRAIN_HISTOGRAM_BYTES a trial; always the last epoch.
 *
 * At the end: pictures of at most some 1000 x 1000 dots (a matrix of at most 200 classes), curves of the first TRAIN_CURVES.
 */
#ifndef TRAIN_MEDIA_H
#define TRAIN_MEDIA_H

#include "trainer/trial_impl.h"

enum { TRAIN_HISTOGRAMS = 10, TRAIN_HISTOGRAM_BYTES = 1 << 20, TRAIN_CURVES = 50 };

/* Are histograms written after this epoch (from 1)? */
bool train_media_due(const struct train_spec *spec, int epoch);

/* What all of it takes on the disk, about. */
double train_media_bytes(const struct train_spec *spec);

int train_media_graph(struct train_trial *trial, struct cs_error *err);

/* Of the epoch now.epoch, w: the trial's arena; of the next, g: its gradients. */
int train_media_weights(struct train_trial *trial, const float *w, struct cs_error *err);
int train_media_gradients(struct train_trial *trial, const float *g, struct cs_error *err);

/* The trial is over. */
int train_media_end(struct train_trial *trial, train_bundle *bundle, int k,
                    const struct train_data *data, struct cs_error *err);

#endif
