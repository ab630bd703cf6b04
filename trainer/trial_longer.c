/*
 * trial_longer.c - a trial goes on from the checkpoint of a shorter one of the same settings.
 *
 * What it leaves is what training that long at once leaves: the epochs so far are judged again as this trial judges
 * them (the shorter one did not ask after its last epoch whether to stop early, nor for a rate after it), written into
 * the event file, and are in the trial's checkpoints from its next one on. A trial that is killed before that does all of
 * this again.
 *
 * A shorter trial that ended by itself (stopped early, diverged) gives the end of this one: there is nothing to train.
 *
 * It refuses, and the trial starts anew, where the checkpoint is gone or damaged, where settings or rates up to there
 * are others, where restore_best = yes put an earlier epoch's weights into it, and where the best epoch, or early
 * stopping, was judged by another metric.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/trial_save_impl.h"

/* A checkpoint of the shorter trial, read as the trial that it is. */
struct old {
    struct train_trial trial;
    ckpt_checkpoint *file;
};

static void clear_old(struct old *old)
{
    train_snapshot_clear(&old->trial.resume);
    train_spec_free(old->trial.spec);
    free(old->trial.rows);
    ckpt_checkpoint_free(old->file);
    *old = (struct old){.file = NULL};
}

static int read_old(struct old *old, const struct train_trial *trial, const char *which,
                    ckpt_store *store, struct cs_error *err)
{
    char *tag = cs_xasprintf("%s/%s", trial->job.from, which);

    *old = (struct old){.trial = {.job = trial->job, .log = -1}};
    old->trial.job.tag = trial->job.from;
    int rc = ckpt_load(&old->file, store, tag, err);
    free(tag);
    if (rc < 0)
        return rc;
    const struct ckpt_file *config = ckpt_checkpoint_file(old->file, "config.ini");
    if (!config)
        return cs_fail(err, CS_ECORRUPT, "checkpoint %s: config.ini is missing", trial->job.from);
    CS_TRY(train_spec_load(&old->trial.spec, "config.ini", config->data, config->size, err));
    old->trial.rows = cs_xcalloc((size_t) old->trial.spec->epochs + 1, sizeof *old->trial.rows);
    return train_trial_decode(&old->trial, old->file, err);
}

static int refuse(struct cs_error *err, const struct train_trial *trial, const char *why)
{
    return cs_fail(err, CS_ENONAME, "%s: %s", trial->job.from, why);
}

static int check_old(const struct train_trial *trial, const struct train_trial *old,
                     struct cs_error *err)
{
    const bool running = old->now.state == TRAIN_RUNNING;
    const int epochs = old->now.epoch + (running && old->now.epoch < old->spec->epochs);
    struct cs_buf why = {0};
    int rc = 0;

    if (old->now.epoch + (old->now.step > 0) > trial->spec->epochs)
        rc = refuse(err, trial, "it is further than this trial's last epoch");
    else if (!train_spec_continues(old->spec, trial->spec, epochs, &why))
        rc = refuse(err, trial, why.data);
    else if (old->now.state == TRAIN_DONE && old->spec->restore_best && old->now.best_epoch &&
             old->now.best_epoch != old->now.epoch)
        rc = refuse(err, trial, "restore_best = yes: it ended with the weights of another epoch");
    cs_buf_clear(&why);
    return rc;
}

/* The epochs of the curve once more, as they would have come one by one; write: into the event file too. */
static int replay(struct train_trial *trial, int epochs, bool diverged, bool write,
                  struct cs_error *err)
{
    struct train_standing *now = &trial->now;

    now->state = TRAIN_RUNNING;
    now->epoch = now->best_epoch = now->bad_epochs = 0;
    now->best_value = now->stop_value = 0;
    while (now->epoch < epochs && now->state == TRAIN_RUNNING) {
        now->epoch++;
        train_trial_judge(trial, diverged && now->epoch == epochs);
        if (write)
            CS_TRY(train_trial_write_epoch(trial, 0, 0, err));
    }
    return 0;
}

static void move_snapshot(struct train_snapshot *to, struct train_snapshot *from)
{
    train_snapshot_clear(to);
    *to = *from;
    *from = (struct train_snapshot){0};
}

static void copy_snapshot(struct train_snapshot *to, const struct train_snapshot *from,
                          size_t floats)
{
    train_snapshot_clear(to);
    to->w = cs_xmalloc(floats * sizeof *to->w);
    memcpy(to->w, from->w, floats * sizeof *to->w);
    for (int i = 0; i < TRAIN_STATES; i++) {
        if (!from->slot[i])
            continue;
        to->slot[i] = cs_xmalloc(floats * sizeof *to->slot[i]);
        memcpy(to->slot[i], from->slot[i], floats * sizeof *to->slot[i]);
    }
}

