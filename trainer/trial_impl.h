/*
 * trial_impl.h - one trial in a worker's hands: its state, its files, its checkpoints. Private to trainer/.
 *
 * Files of the trial (one writer each, this process): the event file, trial.log (its flock says that a process
 * works on the trial), and the tags `tag`/best and `tag`/last. The checkpoint's tree: config.ini, metrics.json,
 * model.safetensors, optimizer.safetensors, state.json, curve.csv.
 */
#ifndef TRAIN_TRIAL_IMPL_H
#define TRAIN_TRIAL_IMPL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "tbwriter/tbw.h"
#include "trainer/bundle.h"
#include "trainer/metric.h"
#include "trainer/schedulers/schedule.h"
#include "trainer/spec.h"
#include "trainer/torch.h"

/* stopped: early, by early_stopping; pruned: by the controller, in a checkpoint only: what is read from it runs */
enum train_state { TRAIN_RUNNING, TRAIN_DONE, TRAIN_DIVERGED, TRAIN_STOPPED, TRAIN_PRUNED };

/* Everything a checkpoint must hold besides weights and optimizer state. */
struct train_standing {
    enum train_state state;
    int epoch; /* epochs completed = rows of the curve */
    int step;  /* batches done in the next epoch, with their sums */
    struct train_sums sums;
    struct train_rate rate[TRAIN_GROUPS]; /* of the next step; one for each of the spec's groups */
    double memory[TRAIN_GROUPS * KERN_MEMORY]; /* the optimizer's besides its tensors */
    struct train_torch torch;                  /* rng = torch: where it stands in the stream */
    int best_epoch;                            /* 0 = none yet */
    double best_value;
    double stop_value; /* of early stopping: the value that later ones must better by min_delta */
    int bad_epochs;    /* since then */
    double seconds;    /* of training and evaluating, over all attempts */
};

/* What the controller asked for. Strings live in the command's JSON. */
struct train_job {
    const char *store_path, *metric, *name, *dir, *tag, *title, *group, *target;
    const char *from; /* tag of a shorter trial to go on from, "" = none */
    bool maximize;
    bool anew; /* from epoch 0, whatever checkpoint there is */
    int64_t number, attempt;
    const json_t *params;
};

/* Weights and state tensors as they were at an epoch's end. */
struct train_snapshot {
    float *w, *slot[TRAIN_STATES];
    struct train_standing standing;
};

void train_snapshot_clear(struct train_snapshot *snapshot);

struct train_trial {
    struct train_job job;
    struct train_spec *spec;
    struct train_standing now;
    struct train_row *rows; /* [now.epoch] */
    int metric_column;
    struct train_snapshot best;
    bool best_saved;              /* the best tag holds `best` */
    struct train_snapshot resume; /* weights read from `last`, until the bundle has them */
    bool resumed;
    bool taken; /* over from the trial job.from, by this attempt */
    char *anew; /* why it was not, NULL */
    tbw_writer *events;
    struct cs_error watch_error;     /* of what was written inside an epoch; code 0: none */
    double epoch_rate[TRAIN_GROUPS]; /* in force at the last step of the epoch now.epoch */
    int log;                         /* descriptor of trial.log, locked */
    double save_cost;                /* seconds the last save took */
    double saved_at;                 /* monotonic */
    uint64_t superseded_bytes;
    int judge_at; /* the epoch after which the controller is asked, 0: none */
};

/* Parse the job, take the trial's lock, read its `last` checkpoint if there is one, else that of job.from. */
int train_trial_open(struct train_trial **out, const struct train_job *job, const char *config,
                     ckpt_store *store, struct cs_error *err);
void train_trial_free(struct train_trial *trial);

/* Start the event file of this attempt. */
int train_trial_begin_events(struct train_trial *trial, struct cs_error *err);

/* Bring trial k of the bundle to where the trial stands (fresh, or from the checkpoint read). */
int train_trial_place(struct train_trial *trial, train_bundle *bundle, int k, struct cs_error *err);

/* Take over what the bundle remembers of trial k besides weights, state tensors and sums. */
void train_trial_remember(struct train_trial *trial, train_bundle *bundle, int k);

/* A step inside an epoch is over: the learning rate of the next. */
int train_trial_end_step(struct train_trial *trial, train_bundle *bundle, int k,
                         struct cs_error *err);

/* An epoch is over: row and best updated, events written, next learning rate chosen. */
int train_trial_end_epoch(struct train_trial *trial, train_bundle *bundle, int k,
                          const struct train_row *row, double seconds, double samples_per_second,
                          struct cs_error *err);

/* Row now.epoch - 1 is new: is training over, and is this the best epoch? */
bool train_trial_judge(struct train_trial *trial, bool diverged);

/* The rates of the next epoch's first step, into `now`. */
int train_trial_move_on(struct train_trial *trial, struct cs_error *err);

/* The scalars of row now.epoch - 1; seconds 0: times are not known. */
int train_trial_write_epoch(struct train_trial *trial, double seconds, double samples_per_second,
                            struct cs_error *err);

/*
 * The last words of the run's event file; then it is closed. A pruned one may go on some day, and readers keep the first
 * end that they see: it gets no end but a text (`State`), at the next step, so that going on takes it back.
 */
int train_trial_end_events(struct train_trial *trial, struct cs_error *err);
int train_trial_prune_events(struct train_trial *trial, const char *pruner, const char *why,
                             struct cs_error *err);

/* A failed trial may be tried again too: a text and no end, as far as the file still takes it. */
void train_trial_fail_events(struct train_trial *trial, const struct cs_error *why);

/* restore_best, at a trial's end: the best epoch's weights and state into the bundle, so that `last` has them. */
int train_trial_restore_best(struct train_trial *trial, train_bundle *bundle, int k,
                             ckpt_store *store, struct cs_error *err);

/* Write `last`, and `best` when it is new. */
int train_trial_save(struct train_trial *trial, train_bundle *bundle, int k, ckpt_store *store,
                     struct cs_error *err);

/* Is a checkpoint due after this epoch? together: trials that share the worker's time. */
bool train_trial_save_due(const struct train_trial *trial, int together);

/* {TAG: value} of the last row, and {TAG: {value, epoch}} of the best values. */
json_t *train_trial_last_json(const struct train_trial *trial);
json_t *train_trial_best_json(const struct train_trial *trial);

/* The first epoch whose values meet the job's target, 0 = none does or there is no target. */
int train_trial_target_epoch(const struct train_trial *trial);

/* One line into trial.log. */
void train_trial_log(const struct train_trial *trial, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
