/*
 * longer.h - which finished or interrupted shorter trial a new one goes on from, when `epochs` was raised.
 *
 * A shorter trial is one of the sweep's journal that is equal in every setting but epochs and [scheduler], and does not
 * run now. It can be gone on from when the rates of the new trial are its own up to there (train_spec_continues); of
 * several the one that got furthest is taken. The worker, which has the checkpoint, has the last word. Where there are
 * shorter trials and none serves, the reason is kept, to be told once for all trials it holds for.
 */
#ifndef SWEEP_LONGER_H
#define SWEEP_LONGER_H

#include <stddef.h>

#include "checkpoints/ckpt.h"
#include "common/cs_json.h"
#include "sweep/journal.h"
#include "sweep/plan.h"

typedef struct sweep_longer sweep_longer;

/* All is borrowed for as long as sweep_longer_find is asked. */
sweep_longer *sweep_longer_create(const struct sweep_plan *plan, const struct sweep_state *state,
                                  ckpt_store *store);
void sweep_longer_free(sweep_longer *longer);

/* The tag prefix ("sweep/0007") to go on from, or NULL. It lives as long as longer does. */
const char *sweep_longer_find(sweep_longer *longer, const struct sweep_trial *trial);

/* What was found, as lines for a person, each ended; nothing when there is nothing to tell. */
void sweep_longer_text(struct cs_buf *out, const sweep_longer *longer);

/* The same into a `plan` event: "continued": N, "anew": [{"why", "trials"}]. */
void sweep_longer_json(json_t *line, const sweep_longer *longer);

#endif
