/*
 * run_impl.h - a run of the controller. Private to run.c and run_dispatch.c; run.h has the invariants.
 */
#ifndef SWEEP_RUN_IMPL_H
#define SWEEP_RUN_IMPL_H

#include "checkpoints/ckpt.h"
#include "sweep/journal.h"
#include "sweep/longer.h"
#include "sweep/pool.h"
#include "sweep/progress.h"
#include "sweep/run.h"
#include "sweep/seeds.h"
#include "sweep/shares.h"
#include "sweep/stop_rules.h"
#include "sweep/verdicts.h"

enum item_state { WAITING, RUNNING, OVER };

struct item {
    const struct sweep_trial *trial;
    const char *from; /* tag of a shorter trial that it goes on from, or NULL */
    enum item_state state;
    int slot;        /* while RUNNING */
    int attempts;    /* over all runs of csweep */
    bool anew;       /* from epoch 0, whatever there is */
    bool again;      /* asked for by hand: it may be slow */
    char *slow;      /* how slow it is, once it was told to end; NULL */
    int deaths;      /* workers lost in this run */
    bool begun;      /* since it was given to a worker */
    int epoch, step; /* where it waits; -1: not known */
};

struct run {
    const struct sweep_plan *plan;
    struct sweep_run_options options;
    char *dir; /* logdir/sweep */
    sweep_journal *journal;
    ckpt_store *store;
    sweep_pool *pool;
    sweep_progress *progress;
    struct sweep_shares shares;
    sweep_seeds *seeds;
    sweep_longer *longer;
    struct cs_buf changed; /* what an edit of the grid made anew; data NULL: nothing */
    sweep_stop_rules *rules;
    bool ruled;               /* one of them was obeyed */
    sweep_verdicts *verdicts; /* NULL: nothing is pruned */
    struct sweep_state
        *state; /* the journal's: while preparing, and to its end when nothing is to be done */
    const char *instance; /* of the CPU kernels */
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[3];
    int slots;
    struct item *items;
    size_t item_count;
    size_t pruned;       /* before this run, and left so */
    bool again;          /* not the first round: run_search.h */
    size_t outside;      /* finished trials that are none of the grid any more */
    int stops;           /* signals received */
    bool failed, broken; /* a trial failed; the environment did */
    bool failure_told;
    int64_t garbage; /* bytes of replaced checkpoints */
    double best;     /* of the trials done before, NaN = none */
    const char *best_name;
};

/* The environment failed: all stop, resumable. */
void sweep_run_break_off(struct run *r, const struct cs_error *err);

/* Are no more trials to be started? */
bool sweep_run_stopping(const struct run *r);

/* Is there nothing left to train? Trials that were too slow, or pruned, go on when none is any more. */
bool sweep_run_is_over(const struct run *r, const struct sweep_record *record);

struct item *sweep_run_find_item(struct run *r, int64_t number);

/* Give the slot's worker the next trials of one shape; when there are none, let it go. */
void sweep_run_dispatch(struct run *r, int slot);

/*
 * What is known of the trials that pruners compare: all of the plan, by number, with the curves of those that are over.
 * Items are put in the order of numbers.
 */
int sweep_run_open_verdicts(struct run *r, const struct sweep_state *state, struct cs_error *err);

/* Answer what workers ask, where it can be; nobody asks without verdicts. A trial that joins later must be made known
 * (sweep_verdicts_add, by number) before it is handed out. */
void sweep_run_settle_verdicts(struct run *r);

/* A trial waits that a worker had: slots whose workers were let go for want of work get new ones. */
void sweep_run_wake_slots(struct run *r);

#endif
