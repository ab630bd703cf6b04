/*
 * loss_formulas.h - each formula of kernels/loss as loops over up to 16 outputs of 16 samples.
 */
#ifndef KERN_CPU_LOSS_FORMULAS_H
#define KERN_CPU_LOSS_FORMULAS_H

#include "kernels/cpu/transpose.h"
#include "kernels/kernels.h"
#include "kernels/loss/list.h"

/* 16 samples; lanes past the batch's last sample hold zeros and do not count. */
struct loss_rows {
    float max[KERN_PANEL], sum[KERN_PANEL], log[KERN_PANEL], total[KERN_PANEL], at[KERN_PANEL];
    float value[KERN_PANEL];
    float counts[KERN_PANEL]; /* 1 or 0 */
    float share;
};

/* Up to 16 outputs of them: x[output][sample], targets likewise. */
struct loss_part {
    size_t outputs;
    float x[BLOCK_FLOATS], t[BLOCK_FLOATS], w[KERN_PANEL];
};

typedef void gathers_fn(int pass, struct loss_rows *s, const struct loss_part *p, const float *v);
typedef void settles_fn(struct loss_rows *s);
typedef void elements_fn(float *g, struct loss_rows *s, const struct loss_part *p, const float *v);

ALWAYS_INLINE struct kern_loss_row row_of(const struct loss_rows *s, int i)
{
    return (struct kern_loss_row){s->max[i], s->sum[i], s->log[i], s->total[i], s->at[i]};
}

ALWAYS_INLINE void put_row(struct loss_rows *s, int i, const struct kern_loss_row *row)
{
    s->max[i] = row->max;
    s->sum[i] = row->sum;
    s->log[i] = row->log;
    s->total[i] = row->total;
    s->at[i] = row->at;
}

/* The numbers are copied: they might lie in what is written for all the compiler knows. */
#define LOSS_FNS(NAME)                                                                       \
    ALWAYS_INLINE void NAME##_gather_all(int pass, struct loss_rows *RESTRICT s,             \
                                         const struct loss_part *RESTRICT p, const float *v) \
    {                                                                                        \
        for (size_t o = 0; o < p->outputs; o++)                                              \
            for (int i = 0; i < KERN_PANEL; i++) {                                           \
                const size_t at = o * KERN_PANEL + (size_t) i;                               \
                struct kern_loss_row row = row_of(s, i);                                     \
                NAME##_gather(pass, &row, p->x[at], p->t[at], p->w[o], v);                   \
                put_row(s, i, &row);                                                         \
            }                                                                                \
    }                                                                                        \
    static void NAME##_gathers(int pass, struct loss_rows *s, const struct loss_part *p,     \
                               const float *v)                                               \
    {                                                                                        \
        const float own[KERN_LOSS_NUMBERS] = {v[0], v[1]};                                   \
        if (pass == 0)                                                                       \
            NAME##_gather_all(0, s, p, own);                                                 \
        else                                                                                 \
            NAME##_gather_all(1, s, p, own);                                                 \
    }                                                                                        \
    static void NAME##_settles(struct loss_rows *s)                                          \
    {                                                                                        \
        for (int i = 0; i < KERN_PANEL; i++) {                                               \
            struct kern_loss_row row = row_of(s, i);                                         \
            NAME##_settle(&row);                                                             \
            put_row(s, i, &row);                                                             \
        }                                                                                    \
    }                                                                                        \
    static void NAME##_elements(float *RESTRICT g, struct loss_rows *RESTRICT s,             \
                                const struct loss_part *RESTRICT p, const float *v)          \
    {                                                                                        \
        const float own[KERN_LOSS_NUMBERS] = {v[0], v[1]}, share = s->share;                 \
        for (size_t o = 0; o < p->outputs; o++)                                              \
            for (int i = 0; i < KERN_PANEL; i++) {                                           \
                const size_t at = o * KERN_PANEL + (size_t) i;                               \
                const struct kern_loss_row row = row_of(s, i);                               \
                const float slope = NAME##_slope(p->x[at], p->t[at], p->w[o], &row, own);    \
                s->value[i] += NAME##_value(p->x[at], p->t[at], p->w[o], &row, own);         \
                g[at] = s->counts[i] > 0.0f ? slope * share : 0.0f;                          \
            }                                                                                \
    }

#define KERN_LOSS_EACH(NAME) LOSS_FNS(NAME)
#include "kernels/loss/list.h"
#undef KERN_LOSS_EACH

/* In the order of kern_losses(). */
static const struct loss_fns {
    gathers_fn *gathers;
    settles_fn *settles;
    elements_fn *elements;
} loss_fns[] = {
#define KERN_LOSS_EACH(NAME) {NAME##_gathers, NAME##_settles, NAME##_elements},
#include "kernels/loss/list.h"
#undef KERN_LOSS_EACH
};

enum {
#define KERN_LOSS_EACH(NAME) LOSS_##NAME,
#include "kernels/loss/list.h"
#undef KERN_LOSS_EACH
};

static int loss_place(const struct kern_loss *kind)
{
    const struct kern_loss *const *all = kern_losses();
    int place = 0;

    while (all[place] != kind)
        place++;
    return place;
}

#endif
