/*
 * names.h - what trials and sweeps are called on disk.
 *
 * A trial: its number, at least 4 digits, then `,key=value` for every key that varies and is in force, then
 * `,seed=N` when there are several seeds: `0007,optimizer=adam,lr=0.001,seed=2`. Only [A-Za-z0-9.,=_+-]; text that
 * needs other characters appears as 8 hexadecimal digits of its hash. Below SWEEP_NAME_MAX bytes. No name is
 * a prefix of another, because the number ends at a comma or at the end and all are equally long, or unequal.
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

/* NULL when name can be a sweep's (a folder, part of a git tag), else why not. */
const char *sweep_name_fault(const char *name);

/* The file's stem with every other character as `-`; "sweep" when nothing is left. */
const char *sweep_name_from_path(const char *path, struct cs_arena *arena);

#endif
