/*
 * activation.h - the activations: one registry row each, formulas in kernels/activation/NAME.h.
 *
 * Names, defaults and formulas are PyTorch's. An element's output depends on that element and the layer's numbers
 * alone.
 */
#ifndef KERN_ACTIVATION_H
#define KERN_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

enum { KERN_ACTIVATION_ARGS = 2 };

struct kern_activation {
    const char *name, *usage, *help;
    int args; /* numbers it takes, all optional */
    double defaults[KERN_ACTIVATION_ARGS];
    int positive;     /* so many of the first must be above 0 */
    bool from_output; /* the slope is computed from the output, else from the input */
};

/* y = value(x), and dx = dy * slope(v); panel matrices (rows x cols), v the input or the output. */
struct kern_activate {
    const struct kern_activation *kind; /* of the registry */
    int trials, rows, cols;
    const float *x; /* x; v for the gradient */
    float *y;       /* y; dx for the gradient. May be x */
    const float *dy;
    size_t x_stride, y_stride, dy_stride;
    const float *args; /* args[trials][KERN_ACTIVATION_ARGS] */
};

/* All of them, NULL-terminated. */
const struct kern_activation *const *kern_activations(void);

#endif
