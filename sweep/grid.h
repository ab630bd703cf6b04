/*
 * grid.h - a grid file as keys with alternatives, and the points they span. Used by plan.c only.
 *
 * sweep_grid_read    text, presets and command line -> definitions; every fault of the file is collected
 * sweep_grid_expand  definitions -> points: which alternative of which definition is in force
 *
 * A key has at most one definition outside [when] and any number inside; a [when] that holds comes before the
 * one outside, two that hold at one point are a fault. A point is a code per key, in file order: 0 the key is
 * not written or not in force here, else 1 + the number of the alternative, counted through all definitions of
 * the key. Points are sorted by their codes, so the first axis of the file varies slowest and the plan does
 * not depend on the order in which conditions had to be decided.
 *
 * Bounds: a file of 1 MB, GRID_MAX_KEYS keys with GRID_MAX_DEFS definitions, GRID_MAX_VALUES alternatives of one key, GRID_MAX_POINTS points,
 * GRID_MAX_STEPS decisions while they are found.
 */
#ifndef SWEEP_GRID_H
#define SWEEP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_str.h"
#include "trainer/spec.h"

struct cs_error;
struct cs_expr;
struct sweep_plan_input;

enum {
    GRID_MAX_KEYS = 1000,
    GRID_MAX_DEFS = 1000,
    GRID_MAX_VALUES = 1000000,
    GRID_MAX_POINTS = 1000000,
    GRID_MAX_STEPS = 50000000,
    GRID_MAX_CELLS = 100000000,  /* points x keys */
    GRID_MAX_LAYERS = 65536,     /* bytes of `layers` after ${...} */
    GRID_COMMAND_LINE = 1 << 24, /* lines from here on: words of the command line */
    GRID_MAX_FAULTS = 200,
};

struct sweep_grid_fault {
    int line; /* 0: the file as a whole */
    const char *text;
};

struct grid_faults {
    struct sweep_grid_fault *items;
    size_t count, capacity;
};

enum grid_place { GRID_SWEEP, GRID_SETTINGS, GRID_WHEN, GRID_PRESET, GRID_SKIPPED };

/* One [section] of the file. Equal sections are separate here. */
struct grid_section {
    enum grid_place place;
    const char *name; /* "optimizer"; of a preset its name; of a when its condition */
    int line;
    struct cs_expr *condition; /* GRID_WHEN; NULL: faulty */
    bool held;                 /* at some point */
    size_t number;             /* place in grid->sections */
};

/* One `key = value` line, after presets and command line. */
struct grid_entry {
    struct grid_section *section;
    const char *key, *value;
    int line,
        value_line; /* value_line: of the preset's or command line's word that replaced the value */
};

struct grid_value {
    const char *text; /* canonical */
    double num;
};

struct grid_def {
    const struct grid_entry *entry;
    struct grid_section *when; /* NULL: outside */
    struct grid_value *values;
    size_t count, first; /* first: code of values[0] */
    bool used;           /* at some point */
};

struct grid_key;

struct grid_row {
    const struct train_key *row;
    struct grid_key *owner; /* NULL: always in force */
    const char *def;        /* canonical default */
    double num;
};

struct grid_key {
    const char *name;
    bool own;     /* a ${name} of [model], not a setting of the spec */
    bool numeric; /* of own ones: every alternative is a number */
    bool
        broken; /* a definition has no good alternative or a faulty [when]: its faults are told already */
    struct grid_row *rows;
    size_t row_count;
    struct grid_def *defs; /* file order; none for keys that are only referred to */
    size_t def_count;
    int mark; /* of the search for circles */
    /* At the point being looked at: */
    const struct grid_def *def; /* NULL: not written here */
    const struct grid_row *row; /* NULL: not in force, or own */
    const char *value;          /* NULL: absent */
    double num;
    uint32_t code;
};

struct grid {
    struct cs_arena arena;
    const char *path;
    struct grid_faults faults, warnings;
    struct grid_section **sections;
    size_t section_count, section_capacity;
    struct grid_entry *entries;
    size_t entry_count, entry_capacity;
    struct grid_key **keys; /* file order, referred ones last */
    size_t key_count, key_capacity;
    struct grid_key **sequence; /* a key after those that decide about it */
    size_t sequence_count;
    const char **referred; /* names of every ${name}, sorted */
    size_t referred_count;
    const char *const *overridden; /* keys replaced by presets or command line */
    size_t overridden_count;
    uint32_t *points; /* [point_count][key_count] */
    size_t point_count, point_capacity, steps;
    bool stopped; /* expansion ended by a fault: points are incomplete */
};

/* CS_EIO: the file cannot be read (a fault says so); else 0, with the faults found so far in grid->faults. */
int sweep_grid_read(struct grid *grid, const struct sweep_plan_input *input);

/* The points, unless there are faults that hide them. Adds faults. */
void sweep_grid_expand(struct grid *grid);

/* Set the keys' state to a point. */
void sweep_grid_restore(struct grid *grid, size_t point);

/* `layers` at the restored point with every ${name} replaced; NULL with *err set. */
const char *sweep_grid_layers(struct grid *grid, const char *text, struct cs_buf *buf,
                              struct cs_error *err);

void sweep_grid_clear(struct grid *grid);

/* The entry of [sweep] for key, or NULL. */
const struct grid_entry *sweep_grid_sweep_entry(const struct grid *grid, const char *key);

struct grid_key *sweep_grid_key_find(const struct grid *grid, const char *name);

/* Is there a ${name} in text? */
bool sweep_grid_refers(const char *text, const char *name);

/* The next ${name} at or after text: its `$`, with the name in *name and *size, or NULL. */
const char *sweep_grid_reference(const char *text, const char **name, size_t *size);

/* Was the key replaced by a preset or the command line? */
bool sweep_grid_overridden(const struct grid *grid, const char *key);

/* Record a fault or warning at a line; equal ones are kept once. */
void sweep_grid_fault(struct grid *grid, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void sweep_grid_warn(struct grid *grid, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sort by line, the file as a whole and the command line last, and print as "path:line: text". */
void sweep_grid_faults_print(struct cs_buf *out, struct grid_faults *faults, const char *path,
                             size_t index);
void sweep_grid_faults_sort(struct grid_faults *faults);

/*
 * The alternatives of one value text: split at commas, ranges expanded, each parsed by the first of the rows that
 * takes it (no rows: one's own variable), duplicates dropped with a warning. Faults are recorded; the result holds
 * the good ones.
 */
struct grid_list {
    struct grid_value *values;
    size_t count;
    bool numeric;
};
struct grid_list sweep_grid_values(struct grid *grid, const char *key,
                                   const struct cs_param *const *rows, size_t row_count,
                                   const char *text, int line);

#endif
