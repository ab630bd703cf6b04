/*
 * box_muller.h - two standard normal numbers from two random words, in one straight line: no rejection, no branch,
 * no libm, so that a vector of them is computed at once.
 *
 * Box and Muller, "A note on the generation of random normal deviates" (Annals of Mathematical Statistics 29, 1958):
 * a radius sqrt(-2 log u) and an angle. u = (top 24 bits + 1) * 2^-24 of the first word, so no number is beyond
 * +-5.77 (of true normal ones 8 in 10^9 are). Of the second word the top two bits are the quadrant, the next 24 the
 * place in it, (bits + 1/2) * 2^-24 - 1/2 = a, and the angle in the quadrant is a * pi / 2.
 *
 *   sine a * P(a^2), cosine 1 + a^2 Q(a^2): minimax fits made for this file (Remez exchange in 40 digits, then
 *   rounded to float). Both at most 1.1 ulp off; a number is at most 3 ulp off the formula's exact value for its words.
 */
#ifndef KERN_MATH_BOX_MULLER_H
#define KERN_MATH_BOX_MULLER_H

#include "kernels/math/elementary.h"

/* sin(a pi / 2) and cos(a pi / 2) for |a| <= 1/2 */
KERN_FN float kern_quadrant_sine(float a)
{
    const float z = a * a;
    float p = -0x1.2d9302p-8f;

    p = fmaf(p, z, 0x1.465e92p-4f);
    p = fmaf(p, z, -0x1.4abbbap-1f);
    p = fmaf(p, z, -0x1.a32bd0p-25f);
    return fmaf(a, 0x1.921fb6p+0f, a * p);
}

KERN_FN float kern_quadrant_cosine(float a)
{
    const float z = a * a;
    float q = 0x1.d9d57ep-11f;

    q = fmaf(q, z, -0x1.55c5e0p-6f);
    q = fmaf(q, z, 0x1.03c1dep-2f);
    q = fmaf(q, z, -0x1.3bd3ccp+0f);
    return fmaf(z, q, 1.0f);
}

KERN_FN void kern_box_muller(float *first, float *second, uint32_t radius, uint32_t angle)
{
    const float u = (float) ((int32_t) (radius >> 8) + 1) * 0x1p-24f;
    const float r = sqrtf(-2.0f * kern_log(u));
    const int32_t place = (int32_t) (angle >> 6 & 0xffffff) - 0x800000;
    const float a = (float) (2 * place + 1) * 0x1p-25f;
    const float s = kern_quadrant_sine(a), c = kern_quadrant_cosine(a);
    const int odd = (angle >> 30 & 1) != 0;    /* a quarter turn: (c, s) becomes (-s, c) */
    const uint32_t half = angle & 0x80000000u; /* half a turn: both signs */
    const float x = odd ? -s : c, y = odd ? c : s;

    *first = kern_float(kern_bits(r * x) ^ half);
    *second = kern_float(kern_bits(r * y) ^ half);
}

#endif
