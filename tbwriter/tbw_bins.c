/*
 * Histograms are taken of whole weight tensors, so these loops are written for speed: indices by
 * vector code (compiled for AVX2 too) a block at a time, then counts in several copies, so that
 * equal values in a row do not wait for each other.
 */
#include "tbwriter/tbw_bins.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"

enum {
    BLOCK = 1024,
    COPIES = 8,
    CELL_SHIFT = 19, /* a cell is a float's exponent and the first 4 bits of its fraction */
    CELLS = 1 << (31 - CELL_SHIFT),
};

static const uint32_t size_bits = 0x7fffffffu, infinity_bits = 0x7f800000u;

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2")))
#define ON_CPU(name, ...) \
    (__builtin_cpu_supports("avx2") ? name##_wide(__VA_ARGS__) : name##_base(__VA_ARGS__))
#else
#define WIDE
#define ON_CPU(name, ...) name##_base(__VA_ARGS__)
#endif
#define INLINE static inline __attribute__((always_inline))

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* ---- range ---- */

struct order {
    int32_t min, max; /* of the values' bits, turned so that they order as the values do */
    uint32_t finite;
};

INLINE void order_body(struct order *out, const float *values, size_t count)
{
    int32_t min = INT32_MAX, max = INT32_MIN;
    uint32_t finite = 0;

    for (size_t i = 0; i < count; i++) {
        int32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        const int32_t size = bits & (int32_t) size_bits;
        const int32_t key = bits ^ (bits >> 31 & (int32_t) size_bits);
        const int32_t good = (size - (int32_t) infinity_bits) >> 31; /* -1 when finite, else 0 */
        const int32_t low = (key & good) | (~good & INT32_MAX);
        const int32_t high = (key & good) | (~good & INT32_MIN);
        min = low < min ? low : min;
        max = high > max ? high : max;
        finite -= (uint32_t) good;
    }
    *out = (struct order){min, max, finite};
}

WIDE static void order_wide(struct order *out, const float *values, size_t count)
{
    order_body(out, values, count);
}

static void order_base(struct order *out, const float *values, size_t count)
{
    order_body(out, values, count);
}

static double value_of_key(int32_t key)
{
    const int32_t bits = key < 0 ? key ^ (int32_t) size_bits : key;
    float value;

    memcpy(&value, &bits, sizeof value);
    return (double) value + 0; /* no -0 */
}

void tbw_range_of(struct tbw_range *out, const float *values, size_t count)
{
    int32_t min = INT32_MAX, max = INT32_MIN;

    out->finite = 0;
    for (size_t at = 0; at < count; at += BLOCK) {
        struct order order;
        ON_CPU(order, &order, values + at, count - at < BLOCK ? count - at : BLOCK);
        min = order.min < min ? order.min : min;
        max = order.max > max ? order.max : max;
        out->finite += order.finite;
    }
    out->min = out->finite ? value_of_key(min) : 0;
    out->max = out->finite ? value_of_key(max) : 0;
}

/* The finite ones of a block to out; how many. */
static size_t compact(float out[BLOCK], const float *values, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        out[kept] = values[i];
        kept += (bits_of(values[i]) & size_bits) < infinity_bits;
    }
    return kept;
}

/* ---- bins of equal width ---- */

struct grid {
    double min, width, inverse;
    float quick; /* the inverse; 0: floats would not do */
    int last;    /* bin */
};

/*
 * The same in floats, whose differences and products are at most 3 * 2^-24 off in all: near the
 * end of a bin that is doubt, of which a block of usual values is mostly free.
 */
INLINE int32_t float_body(int32_t *index, const float *values, size_t count, const struct grid *g)
{
    const float min = (float) g->min, inverse = g->quick;
    const int32_t last = g->last;
    int32_t doubt = 0;

    for (size_t i = 0; i < count; i++) {
        const float at = (values[i] - min) * inverse, off = at * 0x1p-21f;
        int32_t low = (int32_t) (at - off), high = (int32_t) (at + off);
        low = low < last ? low : last;
        high = high < last ? high : last;
        doubt |= low ^ high;
        index[i] = low;
    }
    return doubt;
}

/*
 * Indices by a product with the inverse, which is at most 3 ulp off the quotient: where that could
 * change an index, not 0 is returned.
 */
INLINE int32_t quick_body(int32_t *index, const float *values, size_t count, const struct grid *g)
{
    const double min = g->min, inverse = g->inverse;
    const int32_t last = g->last;
    int32_t doubt = 0;

    for (size_t i = 0; i < count; i++) {
        const double at = ((double) values[i] - min) * inverse, off = at * 0x1p-50;
        int32_t low = (int32_t) (at - off), high = (int32_t) (at + off);
        low = low < last ? low : last;
        high = high < last ? high : last;
        doubt |= low ^ high;
        index[i] = low;
    }
    return doubt;
}

INLINE void exact_body(int32_t *index, const float *values, size_t count, const struct grid *g)
{
    const double min = g->min, width = g->width;
    const int32_t last = g->last;

    for (size_t i = 0; i < count; i++) {
        const int32_t at = (int32_t) (((double) values[i] - min) / width);
        index[i] = at < last ? at : last;
    }
}

INLINE void index_body(int32_t *index, const float *values, size_t count, const struct grid *g)
{
    if (g->quick > 0 && float_body(index, values, count, g) == 0)
        return;
    if (quick_body(index, values, count, g) != 0)
        exact_body(index, values, count, g);
}

WIDE static void index_wide(int32_t *index, const float *values, size_t count, const struct grid *g)
{
    index_body(index, values, count, g);
}

static void index_base(int32_t *index, const float *values, size_t count, const struct grid *g)
{
    index_body(index, values, count, g);
}