/* Does this trial judge the epochs as the shorter one did? Leaves trial->now as of the last of them. */
static int judge_again(struct train_trial *trial, const struct train_trial *old,
                       struct cs_error *err)
{
    const struct train_standing *was = &old->now;
    struct train_standing *now = &trial->now;

    CS_TRY(replay(trial, was->epoch, was->state == TRAIN_DIVERGED, false, err));
    const bool best = now->best_epoch == was->best_epoch &&
                      (now->best_epoch == 0 || now->best_value == was->best_value);
    const bool end =
        was->state == TRAIN_DONE ? now->state != TRAIN_DIVERGED : now->state == was->state;
    if (now->epoch != was->epoch || !best || !end)
        return refuse(err, trial, "its epochs were judged by another metric");
    return 0;
}

/* Where training goes on: what the checkpoint says, judged by this trial; its next rates are those of this one. */
static int take_standing(struct train_trial *trial, const struct train_trial *old,
                         struct cs_error *err)
{
    const struct train_standing judged = trial->now;

    trial->now = old->now;
    trial->now.state = judged.state;
    trial->now.best_epoch = judged.best_epoch;
    trial->now.best_value = judged.best_value;
    trial->now.stop_value = judged.stop_value;
    trial->now.bad_epochs = judged.bad_epochs;
    return old->now.state == TRAIN_DONE && trial->now.state == TRAIN_RUNNING
               ? train_trial_move_on(trial, err)
               : 0;
}

/* The best epoch's weights: those at hand, or from the shorter trial's other tag. */
static int take_best(struct train_trial *trial, ckpt_store *store, struct cs_error *err)
{
    const struct train_standing *now = &trial->now;
    struct old best;

    if (now->best_epoch == 0)
        return 0;
    if (now->best_epoch == now->epoch && now->step == 0) {
        copy_snapshot(&trial->best, &trial->resume, trial->spec->model->floats);
        trial->best.standing = *now;
        return 0;
    }
    int rc = read_old(&best, trial, "best", store, err);
    if (rc == 0 && best.trial.now.epoch != now->best_epoch)
        rc = refuse(err, trial, "its tag best is of another epoch");
    if (rc == 0) {
        move_snapshot(&trial->best, &best.trial.resume);
        trial->best.standing = best.trial.now;
    }
    clear_old(&best);
    return rc;
}

static int read_all(struct train_trial *trial, ckpt_store *store, struct cs_error *err)
{
    struct old last;
    int rc = read_old(&last, trial, "last", store, err);

    if (rc == 0)
        rc = check_old(trial, &last.trial, err);
    if (rc == 0) {
        memcpy(trial->rows, last.trial.rows, (size_t) last.trial.now.epoch * sizeof *trial->rows);
        rc = judge_again(trial, &last.trial, err);
    }
    if (rc == 0)
        rc = take_standing(trial, &last.trial, err);
    if (rc == 0) {
        move_snapshot(&trial->resume, &last.trial.resume);
        rc = take_best(trial, store, err);
    }
    clear_old(&last);
    return rc;
}

/* Events; checkpoints as well where nothing is left to train. */
static int write_all(struct train_trial *trial, ckpt_store *store, struct cs_error *err)
{
    const struct train_standing now = trial->now;

    trial->taken = trial->resumed = true;
    CS_TRY(train_trial_begin_events(trial, err));
    CS_TRY(replay(trial, now.epoch, now.state == TRAIN_DIVERGED, true, err));
    trial->now = now;
    if (now.state != TRAIN_RUNNING) {
        CS_TRY(train_trial_end_events(trial, err));
        CS_TRY(train_trial_save_read(trial, store, err));
    }
    train_trial_log(trial, "goes on from %s, epoch %d step %d", trial->job.from, now.epoch,
                    now.step);
    return 0;
}

int train_trial_take_over(struct train_trial *trial, ckpt_store *store, struct cs_error *err)
{
    struct cs_error inner = {0};
    const int rc = read_all(trial, store, &inner);

    if (rc == 0)
        return write_all(trial, store, err);
    if (rc != CS_ENONAME && rc != CS_ECORRUPT && rc != CS_EPARSE && rc != CS_ERANGE) {
        if (err)
            *err = inner;
        return rc;
    }
    train_snapshot_clear(&trial->resume);
    train_snapshot_clear(&trial->best);
    trial->now = (struct train_standing){.state = TRAIN_RUNNING};
    trial->anew = cs_xasprintf("%s%s%s", inner.where, *inner.where ? ": " : "", inner.detail);
    train_trial_log(trial, "starts anew: %s", trial->anew);
    return 0;
}
