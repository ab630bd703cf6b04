/*
 * progress.h - what a person sees while a sweep runs.
 *
 * On a terminal: a block of lines that is redrawn in place: done/pruned/running/failed/total, best so far, elapsed and
 * ETA; then one line per slot with a bar, epoch, loss, accuracy or mean error, samples/s. Elsewhere: one line per start,
 * epoch milestone (quarters) and end. With json: one object per event, nothing else. quiet: only messages.
 */
#ifndef SWEEP_PROGRESS_H
#define SWEEP_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>

typedef struct sweep_progress sweep_progress;

struct sweep_progress_options {
    bool quiet, json;
    int slots, total;         /* total: trials of the sweep */
    int done, pruned, failed; /* before this run */
    double best;              /* of the trials done before, NaN = none */
    const char *best_name;    /* its trial */
    const char *metric;
    bool maximize;
};

sweep_progress *sweep_progress_create(const struct sweep_progress_options *options);
void sweep_progress_free(sweep_progress *p); /* leaves the last state on the screen */

void sweep_progress_start(sweep_progress *p, int slot, int number, const char *name,
                          const json_t *line);
void sweep_progress_step(sweep_progress *p, int slot, const json_t *line);
void sweep_progress_epoch(sweep_progress *p, int slot, int number, const char *name,
                          const json_t *line);
void sweep_progress_end(sweep_progress *p, int slot, int number, const char *name,
                        const json_t *line);

/* A line above the block (or just a line): warnings, the first failure. */
void sweep_progress_message(sweep_progress *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* With json: print the object (borrowed). */
void sweep_progress_json(sweep_progress *p, const json_t *line);

/* Redraw; call it a few times a second. */
void sweep_progress_tick(sweep_progress *p);

#endif
