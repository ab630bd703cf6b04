/* trial_save_impl.h - reading a trial's `last` checkpoint. Private to trainer/. */
#ifndef TRAIN_TRIAL_SAVE_IMPL_H
#define TRAIN_TRIAL_SAVE_IMPL_H

#include "trainer/trial_impl.h"

/*
 * Bring the trial to where its `last` tag left it; nothing happens when there is none. A damaged checkpoint, or
 * one of another configuration, is an error that names the tag.
 */
int train_trial_load(struct train_trial *trial, ckpt_store *store, struct cs_error *err);

#endif
