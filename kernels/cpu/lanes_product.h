/*
 * lanes_product.h - products of lane matrices (kernels/lanes.h).
 *
 * Both operands differ from lane to lane, so a tile holds its accumulators and one row of B and streams A:
 * 4 x 3 vectors with 16 registers (7 loads for 12 fma's), 4 x 4 with 32: as wide as a strip, so that rows of A, which
 * do not fit L1 with 16 lanes, come once per strip. Results are cut into strips of 64 floats:
 * a strip of B stays in L1 while all rows of A pass. A weight's gradient goes to a piece of stack, and the
 * weights under it are stepped at once.
 */
#ifndef KERN_CPU_LANES_PRODUCT_H
#define KERN_CPU_LANES_PRODUCT_H

#include "kernels/cpu/lanes_update.h"

#ifdef __AVX512F__
enum { LANE_TILE_ROWS = 4, LANE_TILE_COLS = 4 };
#else
enum { LANE_TILE_ROWS = 4, LANE_TILE_COLS = 3 };
#endif

/* Keep x in a register: read from memory again by every fma, loads would be the bottleneck. */
#if defined(__AVX512F__)
#define LANE_HOLD(x) __asm__ volatile("" : "+v"(x))
#elif defined(__AVX2__)
#define LANE_HOLD(x) __asm__ volatile("" : "+x"(x))
#else
#define LANE_HOLD(x) ((void) 0)
#endif

/* vec_drop with a zero of the caller's. */
ALWAYS_INLINE vec lane_drop_below(vec x, vec test, vec zero)
{
#if defined(__AVX2__) && !defined(__AVX512F__)
    return _mm256_andnot_ps(_mm256_cmp_ps(test, zero, _CMP_LE_OQ), x);
#else
    (void) zero;
    return vec_drop(x, test);
#endif
}

enum lane_form {
    LANE_FORWARD, /* c = a b + bias */
    LANE_FORWARD_RELU,
    LANE_INPUT,        /* c = a b^T */
    LANE_INPUT_MASKED, /* the same, +0 where extra <= 0 */
    LANE_WEIGHT,       /* c = a^T b */
};

/* c (rows x cols), lane matrices all; extra: the bias (a row), or the mask (as c). */
struct lane_product {
    size_t rows, cols, depth;
    const float *a, *b;
    float *c;
    size_t a_pitch, b_pitch, c_pitch;
    const float *extra;
};

/* Tile (row, col) of c; `to` is where its first element goes, to_pitch floats between its rows. */
ALWAYS_INLINE void lane_tile(const struct lane_product *p, float *to, size_t to_pitch, size_t row,
                             size_t col, const enum lane_form form, const int rows, const int cols)
{
    const bool by_column = form == LANE_WEIGHT,
               by_row = form == LANE_INPUT || form == LANE_INPUT_MASKED;
    const size_t a_row = by_column ? VEC_LANES : p->a_pitch,
                 a_step = by_column ? p->a_pitch : VEC_LANES;
    const size_t b_col = by_row ? p->b_pitch : VEC_LANES, b_step = by_row ? VEC_LANES : p->b_pitch;
    const float *a = p->a + row * a_row, *b = p->b + col * b_col;
    vec acc[LANE_TILE_ROWS][LANE_TILE_COLS];

    UNROLL_ALL
    for (int r = 0; r < rows; r++) {
        UNROLL_ALL
        for (int c = 0; c < cols; c++)
            acc[r][c] = vec_zero();
    }
    for (size_t k = 0; k < p->depth; k++, a += a_step, b += b_step) {
        vec row_b[LANE_TILE_COLS];
        UNROLL_ALL
        for (int c = 0; c < cols; c++) {
            row_b[c] = vec_load(b + (size_t) c * b_col);
            LANE_HOLD(row_b[c]);
        }
        UNROLL_ALL
        for (int r = 0; r < rows; r++) {
            vec x = vec_load(a + (size_t) r * a_row);
            LANE_HOLD(x);
            UNROLL_ALL
            for (int c = 0; c < cols; c++)
                acc[r][c] = vec_fma(x, row_b[c], acc[r][c]);
        }
    }
    vec zero = vec_zero();
    LANE_HOLD(
        zero); /* made here: kept through the loop it would cost an accumulator its register */
    UNROLL_ALL
    for (int r = 0; r < rows; r++) {
        UNROLL_ALL
        for (int c = 0; c < cols; c++) {
            const size_t at = (size_t) c * VEC_LANES;
            vec y = vec_add(acc[r][c], zero);
            if (form == LANE_FORWARD || form == LANE_FORWARD_RELU)
                y = vec_add(y, vec_load(p->extra + col * VEC_LANES + at));
            if (form == LANE_FORWARD_RELU)
                y = lane_drop_below(y, y, zero);
            if (form == LANE_INPUT_MASKED)
                y = lane_drop_below(
                    y, vec_load(p->extra + (row + (size_t) r) * p->c_pitch + col * VEC_LANES + at),
                    zero);
            vec_store(to + (size_t) r * to_pitch + at, y);
        }
    }
}

