/*
 * vec.h - a vector of VEC_LANES floats in the widest registers of the instance, and the tile that suits them.
 *
 * TILE_ROWS rows of TILE_PANELS panels of C stay in registers while k runs: 12 accumulators with AVX2, 24 with
 * AVX-512. KERN_TWO_PANEL_INSTANCE (tests only) gives AVX2 vectors the shape of AVX-512's tile.
 * EACH_TILE_ROWS(X) expands X(1) ... X(TILE_ROWS).
 */
#ifndef KERN_CPU_VEC_H
#define KERN_CPU_VEC_H

#include <math.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "kernels/contract.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define RESTRICT __restrict__

/* Accumulators must be registers: clang ignores GCC's pragma and would keep them in memory. */
#if defined(__clang__)
#define UNROLL_ALL _Pragma("clang loop unroll(full)")
#define UNROLL_MANY _Pragma("clang loop unroll(full)")
#define UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL_ALL _Pragma("GCC unroll 16")
#define UNROLL_MANY _Pragma("GCC unroll 32")
#define UNROLL_4 _Pragma("GCC unroll 4")
#endif

/* clang-format off */
#define EACH_TO_3(X) X(1) X(2) X(3)
#define EACH_TO_6(X) EACH_TO_3(X) X(4) X(5) X(6)
#define EACH_TO_12(X) EACH_TO_6(X) X(7) X(8) X(9) X(10) X(11) X(12)
/* clang-format on */

#if defined(__AVX512F__)

enum { VEC_LANES = 16, TILE_ROWS = 12, TILE_PANELS = 2 };
#define EACH_TILE_ROWS EACH_TO_12

typedef __m512 vec;

ALWAYS_INLINE vec vec_zero(void)
{
    return _mm512_setzero_ps();
}

ALWAYS_INLINE vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

ALWAYS_INLINE void vec_store(float *p, vec x)
{
    _mm512_storeu_ps(p, x);
}

ALWAYS_INLINE vec vec_spread(const float *p)
{
    return _mm512_set1_ps(*p);
}

ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

/* test <= 0 ? +0 : x */
ALWAYS_INLINE vec vec_drop(vec x, vec test)
{
    const __mmask16 keep = _mm512_cmp_ps_mask(test, _mm512_setzero_ps(), _CMP_NLE_UQ);
    return _mm512_maskz_mov_ps(keep, x);
}

/* a > b ? a : b */
ALWAYS_INLINE vec vec_larger(vec a, vec b)
{
    return _mm512_max_ps(a, b);
}

/* a > b ? x : y */
ALWAYS_INLINE vec vec_where_larger(vec a, vec b, vec x, vec y)
{
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), x);
}

/* a == b ? x : +0 */
ALWAYS_INLINE vec vec_where_equal(vec a, vec b, vec x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), x);
}

/* a == b ? +0 : x */
ALWAYS_INLINE vec vec_where_other(vec a, vec b, vec x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ), x);
}

#elif defined(__AVX2__)

#ifdef KERN_TWO_PANEL_INSTANCE
enum { VEC_LANES = 8, TILE_ROWS = 3, TILE_PANELS = 2 };
#define EACH_TILE_ROWS EACH_TO_3
#else
enum { VEC_LANES = 8, TILE_ROWS = 6, TILE_PANELS = 1 };
#define EACH_TILE_ROWS EACH_TO_6
#endif

typedef __m256 vec;

ALWAYS_INLINE vec vec_zero(void)
{
    return _mm256_setzero_ps();
}

ALWAYS_INLINE vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

ALWAYS_INLINE void vec_store(float *p, vec x)
{
    _mm256_storeu_ps(p, x);
}

ALWAYS_INLINE vec vec_spread(const float *p)
{
    return _mm256_broadcast_ss(p);
}

ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

/* test <= 0 ? +0 : x */
ALWAYS_INLINE vec vec_drop(vec x, vec test)
{
    return _mm256_andnot_ps(_mm256_cmp_ps(test, _mm256_setzero_ps(), _CMP_LE_OQ), x);
}

/* a > b ? a : b */
ALWAYS_INLINE vec vec_larger(vec a, vec b)
{
    return _mm256_max_ps(a, b);
}

/* a > b ? x : y */
ALWAYS_INLINE vec vec_where_larger(vec a, vec b, vec x, vec y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}

/* a == b ? x : +0 */
ALWAYS_INLINE vec vec_where_equal(vec a, vec b, vec x)
{
    return _mm256_and_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ), x);
}

/* a == b ? +0 : x */
ALWAYS_INLINE vec vec_where_other(vec a, vec b, vec x)
{
    return _mm256_andnot_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ), x);
}

#else

/* Portable: four lanes, which compilers turn into one register where fma is an instruction. */
enum { VEC_LANES = 4, TILE_ROWS = 3, TILE_PANELS = 1 };
#define EACH_TILE_ROWS EACH_TO_3

typedef struct {
    float lane[VEC_LANES];
} vec;

ALWAYS_INLINE vec vec_zero(void)
{
    return (vec){{0}};
}

ALWAYS_INLINE vec vec_load(const float *p)
{
    vec x;
    memcpy(&x, p, sizeof x);
    return x;
}

ALWAYS_INLINE void vec_store(float *p, vec x)
{
    memcpy(p, &x, sizeof x);
}

ALWAYS_INLINE vec vec_spread(const float *p)
{
    return (vec){{*p, *p, *p, *p}};
}

ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
    for (int i = 0; i < VEC_LANES; i++)
        c.lane[i] = fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return c;
}

ALWAYS_INLINE vec vec_add(vec a, vec b)
{
    for (int i = 0; i < VEC_LANES; i++)
        a.lane[i] += b.lane[i];
    return a;
}

/* test <= 0 ? +0 : x */
ALWAYS_INLINE vec vec_drop(vec x, vec test)
{
    for (int i = 0; i < VEC_LANES; i++)
        x.lane[i] = test.lane[i] <= 0.0f ? 0.0f : x.lane[i];
    return x;
}

/* a > b ? a : b */
ALWAYS_INLINE vec vec_larger(vec a, vec b)
{
    for (int i = 0; i < VEC_LANES; i++)
        a.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
    return a;
}

/* a > b ? x : y */
ALWAYS_INLINE vec vec_where_larger(vec a, vec b, vec x, vec y)
{
    for (int i = 0; i < VEC_LANES; i++)
        y.lane[i] = a.lane[i] > b.lane[i] ? x.lane[i] : y.lane[i];
    return y;
}

/* a == b ? x : +0 */
ALWAYS_INLINE vec vec_where_equal(vec a, vec b, vec x)
{
    for (int i = 0; i < VEC_LANES; i++)
        x.lane[i] = a.lane[i] == b.lane[i] ? x.lane[i] : 0.0f;
    return x;
}

/* a == b ? +0 : x */
ALWAYS_INLINE vec vec_where_other(vec a, vec b, vec x)
{
    for (int i = 0; i < VEC_LANES; i++)
        x.lane[i] = a.lane[i] == b.lane[i] ? 0.0f : x.lane[i];
    return x;
}

#endif

enum { VECS_PER_ROW = KERN_PANEL / VEC_LANES };

#endif
