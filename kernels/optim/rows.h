/*
 * rows.h - the settings that many optimizers share: one range each, whatever their default and meaning there.
 *
 * eps is above 0: a weight that never had a gradient would be 0 / 0. betas stay below 1, or nothing would decay.
 */
#ifndef KERN_OPTIM_ROWS_H
#define KERN_OPTIM_ROWS_H

#include <math.h>

#include "common/cs_param.h"

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

#endif
