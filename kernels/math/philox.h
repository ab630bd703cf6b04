/*
 * philox.h - counter-based random numbers: Philox4x32-10.
 *
 * Source of the algorithm and constants: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (SC 2011). A draw is a pure function of (key, counter): key = the trial's seed, counter = the place
 * that asks, so nothing depends on the order of asking.
 *
 *   purpose      counter[0]    counter[1]        counter[2]  counter[3]
 *   init         element / 4   parameter index   0           PURPOSE_INIT << 16       element in PyTorch's order
 *                element       parameter index   attempt     PURPOSE_INIT << 16 | 1   normal numbers: normal.h
 *   shuffle      i / 4         epoch             0           PURPOSE_SHUFFLE << 16
 *   dropout      feature / 4   row in the batch  step        PURPOSE_DROPOUT << 16 | layer
 *   dropout2d    channel / 4   row in the batch  step        PURPOSE_DROPOUT << 16 | layer
 *   noise        feature / 4   row in the batch  step        PURPOSE_NOISE << 16 | layer   words: contract, rule 17
 *   data         place, low    place, high       stream      PURPOSE_DATA << 16 | w   made data sets: data/draw.h,
 *                                                                                     w: inputs 0, weights 1, noise 2,
 *                                                                                     places 3; key: its seed, or 0
 *   split        i / 4         0                 0           PURPOSE_SPLIT << 16      val_split
 *
 * and the word used is counter index % 4 (element % 4, feature % 4, i % 4); data and normal numbers: words 0 and 1.
 */
#ifndef KERN_MATH_PHILOX_H
#define KERN_MATH_PHILOX_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/contract.h"

enum kern_purpose {
    KERN_PURPOSE_INIT = 1,
    KERN_PURPOSE_SHUFFLE = 2,
    KERN_PURPOSE_DROPOUT = 3,
    KERN_PURPOSE_DATA = 4,
    KERN_PURPOSE_SPLIT = 5,
    KERN_PURPOSE_NOISE = 6,
};

struct kern_philox {
    uint32_t v[4];
};

KERN_FN struct kern_philox kern_philox(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2,
                                       uint32_t c3)
{
    uint32_t k0 = (uint32_t) key, k1 = (uint32_t) (key >> 32);

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t) 0xD2511F53u * c0, p1 = (uint64_t) 0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t) (p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t) (p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t) p1;
        c3 = (uint32_t) p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    const struct kern_philox words = {{c0, c1, c2, c3}};
    return words; /* no compound literal: C++ reads this too */
}

/* Uniform in [0, 1): the top 24 bits times 2^-24. */
KERN_FN float kern_uniform(uint32_t word)
{
    return (float) (word >> 8) * 0x1p-24f;
}

/* Dropout's threshold on the 24-bit draw: kept when draw >= threshold. */
KERN_FN uint32_t kern_dropout_threshold(double p)
{
    const double t = p * 16777216.0;
    const uint32_t floor_t = (uint32_t) t;
    return (double) floor_t < t ? floor_t + 1 : floor_t;
}

KERN_FN bool kern_dropout_keep(uint64_t seed, uint32_t feature, uint32_t row, uint32_t step,
                               uint32_t layer, uint32_t threshold)
{
    const struct kern_philox r =
        kern_philox(seed, feature / 4, row, step, (uint32_t) KERN_PURPOSE_DROPOUT << 16 | layer);
    return (r.v[feature % 4] >> 8) >= threshold;
}

#endif
