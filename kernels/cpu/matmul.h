/*
 * matmul.h - products of panel matrices, in exact order.
 *
 * C is cut into tiles of TILE_ROWS x TILE_PANELS panels that live in registers. Every accumulator takes its k in
 * order, one fma each (contract, rule 1); nothing else about the order of work can change a bit. No operand is
 * packed or copied: B is read as it lies (a panel is a stream of rows of 16), A likewise (a row's next 16 k are
 * contiguous, its block of 16 k is rows * 16 floats after the one before).
 *
 *     for each TILE_PANELS panels of C
 *       for each piece of PIECE k              so that a panel of B stays in L1 while all rows use it
 *         for each tile of rows                accumulators parked between pieces
 *           the chain; after the last piece the epilogue, in registers
 *
 * Where A is much larger than L2 this is done for groups of rows in turn, and each piece for all panels before the next.
 *
 * Parked accumulators lie where C will, except for KERN_UPDATE, whose C is still needed: there rows are taken
 * in groups of GROUP_ROWS and parked on the stack. An update stores its tile's gradients there too and steps the
 * weights at once, while both are in L1.
 */
#ifndef KERN_CPU_MATMUL_H
#define KERN_CPU_MATMUL_H

#include "kernels/cpu/tile.h"

enum { PIECE = 256, GROUP_ROWS = 192, L2_FLOATS = 1 << 17, LARGE_FLOATS = 1 << 19 };

/* Rows of the next tile: the last two tiles share what is left evenly, short tiles wait for the adder. */
static size_t next_rows(size_t left)
{
    if (left <= TILE_ROWS)
        return left;
    return left < 2 * TILE_ROWS ? (left + 1) / 2 : TILE_ROWS;
}

/* One piece of k for rows [row, row_end) of the panels from `panel` on. */
static void run_piece(const struct product *p, size_t panel, size_t panels, size_t row,
                      size_t row_end, size_t k, float *park, size_t park_stride)
{
    const size_t k_count = p->depth - k < PIECE ? p->depth - k : PIECE;
    struct tile t = {
        .a = p->a + (k * p->rows + row * KERN_PANEL),
        .b = p->b + (panel * p->depth + k) * KERN_PANEL,
        .a_stride = p->rows * KERN_PANEL,
        .b_stride = p->depth * KERN_PANEL,
        .c_stride = p->rows * KERN_PANEL,
        .park_stride = park_stride,
        .k_count = k_count,
        .first = k == 0,
        .last = k + k_count == p->depth,
        .park = park,
        .c_at = (panel * p->rows + row) * KERN_PANEL,
        .bias_at = panel * KERN_PANEL,
    };

    while (row < row_end) {
        const size_t rows = next_rows(row_end - row);
        tile_fns[rows - 1][panels == TILE_PANELS](p, &t);
        t.a += rows * KERN_PANEL;
        t.park += rows * KERN_PANEL;
        t.c_at += rows * KERN_PANEL;
        row += rows;
    }
}

/* Rows [row, end) of the panels from `panel` on. */
static void run_panels(const struct product *p, size_t panel, size_t panels, size_t row, size_t end)
{
    _Alignas(64) float scratch[TILE_PANELS * GROUP_ROWS * KERN_PANEL];
    const size_t group = p->epilogue == KERN_UPDATE ? GROUP_ROWS : p->rows;

    for (; row < end; row += group) {
        const size_t row_end = end - row < group ? end : row + group;
        for (size_t k = 0; k < p->depth; k += PIECE) {
            if (p->epilogue == KERN_UPDATE)
                run_piece(p, panel, panels, row, row_end, k, scratch, GROUP_ROWS * KERN_PANEL);
            else
                run_piece(p, panel, panels, row, row_end, k,
                          p->c + (panel * p->rows + row) * KERN_PANEL, p->rows * KERN_PANEL);
        }
    }
}

ALWAYS_INLINE size_t panels_at_once(size_t left)
{
    return left < TILE_PANELS ? 1 : TILE_PANELS;
}

/* Rows [row, end) of panels [panel, panel_end), a piece of k for all panels before the next piece. */
static void run_by_pieces(const struct product *p, size_t panel, size_t panel_end, size_t row,
                          size_t end)
{
    for (size_t k = 0; k < p->depth; k += PIECE)
        for (size_t at = panel, count; at < panel_end; at += count) {
            count = panels_at_once(panel_end - at);
            run_piece(p, at, count, row, end, k, p->c + (at * p->rows + row) * KERN_PANEL,
                      p->rows * KERN_PANEL);
        }
}

/*
 * Panels [panel, panel_end) of C, rows from `row` on. A is read once for every TILE_PANELS panels: a large one (2 MB)
 * in groups of rows that fit L2, by pieces of k where the sums can be parked in C.
 */
static void dense_part(const struct product *p, size_t panel, size_t panel_end, size_t row)
{
    const bool fits = (p->rows - row) * p->depth <= LARGE_FLOATS;
    const bool pieces = !fits && p->epilogue != KERN_UPDATE;
    const size_t wide = pieces && p->depth > PIECE ? PIECE : p->depth;
    const size_t most = L2_FLOATS / wide / TILE_ROWS * TILE_ROWS;
    const size_t group = fits ? p->rows : most < TILE_ROWS ? TILE_ROWS : most;

    for (; row < p->rows; row += group) {
        const size_t end = p->rows - row < group ? p->rows : row + group;
        if (pieces) {
            run_by_pieces(p, panel, panel_end, row, end);
            continue;
        }
        for (size_t at = panel, count; at < panel_end; at += count) {
            count = panels_at_once(panel_end - at);
            run_panels(p, at, count, row, end);
        }
    }
}

#endif
