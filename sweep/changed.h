/*
 * changed.h - did an edit of the grid make another set of points of all that was finished? Then one line says by what.
 *
 * A trial is its settings, so changing one that all trials have (batch_size, layers) finishes nothing that was begun: all
 * points are new ones, and the finished ones stay as they are. A key counts as changed when no value of the trials that
 * are finished, and not of this grid any more, is one of the grid's. epochs alone does not: longer.h tells of it.
 */
#ifndef SWEEP_CHANGED_H
#define SWEEP_CHANGED_H

#include "common/cs_str.h"
#include "sweep/journal.h"
#include "sweep/plan.h"

/* The line without its end; nothing when a trial of the grid is known, none is left over, or no key changed for all. */
void sweep_changed_text(struct cs_buf *out, const struct sweep_plan *plan,
                        const struct sweep_state *state);

#endif
