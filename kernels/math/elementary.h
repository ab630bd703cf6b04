/*
 * elementary.h - exp and log in single precision, the same bits everywhere.
 *
 * Each is one straight line of IEEE operations and explicit fma's, so any compiler, vector width or device gives
 * the same result; libm's are not used because they differ between versions. The polynomials are minimax fits
 * in relative error made for this file (Remez exchange in 30 digits, then rounded to float).
 *
 *   kern_exp  at most 1.01 ulp off. exp(-inf) = +0, exp(+inf) = +inf. Results below 2^-126 are denormal and
 *             rounded twice (still within 1 ulp of 2^-149); below about -103.97 they are +0; above 88.7229, +inf.
 *   kern_exp_below  kern_exp for x <= 0, in fewer operations.
 *   kern_log  at most 0.9 ulp off. log(+-0) = -inf, log(x < 0) = NaN, log(+inf) = +inf. Denormals are exact inputs.
 *   kern_expm1    at most 1.6 ulp off for x <= 88; above 88.02, +inf.
 *   kern_log1p    at most 1.5 ulp off for x >= 0, which is all it is for.
 *   kern_sigmoid  1 / (1 + exp(-x)), at most 2.5 ulp off for x >= -87; below about -88.7, +0.
 *   kern_tanh     at most 2.7 ulp off, odd, 1 from about 9.01 on.
 *   kern_erf      at most 1.4 ulp off, odd, 1 from about 3.83 on.
 *
 * A NaN passes through all; its payload is not promised.
 */
#ifndef KERN_MATH_ELEMENTARY_H
#define KERN_MATH_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/contract.h"

#define KERN_LN2_HI 0x1.62e430p-1f /* ln 2 = HI + LO to 2^-54 */
#define KERN_LN2_LO -0x1.05c610p-29f
#define KERN_LOG2_E 0x1.715476p+0f
#define KERN_EXP_2 0x1.fffffcp-2f /* exp(r) = 1 + r + r^2 (EXP_2 + EXP_3 r + ...) */
#define KERN_EXP_3 0x1.555492p-3f
#define KERN_EXP_4 0x1.5558f2p-5f
#define KERN_EXP_5 0x1.123a20p-7f
#define KERN_EXP_6 0x1.6a23d0p-10f
#define KERN_EXP_SHIFT (0x1.8p23f + 191.0f) /* of kern_exp_below; 191 = 127 + 64 */

KERN_FN uint32_t kern_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

KERN_FN float kern_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(r) - 1 with r = x - n ln 2, |r| <= ln 2 / 2 */
KERN_FN float kern_exp_rest(float x, float n)
{
    float r = fmaf(n, -KERN_LN2_HI, x), q = KERN_EXP_6;

    r = fmaf(n, -KERN_LN2_LO, r);
    q = fmaf(q, r, KERN_EXP_5);
    q = fmaf(q, r, KERN_EXP_4);
    q = fmaf(q, r, KERN_EXP_3);
    q = fmaf(q, r, KERN_EXP_2);
    return fmaf(q, r * r, r);
}

/* exp(r) - 1 with x = n ln 2 + r, n = round(x / ln 2); for |x| < 2^15. */
KERN_FN float kern_exp_reduced(int32_t *n, float x)
{
    const float shift = 0x1.8p23f; /* adding it rounds to an integer, kept in the low bits */
    const float t = fmaf(x, KERN_LOG2_E, shift);

    *n = (int32_t) (kern_bits(t) - kern_bits(shift));
    return kern_exp_rest(x, t - shift);
}

/* 2^n exp(r), 2^n in two factors, so that both are normal. */
KERN_FN float kern_exp(float x)
{
    int32_t n;
    uint32_t whole, half;

    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    const float e = kern_exp_reduced(&n, x) + 1.0f;
    whole = (uint32_t) (n + 256); /* > 0 */
    half = whole >> 1;
    return e * kern_float((half - 1) << 23) * kern_float((whole - half - 1) << 23);
}

/*
 * kern_exp(x) for x <= 0, the same bits in fewer operations. n stays in the low bits of t, which become the exponent of
 * 2^(n + 64); what is left, 2^-64, rounds where the result is denormal and only there, as kern_exp's second factor does.
 */
KERN_FN float kern_exp_below(float x)
{
    x = x < -104.0f ? -104.0f : x;
    const float t = fmaf(x, KERN_LOG2_E, KERN_EXP_SHIFT);
    const float e = kern_exp_rest(x, t - KERN_EXP_SHIFT) + 1.0f;
    return e * kern_float(kern_bits(t) << 23) * 0x1p-64f;
}

