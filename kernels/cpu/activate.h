/*
 * activate.h - the activations as vectorised loops over contiguous floats: one pair of functions per activation.
 */
#ifndef KERN_CPU_ACTIVATE_H
#define KERN_CPU_ACTIVATE_H

#include "kernels/activation/list.h"
#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

typedef void value_fn(float *y, const float *x, size_t count, const float *args);
typedef void slope_fn(float *dx, const float *v, const float *dy, size_t count, const float *args);

/* The numbers are copied: they might lie in y for all the compiler knows. count is a multiple of 16. */
#define ACTIVATION_FNS(NAME)                                                             \
    static void NAME##_values(float *y, const float *x, size_t count, const float *args) \
    {                                                                                    \
        const float own[KERN_ACTIVATION_ARGS] = {args[0], args[1]};                      \
        for (size_t i = 0; i < count; i++)                                               \
            y[i] = NAME##_value(x[i], own);                                              \
    }                                                                                    \
    static void NAME##_slopes(float *dx, const float *v, const float *dy, size_t count,  \
                              const float *args)                                         \
    {                                                                                    \
        const float own[KERN_ACTIVATION_ARGS] = {args[0], args[1]};                      \
        for (size_t i = 0; i < count; i++)                                               \
            dx[i] = dy[i] * NAME##_slope(v[i], own);                                     \
    }

#define KERN_ACTIVATION_EACH(NAME) ACTIVATION_FNS(NAME)
#include "kernels/activation/list.h"
#undef KERN_ACTIVATION_EACH

/* In the order of kern_activations(). */
static const struct {
    value_fn *values;
    slope_fn *slopes;
} activation_fns[] = {
#define KERN_ACTIVATION_EACH(NAME) {NAME##_values, NAME##_slopes},
#include "kernels/activation/list.h"
#undef KERN_ACTIVATION_EACH
};

static size_t activation_row(const struct kern_activation *kind)
{
    const struct kern_activation *const *all = kern_activations();
    size_t row = 0;

    while (all[row] != kind)
        row++;
    return row;
}

/* +0 into the columns past `cols`. */
static void clear_columns(float *y, int rows, int cols)
{
    const size_t live = (size_t) cols % KERN_PANEL;
    float *panel = y + ((size_t) cols - live) * (size_t) rows;

    for (size_t r = 0; live > 0 && r < (size_t) rows; r++)
        memset(panel + r * KERN_PANEL + live, 0, (KERN_PANEL - live) * sizeof *y);
}

static void cpu_activate(const struct kern_activate *a)
{
    const size_t count = (size_t) a->rows * kern_pad((size_t) a->cols);

    for (size_t t = 0; t < (size_t) a->trials; t++) {
        float *y = a->y + t * a->y_stride;
        activation_fns[activation_row(a->kind)].values(y, a->x + t * a->x_stride, count,
                                                       a->args + t * KERN_ACTIVATION_ARGS);
        clear_columns(y, a->rows, a->cols);
    }
}

static void cpu_activate_grad(const struct kern_activate *a)
{
    const size_t count = (size_t) a->rows * kern_pad((size_t) a->cols);

    for (size_t t = 0; t < (size_t) a->trials; t++) {
        float *dx = a->y + t * a->y_stride;
        activation_fns[activation_row(a->kind)].slopes(dx, a->x + t * a->x_stride,
                                                       a->dy + t * a->dy_stride, count,
                                                       a->args + t * KERN_ACTIVATION_ARGS);
        clear_columns(dx, a->rows, a->cols);
    }
}

#endif
