/*
 * vec_exp.h - differences, products and quotients of vectors, and exponentials of what is at most 0 (kern_exp_below).
 */
#ifndef KERN_CPU_VEC_EXP_H
#define KERN_CPU_VEC_EXP_H

#include "kernels/cpu/vec.h"
#include "kernels/math/elementary.h"

#if defined(__AVX512F__)

ALWAYS_INLINE vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

ALWAYS_INLINE vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}

ALWAYS_INLINE vec vec_div(vec a, vec b)
{
    return _mm512_div_ps(a, b);
}

/* e 2^n, rounded once where that is denormal; t = n + KERN_EXP_SHIFT. */
ALWAYS_INLINE vec vec_scale(vec e, vec t, vec n)
{
    (void) t;
    return _mm512_scalef_ps(e, n);
}

#elif defined(__AVX2__)

ALWAYS_INLINE vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

ALWAYS_INLINE vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}

ALWAYS_INLINE vec vec_div(vec a, vec b)
{
    return _mm256_div_ps(a, b);
}

ALWAYS_INLINE vec vec_scale(vec e, vec t, vec n)
{
    const vec two = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 23));

    (void) n;
    return _mm256_mul_ps(_mm256_mul_ps(e, two), _mm256_set1_ps(0x1p-64f));
}

#else

ALWAYS_INLINE vec vec_sub(vec a, vec b)
{
    for (int i = 0; i < VEC_LANES; i++)
        a.lane[i] -= b.lane[i];
    return a;
}

ALWAYS_INLINE vec vec_mul(vec a, vec b)
{
    for (int i = 0; i < VEC_LANES; i++)
        a.lane[i] *= b.lane[i];
    return a;
}

ALWAYS_INLINE vec vec_div(vec a, vec b)
{
    for (int i = 0; i < VEC_LANES; i++)
        a.lane[i] /= b.lane[i];
    return a;
}

#endif

ALWAYS_INLINE vec vec_number(float x)
{
    return vec_spread(&x);
}

#ifdef __AVX2__

/* kern_exp_below of each lane, operation by operation. */
ALWAYS_INLINE vec vec_exp_below(vec x)
{
    const vec shift = vec_number(KERN_EXP_SHIFT);

    x = vec_larger(vec_number(-104.0f), x);
    const vec t = vec_fma(x, vec_number(KERN_LOG2_E), shift), n = vec_sub(t, shift);
    vec r = vec_fma(n, vec_number(-KERN_LN2_HI), x), q = vec_number(KERN_EXP_6);
    r = vec_fma(n, vec_number(-KERN_LN2_LO), r);
    q = vec_fma(q, r, vec_number(KERN_EXP_5));
    q = vec_fma(q, r, vec_number(KERN_EXP_4));
    q = vec_fma(q, r, vec_number(KERN_EXP_3));
    q = vec_fma(q, r, vec_number(KERN_EXP_2));
    q = vec_fma(q, vec_mul(r, r), r);
    return vec_scale(vec_add(q, vec_number(1.0f)), t, n);
}

#else

ALWAYS_INLINE vec vec_exp_below(vec x)
{
    for (int i = 0; i < VEC_LANES; i++)
        x.lane[i] = kern_exp_below(x.lane[i]);
    return x;
}

#endif

#endif
