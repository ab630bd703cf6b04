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
 * [zip NAME]: its keys are one axis: they take their first alternatives together, then their second ... All have
 * equally many; only one that a preset or the command line gave a single value is constant. The axis stands
 * where the section does. [zip NAME when CONDITION] does so where the condition holds, and elsewhere its keys are
 * absent, as in a [when CONDITION]. Where a [when] gives a key of a zip, or its choice does not use the key, that key
 * leaves the zip at these points and the others go on.
 *
 * [exclude]: NAME = CONDITION, over the values in force at a point. A point that several rules hit counts for
 * the first of them.
 *
 * include = FILE, FILE before the first section or in [sweep]: the files, each relative to the one that includes it,
 * are read before the lines of the file itself, whatever place the include has. A later definition of a key in
 * the same section, or under the same condition, takes the place of an earlier one: a file wins over what it
 * includes, the second FILE over the first. A [when] of an included file still comes before a value outside of
 * any [when], as if all stood in one file.
 *
 * ${name} in a value is replaced by the value of that key, or of a variable of one's own, at each point. A value that
 * begins with `=`, as in weight_decay = = 0.1 * lr, is an expression over the values of keys at each point; its number is
 * the shortest decimal within 1e-12 of it, as between the ends of a range. Both may be one of several alternatives, of
 * zips too, and are checked by the key's row when they are made; they may need each other but not in a circle. A
 * name that has no value at a point where it is needed is a fault.
 *
 * A variable of one's own is a name that is no key and that some ${name}, expression or condition uses. It exists
 * where an alternative in force refers to it; one that only conditions name exists everywhere; one that only presets
 * that are not chosen need, nowhere. ${env:NAME} and ${env:NAME:DEFAULT} are replaced once, as text, when the files are read: grid_env.c.
 *
 * Bounds: 1 MB for a file with all that it includes, GRID_MAX_FILES of them, GRID_MAX_INCLUDES deep; GRID_MAX_KEYS
 * keys with GRID_MAX_DEFS definitions, GRID_MAX_VALUES alternatives in all, GRID_MAX_POINTS points (before
 * [exclude]), GRID_MAX_STEPS of work while they are found.
 */
#ifndef SWEEP_GRID_H
#define SWEEP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_str.h"
#include "sweep/grid_fault.h"
#include "sweep/search/search.h"
#include "trainer/spec.h"

struct cs_error;
struct cs_expr;
struct sweep_plan_input;

enum {
    GRID_MAX_KEYS = 1000,
    GRID_MAX_DEFS = 1000,
    GRID_MAX_VALUES = 250000, /* in all */
    GRID_MAX_POINTS = 1000000,
    GRID_MAX_STEPS = 50000000, /* of some 20 ns */
    GRID_MAX_CELLS = 50000000, /* points x keys */
    GRID_MAX_TEXT = 65536,     /* bytes of a value after ${...} */
    GRID_MAX_FILES = 64,
    GRID_MAX_INCLUDES = 8,
};

enum grid_place {
    GRID_SWEEP,
    GRID_SETTINGS,
    GRID_WHEN,
    GRID_ZIP,
    GRID_EXCLUDE,
    GRID_PRESET,
    GRID_SKIPPED
};

/* One [section] of the file. Equal sections are separate here. */
struct grid_section {
    enum grid_place place;
    const char *title; /* "when optimizer=sgd": what stands between the brackets */
    const char *same;  /* equal for sections that say the same: title without needless blanks */
    const char *name;  /* "optimizer", "group out"; of a preset or zip its name */
    const char *rule;  /* the condition of a [when] or [zip ... when], else NULL */
    int line;
    struct cs_expr *condition; /* of rule; NULL: faulty */
    bool held;                 /* at some point */
    bool holds;                /* at the point being looked at */
    bool marked;               /* has a node */
    size_t level;              /* of the node */
    size_t number;             /* place in grid->sections */
};

/* One `key = value` line, after includes, presets and command line. */
struct grid_entry {
    struct grid_section *section;
    const char *key, *value;
    int line,
        value_line; /* value_line: of the preset's or command line's word that replaced the value */
    const char *preset; /* the one that gave the value, else NULL */
    const char *env;    /* "NAME = value" of each ${env:NAME} that was in it, else NULL */
    const struct grid_entry *under; /* what it took the place of, else NULL */
};

/* An alternative whose value is made at each point: of a text with ${name}s, or of an expression behind a `=`. */
struct grid_formula {
    const char *text;     /* as written */
    struct cs_expr *expr; /* NULL: a text */
    struct grid_key **refs;
    size_t ref_count;
    bool faulty; /* a fault of it is told */
};

struct grid_value {
    const char *text; /* canonical; of a formula or a distribution what stands in the file */
    double num;
    struct grid_formula *formula;    /* NULL: none */
    const struct search_param *dist; /* NULL: none */
    size_t param;                    /* of dist, in grid->drawer */
};

/* The keys of one [zip]: the axis. */
struct grid_zip {
    const char *same;               /* of its sections */
    const struct grid_entry *first; /* key of it, in the order of lines */
    size_t count, param;
    int index; /* at the point being looked at; -1: not decided yet */
};

