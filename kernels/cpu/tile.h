/*
 * tile.h - one tile of a product (matmul.h): TILE_ROWS x TILE_PANELS panels of C at most, in registers while one piece of
 * its chains runs, and what is done with them after the last.
 */
#ifndef KERN_CPU_TILE_H
#define KERN_CPU_TILE_H

#include "kernels/cpu/update.h"
#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

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

#endif
