/*
 * mt19937.h - the Mersenne Twister, as PyTorch's CPU generator uses it.
 *
 * Source of the algorithm and constants: Matsumoto, Nishimura, "Mersenne Twister: a 623-dimensionally
 * equidistributed uniform pseudo-random number generator" (ACM TOMACS 8, 1998), seeded as in its revision of 2002.
 * torch.manual_seed(seed) uses the low 32 bits of the seed. A stream, not a function of a place: what is drawn
 * depends on all that was drawn before, so its state is part of a checkpoint.
 */
#ifndef KERN_MATH_MT19937_H
#define KERN_MATH_MT19937_H

#include <stdint.h>

#include "kernels/contract.h"

enum { KERN_MT_WORDS = 624, KERN_MT_SHIFT = 397 };

struct kern_mt19937 {
    uint32_t state[KERN_MT_WORDS];
    uint32_t
        next; /* word of the state that is drawn next; KERN_MT_WORDS: none is left of this round */
};

KERN_FN void kern_mt_seed(struct kern_mt19937 *mt, uint64_t seed)
{
    uint32_t word = (uint32_t) seed;

    for (uint32_t i = 0; i < KERN_MT_WORDS; i++) {
        mt->state[i] = word;
        word = 1812433253u * (word ^ word >> 30) + i + 1;
    }
    mt->next = KERN_MT_WORDS;
}

KERN_FN uint32_t kern_mt_twist(uint32_t far, uint32_t high, uint32_t low)
{
    const uint32_t mixed = (high & 0x80000000u) | (low & 0x7fffffffu);
    return far ^ mixed >> 1 ^ (0x9908b0dfu & (0u - (low & 1u)));
}

/* The next 624 words of state; each half of the loop reads what is `KERN_MT_SHIFT` further, round the end. */
KERN_FN void kern_mt_round(struct kern_mt19937 *mt)
{
    uint32_t *s = mt->state;
    const int rest = KERN_MT_WORDS - KERN_MT_SHIFT;

    for (int i = 0; i < rest; i++)
        s[i] = kern_mt_twist(s[i + KERN_MT_SHIFT], s[i], s[i + 1]);
    for (int i = rest; i < KERN_MT_WORDS - 1; i++)
        s[i] = kern_mt_twist(s[i - rest], s[i], s[i + 1]);
    s[KERN_MT_WORDS - 1] = kern_mt_twist(s[KERN_MT_SHIFT - 1], s[KERN_MT_WORDS - 1], s[0]);
    mt->next = 0;
}

KERN_FN uint32_t kern_mt_draw(struct kern_mt19937 *mt)
{
    if (mt->next >= KERN_MT_WORDS)
        kern_mt_round(mt);
    uint32_t word = mt->state[mt->next++];
    word ^= word >> 11;
    word ^= word << 7 & 0x9d2c5680u;
    word ^= word << 15 & 0xefc60000u;
    return word ^ word >> 18;
}

/* PyTorch's random64: the word drawn first is the high one. */
KERN_FN uint64_t kern_mt_draw64(struct kern_mt19937 *mt)
{
    const uint64_t high = kern_mt_draw(mt);
    return high << 32 | kern_mt_draw(mt);
}

/* PyTorch's float in [0, 1): the low 24 bits times 2^-24. */
KERN_FN float kern_mt_uniform(struct kern_mt19937 *mt)
{
    return (float) (kern_mt_draw(mt) & 0xffffffu) * 0x1p-24f;
}

/* PyTorch's double in [0, 1), which a mask is drawn by: the low 53 bits of 64 times 2^-53. */
KERN_FN double kern_mt_uniform53(struct kern_mt19937 *mt)
{
    return (double) (kern_mt_draw64(mt) & 0x1fffffffffffffu) * 0x1p-53;
}

#endif
