/*
 * cs_param.h - one row per configuration key.
 *
 * The module that consumes a key owns its row; parsing, range checks, `plan`,
 * `describe`, HParams domains and config.ini all follow from it. Types come
 * from the row, never from the spelling of a value.
 */
#ifndef CS_PARAM_H
#define CS_PARAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_str.h"

struct cs_error;

enum cs_type {
    CS_FLOAT, /* a number */
    CS_INT,   /* a whole number, |n| <= 2^53 */
    CS_BOOL,  /* yes no true false on off 1 0; canonical: yes, no */
    CS_NAME,  /* one of `choices` */
    CS_TEXT,  /* any text without line breaks; canonical: blanks collapsed */
    CS_FLOATS, /* numbers separated by blanks: exactly `count` of them, or 1..CS_LIST_MAX when count is 0 */
    CS_INTS, /* the same, whole numbers */
};

enum { CS_LIST_MAX = 64 };

struct cs_param {
    const char *name;
    enum cs_type type;
    const char *def;            /* default, as the user would write it; never NULL */
    double min, max;            /* inclusive bounds of every number in the value */
    int count;                  /* CS_FLOATS, CS_INTS: how many, 0 = any number >= 1 */
    const char *const *choices; /* CS_NAME: NULL-terminated */
    const char *help;           /* one line, lower case */
};

/* A parsed value. text is canonical: equal values have equal text. */
struct cs_value {
    const char *text; /* in the arena */
    double
        num; /* CS_FLOAT, CS_INT, CS_BOOL (0 or 1), CS_NAME (index into choices); else the first of list */
    int count; /* of list */
    const double *list;
};

/*
 * Parse text by the row. CS_EPARSE: not of the type; CS_ERANGE: outside [min, max]; CS_ENONAME: not a choice.
 * The message reads `lr = -1: must be a number in [0, inf]`.
 */
int cs_param_parse(struct cs_value *out, const struct cs_param *row, const char *text,
                   struct cs_arena *arena, struct cs_error *err);

/*
 * The numbers of a value as an argument list holds them, at most `space` of them: a list is as many places as it has
 * numbers, after one with their count when the row leaves it open; anything else is one place. Returns how many.
 */
int cs_value_flatten(double *out, int space, const struct cs_param *row,
                     const struct cs_value *value);

/* "number in [0, inf]", "yes or no", "one of none, step, plateau": what a value of this row must be. */
const char *cs_param_expected(const struct cs_param *row, struct cs_arena *arena);

/*
 * CS_ENONAME: "no such WHAT; did you mean NAME?" when a name is near, else "no such WHAT; WHATs are NAME, NAME ...".
 */
int cs_fail_unknown(struct cs_error *err, const char *what, const char *word,
                    const char *const *names, size_t count);

/* "float", "int", ...: for tables. */
const char *cs_type_name(enum cs_type type);

#endif
