/*
 * conv.h - operands of convolution and pooling (contract, rules 14 and 15).
 *
 * Values and gradients are panel matrices (features x samples), features being (channel, row, column) in
 * raster order: 16 samples side by side. Weights are flat, [filter][channel of its group][row][column], with
 * padding to a multiple of 16 floats; biases flat too. Padding columns (samples past the last) of everything written
 * are +0.
 */
#ifndef KERN_CONV_H
#define KERN_CONV_H

#include <stdbool.h>
#include <stddef.h>

enum { KERN_CONV_KERNEL_MAX = 64 };

/* out = (in + 2 pad - dilation (kernel - 1) - 1) / stride + 1; groups divides channels and filters. */
struct kern_conv_shape {
    int channels, height, width;
    int filters, out_height, out_width;
    int kernel, stride, pad, dilation, groups;
};

/*
 * Strides are between trials. An operation uses the pointers it names; the others may be NULL.
 *
 * With `tap` a maximum pool of 2 x 2 windows, 2 apart, follows, and is computed along: y and dy are of its output, filters x
 * (out_height / 2) x (out_width / 2), and so is tap: conv_forward writes, the gradients read, which element of the
 * window each came from, 1 to 4 in raster order, or 0 where the ReLU lets no gradient pass.
 */
struct kern_conv {
    int trials, samples;
    struct kern_conv_shape shape;
    const float *x, *w, *bias, *dy; /* bias NULL: none is added */
    float *y, *dx, *dw, *db;
    float *tap;
    size_t x_stride, y_stride; /* of x and dx; of y and dy */
    size_t tap_stride;
    size_t w_stride, dw_stride; /* of w and bias; of dw and db */
    bool relu;                  /* conv_forward: a ReLU follows; conv_dx: x came out of one */
};

/* Windows of kernel_height x kernel_width, none past the edge. */
struct kern_pool {
    int trials, samples;
    int channels, height, width, out_height, out_width;
    int kernel_height, kernel_width, stride;
    const float *x, *dy;
    float *y, *dx;
    size_t x_stride, y_stride; /* of x and dx; of y and dy */
    bool relu;                 /* gradients: x came out of a ReLU */
};

#endif