struct grid_def {
    const struct grid_entry *entry;
    struct grid_section *when; /* NULL: outside */
    struct grid_zip *zip;      /* NULL: an axis of its own */
    struct grid_value *values;
    size_t count, first; /* first: code of values[0] */
    size_t param;        /* which alternative, in grid->drawer, where no zip decides */
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
    bool own;     /* a variable of the user's own, not a setting of the spec */
    bool numeric; /* of own ones: every alternative is a number, or made at each point */
    bool formed;  /* some alternative is a formula */
    bool asked;   /* some condition names it */
    bool broken;  /* by a fault that is told already */
    struct grid_row *rows;
    size_t row_count;
    struct grid_def *defs; /* file order; none for keys that are only referred to */
    size_t def_count;
    struct grid_key **users; /* whose formulas refer to it */
    size_t user_count;
    int mark, value_mark;      /* of the search for circles */
    size_t level, value_level; /* of its nodes */
    /* At the point being looked at: */
    const struct grid_def *def; /* NULL: not written here */
    const struct grid_row *row; /* NULL: not in force, or own */
    const char *value;          /* NULL: absent */
    double num;
    uint32_t code;
    struct grid_formula *formula; /* that makes the value; NULL: none does */
    struct cs_arena made;         /* holds the value it made */
    char drawn[CS_DOUBLE_MAX];    /* a value that was drawn */
};

/* A line of [exclude]. */
struct grid_rule {
    const struct grid_entry *entry;
    struct cs_expr *condition;
    size_t removed; /* points */
};

/*
 * What has to be decided, one after another, to know a point: does a [when] hold, which alternative has a key, what
 * value does its formula make.
 */
struct grid_node {
    struct grid_key *key; /* NULL: section */
    struct grid_section *section;
    bool value;   /* the key's value; else its alternative */
    size_t level; /* the number of the last axis before it that it follows from; 0: constant */
    bool axis;    /* of several alternatives */
};

struct grid {
    struct cs_arena arena;
    const char *path;
    struct grid_file files[GRID_MAX_FILES];
    int file_count, ranks;
    size_t bytes; /* read so far */
    struct grid_faults faults, warnings;
    size_t value_count;                 /* alternatives so far */
    const struct search_method *search; /* NULL: at fault */
    struct search *drawer;              /* NULL: a grid */
    struct grid_section **sections, *skipped;
    size_t section_count, section_capacity;
    struct grid_entry *entries;
    size_t entry_count, entry_capacity;
    struct grid_key **keys; /* file order, referred ones last */
    size_t key_count, key_capacity;
    uint32_t *key_table; /* number of a key + 1, by its name */
    size_t key_table_size;
    struct grid_zip **zips;
    size_t zip_count;
    struct grid_rule *rules;
    size_t rule_count;
    struct grid_node *nodes; /* each after those that decide about it */
    size_t node_count;
    const char **referred; /* names in every ${name} and every condition and expression, sorted */
    size_t referred_count;
    const char *variables; /* of a batch file: names that are one's own all the same, or NULL */
    const char **given;    /* keys that csweep does not know, sorted */
    size_t given_count;
    const char *const *overridden; /* keys replaced by presets or command line */
    size_t overridden_count;
    uint32_t *points; /* [point_count][key_count] */
    size_t point_count, point_capacity, steps;
    bool stopped; /* by a fault: points are incomplete */
};

/* CS_EIO: the file cannot be read (a fault says so); else 0, with the faults found so far in grid->faults. */
int sweep_grid_read(struct grid *grid, const struct sweep_plan_input *input);

/* The points, unless there are faults that hide them. Adds faults. */
void sweep_grid_expand(struct grid *grid);

/* Set the keys' state to a point. */
void sweep_grid_restore(struct grid *grid, size_t point);

/* The first rule of [exclude] that holds for the keys' state, or NULL. */
struct grid_rule *sweep_grid_excluded(struct grid *grid);

void sweep_grid_clear(struct grid *grid);

/* The entry of [sweep] for key, or NULL. */
const struct grid_entry *sweep_grid_sweep_entry(const struct grid *grid, const char *key);

struct grid_key *sweep_grid_key_find(const struct grid *grid, const char *name);

/* What shows the key's value at the point: itself, or of a text what stands in the file. */
const char *sweep_grid_shown(const struct grid_key *key);

/* Was the key replaced by a preset or the command line? */
bool sweep_grid_overridden(const struct grid *grid, const char *key);

/*
 * The alternatives of one value text: split at commas, ranges expanded, each parsed by the first of the rows that
 * takes it (no rows: one's own variable), duplicates dropped with a warning unless they are kept. Faults are recorded;
 * the result holds the good ones.
 */
struct grid_list {
    struct grid_value *values;
    size_t count;
    bool numeric, faulty;
};
struct grid_list sweep_grid_values(struct grid *grid, const char *key,
                                   const struct cs_param *const *rows, size_t row_count,
                                   const char *text, int line, bool keep);

#endif
