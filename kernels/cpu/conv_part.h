/*
 * conv_part.h - what the direct convolutions share: 16 samples in lanes, TILE_ROWS rows of them in registers.
 *
 * Both the forward product (rows are filters) and the gradient of its input (rows are channels) run along a *span*:
 * numbers of the other operand a fixed step apart, each met by one weight per row.
 */
#ifndef KERN_CPU_CONV_PART_H
#define KERN_CPU_CONV_PART_H

#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

typedef vec conv_acc[TILE_ROWS][VECS_PER_ROW];

struct span {
    const float *x; /* of 16 samples */
    const float *w; /* of the first row */
    size_t x_step, w_step, w_row, count;
};

ALWAYS_INLINE void span_run(conv_acc acc, const struct span *s, const size_t count, const int rows)
{
    const float *x = s->x, *w[TILE_ROWS];

    UNROLL_ALL
    for (int r = 0; r < rows; r++)
        w[r] = s->w + (size_t) r * s->w_row;
    for (size_t k = 0; k < count; k++) {
        vec row[VECS_PER_ROW];
        UNROLL_ALL
        for (int v = 0; v < VECS_PER_ROW; v++)
            row[v] = vec_load(x + v * VEC_LANES);
        UNROLL_ALL
        for (int r = 0; r < rows; r++) {
            const vec weight = vec_spread(w[r] + k * s->w_step);
            UNROLL_ALL
            for (int v = 0; v < VECS_PER_ROW; v++)
                acc[r][v] = vec_fma(weight, row[v], acc[r][v]);
        }
        x += s->x_step;
    }
}

/* One trial, 16 samples, some filters or channels. */
struct conv_part {
    struct kern_conv_shape s;
    const float *x, *dy; /* of the panel */
    float *y, *dx;
    const float *w, *bias;
    bool relu;
    int first; /* filter or channel */
};

ALWAYS_INLINE size_t plane(int height, int width)
{
    return (size_t) height * (size_t) width;
}

#endif
