/* spec_impl.h - what spec.c and spec_keys.c share. Private to trainer/. */
#ifndef TRAIN_SPEC_IMPL_H
#define TRAIN_SPEC_IMPL_H

#include "trainer/spec.h"

enum { TRAIN_KEYS_MAX = 384 };

/* The KEY of NAME.KEY; NULL for a name that is no group's key. */
const char *train_key_group_part(const char *name);

/* CS_ENONAME: there is no such key, and the nearest one. */
int train_key_unknown(const char *key, struct cs_error *err);

#endif
