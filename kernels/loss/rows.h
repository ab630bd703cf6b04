/*
 * rows.h - what losses share: settings, and the passes of those that have none.
 */
#ifndef KERN_LOSS_ROWS_H
#define KERN_LOSS_ROWS_H

#include <math.h>

#include "kernels/contract.h"
#include "kernels/loss.h"

#define KERN_LOSS_ROW    \
    {                    \
        .max = -INFINITY \
    }

#define KERN_ROW_SMOOTHING                                                           \
    {                                                                                \
        .name = "label_smoothing", .type = CS_FLOAT, .def = "0", .min = 0, .max = 1, \
        .help = "share of every target that is spread over all classes alike"        \
    }
#define KERN_ROW_CLASS_WEIGHTS                                                                   \
    {                                                                                            \
        .name = "class_weights", .type = CS_FLOATS, .def = "1", .min = 0, .max = 1e30,           \
        .help = "weight of each class, in their order, or one for all; the mean is weighted too" \
    }
#define KERN_ROW_IGNORE                                                                      \
    {                                                                                        \
        .name = "ignore_index", .type = CS_INT, .def = "-100", .min = -1e9, .max = 1e9,      \
        .help = "examples of this class count neither for the loss nor for what is measured" \
    }

/* NAME_gather and NAME_settle of a loss whose outputs do not know of one another. */
#define KERN_LOSS_BY_OUTPUT(NAME)                                                              \
    KERN_FN void NAME##_gather(int pass, struct kern_loss_row *row, float x, float t, float w, \
                               const float *v)                                                 \
    {                                                                                          \
        (void) pass;                                                                           \
        (void) row;                                                                            \
        (void) x;                                                                              \
        (void) t;                                                                              \
        (void) w;                                                                              \
        (void) v;                                                                              \
    }                                                                                          \
    KERN_FN void NAME##_settle(struct kern_loss_row *row)                                      \
    {                                                                                          \
        (void) row;                                                                            \
    }

/* NAME_begin of one without settings. */
#define KERN_LOSS_NO_SETTINGS(NAME)                                               \
    static inline void NAME##_begin(struct kern_loss_numbers *out, float *weight, \
                                    const double *args, int outputs)              \
    {                                                                             \
        (void) weight;                                                            \
        (void) args;                                                              \
        (void) outputs;                                                           \
        *out = kern_loss_plain();                                                 \
    }

/* NAME_begin of one with a single number. */
#define KERN_LOSS_ONE_NUMBER(NAME)                                                \
    static inline void NAME##_begin(struct kern_loss_numbers *out, float *weight, \
                                    const double *args, int outputs)              \
    {                                                                             \
        (void) weight;                                                            \
        *out = kern_loss_plain();                                                 \
        out->v[0] = (float) args[0];                                              \
        out->v[1] = (float) outputs;                                              \
    }

/* The targets of classes under label smoothing: (1 - a) + a / C for the right one, a / C for the others. */
static inline struct kern_loss_numbers kern_loss_smoothed(double smoothing, int outputs)
{
    struct kern_loss_numbers out = kern_loss_plain();
    out.on = (float) (1 - smoothing + smoothing / outputs);
    out.off = (float) (smoothing / outputs);
    return out;
}

#endif
