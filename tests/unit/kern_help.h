/*
 * kern_help.h - what the tests of kernels/ share: numbers that provoke mistakes, buffers with guards, and the
 * instances to compare with "ref".
 */
#ifndef TESTS_KERN_HELP_H
#define TESTS_KERN_HELP_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "kernels/backend_impl.h"

enum { GUARD = 64, MAX_INSTANCES = 8 };

/* Every instance this machine can run, and the one that exists for tests; NULL-terminated. */
static inline const struct kern_ops *const *test_instances(void)
{
    static const struct kern_ops *found[MAX_INSTANCES];
    int count = 0;

    for (const struct kern_ops *const *k = kern_cpu_instances(); *k; k++)
        found[count++] = *k;
#ifdef KERN_TWO_PANEL
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[count++] = &kern_cpu_two_panel;
#endif
    found[count] = NULL;
    return found;
}

static inline uint32_t test_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Mostly in [-1, 1); one in eight is 0, some are -0 or so small that products underflow. */
static inline float test_number(uint32_t *state)
{
    const uint32_t kind = test_random(state) % 64;
    const float x = (float) (test_random(state) >> 8) * 0x1p-23f - 1.0f;

    if (kind < 6)
        return 0.0f;
    if (kind < 8)
        return -0.0f;
    if (kind < 12)
        return x * 1e-30f;
    return x;
}

/* Room for count floats and a guard, all NaN. */
static inline float *test_buffer(size_t count)
{
    float *p = cs_alloc_aligned(count + GUARD, sizeof *p);

    assert_non_null(p);
    for (size_t i = 0; i < count + GUARD; i++)
        p[i] = NAN;
    return p;
}

/* The same bits, guard included. */
static inline float *test_copy(const float *from, size_t count)
{
    float *p = test_buffer(count);

    memcpy(p, from, (count + GUARD) * sizeof *p);
    return p;
}

/* A panel matrix of numbers, its padding +0. */
static inline void test_fill(float *x, size_t rows, size_t cols, uint32_t *state)
{
    for (size_t c = 0; c < kern_pad(cols); c++)
        for (size_t r = 0; r < rows; r++)
            x[kern_at(rows, r, c)] = c < cols ? test_number(state) : 0.0f;
}

/* Floats per trial of a matrix, and a gap behind it so that a wrong stride shows. */
static inline size_t test_stride(size_t rows, size_t cols)
{
    return rows * kern_pad(cols) + KERN_PANEL;
}

/* Trials of a panel matrix; the gaps stay NaN. */
static inline float *test_matrices(int trials, int rows, int cols, uint32_t *state)
{
    const size_t stride = test_stride((size_t) rows, (size_t) cols);
    float *x = test_buffer((size_t) trials * stride);

    for (size_t t = 0; t < (size_t) trials; t++)
        test_fill(x + t * stride, (size_t) rows, (size_t) cols, state);
    return x;
}

/* Whether count floats and the guard have equal bits; says where not. */
static inline bool test_equal(const float *is, const float *want, size_t count, const char *what)
{
    if (memcmp(is, want, (count + GUARD) * sizeof *is) == 0)
        return true;
    for (size_t i = 0; i < count + GUARD; i++)
        if (memcmp(is + i, want + i, sizeof *is) != 0) {
            print_error("%s: float %zu of %zu is %a, not %a\n", what, i, count, (double) is[i],
                        (double) want[i]);
            break;
        }
    return false;
}

#endif
