/* grid_impl.h - between the files of the grid: grid_read.c, grid_patch.c, grid.c, grid_expand.c. */
#ifndef SWEEP_GRID_IMPL_H
#define SWEEP_GRID_IMPL_H

#include "common/cs_expr.h"
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

/* Would the value read back from sweep.ini? Not with line ends, comment signs, control bytes, bad UTF-8. */
bool sweep_grid_can_be_written(struct grid *grid, const char *value);

/* grid_env.c: text with every ${env:...} replaced, or NULL with a fault at the line; *note: what they were, or NULL. */
const char *sweep_grid_env(struct grid *grid, const char *key, const char *text, int line,
                           const char **note);

/* grid_text.c: ${name}s and expressions in values. */

/* The next ${name} or the next word of a text, which moves on; NULL: no more. */
const char *sweep_grid_next_reference(struct grid *grid, const char **text);
const char *sweep_grid_next_word(struct grid *grid, const char **text);

/* Is the value of the alternative made at each point? */
bool sweep_grid_is_formula(const char *text);

/* NULL with a fault recorded at the line where there is one. */
struct grid_formula *sweep_grid_formula_create(struct grid *grid, const char *key, const char *text,
                                               int line);

/* The value of a key that has a formula at this point; without one (a fault is recorded) it is absent. */
void sweep_grid_make_value(struct grid *grid, struct grid_key *key);

/* cs_expr_lookup over the values of keys; context: the grid. */
struct cs_expr_value sweep_grid_look_up(void *context, const char *name);

/* grid_value.c: the shortest decimal within 1e-12 of value, relatively; 0 where value is nothing beside scale. */
double sweep_grid_snap(double value, double scale);

/* grid.c: before and after keys are defined: what the entries refer to, presets and command line; keys in file order. */
void sweep_grid_open(struct grid *grid, const struct sweep_plan_input *input);
void sweep_grid_close(struct grid *grid);

/* grid_value.c: the text as the one alternative that it is; false with a fault at the line. */
bool sweep_grid_value_one(struct grid_value *out, struct grid *grid, struct grid_key *key,
                          const char *text, int line);

/* grid_expand.c: the order in which keys are decided, where the points are given. */
void sweep_grid_order(struct grid *grid);

/* grid_search.c: are the key's values here numbers? */
bool sweep_grid_is_number(const struct grid_key *key);

/* grid_search.c: the parameters of a grid whose points are drawn, in grid->drawer. */
void sweep_grid_search(struct grid *grid, const struct search_options *options);

/*
 * grid_expand.c: the keys' state becomes the point of that draw. known: values to take instead of drawing them, by
 * parameter, NaN: none; or NULL. False: an [exclude] rule took it.
 */
bool sweep_grid_draw(struct grid *grid, uint32_t draw, const double *known);

/* Faults and warnings about what no point uses. Of drawn points more are looked at than there will be. */
void sweep_grid_check_use(struct grid *grid);

/* grid.c: what a name is. */
struct grid_key *sweep_grid_key_get(struct grid *grid, const char *name); /* made when it is new */
const struct cs_param *sweep_grid_sweep_key(const char *name);

/* What is wrong with a name that a value or condition uses, such as "no such key; did you mean lr?"; NULL: nothing. */
const char *sweep_grid_name_problem(struct grid *grid, const char *name);

/* Is key a variable of the user's own: unknown to csweep, and some text refers to it? */
bool sweep_grid_is_own(const struct grid *grid, const char *key);

/* Report a key that is unknown or stands in the wrong section. */
bool sweep_grid_check_place(struct grid *grid, const struct grid_entry *entry);
void sweep_grid_report_unknown(struct grid *grid, const struct grid_entry *entry);

#endif
