/*
 * tbw.h - write TensorBoard event files.
 *
 * A run is a folder; a writer makes one new event file in it. A file is a row of records,
 *
 *     u64 length | u32 masked CRC-32C of length | data | u32 masked CRC-32C of data
 *
 * little-endian, data being one serialized Event (event.proto). The first is file_version
 * "brain.Event:2", the second session_log START with the step at which this file takes over.
 *
 * Invariants: an existing file is never opened, appended to or overwritten; a write(2) holds
 * whole records; steps of a tag rise strictly; a tag belongs to one plugin; all text is valid
 * UTF-8; wall times are finite. What would break one of them is refused with an error and nothing
 * of the call is written: CS_EPARSE for text, CS_ERANGE for steps, numbers and repeated names.
 *
 * After a failed write the writer is poisoned: every later call fails with the first error, close
 * too. Each of them tries once more to complete the record that was cut, nothing else. Continue a
 * run in a new writer, with start_step set to the first step that is to be written again; readers
 * drop what the old file had from there.
 *
 * Scalars are stored as simple_value (float32) with the metadata of plugin "scalars" on a tag's
 * first point in a file: the smallest form (tag and 11 bytes where a step has several), the
 * one that both of TensorBoard's readers, EventAccumulator.Scalars() and tbparse all read. Other
 * kinds are tensors, TensorFlow 2's form, which alone keeps descriptions in both readers.
 *
 * Calls return when their bytes are in the writer's buffer, or the kernel has taken the buffer: none
 * waits for the disk but tbw_writer_sync. What is buffered goes out with the next call after
 * flush_seconds, so flush where a pause may follow, as at the end of an epoch.
 *
 * A writer may be used by several threads at once: a call is one event, whole and in order. Never
 * prints. Texts and values are copied. Larger summaries: tbw_media.h; reading one file: tbw_read.h,
 * many: tbw_log.h. This header includes them all.
 */
#ifndef TBW_H
#define TBW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_error.h"
#include "tbwriter/tbw_log.h"
#include "tbwriter/tbw_media.h"
#include "tbwriter/tbw_read.h"

typedef struct tbw_writer tbw_writer;

struct tbw_options {
    int64_t start_step; /* the first step of this file: 0 in a run's first, else the resume step */
    double wall_time;   /* of every event and of the file name, since the epoch; 0: the clock */
    size_t flush_bytes; /* buffered bytes that cause a flush; 0: 64 KiB */
    const struct tbw_embedding *embeddings; /* the run's; see tbw_media.h */
    size_t embedding_count;
    double flush_seconds; /* since the last flush, that cause one; 0: 1 */
};

/*
 * Make dir (and its parents) and in it events.out.tfevents.SECONDS.HOST.PID.SEQ, which sorts
 * after every event file already there; the first two records are in the file on return. opt may
 * be NULL. At most one open writer per dir: TensorBoard stops reading the older of two files.
 */
int tbw_writer_open(tbw_writer **out, const char *dir, const struct tbw_options *opt,
                    struct cs_error *err);

const char *tbw_writer_path(const tbw_writer *w); /* of the file; borrowed */

/* Everything added so far is in the file; sync: and on the disk. */
int tbw_writer_flush(tbw_writer *w, struct cs_error *err);
int tbw_writer_sync(tbw_writer *w, struct cs_error *err);

/* Flush, close, free. w is gone whatever is returned; NULL is a no-op. */
int tbw_writer_close(tbw_writer *w, struct cs_error *err);

/* ---- points ---- */

struct tbw_scalar {
    const char *tag;         /* "Loss/Train": the part before the first slash is the card's group */
    double value;            /* stored as float32; NaN and infinities are shown as marks */
    const char *description; /* Markdown, used with the tag's first point; may be NULL */
};

/* The scalars of one step, as one event: fewer, larger events load faster. */
int tbw_writer_scalars(tbw_writer *w, int64_t step, const struct tbw_scalar *values, size_t count,
                       struct cs_error *err);

/* A text card. */
int tbw_writer_text(tbw_writer *w, const char *tag, int64_t step, const char *markdown,
                    struct cs_error *err);

/* ---- hyperparameters: the HParams page ---- */

enum tbw_kind { TBW_STRING, TBW_FLOAT, TBW_BOOL };

struct tbw_hvalue {
    const char *name;
    enum tbw_kind kind; /* one kind per name over all trials */
    const char *text;   /* TBW_STRING */
    double num;         /* TBW_FLOAT: finite; TBW_BOOL: 0 or not */
};

/*
 * This run is a trial with these values. Once per run, in its first file. Trials of equal
 * group_name share a row, as seeds do; NULL or "": a row of its own. start_time 0: now.
 */
int tbw_writer_hparams_start(tbw_writer *w, const struct tbw_hvalue *values, size_t count,
                             const char *group_name, double start_time, struct cs_error *err);

enum tbw_status { TBW_UNKNOWN, TBW_SUCCESS, TBW_FAILURE, TBW_RUNNING };

/* Once, when the trial is over for good: readers keep the first they see. end_time 0: now. */
int tbw_writer_hparams_end(tbw_writer *w, enum tbw_status status, double end_time,
                           struct cs_error *err);

struct tbw_hparam_info {
    const char *name, *display_name, *description; /* the last two may be NULL */
    enum tbw_kind kind;
    const struct tbw_hvalue *domain; /* the values tried, of this kind, names unused; NULL: any */
    size_t domain_count;             /* from ten numbers on their interval is stored instead */
    bool differs;                    /* shown by default */
    bool interval;                   /* the domain is its two ends, with all numbers between */
};

enum tbw_dataset { TBW_DATASET_UNKNOWN, TBW_TRAINING, TBW_VALIDATION };

struct tbw_metric_info {
    const char *tag; /* a scalar of the trials; its last point is the trial's result */
    const char *display_name, *description; /* may be NULL */
    enum tbw_dataset dataset;
};

struct tbw_experiment {
    const char *name, *description;        /* may be NULL */
    double time_created;                   /* 0: now */
    const struct tbw_hparam_info *hparams; /* all of them: others are not shown */
    size_t hparam_count;
    const struct tbw_metric_info *metrics; /* the objective first: it gives the colours */
    size_t metric_count;
};

/*
 * Once per log directory, in a run of its own, before the trials. To change it, write it in a new
 * run and delete the old.
 */
int tbw_writer_experiment(tbw_writer *w, const struct tbw_experiment *experiment,
                          struct cs_error *err);

/* ---- the Custom Scalars page ---- */

/* A line within its band: whole tags, whose steps must be the same in a run. */
struct tbw_band {
    const char *value, *lower, *upper;
};

struct tbw_chart {
    const char *title;
    const char *const *tags; /* regular expressions, anchored at their start; or, without any, */
    size_t tag_count;
    const struct tbw_band *bands;
    size_t band_count;
};

struct tbw_category {
    const char *title;
    const struct tbw_chart *charts;
    size_t chart_count;
};

/* Once per log directory, beside the experiment. */
int tbw_writer_layout(tbw_writer *w, const struct tbw_category *categories, size_t count,
                      struct cs_error *err);

#endif
