/*
 * loss.h - the losses: one registry row each, formulas in kernels/loss/NAME.h; and what is measured beside them.
 *
 * Names, defaults and formulas are PyTorch's (torch.nn), with reduction = mean. A loss adds up over the outputs of a
 * sample; what it is then divided by is its *weight*: samples, elements, or the class weights of the samples. The
 * numbers are fixed by contract.h, rules 5 and 11.
 */
#ifndef KERN_LOSS_H
#define KERN_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_param.h"
#include "kernels/contract.h"

/* What the outputs are compared with. */
enum kern_targets {
    KERN_CLASSES, /* the class of the sample. With one output, which classes 0 and 1 want at 0 and 1 */
    KERN_FRACTIONS, /* numbers in [0, 1], one per output: labels that are set or not, or probabilities */
    KERN_VALUES, /* any numbers, one per output */
    KERN_TARGETS
};

/* What the outputs must be. */
enum kern_outputs { KERN_ANY_OUTPUTS, KERN_PROBABILITIES, KERN_LOG_PROBABILITIES };

enum { KERN_LOSS_NUMBERS = 2, KERN_TOP = 5 };

/* A trial's settings as the formulas take them. */
struct kern_loss_numbers {
    float on, off; /* an output's target where it is the sample's class, and where not */
    float v[KERN_LOSS_NUMBERS]; /* what NAME.h says */
    const float *weight;        /* [outputs]; NULL: 1 for all */
    int32_t ignore;             /* samples of this class do not count */
};

struct kern_loss {
    const char *name; /* as written in a grid: "cross_entropy" */
    const char *help; /* one line */
    const struct cs_param *params;
    int param_count;
    bool takes[KERN_TARGETS];  /* which targets */
    bool by_class;             /* an output is a class's score: it takes one for every class */
    bool by_element;           /* mean over the elements, else over the samples */
    bool class_weights;        /* numbers.weight is by the sample's class, and so is the mean */
    enum kern_outputs outputs; /* what they must be */
    float half;                /* an output above this says yes to its label */
    int passes; /* over a sample's outputs before values and slopes can be computed */
    /* args: the numbers of params in row order (cs_value_flatten). weight[outputs]: room for out->weight. */
    void (*begin)(struct kern_loss_numbers *out, float *weight, const double *args, int outputs);
};

/* What the outputs of one sample share: filled by the passes, as the loss needs it. */
struct kern_loss_row {
    float max, sum, log, total, at;
};

/* Sums over samples. */
struct kern_loss_sums {
    double loss;     /* of the samples' losses */
    double weight;   /* of what they are divided by */
    int64_t samples; /* that count */
    int64_t correct; /* classes: predictions that are right; fractions: elements */
    int64_t top;     /* classes: the right one is among the KERN_TOP first; 0 for no more classes */
    int64_t both, said,
        wanted; /* fractions: elements that are yes in outputs and targets, outputs, targets */
    double absolute, squared; /* values: of |x - y| and (x - y)^2 */
};

KERN_FN void kern_loss_sums_add(struct kern_loss_sums *to, const struct kern_loss_sums *s)
{
    to->loss += s->loss;
    to->weight += s->weight;
    to->samples += s->samples;
    to->correct += s->correct;
    to->top += s->top;
    to->both += s->both;
    to->said += s->said;
    to->wanted += s->wanted;
    to->absolute += s->absolute;
    to->squared += s->squared;
}

/* Losses of a batch, and the gradient of their mean. */
struct kern_loss_call {
    const struct kern_loss *kind;
    int trials, rows, outputs;
    const float *x; /* (rows x outputs) */
    size_t x_stride;
    enum kern_targets targets;
    const int32_t *label; /* KERN_CLASSES: label[t * label_stride + row] */
    size_t label_stride;
    const float *target; /* else: (rows x outputs) */
    size_t target_stride;
    float *dx, *dxt; /* gradients (rows x outputs) and (outputs x rows); both NULL: evaluate only */
    size_t dx_stride, dxt_stride;
    const struct kern_loss_numbers *numbers; /* numbers[trials] */
    struct kern_loss_sums *sums;             /* sums[trials]: += */
    /* KERN_CLASSES, or NULL: per class += right predictions, predictions, samples; [classes][3] of each trial. */
    int64_t *counts;
    size_t counts_stride;
};

/* y = softmax(x), or its logarithm, over the rows (classes) of panel matrices (classes x samples); rule 13. */
struct kern_softmax {
    int trials, classes, samples;
    bool log;
    const float *x; /* NULL: the gradient dx from y and dy */
    float *y;
    const float *dy;
    float *dx; /* may be dy */
    size_t x_stride, y_stride, dy_stride, dx_stride;
};

/* For begin: a list as cs_value_flatten leaves it (its length, then its numbers): one number is for all outputs. */
static inline const float *kern_loss_weights(float *weight, const double *list, int outputs)
{
    if (list[0] == 1 && list[1] == 1)
        return NULL;
    for (int i = 0; i < outputs; i++)
        weight[i] = (float) list[list[0] == 1 ? 1 : 1 + i];
    return weight;
}

/* Numbers of a loss without any settings. */
static inline struct kern_loss_numbers kern_loss_plain(void)
{
    return (struct kern_loss_numbers){.on = 1.0f, .ignore = INT32_MIN};
}

/* The factor of the slopes; 0 where nothing counts. */
static inline float kern_loss_share(double weight)
{
    return weight > 0 ? 1.0f / (float) weight : 0.0f;
}

/* Borrowed for ever; NULL when there is no such name. */
const struct kern_loss *kern_loss_find(const char *name);

/* All of them, NULL-terminated. */
const struct kern_loss *const *kern_losses(void);

#endif
