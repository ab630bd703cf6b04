/*
 * batch.h - a batch file: one trial a line, every setting a column, as `csweep plan --csv` prints it. Used by plan.c.
 *
 *   # sweep: metric = min Loss/Val
 *   number,name,id,seed,layers,w,optimizer,lr
 *   1,"0001,lr=0.1",95d0...,0,linear ${w} > linear 2,8,sgd,0.1
 *
 * RFC 4180: fields between commas, "in quotes" where they hold a comma, a quote (doubled) or a line end; lines end
 * in LF or CRLF. The first line that is neither empty nor begins with # names the columns. Lines `# sweep: KEY =
 * VALUE` before it are settings of [sweep], a line `# variables: NAME, NAME` names columns that are one's own where no
 * field refers to them (what was calculated from them stands there as numbers); other lines that begin with # are comments, and empty ones are passed over.
 *
 * Columns are keys of a trial, NAME.KEY for those of [group NAME], and one's own ${name}s; an empty field leaves the
 * key at its default, or absent. A field is one value: commas and ranges do not make several of it, ${name} and a
 * leading = mean what they do in a grid. Besides:
 *   seed    of the trial; without this column seeds are those of [sweep], as in a grid
 *   id      must be the trial's: a file that was changed by accident is refused; not looked at when the command line
 *           changes settings
 *   number, name   are not read: trials are numbered anew
 *
 * The same file as a grid: points in the order of their first lines, the seeds of a point together. Bounds: BATCH_BYTES,
 * BATCH_COLUMNS, GRID_MAX_POINTS lines.
 */
#ifndef SWEEP_BATCH_H
#define SWEEP_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cs_buf;
struct grid;
struct sweep_plan;
struct sweep_plan_input;

#define SWEEP_LINE "# sweep: "
#define SWEEP_VARIABLES "# variables: "

enum { BATCH_BYTES = 1 << 28, BATCH_COLUMNS = 1000 };

struct sweep_batch_row {
    int line;
    uint64_t seed;
    const char *id; /* as given, or NULL */
};

struct sweep_batch {
    struct sweep_batch_row *rows; /* [grid->point_count] */
    bool has_seeds;
    char *text; /* of the file */
};

/* Is it one? Its name ends in .csv, or it begins with a setting of [sweep]. */
bool sweep_batch_is(const char *path);

/* As sweep_grid_read and sweep_grid_expand: keys and points of the grid, one for each row. */
int sweep_batch_read(struct sweep_batch *batch, struct grid *grid,
                     const struct sweep_plan_input *input);
void sweep_batch_clear(struct sweep_batch *batch);

/* Faults and warnings recorded since these counts were taken stand in that line of the file. */
void sweep_batch_relocate(struct grid *grid, int line, size_t faults, size_t warnings);

/* The plan as a batch file, behind these lines (plan->sweep_lines, or others). */
void sweep_batch_write(struct cs_buf *out, const struct sweep_plan *plan, const char *lines);

#endif
