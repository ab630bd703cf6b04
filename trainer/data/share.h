/*
 * share.h - one copy of a data set for all workers of a sweep. Private to trainer/.
 *
 * The copy is a memfd that the controller makes, empty, and keeps open while trials want the data set; workers open
 * it by its path under /proc and map it. The first to come reads the data set and writes it; the others wait. It
 * is whole if and only if it is sealed, then nobody can write to it any more. A worker that dies before leaves
 * it unsealed and unlocked: the next one writes it anew. A memfd, and no file in a cache folder: nothing can be stale,
 * left over or written by somebody else, and it goes with the last process that has it.
 *
 * Layout: the sizes in bytes of all parts (0: none), then the parts, each at a multiple of 64.
 */
#ifndef TRAIN_DATA_SHARE_H
#define TRAIN_DATA_SHARE_H

#include "trainer/data/data.h"

/* load(context) fills data as a data set's kind does. */
struct train_share_source {
    int (*load)(void *context, struct train_data *data, struct cs_error *err);
    void *context;
};

/* Data's pixels, values and labels from the memfd at path, which is filled if nobody has. */
int train_share_load(struct train_data *data, const char *path, const struct train_data_info *info,
                     const struct train_share_source *source, struct cs_error *err);

#endif
