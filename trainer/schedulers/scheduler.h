/*
 * scheduler.h - learning-rate schedules: one file each, one line in list.h.
 *
 * A schedule is asked once before the first epoch and after every epoch, as scheduler.step() is in PyTorch
 * (torch/optim/lr_scheduler.py), and keeps its memory in `state`, plain doubles that go into the checkpoint.
 * It has no other memory: a resumed trial goes on with the same rates. All arithmetic in double.
 */
#ifndef TRAIN_SCHEDULER_H
#define TRAIN_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cs_param.h"

struct cs_error;

enum { TRAIN_SCHEDULER_STATE = 8 };

struct train_scheduler {
    const char *name;
    const char *help;
    /* Numbers in row order are args[]; a name is its index; a list of open length is preceded by its length. */
    const struct cs_param *params;
    int param_count;
    /* state is zeroed; returns the rate of the first epoch. */
    double (*begin)(double *state, const double *args, double initial_lr);
    /*
     * After epoch e = 1, 2, ... trained at lr: the rate of the next. metrics: the validation loss and accuracy of
     * the epoch.
     */
    double (*next)(double *state, const double *args, double initial_lr, double lr, int64_t epoch,
                   double val_loss, double val_accuracy);
};

/* begin() of the schedules that keep no state and start at the rate as given. */
double train_scheduler_begin_plain(double *state, const double *args, double initial_lr);

const struct train_scheduler *train_scheduler_find(const char *name);
const struct train_scheduler *const *train_schedulers(void); /* NULL-terminated */

#endif
