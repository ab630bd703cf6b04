/*
 * lists.h - the nonzeros of an operand of a product, packed (AVX2 and AVX-512).
 *
 * A *line* is one row of A or one column of B: K numbers. K is cut into blocks; per block and line there is a
 * list of (value, offset), the offset being that of row k of the other operand in its panel, in bytes from the
 * block's first row. Lists lie in the order in which they are walked, blocks outside, lines inside, each filled up
 * to a multiple of 4 with (0, 0): a term that changes no finite sum. The comparison keeps NaN.
 *
 * Blocks are multiples of 16 and as even as that allows. Columns past an operand's last are +0 (contract) and
 * so never in a list. Idea of the packing by a table of permutations: Lemire and others' decoders of integer lists.
 *
 * Memory is one struct lists per thread, LIST_ENTRIES long: products take as many lines at a time as fit.
 */
#ifndef KERN_CPU_LISTS_H
#define KERN_CPU_LISTS_H

#ifndef __AVX512F__
#include "kernels/cpu/mask_lanes.h"
#endif
#include "kernels/cpu/transpose.h"

enum {
    LIST_ENTRIES = 1 << 16,
    LIST_SLACK = 16, /* packing stores as many at a time at most */
    LIST_BLOCK_MAX = 144,
    ROW_BYTES = KERN_PANEL * sizeof(float),
};

struct lists {
    size_t lines, groups, blocks; /* groups: of 16 k */
    float value[LIST_ENTRIES + LIST_SLACK];
    uint16_t offset[LIST_ENTRIES + LIST_SLACK];
    uint16_t count[LIST_ENTRIES / KERN_PANEL]; /* [block][line], multiples of 4 */
    uint32_t start[LIST_ENTRIES / KERN_PANEL]; /* [block]: of its first list */
    _Alignas(64) float turned[LIST_BLOCK_MAX * KERN_PANEL];
};

/* First k of a block, in groups of 16. */
ALWAYS_INLINE size_t block_begin(const struct lists *l, size_t block)
{
    return block * l->groups / l->blocks;
}

#ifdef __AVX512F__

/* The nonzeros of 16 numbers whose offsets are `offsets`; how many. Compressed in registers: straight to memory
 * is slow on Zen 4. */
ALWAYS_INLINE size_t pack_16(float *value, uint16_t *offset, const float *line, __m512i offsets)
{
    const __m512 x = _mm512_loadu_ps(line);
    const __mmask16 mask = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);

    _mm512_storeu_ps(value, _mm512_maskz_compress_ps(mask, x));
    _mm256_storeu_si256((__m256i *) (void *) offset,
                        _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(mask, offsets)));
    return (size_t) __builtin_popcount(mask);
}

/* The nonzeros of `groups` groups of 16 numbers, `stride` floats apart; how many. */
static size_t pack_groups(float *value, uint16_t *offset, const float *line, size_t groups,
                          size_t stride)
{
    const __m512i ramp = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i offsets = _mm512_mullo_epi32(ramp, _mm512_set1_epi32(ROW_BYTES));
    size_t n = 0;

    for (size_t g = 0; g < groups; g++) {
        n += pack_16(value + n, offset + n, line + g * stride, offsets);
        offsets = _mm512_add_epi32(offsets, _mm512_set1_epi32(KERN_PANEL * ROW_BYTES));
    }
    return n;
}

ALWAYS_INLINE int count_zeros(const float *piece)
{
    return __builtin_popcount(
        _mm512_cmp_ps_mask(_mm512_loadu_ps(piece), _mm512_setzero_ps(), _CMP_EQ_OQ));
}

/* Is any of 16 numbers not <= 0? */
ALWAYS_INLINE bool any_above_zero(const float *piece)
{
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(piece), _mm512_setzero_ps(), _CMP_NLE_UQ) != 0;
}

#else

/* The nonzeros of 8 numbers whose offsets are `offsets`; how many. */
ALWAYS_INLINE size_t pack_8(float *value, uint16_t *offset, __m256 x, __m128i offsets)
{
    const int mask = _mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NEQ_UQ));
    const __m128i lanes = _mm_loadl_epi64((const __m128i *) (const void *) &mask_lanes[mask]);
    const __m128i bytes = _mm_add_epi16(
        _mm_mullo_epi16(_mm_cvtepu8_epi16(lanes), _mm_set1_epi16(0x0202)), _mm_set1_epi16(0x0100));

    _mm256_storeu_ps(value, _mm256_permutevar8x32_ps(x, _mm256_cvtepu8_epi32(lanes)));
    _mm_storeu_si128((__m128i *) (void *) offset, _mm_shuffle_epi8(offsets, bytes));
    return (size_t) __builtin_popcount((unsigned) mask);
}

