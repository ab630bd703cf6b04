/*
 * bundle_state.h - what a bundle consists of. Private to bundle.c and bundle_lanes.c; layers see bundle_impl.h.
 */
#ifndef TRAIN_BUNDLE_STATE_H
#define TRAIN_BUNDLE_STATE_H

#include "trainer/bundle.h"

/* In force for one parameter group of one trial; momentum NAN: as configured. */
struct train_rate {
    double lr, momentum;
};

struct train_bundle {
    const struct kern_ops *ops;
    const struct train_data *data;
    const struct train_model *model; /* of the trial at 0, whichever that is: shapes are equal */
    int trials, group, capacity, features;
    int batch_size, eval_size, steps;
    bool shuffle;
    int epoch, step;
    struct train_spec **spec;          /* [capacity], borrowed */
    const struct train_model **models; /* [capacity] */
    uint64_t *seed;                    /* [capacity] */
    struct train_rate *rate;           /* [capacity][TRAIN_GROUPS] */
    double *memory;                    /* [capacity][TRAIN_GROUPS][KERN_MEMORY] */
    struct kern_step *update;          /* [segments][capacity] */
    bool *trained;                     /* [segments] */
    struct train_sums *sums;           /* [capacity] */
    struct kern_loss_numbers *numbers; /* [capacity] */
    struct kern_loss_sums *batch;      /* [group], of the batch in hand */
    int64_t *counts;                   /* [group][counts_stride], see kern_loss_call */
    size_t counts_stride;
    size_t floats;
    float *w, *slot_memory[TRAIN_STATES], *slot[TRAIN_STATES]; /* [capacity][floats] */
    float *grad;                                               /* [group][floats] */
    float *scratch; /* [floats], for optimizers that work by tensors; else NULL */
    float
        *total; /* [capacity][floats], sums of accumulated gradients; NULL when no trial has any */
    float *act_memory;
    struct train_buffers *nodes; /* [node_count], [group] trials each */
    uint8_t *have;               /* [node_count], see train_pass */
    struct train_kept *kept;     /* [layers], in act_memory; see bundle_impl.h */
    bool *masked;                /* [node_count] */
    uint32_t *order;             /* [capacity][train count] */
    struct train_torch *torch;   /* [capacity], NULL unless rng = torch */
    uint8_t **masks;             /* and [layers][group][batch size][draws], in */
    uint8_t *mask_memory;
    uint32_t *rows_index; /* [group][largest batch] */
    int32_t *labels;      /* [group][largest batch] */
    float *targets;       /* [group][target_stride], or instead of labels */
    size_t target_stride;
    int order_epoch;           /* the epoch that order holds, -1 = none */
    struct train_watch watch;  /* its function NULL: nobody does */
    struct train_lanes *lanes; /* NULL: not this net, or not this backend */
};

/* The means over the classes of 2 right / (predicted + there), those that are neither left out. */
double train_bundle_f1(const int64_t *counts, int classes);

/* A batch is over. */
void train_bundle_add_sums(struct train_sums *sums, const struct kern_loss_sums *batch);

/* The numbers of trial k's optimizer step t: once per parameter group, then for every segment of it. */
void train_bundle_begin_steps(train_bundle *bundle, int k, int64_t t);

#endif
