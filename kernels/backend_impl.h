/*
 * backend_impl.h - the tables behind kern_backend_find; tests compare them with one another.
 *
 * Which of the cpu tables exist depends on the target: the x86 ones only there (KERN_X86), two_panel only in
 * builds with tests (KERN_TWO_PANEL): it runs avx512's path of two panels per tile with AVX2 vectors, so that the path
 * is executed on machines without AVX-512.
 */
#ifndef KERN_BACKEND_IMPL_H
#define KERN_BACKEND_IMPL_H

#include "kernels/kernels.h"

extern const struct kern_ops kern_ref;
extern const struct kern_ops kern_cpu_generic;
extern const struct kern_ops kern_cpu_avx2;
extern const struct kern_ops kern_cpu_avx512;
extern const struct kern_ops kern_cpu_two_panel;

/* Parts of "ref" in files of their own. */
void kern_ref_activate(const struct kern_activate *a);
void kern_ref_activate_grad(const struct kern_activate *a);
void kern_ref_loss(const struct kern_loss_call *c);
void kern_ref_softmax(const struct kern_softmax *s);
/* Of kern_ref, in ref_conv.c. */
void kern_ref_conv_forward(const struct kern_conv *v);
void kern_ref_conv_dx(const struct kern_conv *v);
void kern_ref_conv_dw(const struct kern_conv *v);
void kern_ref_maxpool(const struct kern_pool *p);
void kern_ref_maxpool_grad(const struct kern_pool *p);
void kern_ref_avgpool(const struct kern_pool *p);
void kern_ref_avgpool_grad(const struct kern_pool *p);
/* In ref_norm.c. */
void kern_ref_batchnorm(const struct kern_batchnorm *b);
void kern_ref_batchnorm_eval(const struct kern_batchnorm *b);
void kern_ref_batchnorm_grad(const struct kern_batchnorm *b);
void kern_ref_layernorm(const struct kern_layernorm *n);
void kern_ref_layernorm_grad(const struct kern_layernorm *n);
void kern_ref_dropout2d(const struct kern_dropout2d *d);
void kern_ref_noise(const struct kern_noise *n);

/* Which terms of a product that are zero avx2 and avx512 leave out. The bits are the same: for tests and benches. */
enum kern_skip {
    KERN_SKIP_CHOOSE, /* what is quickest for the product */
    KERN_SKIP_NONE,
    KERN_SKIP_A, /* by the first operand's zeros, whatever the product's size */
    KERN_SKIP_B, /* by the second's */
};

extern enum kern_skip kern_cpu_skip;

#endif
