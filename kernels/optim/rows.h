/*
 * rows.h - the settings that many optimizers share: one range each, whatever their default and meaning there.
 *
 * eps is above 0: a weight that never had a gradient would be 0 / 0. betas stay below 1, or nothing would decay.
 */
#ifndef KERN_OPTIM_ROWS_H
#define KERN_OPTIM_ROWS_H

#include <math.h>

#include "common/cs_param.h"

struct cs_error;

#define KERN_ROW_POSITIVE(key, standard, least, text)                                  \
    {                                                                                  \
        .name = key, .type = CS_FLOAT, .def = standard, .min = least, .max = INFINITY, \
        .help = text                                                                   \
    }
#define KERN_ROW_LR(standard, text) KERN_ROW_POSITIVE("lr", standard, 0, text)
#define KERN_ROW_EPS(standard, text) KERN_ROW_POSITIVE("eps", standard, 1e-30, text)
#define KERN_ROW_WEIGHT_DECAY(standard, text) KERN_ROW_POSITIVE("weight_decay", standard, 0, text)
#define KERN_ROW_BETAS(standard, text)                                                   \
    {                                                                                    \
        .name = "betas", .type = CS_FLOATS, .def = standard, .min = 0, .max = 0.9999999, \
        .count = 2, .help = text                                                         \
    }

/* NAME_slot_start of an optimizer whose state starts at zero. */
#define KERN_OPTIM_STARTS_AT_ZERO(NAME)                                  \
    static inline double NAME##_slot_start(const double *args, int slot) \
    {                                                                    \
        (void) args;                                                     \
        (void) slot;                                                     \
        return 0;                                                        \
    }

/* Of one whose body returns the new weight. */
#define KERN_OPTIM_BY_ELEMENT(NAME) enum { NAME##_by_tensor = 0 };

/* NAME_check of one whose settings have no rules between them, NAME_variant of one that has a single variant. */
#define KERN_OPTIM_NO_RULES(NAME)                                            \
    static inline int NAME##_check(const double *args, struct cs_error *err) \
    {                                                                        \
        (void) args;                                                         \
        (void) err;                                                          \
        return 0;                                                            \
    }
#define KERN_OPTIM_ONE_VARIANT(NAME)                     \
    static inline int NAME##_variant(const double *args) \
    {                                                    \
        (void) args;                                     \
        return 0;                                        \
    }

#endif
