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
struct train_spec;

struct sweep_share {
    const struct train_spec *spec; /* its data set, borrowed */
    int file;
    char path[64];
};

struct sweep_shares {
    struct sweep_share *list;
    size_t count;
};

/* The path for a trial's data set, the same for equal ones; NULL when there can be no more memfds. */
const char *sweep_shares_path(struct sweep_shares *shares, const struct train_spec *spec,
                              struct cs_error *err);

/* Close those for whose data set wanted(context, spec) is false. */
void sweep_shares_prune(struct sweep_shares *shares,
                        bool (*wanted)(void *context, const struct train_spec *spec),
                        void *context);

/* Are the data sets of two trials one and the same, whatever rows they take of it? */
bool sweep_shares_same(const struct train_spec *a, const struct train_spec *b);

void sweep_shares_clear(struct sweep_shares *shares);

#endif
