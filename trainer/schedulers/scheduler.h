/*
 * scheduler.h - learning-rate schedules: one file each, one line in list.h.
 *
 * Formulas are those of PyTorch (torch/optim/lr_scheduler.py), most of them recursive: the new rate is made from
 * the old one, so that schedules compose (chain.c). What a schedule must remember are plain doubles, which go into
 * the checkpoint; it has no other memory.
 */
#ifndef TRAIN_SCHEDULER_H
#define TRAIN_SCHEDULER_H

#include "trainer/schedulers/schedule.h"

struct cs_expr;
struct train_phase;

/* Where training stands as one schedule sees it: counted from that schedule's own beginning. */
struct train_now {
    int64_t count,
        total; /* times it was asked to move on, and how often it will be: epochs or steps */
    int64_t epoch, epochs; /* done; in all. An epoch that it began inside is its epoch 0 */
    int64_t step, steps;
    bool per_step;
    int64_t first_epoch, first_step; /* of the training, where the schedule began */
    const struct train_clock *clock;
};

/* What the first row of a schedule's params is, when it is no number. */
enum train_schedule_text { TRAIN_NUMBERS, TRAIN_RULE, TRAIN_PHASES, TRAIN_CHAIN };

struct train_scheduler {
    const char *name;
    const char *help;
    /* Numbers in row order are args[]; a name is its index; a list of open length is preceded by its length. */
    const struct cs_param *params;
    int param_count;
    enum train_schedule_text text;
    int state;        /* doubles it remembers */
    bool per_step;    /* interval is step unless given */
    bool epochs_only; /* needs the evaluation: interval cannot be step */
    bool goes_on;     /* as a later phase: from the rate it finds, not from the initial one */
    /* The momentum in force at first, NAN: leaves it alone. NULL: the same. */
    double (*momentum)(const double *args);
    /* rate->lr is the rate to start from, state is zeroed. NULL: it stays. */
    void (*begin)(const struct train_phase *phase, struct train_rate *rate, double *state,
                  const struct train_now *now);
    /* now->count = 1, 2, ...: rate->lr to the next rate. NULL: it stays. */
    void (*next)(const struct train_phase *phase, struct train_rate *rate, double *state,
                 const struct train_now *now);
};

/* A schedule with its settings: all of a trial's, or one of several (sequence.c, chain.c). */
struct train_phase {
    const struct train_scheduler *kind;
    const double *args;
    const struct cs_expr *rule; /* of lr_lambda */
    const char *canonical;      /* of phases or chain */
    const struct train_phase *parts;
    int part_count;
    int64_t length; /* of a phase but the last: epochs or steps, as interval says */
};

struct train_schedule {
    struct train_phase main;
    bool per_step, warmup_by_step;
    int64_t warmup; /* epochs, or steps where warmup_by_step */
    double warmup_start;
};

/* Its phase from count = start on, of `length`, 0 = the rest. */
struct train_now train_now_part(const struct train_now *now, int64_t start, int64_t length);

/* Begin and next with state zeroed and NULL functions seen to. */
void train_phase_begin(const struct train_phase *phase, struct train_rate *rate, double *state,
                       const struct train_now *now);
void train_phase_next(const struct train_phase *phase, struct train_rate *rate, double *state,
                      const struct train_now *now);

/* The value of a phase's lr_lambda; NAN when it has none. */
double train_phase_rule(const struct train_phase *phase, const struct train_rate *rate,
                        const struct train_now *now);

/* From start at part = 0 to end at part = 1, along half a cosine or a straight line. */
double train_anneal(double start, double end, double part, bool straight);

const struct train_scheduler *train_scheduler_find(const char *name);
const struct train_scheduler *const *train_schedulers(void); /* NULL-terminated */

#endif
