/*
 * update.h - the optimizers' bodies as vectorised loops: one function per optimizer and variant.
 *
 * The loops are over contiguous floats and know nothing of panels; matmul.h calls them on each finished tile.
 */
#ifndef KERN_CPU_UPDATE_H
#define KERN_CPU_UPDATE_H

#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"
#include "kernels/optim/list.h"

/* One step on w[0 ... count), count a multiple of 16; slots past the variant's are not touched. */
typedef void step_fn(float *RESTRICT w, const float *RESTRICT g, float *RESTRICT s0,
                     float *RESTRICT s1, float *RESTRICT s2, size_t count,
                     const struct kern_hyper *hyper);

/* The hyperparameters are copied: they might lie in w for all the compiler knows. */
#define STEP_FN(NAME, VARIANT)                                                                    \
    static void NAME##_step_##VARIANT(float *RESTRICT w, const float *RESTRICT g,                 \
                                      float *RESTRICT s0, float *RESTRICT s1, float *RESTRICT s2, \
                                      size_t count, const struct kern_hyper *hyper)               \
    {                                                                                             \
        const struct kern_hyper h = *hyper;                                                       \
        const int slots = NAME##_slots(VARIANT);                                                  \
        const size_t whole = count & ~(size_t) (KERN_PANEL - 1); /* no code for left-overs */     \
                                                                                                  \
        for (size_t i = 0; i < whole; i++) {                                                      \
            float s[KERN_SLOTS] = {slots > 0 ? s0[i] : 0.0f, slots > 1 ? s1[i] : 0.0f,            \
                                   slots > 2 ? s2[i] : 0.0f};                                     \
            w[i] = NAME##_body(w[i], g[i], s, &h, VARIANT);                                       \
            if (slots > 0)                                                                        \
                s0[i] = s[0];                                                                     \
            if (slots > 1)                                                                        \
                s1[i] = s[1];                                                                     \
            if (slots > 2)                                                                        \
                s2[i] = s[2];                                                                     \
        }                                                                                         \
    }

_Static_assert(KERN_SLOTS == 3 && KERN_VARIANTS == 4, "STEP_FN and step_fns spell these out");

#define KERN_OPTIM_EACH(NAME) \
    STEP_FN(NAME, 0)          \
    STEP_FN(NAME, 1)          \
    STEP_FN(NAME, 2)          \
    STEP_FN(NAME, 3)
#include "kernels/optim/list.h"
#undef KERN_OPTIM_EACH

/* In the order of kern_optim_all(). */
static step_fn *const step_fns[][KERN_VARIANTS] = {
#define KERN_OPTIM_EACH(NAME) {NAME##_step_0, NAME##_step_1, NAME##_step_2, NAME##_step_3},
#include "kernels/optim/list.h"
#undef KERN_OPTIM_EACH
};

static step_fn *step_find(const struct kern_step *step)
{
    const struct kern_optim *const *all = kern_optim_all();
    size_t row = 0;

    while (all[row] != step->optim)
        row++;
    return step_fns[row][step->variant];
}

ALWAYS_INLINE float *slot_at(float *slot, size_t at)
{
    return slot ? slot + at : NULL;
}

static void cpu_update(const struct kern_update *u)
{
    for (size_t t = 0; t < (size_t) u->trials; t++) {
        const size_t at = t * u->w_stride;
        step_fn *step = step_find(&u->step[t]);
        step(u->w + at, u->g + t * u->g_stride, slot_at(u->slot[0], at), slot_at(u->slot[1], at),
             slot_at(u->slot[2], at), u->count, &u->step[t].hyper);
    }
}

#endif
