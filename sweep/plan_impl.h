/* plan_impl.h - between plan.c and plan_text.c. */
#ifndef SWEEP_PLAN_IMPL_H
#define SWEEP_PLAN_IMPL_H

#include "sweep/grid_impl.h"
#include "sweep/plan.h"

/* The grid as it ran, to be written as sweep.ini; the name is written out. The caller frees. */
char *sweep_plan_resolve(const struct grid *grid, const char *name);

/* [sweep] as lines of a batch file, without what its lines say themselves; name: written first, NULL: as given. */
const char *sweep_plan_lines(struct grid *grid, const char *name);

#endif
