/* mask_lanes.h - a table for packing what a mask of 8 lanes keeps (AVX2; AVX-512 has an instruction). */
#ifndef KERN_CPU_MASK_LANES_H
#define KERN_CPU_MASK_LANES_H

#include <stdint.h>

/* Numbers of a mask's set bits, ascending, one per byte. */
#define LANE(M, I) \
    ((uint64_t) (((M) >> (I)) & 1u) * (I) << 8 * __builtin_popcount((M) & ((1u << (I)) - 1)))
#define LANES(M) \
    (LANE(M, 1) | LANE(M, 2) | LANE(M, 3) | LANE(M, 4) | LANE(M, 5) | LANE(M, 6) | LANE(M, 7))
#define LANES_4(M) LANES(M), LANES((M) + 1), LANES((M) + 2), LANES((M) + 3)
#define LANES_16(M) LANES_4(M), LANES_4((M) + 4), LANES_4((M) + 8), LANES_4((M) + 12)
#define LANES_64(M) LANES_16(M), LANES_16((M) + 16), LANES_16((M) + 32), LANES_16((M) + 48)

static const uint64_t mask_lanes[256] = {LANES_64(0u), LANES_64(64u), LANES_64(128u),
                                         LANES_64(192u)};

#endif
