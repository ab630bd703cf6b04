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

#include "kernels/cpu/update.h"
#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

enum { PIECE = 256, GROUP_ROWS = 192, L2_FLOATS = 1 << 17, LARGE_FLOATS = 1 << 19 };
enum { TILE_VECS = TILE_PANELS * VECS_PER_ROW };

/* What the tiles of one problem share. */
struct product {
    size_t rows, cols, depth;
    const float *a, *b;
    float *c;
    enum kern_epilogue epilogue;
    const float *extra;
    float *slot[KERN_SLOTS];
    step_fn *step;
    const struct kern_hyper *hyper;
};

/* One tile and one piece of its chain. Pointers are to the tile's first element, strides are between panels. */
struct tile {
    const float *a, *b;
    size_t a_stride, b_stride, c_stride, park_stride;
    size_t k_count;
    bool first, last; /* of the pieces of k */
    float *park;
    size_t c_at;    /* of the tile in C, mask and state */
    size_t bias_at; /* of its columns */
};

typedef vec tile_acc[TILE_ROWS][TILE_VECS];

/* Element (row, vector) of a tile of panels `stride` floats apart. */
ALWAYS_INLINE size_t tile_at(int row, int v, size_t stride)
{
    return (size_t) (v / VECS_PER_ROW) * stride +
           (size_t) (row * KERN_PANEL + v % VECS_PER_ROW * VEC_LANES);
}

/* a: `rows` rows of KERN_PANEL contiguous k; b: as many rows of 16 per panel as there are k. */
ALWAYS_INLINE void run_block(tile_acc acc, const float *a, const float *b, size_t b_stride,
                             size_t k_count, const int rows, const int panels)
{
    UNROLL_4
    for (size_t k = 0; k < k_count; k++) {
        vec row_b[TILE_VECS];
        UNROLL_ALL
        for (int v = 0; v < panels * VECS_PER_ROW; v++)
            row_b[v] = vec_load(b + k * KERN_PANEL + tile_at(0, v, b_stride));
        UNROLL_ALL
        for (int r = 0; r < rows; r++) {
            const vec x = vec_spread(a + r * KERN_PANEL + k);
            UNROLL_ALL
            for (int v = 0; v < panels * VECS_PER_ROW; v++)
                acc[r][v] = vec_fma(x, row_b[v], acc[r][v]);
        }
    }
}

ALWAYS_INLINE void run_chain(tile_acc acc, const struct tile *t, const int rows, const int panels)
{
    const float *a = t->a, *b = t->b;
    size_t left = t->k_count;

    for (; left >= KERN_PANEL; left -= KERN_PANEL) {
        run_block(acc, a, b, t->b_stride, KERN_PANEL, rows, panels);
        a += t->a_stride;
        b += KERN_PANEL * KERN_PANEL;
    }
    if (left)
        run_block(acc, a, b, t->b_stride, left, rows, panels);
}

ALWAYS_INLINE void store_tile(float *to, size_t stride, tile_acc acc, const int rows,
                              const int panels)
{
    UNROLL_ALL
    for (int r = 0; r < rows; r++) {
        UNROLL_ALL
        for (int v = 0; v < panels * VECS_PER_ROW; v++)
            vec_store(to + tile_at(r, v, stride), acc[r][v]);
    }
}

ALWAYS_INLINE void bias_tile(tile_acc acc, const float *bias, const bool relu, const int rows,
                             const int panels)
{
    UNROLL_ALL
    for (int v = 0; v < panels * VECS_PER_ROW; v++) {
        const vec b = vec_load(bias + v * VEC_LANES);
        UNROLL_ALL
        for (int r = 0; r < rows; r++) {
            acc[r][v] = vec_add(acc[r][v], b);
            if (relu)
                acc[r][v] = vec_drop(acc[r][v], acc[r][v]);
        }
    }
}

/* Step the weights of a tile by the gradients in t->park. */
ALWAYS_INLINE void update_tile(const struct product *p, const struct tile *t, const int rows,
                               const int panels)
{
    for (int panel = 0; panel < panels; panel++) {
        const size_t at = t->c_at + (size_t) panel * t->c_stride;
        p->step(p->c + at, t->park + (size_t) panel * t->park_stride, slot_at(p->slot[0], at),
                slot_at(p->slot[1], at), slot_at(p->slot[2], at), (size_t) rows * KERN_PANEL,
                p->hyper);
    }
}

ALWAYS_INLINE void finish_tile(const struct product *p, const struct tile *t, tile_acc acc,
                               const int rows, const int panels)
{
    float *c = p->c + t->c_at;

    UNROLL_ALL
    for (int r = 0; r < rows; r++) {
        UNROLL_ALL
        for (int v = 0; v < panels * VECS_PER_ROW; v++)
            acc[r][v] = vec_add(acc[r][v], vec_zero());
    }
    switch (p->epilogue) {
    case KERN_STORE:
        break;
    case KERN_BIAS:
        bias_tile(acc, p->extra + t->bias_at, false, rows, panels);
        break;
    case KERN_BIAS_RELU:
        bias_tile(acc, p->extra + t->bias_at, true, rows, panels);
        break;
    case KERN_MASK:
        UNROLL_ALL
        for (int r = 0; r < rows; r++) {
            UNROLL_ALL
            for (int v = 0; v < panels * VECS_PER_ROW; v++)
                acc[r][v] =
                    vec_drop(acc[r][v], vec_load(p->extra + t->c_at + tile_at(r, v, t->c_stride)));
        }
        break;
    case KERN_UPDATE:
        store_tile(t->park, t->park_stride, acc, rows, panels);
        update_tile(p, t, rows, panels);
        return;
    }
    store_tile(c, t->c_stride, acc, rows, panels);
}

ALWAYS_INLINE void run_tile(const struct product *p, const struct tile *t, const int rows,
                            const int panels)
{
    tile_acc acc;

    UNROLL_ALL
    for (int r = 0; r < rows; r++) {
        UNROLL_ALL
        for (int v = 0; v < panels * VECS_PER_ROW; v++)
            acc[r][v] = t->first ? vec_zero() : vec_load(t->park + tile_at(r, v, t->park_stride));
    }
    run_chain(acc, t, rows, panels);
    if (t->last)
        finish_tile(p, t, acc, rows, panels);
    else
        store_tile(t->park, t->park_stride, acc, rows, panels);
}

typedef void tile_fn(const struct product *p, const struct tile *t);

#define TILE_FNS(ROWS)                                                            \
    static void tile_##ROWS##_last(const struct product *p, const struct tile *t) \
    {                                                                             \
        run_tile(p, t, ROWS, 1);                                                  \
    }                                                                             \
    static void tile_##ROWS##_full(const struct product *p, const struct tile *t) \
    {                                                                             \
        run_tile(p, t, ROWS, TILE_PANELS);                                        \
    }
EACH_TILE_ROWS(TILE_FNS)

/* [rows - 1][panels == TILE_PANELS] */
static tile_fn *const tile_fns[TILE_ROWS][2] = {
#define TILE_ENTRY(ROWS) {tile_##ROWS##_last, tile_##ROWS##_full},
    EACH_TILE_ROWS(TILE_ENTRY)
#undef TILE_ENTRY
};

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
