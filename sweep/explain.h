/*
 * explain.h - where the value of a key comes from: `csweep plan --explain KEY`.
 *
 * Everything that gives the key, in order of precedence, with its place: by condition the ones inside [when], the one
 * outside, the default; in each the command line, presets (last first), the file, what it includes. A `*` marks what
 * counts. Points are counted before equal ones merge.
 */
#ifndef SWEEP_EXPLAIN_H
#define SWEEP_EXPLAIN_H

struct cs_buf;
struct cs_error;
struct sweep_plan_input;

/* The grid must be one that sweep_plan_create takes. CS_ENONAME: no such key. */
int sweep_explain(struct cs_buf *out, const struct sweep_plan_input *input, const char *key,
                  struct cs_error *err);

#endif
