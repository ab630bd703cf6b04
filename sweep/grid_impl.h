/* grid_impl.h - between the files of the grid: grid_read.c, grid_patch.c, grid.c, grid_expand.c. */
#ifndef SWEEP_GRID_IMPL_H
#define SWEEP_GRID_IMPL_H

#include "sweep/grid.h"

struct cs_param;

bool sweep_grid_one_of(const char *word, const char *const *list, size_t count);

/* grid_read.c: the file and what it includes, as sections and entries. The code of sweep_grid_read. */
int sweep_grid_read_files(struct grid *grid, const char *path);
struct grid_section *sweep_grid_section_add(struct grid *grid, enum grid_place place,
                                            const char *title, int line);
void sweep_grid_entry_add(struct grid *grid, struct grid_section *section, const char *key,
                          const char *value, int line);

/* Give the entry the value of another, and keep what it had as `under`. */
void sweep_grid_entry_replace(struct grid *grid, struct grid_entry *entry,
                              const struct grid_entry *other);

/* "group NAME" for NAME.KEY; NULL for another key. */
const char *sweep_grid_group_section(struct grid *grid, const char *key);

/* grid_patch.c: presets and the command line over the entries. */
void sweep_grid_patch(struct grid *grid, const struct sweep_plan_input *input);

/* grid.c: what a name is. */
const struct cs_param *sweep_grid_sweep_key(const char *name);

/* Is key a variable of the user's own: unknown to csweep, and some text refers to it? */
bool sweep_grid_is_own(const struct grid *grid, const char *key);

/* Report a key that is unknown or stands in the wrong section. */
bool sweep_grid_check_place(struct grid *grid, const struct grid_entry *entry);
void sweep_grid_report_unknown(struct grid *grid, const struct grid_entry *entry);

#endif
