/*
 * shares.h - the memory in which workers share data sets (trainer/data/share.h): one memfd each, empty until a worker
 * fills it.
 *
 * The controller only holds them, so that a data set outlives the worker that read it; workers open them under
 * /proc/PID/fd. One that no trial wants any more is closed, and the memory free once no worker has it mapped.
 */
#ifndef SWEEP_SHARES_H
#define SWEEP_SHARES_H

#include <stdbool.h>
#include <stddef.h>

struct cs_error;

struct sweep_share {
    const char *dataset, *path; /* its data set, borrowed */
    int file;
    char name[64]; /* of the memory */
};

struct sweep_shares {
    struct sweep_share *list;
    size_t count;
};

/* The name of the memory of a data set, the same for equal ones; NULL when there can be no more memfds. */
const char *sweep_shares_name(struct sweep_shares *shares, const char *dataset, const char *path,
                              struct cs_error *err);

/* Close those for whose data set wanted(context, dataset, path) is false. */
void sweep_shares_prune(struct sweep_shares *shares,
                        bool (*wanted)(void *context, const char *dataset, const char *path),
                        void *context);

void sweep_shares_clear(struct sweep_shares *shares);

#endif