/* The next rows of a tile's height that fit, likewise columns: full tiles, and what is left in pieces. */
ALWAYS_INLINE size_t lane_rows(size_t left)
{
    size_t rows = LANE_TILE_ROWS;
    while (rows > left)
        rows /= 2;
    return rows;
}

ALWAYS_INLINE size_t lane_cols(size_t left)
{
    return left == 4 && LANE_TILE_COLS == 3 ? 2 : left < LANE_TILE_COLS ? left : LANE_TILE_COLS;
}

ALWAYS_INLINE void lane_columns(const struct lane_product *p, float *to, size_t to_pitch,
                                size_t row, size_t col, size_t end, const enum lane_form form,
                                const int rows)
{
    while (col < end) {
        const size_t cols = lane_cols(end - col);
        if (cols == 1)
            lane_tile(p, to, to_pitch, row, col, form, rows, 1);
        else if (cols == 2)
            lane_tile(p, to, to_pitch, row, col, form, rows, 2);
        else if (cols == 3)
            lane_tile(p, to, to_pitch, row, col, form, rows, 3);
#if defined(__AVX512F__)
        else
            lane_tile(p, to, to_pitch, row, col, form, rows, 4);
#endif
        to += cols * VEC_LANES;
        col += cols;
    }
}

/* `rows` (of lane_rows) rows of one strip. */
ALWAYS_INLINE void lane_block(const struct lane_product *p, float *to, size_t to_pitch, size_t row,
                              size_t rows, size_t col, size_t end, const enum lane_form form)
{
    if (rows == 1)
        lane_columns(p, to, to_pitch, row, col, end, form, 1);
    else if (rows == 2)
        lane_columns(p, to, to_pitch, row, col, end, form, 2);
    else if (rows == 4)
        lane_columns(p, to, to_pitch, row, col, end, form, 4);
}

ALWAYS_INLINE size_t strip_end(const struct lane_product *p, size_t col)
{
    return p->cols - col < LANE_STRIP_COLS ? p->cols : col + LANE_STRIP_COLS;
}

ALWAYS_INLINE void lane_strips(const struct lane_product *p, const enum lane_form form)
{
    for (size_t col = 0; col < p->cols; col += LANE_STRIP_COLS)
        for (size_t row = 0, rows; row < p->rows; row += rows) {
            rows = lane_rows(p->rows - row);
            lane_block(p, p->c + row * p->c_pitch + col * VEC_LANES, p->c_pitch, row, rows, col,
                       strip_end(p, col), form);
        }
}

static void lane_forward(const struct lane_product *p, bool relu)
{
    if (relu)
        lane_strips(p, LANE_FORWARD_RELU);
    else
        lane_strips(p, LANE_FORWARD);
}

static void lane_input(const struct lane_product *p)
{
    if (p->extra)
        lane_strips(p, LANE_INPUT_MASKED);
    else
        lane_strips(p, LANE_INPUT);
}

static void lane_weight_store(const struct lane_product *p)
{
    lane_strips(p, LANE_WEIGHT);
}

/* c are the weights, slot their state. */
static void lane_weight_step(const struct lane_product *p, float *const *slot,
                             const struct lane_update *u)
{
    _Alignas(64) float grad[LANE_TILE_ROWS][LANE_STRIP] = {{0}};

    for (size_t col = 0; col < p->cols; col += LANE_STRIP_COLS) {
        const size_t end = strip_end(p, col), live = (end - col) * VEC_LANES;
        const size_t count = (live + KERN_PANEL - 1) / KERN_PANEL * KERN_PANEL;
        for (size_t r = 0; r < LANE_TILE_ROWS && live < count; r++)
            memset(grad[r] + live, 0, (count - live) * sizeof **grad);
        for (size_t row = 0, rows; row < p->rows; row += rows) {
            rows = lane_rows(p->rows - row);
            lane_block(p, grad[0], LANE_STRIP, row, rows, col, end, LANE_WEIGHT);
            for (size_t r = 0; r < rows; r++)
                step_piece(u, p->c, grad[r], slot, (row + r) * p->c_pitch + col * VEC_LANES, count);
        }
    }
}

#endif
