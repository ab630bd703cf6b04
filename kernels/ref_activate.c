/*
 * ref_activate.c - the activations of the backend "ref", one element at a time (rule 12).
 */
#include <string.h>

#include "kernels/activation/list.h"
#include "kernels/backend_impl.h"

typedef float element_fn(float x, const float *args);

static const struct {
    const char *name;
    element_fn *value, *slope;
} formulas[] = {
#define KERN_ACTIVATION_EACH(NAME) {#NAME, NAME##_value, NAME##_slope},
#include "kernels/activation/list.h"
#undef KERN_ACTIVATION_EACH
};

static size_t find(const struct kern_activation *kind)
{
    size_t row = 0;

    while (strcmp(formulas[row].name, kind->name) != 0)
        row++;
    return row;
}

void kern_ref_activate(const struct kern_activate *a)
{
    element_fn *const value = formulas[find(a->kind)].value;
    const size_t rows = (size_t) a->rows, cols = (size_t) a->cols;

    for (size_t t = 0; t < (size_t) a->trials; t++)
        for (size_t c = 0; c < kern_pad(cols); c++)
            for (size_t r = 0; r < rows; r++) {
                const size_t at = kern_at(rows, r, c);
                a->y[t * a->y_stride + at] =
                    c < cols ? value(a->x[t * a->x_stride + at], a->args + t * KERN_ACTIVATION_ARGS)
                             : 0.0f;
            }
}

void kern_ref_activate_grad(const struct kern_activate *a)
{
    element_fn *const slope = formulas[find(a->kind)].slope;
    const size_t rows = (size_t) a->rows, cols = (size_t) a->cols;

    for (size_t t = 0; t < (size_t) a->trials; t++)
        for (size_t c = 0; c < kern_pad(cols); c++)
            for (size_t r = 0; r < rows; r++) {
                const size_t at = kern_at(rows, r, c);
                const float s =
                    slope(a->x[t * a->x_stride + at], a->args + t * KERN_ACTIVATION_ARGS);
                a->y[t * a->y_stride + at] = c < cols ? a->dy[t * a->dy_stride + at] * s : 0.0f;
            }
}
