/*
 * norm.h - operands of norms over the batch and over a sample, and of what is random by channel or by noise (contract,
 * rules 16 and 17).
 *
 * Images are (features x samples), features being (channel, row, column) in raster order: 16 samples side by side. Flat
 * data of a batch norm are (samples x channels). Padding of every matrix written is +0. An operation uses the
 * pointers it names; the others may be NULL.
 */
#ifndef KERN_NORM_H
#define KERN_NORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strides are between trials. */
struct kern_batchnorm {
    int trials, samples, channels;
    int positions; /* 0: flat, x is (samples x channels); else x is (channels * positions x samples) */
    double eps, momentum;
    const float *x, *dy;
    float *y, *dx;
    size_t x_stride, y_stride; /* of x and dx; of y and dy */
    const float *w, *bias;     /* [channels]; both NULL: 1 and 0 */
    float *running_mean, *running_var;
    size_t w_stride; /* of the four above */
    /* [2][kern_pad(channels)], kept from batchnorm to batchnorm_grad: mean and 1 / sqrt(var + eps) */
    float *saved;
    size_t saved_stride;
    float *dw, *db; /* with their padding +0 */
    size_t dw_stride;
    bool relu; /* forward: a ReLU follows; gradient: x came out of one */
};

/* x is (features x samples). */
struct kern_layernorm {
    int trials, samples, features;
    double eps;
    const float *x, *dy;
    float *y, *dx;
    size_t x_stride, y_stride; /* of x and dx; of y and dy */
    const float *w, *bias;     /* [features]; both NULL: 1 and 0 */
    size_t w_stride;
    float *
        saved; /* [2][kern_pad(samples)], kept from layernorm to layernorm_grad; NULL: not wanted */
    size_t saved_stride;
    float *dw, *db; /* with their padding +0 */
    size_t dw_stride;
    bool relu;
};

/* Whole channels, in place; x is (channels * positions x samples). */
struct kern_dropout2d {
    int trials, samples, channels, positions;
    float *x;
    size_t x_stride;
    const double *p;      /* p[trials], 0 <= p < 1 */
    const uint64_t *seed; /* seed[trials] */
    uint32_t step, layer;
};

/* In place; the place of an element is its feature and its sample. */
struct kern_noise {
    int trials, rows, cols; /* of x, as stored */
    bool transposed;        /* x is (features x samples) */
    float *x;
    size_t x_stride;
    const double *std;    /* std[trials] */
    const uint64_t *seed; /* seed[trials] */
    uint32_t step, layer;
};

#endif
