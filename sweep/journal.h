/*
 * journal.h - runs/<sweep>/journal.jsonl: what happened, one record a line, append-only, one writer.
 *
 *   {"t":SECONDS,"event":NAME,...,"crc":"xxxxxxxx"}\n
 *
 * crc is the CRC-32 (zlib's) of the line's bytes before `,"crc"`. Events:
 *   sweep  sweep, metric, maximize, target, grid     a run of csweep began
 *   trial  number, name, id, point, seed, params     a trial exists (once per trial, before its first start)
 *   start  number, attempt, epochs[, from]           given to a worker; from: it went on from this tag
 *   end    number, attempt, state, cause, detail, epoch, epochs, seconds, last, best, tags, target_epoch
 *   target number, target, target_epoch                the same of another target, which the sweep has now
 *   queue  number[, anew]                            asked for again by hand; anew: from epoch 0, not from its checkpoint
 *   batch  space, points                             a sequential search drew these: plan_search.c
 *   seeds  point, of                                 mean and deviation over these seeds are written (seeds.h)
 *
 * Invariants
 *   1 Only the process that holds the lock of the open journal appends. Others read.
 *   2 A record is written by one write(2); `trial` and `end` records are on the disk before anything follows.
 *   3 A torn last line (a kill, a full disk) is cut off before the next append, and ignored by readers.
 *   4 A damaged line before the last is an error that names it; nothing is appended after it.
 *   5 State is the fold of the records: a trial is what its last `end` says, queued when a `queue` came after it;
 *     started without end and lock held: running; not held: interrupted. No record says "running".
 */
#ifndef SWEEP_JOURNAL_H
#define SWEEP_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_str.h"
#include "common/cs_table.h"

struct cs_error;
typedef struct sweep_journal sweep_journal;

/* JSON as it stands in the journal. */
struct sweep_written {
    const char *text;
    size_t size;
    json_t *value; /* NULL: not read yet */
};

/* What is known of one trial. Strings and JSON belong to the state. */
struct sweep_record {
    int number;
    const char *name, *id, *point;
    uint64_t seed;
    struct sweep_written *params; /* sweep_record_params */
    const char *
        state; /* "queued", "running", "done", "stopped", "pruned", "diverged", "interrupted", "failed" */
    const char *cause, *detail;  /* of a failure, else "" */
    int attempts, epoch, epochs; /* attempts: starts; epoch: completed, as of the last end */
    int target_epoch;            /* first epoch that met the sweep's target, 0 = none */
    const char *target;          /* as it was then, "" = none */
    double seconds;
    const json_t *last, *best; /* {TAG: value}, {TAG: {"value","epoch"}}; NULL when never ended */
    const json_t *tags;        /* ["refs/tags/..."] or NULL */
    bool started;              /* since the last end */
    bool again;                /* queued by hand since it was last over: wanted to its end */
    bool anew;                 /* from epoch 0, and not started since */
    bool spared;               /* it was pruned, and queued by hand then: not judged any more */
};

struct sweep_state {
    json_t *lines; /* array of all records, trials without their params: owner of what is below */
    struct cs_buf text;           /* of the file: owner of the params */
    struct sweep_written *params; /* [records], those of no trial are empty */
    struct cs_table ids;          /* items: records */
    const char *sweep, *metric, *target;
    bool maximize, held;          /* held: a controller works on it now */
    struct sweep_record *records; /* by number */
    size_t count;
};

/* Read dir/journal.jsonl. CS_ENONAME when there is none, CS_ECORRUPT with file and line when one is damaged. */
int sweep_state_load(struct sweep_state **out, const char *dir, struct cs_error *err);
void sweep_state_free(struct sweep_state *state);

/* The trial's parameters, [{"key","value"[,"num"]}]: read when they are first asked for. */
const json_t *sweep_record_params(const struct sweep_record *record);

/* Ended by stop_trial, for its time alone (state "stopped", cause "slow"): its checkpoint can be gone on from. */
bool sweep_record_is_slow(const struct sweep_record *record);

/* Done, be it that it stopped early. */
bool sweep_record_is_done(const struct sweep_record *record);

/* Done, diverged, pruned or slow: it is not trained again, unless someone asks for it. */
bool sweep_record_is_over(const struct sweep_record *record);

const struct sweep_record *sweep_state_find(const struct sweep_state *state, const char *id);

/* Open dir/journal.jsonl for appending, made if missing. CS_EBUSY when another process holds it. */
int sweep_journal_open(sweep_journal **out, const char *dir, struct cs_error *err);
void sweep_journal_close(sweep_journal *journal);

/* Append a record (taken); t and crc are added. sync: it is on the disk when this returns. */
int sweep_journal_append(sweep_journal *journal, json_t *record, bool sync, struct cs_error *err);

#endif
