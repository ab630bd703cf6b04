/* judge.c - curves by number; per epoch, up to which trial all have got there. */
#include "sweep/prune/judge.h"

#include <stdlib.h>

struct sweep_judge {
    const struct sweep_pruning *pruning;
    const char *sweep;
    bool maximize;
    struct sweep_curve *curves; /* [count], by number */
    int count, capacity;
    int *settled; /* [epochs + 1]: the first so many have got to that epoch, or are over */
    int epochs;
};

sweep_judge *sweep_judge_create(const struct sweep_pruning *pruning, const char *sweep,
                                bool maximize)
{
    sweep_judge *j = cs_xcalloc(1, sizeof *j);

    *j = (sweep_judge){.pruning = pruning, .sweep = sweep, .maximize = maximize};
    return j;
}

void sweep_judge_free(sweep_judge *j)
{
    if (!j)
        return;
    for (int i = 0; i < j->count; i++)
        free(j->curves[i].value);
    free(j->curves);
    free(j->settled);
    free(j);
}

void sweep_judge_add(sweep_judge *j, int number, int epochs, bool spared)
{
    if (j->count == j->capacity) {
        j->capacity = j->capacity ? 2 * j->capacity : 64;
        j->curves = cs_xrealloc(j->curves, (size_t) j->capacity * sizeof *j->curves);
    }
    const int most = j->count ? j->curves[j->count - 1].most : 0;
    struct sweep_curve *curve = &j->curves[j->count++];
    *curve = (struct sweep_curve){.number = number,
                                  .epochs = epochs,
                                  .most = epochs > most ? epochs : most,
                                  .spared = spared};
    if (j->pruning->kind->lot)
        curve->lot = j->pruning->kind->lot(j->pruning, j->sweep, curve);
    if (curve->most > j->epochs) {
        j->settled = cs_xrealloc(j->settled, ((size_t) curve->most + 1) * sizeof *j->settled);
        for (int e = j->epochs + (j->epochs > 0); e <= curve->most; e++)
            j->settled[e] = 0;
        j->epochs = curve->most;
    }
}

static int find(const sweep_judge *j, int number)
{
    int low = 0, high = j->count - 1;

    while (low <= high) {
        const int middle = low + (high - low) / 2;
        if (j->curves[middle].number == number)
            return middle;
        if (j->curves[middle].number < number)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return -1;
}

void sweep_judge_tell(sweep_judge *j, int number, int epoch, double value)
{
    const int i = find(j, number);

    if (i < 0 || epoch != j->curves[i].count + 1 || epoch > j->curves[i].epochs)
        return;
    struct sweep_curve *curve = &j->curves[i];
    if ((curve->count & (curve->count - 1)) == 0) /* room doubles */
        curve->value = cs_xrealloc(curve->value, (curve->count ? 2 * (size_t) curve->count : 1) *
                                                     sizeof *curve->value);
    curve->value[curve->count++] = value;
}

void sweep_judge_end(sweep_judge *j, int number)
{
    const int i = find(j, number);

    if (i >= 0)
        j->curves[i].over = true;
}

int sweep_judge_next(const sweep_judge *j, int number, int epoch)
{
    const int i = find(j, number);
    const struct sweep_curve *curve = i < 0 ? NULL : &j->curves[i];

    if (!curve || curve->spared)
        return 0;
    for (int e = epoch + 1; e < curve->epochs; e++) {
        if (j->pruning->kind->due(j->pruning, curve, e))
            return e;
    }
    return 0;
}

/* The first trial that has yet to get to the epoch; the count of trials when there is none. */
static int first_behind(sweep_judge *j, int epoch)
{
    int i = j->settled[epoch];

    while (i < j->count && (j->curves[i].count >= epoch || j->curves[i].over))
        i++;
    j->settled[epoch] = i;
    return i;
}

enum sweep_verdict sweep_judge_verdict(sweep_judge *j, int number, int epoch, int *on,
                                       struct cs_buf *why)
{
    const struct sweep_pruner *kind = j->pruning->kind;
    const struct sweep_case c = {
        .maximize = j->maximize, .curves = j->curves, .index = find(j, number), .epoch = epoch};

    const struct sweep_curve *own = c.index < 0 ? NULL : &j->curves[c.index];

    if (!own || own->spared || epoch < 1 || epoch >= own->epochs || own->count < epoch ||
        !kind->due(j->pruning, own, epoch))
        return SWEEP_GO;
    const enum sweep_verdict alone = kind->alone(j->pruning, &c, why);
    if (alone != SWEEP_COMPARE)
        return alone;
    const int behind = first_behind(j, epoch);
    if (behind < c.index) {
        *on = j->curves[behind].number;
        return SWEEP_COMPARE;
    }
    return kind->compare(j->pruning, &c, why) ? SWEEP_PRUNE : SWEEP_GO;
}
