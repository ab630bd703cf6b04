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

/* One step on w[0 ... count); slots of the variant only, NULL past them. */
typedef void step_fn(float *w, const float *g, float *const *slot, size_t count,
                     const struct kern_hyper *hyper);

#define STEP_FN(NAME, VARIANT)                                                        \
    static void NAME##_step_##VARIANT(float *RESTRICT w, const float *RESTRICT g,     \
                                      float *const *slot, size_t count,               \
                                      const struct kern_hyper *hyper)                 \
    {                                                                                 \
        const struct kern_hyper h = *hyper;                                           \
        float *RESTRICT s0 = slot[0], *RESTRICT s1 = slot[1], *RESTRICT s2 = slot[2]; \
                                                                                      \
        for (size_t i = 0; i < count; i++) {                                          \
            float s[KERN_SLOTS] = {0};                                                \
            if (NAME##_slots(VARIANT) > 0)                                            \
                s[0] = s0[i];                                                         \
            if (NAME##_slots(VARIANT) > 1)                                            \
                s[1] = s1[i];                                                         \
            if (NAME##_slots(VARIANT) > 2)                                            \
                s[2] = s2[i];                                                         \
            w[i] = NAME##_body(w[i], g[i], s, &h, VARIANT);                           \
            if (NAME##_slots(VARIANT) > 0)                                            \
                s0[i] = s[0];                                                         \
            if (NAME##_slots(VARIANT) > 1)                                            \
                s1[i] = s[1];                                                         \
            if (NAME##_slots(VARIANT) > 2)                                            \
                s2[i] = s[2];                                                         \
        }                                                                             \
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

static void cpu_update(const struct kern_update *u)
{
    for (size_t t = 0; t < (size_t) u->trials; t++) {
        float *slot[KERN_SLOTS];
        for (int k = 0; k < KERN_SLOTS; k++)
            slot[k] = u->slot[k] ? u->slot[k] + t * u->w_stride : NULL;
        step_find (&u->step[t])(u->w + t * u->w_stride, u->g + t * u->g_stride, slot, u->count,
                                &u->step[t].hyper);
    }
}

#endif
