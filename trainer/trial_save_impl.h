/* trial_save_impl.h - reading and writing a trial's checkpoints without a bundle. Private to trainer/. */
#ifndef TRAIN_TRIAL_SAVE_IMPL_H
#define TRAIN_TRIAL_SAVE_IMPL_H

#include "trainer/trial_impl.h"

/*
 * Bring the trial to where its `last` tag left it; nothing happens when there is none. A damaged checkpoint, or
 * one of another configuration, is an error that names the tag.
 */
int train_trial_load(struct train_trial *trial, ckpt_store *store, struct cs_error *err);

/* The same from a checkpoint that is loaded, be it the best epoch's. */
int train_trial_decode(struct train_trial *trial, const ckpt_checkpoint *c, struct cs_error *err);

/* Write `best`, if it is there and new, and `last`, of what was read and no bundle has yet (trial->resume). */
int train_trial_save_read(struct train_trial *trial, ckpt_store *store, struct cs_error *err);

/*
 * Go on from the checkpoint of the shorter trial job.from, as if this one had been trained from its start: epochs so
 * far in its event file, the best one's weights at hand. When that cannot be, trial->anew says why and the trial
 * stands at its start.
 */
int train_trial_take_over(struct train_trial *trial, ckpt_store *store, struct cs_error *err);

#endif