/* log(x) = k ln 2 + log(1 + f), 1 + f in [sqrt(1/2), sqrt(2)) */
KERN_FN float kern_log(float x)
{
    const uint32_t root = 0x3f3504f3u; /* sqrt(1/2) */
    const int tiny = x < 0x1p-126f;
    const float scaled = tiny ? x * 0x1p25f : x;
    const uint32_t from_root = kern_bits(scaled) - root;
    const float k = (float) ((int32_t) from_root >> 23) - (tiny ? 25.0f : 0.0f);
    const float f = kern_float((from_root & 0x7fffffu) + root) - 1.0f;
    const float ff = f * f;
    float q, y;

    q = 0x1.1457aep-4f;
    q = fmaf(q, f, -0x1.de4480p-4f);
    q = fmaf(q, f, 0x1.e6f4e8p-4f);
    q = fmaf(q, f, -0x1.fc2112p-4f);
    q = fmaf(q, f, 0x1.233710p-3f);
    q = fmaf(q, f, -0x1.555c50p-3f);
    q = fmaf(q, f, 0x1.99a4bap-3f);
    q = fmaf(q, f, -0x1.000006p-2f);
    q = fmaf(q, f, 0x1.555548p-2f);
    y = q * f * ff;
    y = fmaf(k, KERN_LN2_LO, y);
    y = fmaf(ff, -0.5f, y);
    y = fmaf(k, KERN_LN2_HI, f + y);
    y = x == INFINITY ? INFINITY : y;
    y = x == 0.0f ? -INFINITY : y;
    return x >= 0.0f ? y : x - x + NAN;
}

/* exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1) */
KERN_FN float kern_expm1(float x)
{
    const float given = x;
    int32_t n;

    x = x < -30.0f ? -30.0f : x;
    x = x > 88.0f ? 88.0f : x;
    const float q = kern_exp_reduced(&n, x), two_n = kern_float((uint32_t) (n + 127) << 23);
    return given > 88.02f ? INFINITY : fmaf(two_n, q, two_n - 1.0f);
}

/* log(1 + x) for x >= 0: of the rounded sum, and what the rounding lost. */
KERN_FN float kern_log1p(float x)
{
    const float sum = 1.0f + x;
    const float lost = x < 0x1p24f ? x - (sum - 1.0f) : 0.0f;

    return kern_log(sum) + lost / sum;
}

KERN_FN float kern_sigmoid(float x)
{
    return 1.0f / (1.0f + kern_exp(-x));
}

/* (exp(2|x|) - 1) / (exp(2|x|) + 1), with x's sign */
KERN_FN float kern_tanh(float x)
{
    const float a = fabsf(x), bounded = a > 10.0f ? 10.0f : a;
    const float e = kern_expm1(bounded + bounded);

    return copysignf(e / (e + 2.0f), x);
}

/*
 * Below 0.9277 x + x P(x^2), above 1 - exp(-Q(|x|)); both polynomials are fits of least largest error made for this
 * file.
 */
KERN_FN float kern_erf(float x)
{
    const float a = fabsf(x), z = x * x, bounded = a > 4.0f ? 4.0f : a;
    float p, q;

    p = 0x1.5d7470p-14f;
    p = fmaf(p, z, -0x1.aa6f02p-11f);
    p = fmaf(p, z, 0x1.54cd4cp-8f);
    p = fmaf(p, z, -0x1.b80f1cp-6f);
    p = fmaf(p, z, 0x1.ce2e10p-4f);
    p = fmaf(p, z, -0x1.812742p-2f);
    p = fmaf(p, z, 0x1.06eba8p-3f);
    p = fmaf(p, x, x);
    q = 0x1.638536p-16f;
    q = fmaf(q, bounded, -0x1.c8ba1cp-12f);
    q = fmaf(q, bounded, 0x1.11b4d4p-8f);
    q = fmaf(q, bounded, -0x1.9bc9d4p-6f);
    q = fmaf(q, bounded, 0x1.bb9adcp-4f);
    q = fmaf(q, bounded, 0x1.444370p-1f);
    q = fmaf(q, bounded, 0x1.21288ap+0f);
    q = fmaf(q, bounded, -0x1.72a660p-13f);
    q = copysignf(1.0f - kern_exp(-q), x);
    return a < 0x1.db0000p-1f ? p : q;
}

#endif
