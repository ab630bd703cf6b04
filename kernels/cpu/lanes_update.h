/*
 * lanes_update.h - the optimizers where every lane is a trial of its own.
 *
 * The bodies run on up to 64 floats with every hyperparameter as 64 floats beside them. Where the trials of a vector
 * have different optimizers, each runs on a copy and its lanes are taken over.
 */
#ifndef KERN_CPU_LANES_UPDATE_H
#define KERN_CPU_LANES_UPDATE_H

#include "kernels/cpu/update.h"
#include "kernels/cpu/vec.h"
#include "kernels/kernels.h"

enum { LANE_STRIP = 64, LANE_STRIP_COLS = LANE_STRIP / VEC_LANES };

typedef void lane_step_fn(float *RESTRICT w, const float *RESTRICT g, float *RESTRICT s0,
                          float *RESTRICT s1, float *RESTRICT s2, size_t count,
                          const float (*RESTRICT hyper)[LANE_STRIP]);

_Static_assert(KERN_HYPERS == 12, "LANE_STEP_FN spells this out");

/* count: a multiple of 16, at most LANE_STRIP */
#define LANE_STEP_FN(NAME, VARIANT)                                                             \
    static void NAME##_lane_step_##VARIANT(                                                     \
        float *RESTRICT w, const float *RESTRICT g, float *RESTRICT s0, float *RESTRICT s1,     \
        float *RESTRICT s2, size_t count, const float(*RESTRICT v)[LANE_STRIP])                 \
    {                                                                                           \
        const int slots = NAME##_slots(VARIANT);                                                \
        const size_t whole = count & ~(size_t) (KERN_PANEL - 1);                                \
                                                                                                \
        for (size_t i = 0; i < whole; i++) {                                                    \
            const struct kern_hyper h = {{v[0][i], v[1][i], v[2][i], v[3][i], v[4][i], v[5][i], \
                                          v[6][i], v[7][i], v[8][i], v[9][i], v[10][i],         \
                                          v[11][i]}};                                           \
            float s[KERN_SLOTS] = {slots > 0 ? s0[i] : 0.0f, slots > 1 ? s1[i] : 0.0f,          \
                                   slots > 2 ? s2[i] : 0.0f};                                   \
            w[i] = NAME##_body(w[i], g[i], s, &h, VARIANT);                                     \
            if (slots > 0)                                                                      \
                s0[i] = s[0];                                                                   \
            if (slots > 1)                                                                      \
                s1[i] = s[1];                                                                   \
            if (slots > 2)                                                                      \
                s2[i] = s[2];                                                                   \
        }                                                                                       \
    }

#define KERN_OPTIM_EACH(NAME) \
    LANE_STEP_FN(NAME, 0)     \
    LANE_STEP_FN(NAME, 1)     \
    LANE_STEP_FN(NAME, 2)     \
    LANE_STEP_FN(NAME, 3)
#include "kernels/optim/list.h"
#undef KERN_OPTIM_EACH

/* In the order of kern_optim_all(). */
static lane_step_fn *const lane_step_fns[][KERN_VARIANTS] = {
#define KERN_OPTIM_EACH(NAME) \
    {NAME##_lane_step_0, NAME##_lane_step_1, NAME##_lane_step_2, NAME##_lane_step_3},
#include "kernels/optim/list.h"
#undef KERN_OPTIM_EACH
};

/* One step of the lanes, as the loops want it. */
struct lane_update {
    const struct kern_step *step; /* [VEC_LANES], what the rest was made from */
    float hyper[KERN_HYPERS][LANE_STRIP];
    int parts; /* different optimizers */
    struct {
        lane_step_fn *run;
        int slots;
        uint32_t mine[LANE_STRIP]; /* all ones where the lane is this part's; unset with one part */
    } part[VEC_LANES];
};

static lane_step_fn *lane_step_find(const struct kern_step *step)
{
    const struct kern_optim *const *all = kern_optim_all();
    size_t row = 0;

    while (all[row] != step->optim)
        row++;
    return lane_step_fns[row][step->variant];
}

static void lane_update_set(struct lane_update *u, const struct kern_step *step)
{
    if (u->step == step)
        return;
    u->step = step;
    u->parts = 0;
    for (int h = 0; h < KERN_HYPERS; h++)
        for (int i = 0; i < LANE_STRIP; i++)
            u->hyper[h][i] = step[i % VEC_LANES].hyper.v[h];
    for (int lane = 0; lane < VEC_LANES; lane++) {
        bool known = false;
        for (int l = 0; l < lane && !known; l++)
            known = step[l].optim == step[lane].optim && step[l].variant == step[lane].variant;
        if (known)
            continue;
        u->part[u->parts].run = lane_step_find(&step[lane]);
        u->part[u->parts].slots = step[lane].optim->slots(step[lane].variant);
        for (int i = 0; i < LANE_STRIP; i++) {
            const struct kern_step *s = &step[i % VEC_LANES];
            u->part[u->parts].mine[i] =
                s->optim == step[lane].optim && s->variant == step[lane].variant ? UINT32_MAX : 0;
        }
        u->parts++;
    }
}

static void take_lanes(float *RESTRICT to, const float *RESTRICT from,
                       const uint32_t *RESTRICT mine, size_t count)
{
    const size_t whole = count & ~(size_t) (KERN_PANEL - 1);

    for (size_t i = 0; i < whole; i++)
        to[i] = mine[i] ? from[i] : to[i];
}

/* Lanes with different optimizers. */
static void step_parts(const struct lane_update *u, float *w, const float *g, float *const *slot,
                       size_t count)
{
    _Alignas(64) float copy[1 + KERN_SLOTS][LANE_STRIP];

    for (int p = 0; p < u->parts; p++) {
        memcpy(copy[0], w, count * sizeof *w);
        for (int k = 0; k < u->part[p].slots; k++)
            memcpy(copy[1 + k], slot[k], count * sizeof *w);
        u->part[p].run(copy[0], g, copy[1], copy[2], copy[3], count, u->hyper);
        take_lanes(w, copy[0], u->part[p].mine, count);
        for (int k = 0; k < u->part[p].slots; k++)
            take_lanes(slot[k], copy[1 + k], u->part[p].mine, count);
    }
}

/* count: a multiple of 16, at most LANE_STRIP; slot: as far as any lane has them, else NULL. */
ALWAYS_INLINE void step_piece(const struct lane_update *u, float *w, const float *g,
                              float *const *slot, size_t at, size_t count)
{
    float *const s[] = {slot_at(slot[0], at), slot_at(slot[1], at), slot_at(slot[2], at)};

    if (u->parts == 1)
        u->part[0].run(w + at, g, s[0], s[1], s[2], count, u->hyper);
    else
        step_parts(u, w + at, g, s, count);
}

#endif
