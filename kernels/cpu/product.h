/*
 * product.h - the products of a call, each by the way that is quickest for its operands: dense (matmul.h), or
 * without the terms where A or B is zero (sparse.h, AVX2 and AVX-512).
 *
 * The choice looks at the shape and at a sample of the operands; it cannot change a bit.
 */
#ifndef KERN_CPU_PRODUCT_H
#define KERN_CPU_PRODUCT_H

#include "kernels/backend_impl.h"
#include "kernels/cpu/matmul.h"

#if defined(__AVX2__) && !defined(KERN_TWO_PANEL_INSTANCE)
#include "kernels/cpu/sparse.h"

/* Products below this are too quick for a look at their operands to pay. */
static const double skip_work = 1 << 20;

/* Shares of zeros from which on skipping is quicker, by A's or by B's, for an update or not: as measured, Zen 4. */
static const float enough_a[2] = {0.27f, 0.23f}, enough_b[2] = {0.30f, 0.26f};

static bool fits_a(const struct product *p)
{
    return p->cols > STRIP - KERN_PANEL && kern_pad(p->depth) * TILE_LINES <= LIST_ENTRIES;
}

/* A bias is not for rows of one column. */
static bool fits_b(const struct product *p)
{
    return p->rows >= STRIP && p->epilogue != KERN_BIAS && p->epilogue != KERN_BIAS_RELU &&
           kern_pad(p->depth) * TILE_LINES <= LIST_ENTRIES;
}

static void choose_product(const struct product *p)
{
    const bool big = (double) p->rows * (double) p->cols * (double) p->depth >= skip_work;
    const enum kern_skip skip = kern_cpu_skip;
    const int update = p->epilogue == KERN_UPDATE;
    size_t picked = 0;
    float a = 0, b = 0, gain_a, gain_b;

    if (fits_a(p) && (skip == KERN_SKIP_A || (skip == KERN_SKIP_CHOOSE && big)))
        a = 1 - (1 - zero_share(p->a, p->rows * kern_pad(p->depth))) * (float) kern_pad(p->depth) /
                    (float) p->depth; /* padding is no gain */
    if (fits_b(p) && (skip == KERN_SKIP_B || (skip == KERN_SKIP_CHOOSE && big))) {
        picked = pick_rows(p);
        b = zero_share(p->b, p->depth * kern_pad(p->cols));
    }
    gain_a = a - enough_a[update];
    gain_b = 1 - (1 - b) * (picked ? (float) picked / (float) p->rows : 1) - enough_b[update];
    if (skip == KERN_SKIP_A ? fits_a(p) : gain_a > 0 && gain_a >= gain_b)
        product_by_a(p, a);
    else if (skip == KERN_SKIP_B ? fits_b(p) : gain_b > 0)
        product_by_b(p, b, picked);
    else
        dense_part(p, 0, kern_pad(p->cols) / KERN_PANEL, 0);
}

#else

static void choose_product(const struct product *p)
{
    dense_part(p, 0, kern_pad(p->cols) / KERN_PANEL, 0);
}

#endif

static void cpu_matmul(const struct kern_matmul *m)
{
    for (size_t t = 0; t < (size_t) m->trials; t++) {
        struct product p = {
            .rows = (size_t) m->rows,
            .cols = (size_t) m->cols,
            .depth = (size_t) m->depth,
            .a = m->a + t * m->a_stride,
            .b = m->b + t * m->b_stride,
            .c = m->c + t * m->c_stride,
            .epilogue = m->epilogue,
            .extra = m->extra ? m->extra + t * m->extra_stride : NULL,
        };
        if (m->epilogue == KERN_UPDATE) {
            for (int k = 0; k < KERN_SLOTS; k++)
                p.slot[k] = slot_at(m->slot[k], t * m->c_stride);
            p.step = step_find(&m->step[t]);
            p.hyper = &m->step[t].hyper;
        }
        choose_product(&p);
    }
}

#endif
