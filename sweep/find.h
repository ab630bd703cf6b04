/*
 * find.h - which sweep, which trial: names, unique prefixes or numbers, as people type them.
 */
#ifndef SWEEP_FIND_H
#define SWEEP_FIND_H

#include <stddef.h>

#include "sweep/journal.h"

struct cs_error;

/* The sweeps under logdir (folders with a journal), sorted; the caller frees with sweep_names_free. */
struct sweep_names {
    char **list;
    size_t count;
};
int sweep_names_load(struct sweep_names *out, const char *logdir, struct cs_error *err);
void sweep_names_free(struct sweep_names *names);

/*
 * Load the sweep named by word: a name, a unique prefix, its number in `csweep ls` (from 1), or NULL when there is
 * only one. *dir is its folder (the caller frees). CS_ENONAME with the candidates.
 */
int sweep_find(struct sweep_state **out, char **dir, const char *logdir, const char *word,
               struct cs_error *err);

/* The trial of a loaded sweep: TRIAL as below. CS_ENONAME. */
int sweep_find_record(const struct sweep_record **record, const struct sweep_state *state,
                      const char *word, struct cs_error *err);

/*
 * Load the sweep and find the trial of `[SWEEP/]TRIAL`; TRIAL is a number, a run name, a unique prefix of it or of
 * its id.
 */
int sweep_find_trial(struct sweep_state **out, const struct sweep_record **record, char **dir,
                     const char *logdir, const char *word, struct cs_error *err);

#endif
