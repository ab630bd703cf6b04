/* grid_fault.h - faults and warnings of a grid, and the places they name. Used by grid.h and what includes it. */
#ifndef SWEEP_GRID_FAULT_H
#define SWEEP_GRID_FAULT_H

#include <stddef.h>
#include <stdint.h>

struct cs_buf;
struct grid;

enum { GRID_MAX_FAULTS = 200 };

/*
 * A place in the texts is a file and a line in one int, so that it passes through train_setting.line: the file's
 * number times GRID_FILE_LINES, plus the line from 1. From GRID_COMMAND_LINE on: words of the command line. 0: the grid as a
 * whole.
 */
enum { GRID_FILE_LINES = 1 << 21, GRID_COMMAND_LINE = 1 << 28 };

struct grid_file {
    const char *path; /* as messages name it */
    int parent;       /* the file that includes it; -1: the grid file itself */
    int rank;         /* the order in which their own lines were read */
    uint64_t device, inode;
};

struct sweep_grid_fault {
    int line; /* a place */
    const char *text;
};

struct grid_faults {
    struct sweep_grid_fault *items;
    size_t count, capacity;
};

/* Record a fault or warning at a line; equal ones are kept once. */
void sweep_grid_fault(struct grid *grid, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void sweep_grid_warn(struct grid *grid, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "line 7", of another file than at's "base.ini:7"; lives in the arena. */
const char *sweep_grid_where(struct grid *grid, int line, int at);

/* Sort by file and line, the grid as a whole and the command line last, and print as "path:line: text". */
void sweep_grid_faults_print(struct cs_buf *out, const struct grid *grid,
                             const struct grid_faults *faults, size_t index);
void sweep_grid_faults_sort(struct grid_faults *faults);

#endif
