/*
 * names.h - what trials and sweeps are called on disk.
 *
 * A trial: its number, at least 4 digits, then `,key=value` for every key that varies and is in force, then
 * `,seed=N` when there are several seeds: `0007,optimizer=adam,lr=0.001,seed=2`. Only [A-Za-z0-9.,=_+-]; text that
 * needs other characters appears as 8 hexadecimal digits of its hash. Numbers are the shortest decimals that read back
 * as the same double. Below SWEEP_NAME_MAX bytes: a longer name is cut, and ends in `-` and 8 digits of the trial's id,
 * which stay the same when the grid gets more keys or values.
 *
 * No name is a prefix of another. The digits at the beginning end at a comma or with the name, and no two trials of a
 * sweep have the same number. So one could be a prefix only if its digits were all of it and began those of another:
 * `1000` and `10000,lr=0.1`. Trials that are named together have equally many digits; one that joins a sweep, and so may
 * have more than those before, gets `,id=` and 8 digits of its id where it would be bare.
 */
#ifndef SWEEP_NAMES_H
#define SWEEP_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct cs_arena;
struct sweep_plan;

enum { SWEEP_NAME_MAX = 200, SWEEP_NAME_DIGITS = 4 };

/* Number the trials from 1 in plan order and name them. */
void sweep_names_create(struct sweep_plan *plan);

/* Give the trials from `from` on numbers and names after those before. */
void sweep_names_extend(struct sweep_plan *plan, size_t from);

/* NULL when name can be a sweep's (a folder, part of a git tag), else why not. */
const char *sweep_name_fault(const char *name);

/* The file's stem with every other character as `-`; "sweep" when nothing is left. */
const char *sweep_name_from_path(const char *path, struct cs_arena *arena);

#endif