void tbw_count_equal(uint64_t *counts, int bins, const float *values, size_t count,
                     const struct tbw_range *range)
{
    const double width = (range->max - range->min) / bins;
    const bool usual = width > 0x1p-90 && width < 0x1p90;
    const struct grid grid = {range->min, width, 1 / width, usual ? (float) (1 / width) : 0,
                              bins - 1};
    const size_t stride = (size_t) bins;
    uint64_t *copies = cs_xcalloc(COPIES * stride, sizeof *copies);
    uint64_t *rows[COPIES];
    int32_t index[BLOCK];
    float kept[BLOCK];

    for (size_t k = 0; k < COPIES; k++)
        rows[k] = copies + k * stride;
    for (size_t at = 0; at < count; at += BLOCK) {
        const float *block = values + at;
        size_t n = count - at < BLOCK ? count - at : BLOCK, i = 0;
        if (range->finite < count) {
            n = compact(kept, block, n);
            block = kept;
        }
        ON_CPU(index, index, block, n, &grid);
        for (; i + COPIES <= n; i += COPIES)
            for (size_t k = 0; k < COPIES; k++)
                rows[k][index[i + k]]++;
        for (; i < n; i++)
            copies[index[i]]++;
    }
    for (size_t i = 0; i < COPIES * stride; i++)
        counts[i % stride] += copies[i];
    free(copies);
}

/* ---- bins that widen by a tenth ---- */

/*
 * A cell is at most 17/16 wide, so there is at most one edge in it. Edges below the cell: first;
 * at and above `border` it is one more.
 */
static double edges[TBW_EDGES];
static struct cell {
    uint32_t border, first;
} cells[CELLS];
static pthread_once_t edges_once = PTHREAD_ONCE_INIT;

/* The bits of the least float that is not below value, a double in the range of normal floats. */
static uint32_t bits_not_below(double value)
{
    const float near = (float) value;

    return bits_of(near) + ((double) near < value);
}

static void make_edges(void)
{
    uint32_t k = 0;
    double edge = 1e-12;

    for (int i = 0; i < TBW_EDGES; i++, edge *= 1.1)
        edges[i] = edge;
    for (uint32_t c = 0; c < CELLS; c++) {
        const uint32_t next = (c + 1) << CELL_SHIFT;
        cells[c] = (struct cell){UINT32_MAX, k};
        if (k < TBW_EDGES && bits_not_below(edges[k]) < next)
            cells[c].border = bits_not_below(edges[k++]);
    }
}

const double *tbw_edges(void)
{
    pthread_once(&edges_once, make_edges);
    return edges;
}

INLINE void sums_body(double sums[2], const float *values, size_t count)
{
    double sum[8] = {0}, squares[8] = {0};
    size_t i = 0;

    for (; i + 8 <= count; i += 8) {
        for (size_t k = 0; k < 8; k++) {
            const double x = (double) values[i + k];
            sum[k] += x;
            squares[k] += x * x;
        }
    }
    for (; i < count; i++) {
        sum[0] += (double) values[i];
        squares[0] += (double) values[i] * (double) values[i];
    }
    for (size_t k = 0; k < 8; k++) {
        sums[0] += sum[k];
        sums[1] += squares[k];
    }
}

WIDE static void sums_wide(double sums[2], const float *values, size_t count)
{
    sums_body(sums, values, count);
}

static void sums_base(double sums[2], const float *values, size_t count)
{
    sums_body(sums, values, count);
}

enum { ROW = TBW_EDGES + 1, EDGE_COPIES = 4 };

/* The place of a value in a copy of the two rows. -0 is no value below 0. */
static inline size_t place_of(float value)
{
    const uint32_t bits = bits_of(value), size = bits & size_bits;
    const struct cell *cell = &cells[size >> CELL_SHIFT];

    return (bits > 0x80000000u ? (size_t) ROW : 0) + cell->first + (size >= cell->border);
}

static void count_places(uint32_t copies[EDGE_COPIES][2 * ROW], const float *values, size_t count)
{
    size_t i = 0;

    for (; i + EDGE_COPIES <= count; i += EDGE_COPIES) {
        copies[0][place_of(values[i])]++;
        copies[1][place_of(values[i + 1])]++;
        copies[2][place_of(values[i + 2])]++;
        copies[3][place_of(values[i + 3])]++;
    }
    for (; i < count; i++)
        copies[0][place_of(values[i])]++;
}

/* Add up the copies, which begin anew. */
static void gather(struct tbw_counts *out, uint32_t copies[EDGE_COPIES][2 * ROW])
{
    for (size_t k = 0; k < EDGE_COPIES; k++)
        for (size_t i = 0; i < 2 * ROW; i++)
            out->row[i / ROW][i % ROW] += copies[k][i];
    memset(copies, 0, EDGE_COPIES * sizeof copies[0]);
}

void tbw_count_edges(struct tbw_counts *out, const float *values, size_t count, bool all_finite)
{
    uint32_t(*copies)[2 * ROW] = cs_xcalloc(EDGE_COPIES, sizeof *copies);
    double sums[2] = {0};
    float kept[BLOCK];

    tbw_edges();
    *out = (struct tbw_counts){0};
    for (size_t at = 0; at < count; at += BLOCK) {
        const float *block = values + at;
        size_t n = count - at < BLOCK ? count - at : BLOCK;
        if (!all_finite) {
            n = compact(kept, block, n);
            block = kept;
        }
        ON_CPU(sums, sums, block, n);
        count_places(copies, block, n);
        if (at / BLOCK % (1 << 20) == (1 << 20) - 1) /* before a counter is full */
            gather(out, copies);
    }
    gather(out, copies);
    out->sum = sums[0];
    out->sum_squares = sums[1];
    free(copies);
}
