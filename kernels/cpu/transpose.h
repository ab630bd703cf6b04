/*
 * transpose.h - panel matrices turned over, in blocks of 16 x 16.
 *
 * A block is 16 rows of one panel, 256 contiguous floats, on both sides. Blocks at the edge are filled up with
 * +0 on the way in, which writes the padding of the result.
 */
#ifndef KERN_CPU_TRANSPOSE_H
#define KERN_CPU_TRANSPOSE_H

#include <stdint.h>
#include <string.h>

#include "kernels/cpu/vec.h"

enum { BLOCK_FLOATS = KERN_PANEL * KERN_PANEL };

#ifdef __AVX2__

/* 8 rows of 8 become 8 columns. */
ALWAYS_INLINE void turn_rows_8(__m256 row[8])
{
    __m256 pair[8], quad[8];

    UNROLL_ALL
    for (int i = 0; i < 4; i++) {
        pair[2 * i] = _mm256_unpacklo_ps(row[2 * i], row[2 * i + 1]);
        pair[2 * i + 1] = _mm256_unpackhi_ps(row[2 * i], row[2 * i + 1]);
    }
    UNROLL_ALL
    for (int i = 0; i < 2; i++) {
        quad[4 * i] = _mm256_shuffle_ps(pair[4 * i], pair[4 * i + 2], 0x44);
        quad[4 * i + 1] = _mm256_shuffle_ps(pair[4 * i], pair[4 * i + 2], 0xee);
        quad[4 * i + 2] = _mm256_shuffle_ps(pair[4 * i + 1], pair[4 * i + 3], 0x44);
        quad[4 * i + 3] = _mm256_shuffle_ps(pair[4 * i + 1], pair[4 * i + 3], 0xee);
    }
    UNROLL_ALL
    for (int i = 0; i < 4; i++) {
        row[i] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x20);
        row[i + 4] = _mm256_permute2f128_ps(quad[i], quad[i + 4], 0x31);
    }
}

/* out[c][r] = row[r][c] of an 8 x 8 corner; out lies in a block 16 wide. */
ALWAYS_INLINE void turn_corner(float *out, const float *const row_at[8])
{
    __m256 row[8];

    UNROLL_ALL
    for (int i = 0; i < 8; i++)
        row[i] = _mm256_loadu_ps(row_at[i]);
    turn_rows_8(row);
    UNROLL_ALL
    for (int i = 0; i < 8; i++)
        _mm256_storeu_ps(out + i * KERN_PANEL, row[i]);
}

/* out and in do not overlap. */
static void turn_block(float *out, const float *in)
{
    for (int r = 0; r < KERN_PANEL; r += 8)
        for (int c = 0; c < KERN_PANEL; c += 8) {
            const float *row_at[8];
            UNROLL_ALL
            for (int i = 0; i < 8; i++)
                row_at[i] = in + (r + i) * KERN_PANEL + c;
            turn_corner(out + c * KERN_PANEL + r, row_at);
        }
}

/* The same for rows pick[0 ... 15] of a panel. */
static inline void turn_picked(float *out, const float *panel, const uint16_t *pick)
{
    for (int r = 0; r < KERN_PANEL; r += 8)
        for (int c = 0; c < KERN_PANEL; c += 8) {
            const float *row_at[8];
            UNROLL_ALL
            for (int i = 0; i < 8; i++)
                row_at[i] = panel + (size_t) pick[r + i] * KERN_PANEL + c;
            turn_corner(out + c * KERN_PANEL + r, row_at);
        }
}

#else

static void turn_block(float *out, const float *in)
{
    for (int r = 0; r < KERN_PANEL; r++)
        for (int c = 0; c < KERN_PANEL; c++)
            out[c * KERN_PANEL + r] = in[r * KERN_PANEL + c];
}

#endif

#ifdef __AVX512F__

/* 4 floats of each of the rows 0, 4, 8 and 12 after this one. */
ALWAYS_INLINE __m512 four_rows(const float *in)
{
    const __m256 low = _mm256_set_m128(_mm_loadu_ps(in + 4 * KERN_PANEL), _mm_loadu_ps(in));
    const __m256 high =
        _mm256_set_m128(_mm_loadu_ps(in + 12 * KERN_PANEL), _mm_loadu_ps(in + 8 * KERN_PANEL));

    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

/* turn_block for who reads whole rows right after it: they are stored whole, since a load waits for two stores. */
static void turn_wide(float *out, const float *in)
{
    for (const float *end = in + KERN_PANEL; in < end; in += 4, out += 4 * KERN_PANEL) {
        const __m512 row0 = four_rows(in), row1 = four_rows(in + KERN_PANEL),
                     row2 = four_rows(in + 2 * KERN_PANEL), row3 = four_rows(in + 3 * KERN_PANEL);
        const __m512 low01 = _mm512_unpacklo_ps(row0, row1),
                     high01 = _mm512_unpackhi_ps(row0, row1),
                     low23 = _mm512_unpacklo_ps(row2, row3),
                     high23 = _mm512_unpackhi_ps(row2, row3);
        _mm512_storeu_ps(out, _mm512_shuffle_ps(low01, low23, 0x44));
        _mm512_storeu_ps(out + KERN_PANEL, _mm512_shuffle_ps(low01, low23, 0xee));
        _mm512_storeu_ps(out + 2 * KERN_PANEL, _mm512_shuffle_ps(high01, high23, 0x44));
        _mm512_storeu_ps(out + 3 * KERN_PANEL, _mm512_shuffle_ps(high01, high23, 0xee));
    }
}

#else

static void turn_wide(float *out, const float *in)
{
    turn_block(out, in);
}

#endif

/* The block of in (in_rows rows of a panel, at most 16 count) turned; only out_rows rows of out are written. */
static void turn_part(float *out, const float *in, size_t in_rows, size_t out_rows)
{
    _Alignas(64) float from[BLOCK_FLOATS], to[BLOCK_FLOATS];

    if (in_rows >= KERN_PANEL && out_rows >= KERN_PANEL) {
        turn_block(out, in);
        return;
    }
    memset(from, 0, sizeof from);
    memcpy(from, in, (in_rows < KERN_PANEL ? in_rows : KERN_PANEL) * KERN_PANEL * sizeof *in);
    turn_block(to, from);
    memcpy(out, to, (out_rows < KERN_PANEL ? out_rows : KERN_PANEL) * KERN_PANEL * sizeof *out);
}

/* Rows [row, row + 16) of in (rows x cols): one panel of out (cols x rows). */
static void turn_rows(float *out, const float *in, size_t rows, size_t cols, size_t row)
{
    for (size_t c = 0; c < cols; c += KERN_PANEL)
        turn_part(out + row * cols + c * KERN_PANEL, in + c * rows + row * KERN_PANEL, rows - row,
                  cols - c);
}

static void cpu_transpose(float *out, const float *in, int rows, int cols)
{
    for (size_t r = 0; r < (size_t) rows; r += KERN_PANEL)
        turn_rows(out, in, (size_t) rows, (size_t) cols, r);
}

#endif
