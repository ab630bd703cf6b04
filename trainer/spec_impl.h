/* spec_impl.h - what spec.c and spec_keys.c share. Private to trainer/. */
#ifndef TRAIN_SPEC_IMPL_H
#define TRAIN_SPEC_IMPL_H

#include "trainer/spec.h"

enum { TRAIN_KEYS_MAX = 384 };

/* The KEY of NAME.KEY; NULL for a name that is no group's key. */
const char *train_key_group_part(const char *name);

/* CS_ENONAME: there is no such key, and the nearest one. */
int train_key_unknown(const char *key, struct cs_error *err);

struct train_data_info;

/* The values of rows, a group's own before the common ones, one after another; args[space]. */
void train_spec_fill_args(double *args, int space, const struct train_spec *spec,
                          const struct cs_param *rows, int count, const char *group);

/* Loss, targets and metrics; after the model. */
int train_spec_take_loss(struct train_spec *spec, const struct train_data_info *info,
                         struct cs_error *err);

#endif