/* The nonzeros of `groups` groups of 16 numbers, `stride` floats apart; how many. */
static size_t pack_groups(float *value, uint16_t *offset, const float *line, size_t groups,
                          size_t stride)
{
    const __m128i next = _mm_set1_epi16(8 * ROW_BYTES);
    __m128i offsets = _mm_setr_epi16(0, 1 * ROW_BYTES, 2 * ROW_BYTES, 3 * ROW_BYTES, 4 * ROW_BYTES,
                                     5 * ROW_BYTES, 6 * ROW_BYTES, 7 * ROW_BYTES);
    size_t n = 0;

    for (size_t g = 0; g < groups; g++)
        for (size_t half = 0; half < KERN_PANEL; half += 8) {
            n += pack_8(value + n, offset + n, _mm256_loadu_ps(line + g * stride + half), offsets);
            offsets = _mm_add_epi16(offsets, next);
        }
    return n;
}

ALWAYS_INLINE int count_zeros(const float *piece)
{
    int zeros = 0;

    for (int half = 0; half < KERN_PANEL; half += 8)
        zeros += __builtin_popcount((unsigned) _mm256_movemask_ps(
            _mm256_cmp_ps(_mm256_loadu_ps(piece + half), _mm256_setzero_ps(), _CMP_EQ_OQ)));
    return zeros;
}

/* Is any of 16 numbers not <= 0? */
ALWAYS_INLINE bool any_above_zero(const float *piece)
{
    const __m256 zero = _mm256_setzero_ps();
    return _mm256_movemask_ps(
               _mm256_or_ps(_mm256_cmp_ps(_mm256_loadu_ps(piece), zero, _CMP_NLE_UQ),
                            _mm256_cmp_ps(_mm256_loadu_ps(piece + 8), zero, _CMP_NLE_UQ))) != 0;
}

#endif

/* One list from `at` on: groups of 16 numbers, `stride` floats apart. Returns its length, filled up. */
static size_t pack_line(struct lists *l, size_t at, const float *line, size_t groups, size_t stride)
{
    const size_t n = at + pack_groups(l->value + at, l->offset + at, line, groups, stride);

    _mm_storeu_ps(l->value + n, _mm_setzero_ps());
    _mm_storeu_si128((__m128i *) (void *) (l->offset + n), _mm_setzero_si128());
    return (n - at + 3) & ~(size_t) 3;
}

static void lists_begin(struct lists *l, size_t lines, size_t depth, size_t block_rows)
{
    l->lines = lines;
    l->groups = kern_pad(depth) / KERN_PANEL;
    l->blocks = (l->groups * KERN_PANEL + block_rows - 1) / block_rows;
}

/* Rows [row, row + lines) of a panel matrix of `rows` rows. */
static void lists_of_rows(struct lists *l, const float *a, size_t rows, size_t row)
{
    size_t at = 0, list = 0;

    for (size_t block = 0; block < l->blocks; block++) {
        const size_t group = block_begin(l, block), end = block_begin(l, block + 1);
        l->start[block] = (uint32_t) at;
        for (size_t line = 0; line < l->lines; line++) {
            const size_t count = pack_line(l, at, a + (group * rows + row + line) * KERN_PANEL,
                                           end - group, rows * KERN_PANEL);
            l->count[list++] = (uint16_t) count;
            at += count;
        }
    }
}

/* Columns [col, col + lines) of a panel matrix of `rows` rows; col and lines are multiples of 16. */
static void lists_of_columns(struct lists *l, const float *b, size_t rows, size_t col)
{
    size_t at = 0, list = 0;

    for (size_t block = 0; block < l->blocks; block++) {
        const size_t group = block_begin(l, block), end = block_begin(l, block + 1);
        l->start[block] = (uint32_t) at;
        for (size_t c = 0; c < l->lines; c += KERN_PANEL) {
            const float *panel = b + (col + c) * rows;
            for (size_t g = group; g < end; g++)
                turn_part(l->turned + (g - group) * BLOCK_FLOATS, panel + g * BLOCK_FLOATS,
                          rows - g * KERN_PANEL, KERN_PANEL);
            for (size_t i = 0; i < KERN_PANEL; i++) {
                const size_t count =
                    pack_line(l, at, l->turned + i * KERN_PANEL, end - group, BLOCK_FLOATS);
                l->count[list++] = (uint16_t) count;
                at += count;
            }
        }
    }
}

/* Share of zeros in a panel matrix, estimated from ZERO_SAMPLES pieces of 16 spread evenly (golden ratio). */
static float zero_share(const float *x, size_t count)
{
    enum { ZERO_SAMPLES = 256 };
    const uint64_t pieces = count / KERN_PANEL;
    int zeros = 0;

    for (uint32_t i = 0; i < ZERO_SAMPLES; i++)
        zeros += count_zeros(x + (i * 2654435769u * pieces >> 32) * KERN_PANEL);
    return (float) zeros / (ZERO_SAMPLES * KERN_PANEL);
}

#endif
