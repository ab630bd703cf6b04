/*
 * kernels.h - the operations of training, behind one table per backend.
 *
 * Every operation works on `trials` independent problems of one shape at once: pointer p of trial t is
 * p + t * p_stride floats (strides may be 0 where trials share an operand). A trial's bits never depend on the
 * others. What each operation computes is fixed by kernels/contract.h. Matrices are panel matrices unless said;
 * all pointers are 64-byte aligned, all strides multiples of 16 floats. Nothing here allocates, fails or keeps state: shapes
 * are checked by the caller before training. One call runs on the calling thread.
 *
 * Backends: "ref" (naive loops, the oracle, kept for ever), "cpu" (fastest instance this machine has: avx512,
 * avx2 with FMA, generic; CSWEEP_CPU=generic|avx2|avx512 caps it, CSWEEP_CPU=ref puts the oracle in its place).
 */
#ifndef KERN_KERNELS_H
#define KERN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/activation.h"
#include "kernels/contract.h"
#include "kernels/conv.h"
#include "kernels/lanes.h"
#include "kernels/loss.h"
#include "kernels/norm.h"
#include "kernels/optim.h"

struct cs_error;

enum kern_epilogue {
    KERN_STORE,     /* c = acc */
    KERN_BIAS,      /* c = acc + bias[col] */
    KERN_BIAS_RELU, /* rule 3 */
    KERN_MASK,      /* c = mask <= 0 ? +0 : acc, mask (rows x cols) */
    KERN_UPDATE,    /* acc is the gradient of c: one optimizer step on c, nothing else stored */
};

/* One optimizer step of one trial. State tensors lie like the weights they belong to. */
struct kern_step {
    const struct kern_optim *optim;
    int variant;
    struct kern_hyper hyper;
};

/* c (rows x cols) = a (rows x depth) * b (depth x cols), then the epilogue. */
struct kern_matmul {
    int trials, rows, cols, depth;
    const float *a, *b;
    float *c;
    size_t a_stride, b_stride, c_stride;
    enum kern_epilogue epilogue;
    const float *extra; /* KERN_BIAS*: bias[kern_pad(cols)]; KERN_MASK: the mask */
    size_t extra_stride;
    float *slot
        [KERN_SLOTS]; /* KERN_UPDATE: state beside c, trial stride c_stride; NULL past the variant's */
    const struct kern_step *step; /* KERN_UPDATE: step[trials] */
};

/* One optimizer step on count floats per trial (count a multiple of 16). */
struct kern_update {
    int trials;
    size_t count;
    float *w;
    const float *g;
    float *slot[KERN_SLOTS];
    size_t w_stride, g_stride; /* slots use w_stride */
    const struct kern_step *step;
};

/* Rows of a u8 data set as floats, rule 10. index[t * index_stride + r] is the sample of row r. */
struct kern_gather {
    int trials, rows, features;
    const uint8_t *pixels; /* samples x features, row-major */
    const float
        *values; /* or float samples x features, row-major (pixels is NULL): copied as they are */
    const uint32_t *index;
    size_t index_stride; /* entries */
    float mean, std;
    float *x, *xt; /* (rows x features) and its transpose; xt may be NULL */
    size_t x_stride, xt_stride;
};

/* Philox place of a dropout mask: element (row, feature) of a batch. Rule 9; kern_dropout_keep in math/philox.h. */
struct kern_dropout {
    int trials, rows, cols; /* of x, as stored */
    bool
        transposed; /* x is (features x samples): the place of (row, col) is sample col, feature row */
    float *x;       /* in place */
    size_t x_stride;
    const double *p;      /* p[trials], 0 <= p < 1 */
    const uint64_t *seed; /* seed[trials] */
    uint32_t step, layer;
};

/* A mask that is given, of one trial: rule 9. Neighbouring features share a number, `plane` of them. */
struct kern_mask {
    int rows, cols; /* of x, as stored */
    bool transposed;
    float *x; /* in place */
    const uint8_t *
        keep; /* of sample and feature: keep[sample * (features / plane) + feature / plane], 1 or 0 */
    int plane;
    double p;
};

struct kern_ops {
    const char *name;                   /* "ref", "cpu" */
    const char *instance;               /* "ref", "avx512", "avx2", "generic" */
    const struct kern_lanes_ops *lanes; /* small nets, a trial per lane; NULL: not offered */
    void (*matmul)(const struct kern_matmul *m);
    void (*update)(const struct kern_update *u);
    void (*gather)(const struct kern_gather *g);
    void (*transpose)(float *out, const float *in, int rows, int cols); /* in (rows x cols) */
    void (*relu)(float *x, size_t count);                               /* rule 3, in place */
    void (*relu_grad)(float *dx, const float *x, size_t count);         /* rule 3, in place */
    void (*dropout)(const struct kern_dropout *d);
    void (*mask)(const struct kern_mask *m);
    void (*bias_grad)(float *db, const float *dy, int rows,
                      int cols);                   /* db[kern_pad(cols)], rule 4 */
    void (*loss)(const struct kern_loss_call *c);  /* rules 5 and 11 */
    void (*softmax)(const struct kern_softmax *s); /* rule 13 */
    double (*sum_squares)(const float *x, size_t rows, size_t cols); /* rule 6, of a panel matrix */
    void (*add)(float *y, const float *x, size_t count); /* y = y + x, each rounded once */
    void (*scale)(float *x, size_t count, float factor); /* rule 19, this and the next two */
    void (*clamp)(float *x, size_t count, float limit);
    void (*add_scaled)(float *w, const float *r, size_t count,
                       float factor);                              /* fma(factor, r, w) */
    void (*lerp)(float *a, const float *w, size_t count, float t); /* rule 21 */
    void (*add_sign)(float *g, const float *w, size_t count, float l1);
    void (*activate)(const struct kern_activate *a); /* rule 12, as the next */
    void (*activate_grad)(const struct kern_activate *a);
    void (*conv_forward)(
        const struct kern_conv *v);             /* y from x, w, bias: rule 14, as the next two */
    void (*conv_dx)(const struct kern_conv *v); /* dx from dy, w (and x where v->relu) */
    void (*conv_dw)(const struct kern_conv *v); /* dw and db, those not NULL, from x and dy */
    void (*maxpool)(const struct kern_pool *p); /* y from x: rule 15, as the next three */
    void (*maxpool_grad)(const struct kern_pool *p); /* dx from x and dy */
    void (*avgpool)(const struct kern_pool *p);
    void (*avgpool_grad)(const struct kern_pool *p);
    void (*batchnorm)(const struct kern_batchnorm *b); /* training: rule 16, as the next two */
    void (*batchnorm_eval)(const struct kern_batchnorm *b);
    void (*batchnorm_grad)(const struct kern_batchnorm *b); /* dx, dw and db, those not NULL */
    void (*layernorm)(const struct kern_layernorm *n);      /* rule 17, as the next three */
    void (*layernorm_grad)(const struct kern_layernorm *n); /* dx, dw and db, those not NULL */
    void (*dropout2d)(const struct kern_dropout2d *d);
    void (*noise)(const struct kern_noise *n);
};

/* The table of "ref" or "cpu". CS_ENONAME for another name; CS_EUNAVAILABLE when CSWEEP_CPU names an instance
 * that this machine cannot run; CS_ERANGE when it names none. */
int kern_backend_find(const struct kern_ops **out, const char *name, struct cs_error *err);

/* The instances of "cpu" that this machine can run, best first, NULL-terminated: for tests and `doctor`. */
const struct kern_ops *const *kern_cpu_instances(void);

#endif
