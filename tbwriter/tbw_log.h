/*
 * tbw_log.h - read a log directory, a run or one event file, and go on as they grow.
 *
 * As TensorBoard has it: an event file is one whose name holds "tfevents", a run is the folder it
 * lies in, folders are looked through to any depth, links followed. The files of a run are read one
 * after another in the order of their names' bytes. Nothing is ever given up: behind damage reading
 * goes on at the next whole record, and what was skipped is told.
 */
#ifndef TBW_LOG_H
#define TBW_LOG_H

#include <stdbool.h>

#include "tbwriter/tbw_read.h"

typedef struct tbw_log tbw_log;

enum tbw_log_kind {
    TBW_LOG_EVENT, /* event */
    TBW_LOG_FILE,  /* a file is begun */
    TBW_LOG_GAP,   /* gap was skipped, why; gap.to is 0 while nothing whole follows it yet */
    TBW_LOG_LOST,  /* the file cannot be read on, why: it is deleted, replaced, cut */
    TBW_LOG_TORN,  /* the file ends inside a record: gap; given once per length it has */
};

/* Texts and the event are valid until the next call. */
struct tbw_log_item {
    enum tbw_log_kind kind;
    const char *run;  /* the folder below the path that was opened; "." for itself */
    const char *path; /* of the file */
    bool last;        /* no file of its run comes after this one, as far as is known */
    struct tbw_event event;
    struct tbw_gap gap;
    const char *why;
};

int tbw_log_open(tbw_log **out, const char *path, struct cs_error *err);

/*
 * 1: *out is the next item; 0: all that is there for now was read, and the next call looks for
 * more; negative: the path cannot be read.
 */
int tbw_log_next(struct tbw_log_item *out, tbw_log *log, struct cs_error *err);

void tbw_log_close(tbw_log *log); /* NULL is a no-op */

/* ---- what TensorBoard shows of it ---- */

struct tbw_sample {
    int64_t step;
    double wall_time, value; /* NaN unless a scalar */
    char *text;              /* tbw_point_summary() of all others, else NULL */
    uint64_t order;          /* of arrival, over all series */
};

struct tbw_series {
    char *run, *tag, *plugin, *display_name, *description;
    enum tbw_point_kind kind; /* of its first point */
    struct tbw_sample *samples;
    size_t count, capacity;
    uint64_t dropped; /* by the rules */
};

/*
 * How the attempts of a run become one. TBW_RULE_STEPS, of TensorBoard's data server: a point drops
 * those of its tag at its step and above. TBW_RULE_START, of its Python reader: a START that is not
 * the run's first drops the points of all tags at its step and above (in files without a
 * file_version, a step that goes back does so for its tags). Event files of tbw.h give the same
 * under each, but for tags that an attempt has no more: those only the second drops.
 */
enum { TBW_RULE_STEPS = 1, TBW_RULE_START = 2 };

/* A zeroed view with rules set is empty and valid. */
struct tbw_view {
    unsigned rules;
    struct tbw_series **series; /* in order of arrival */
    size_t count, capacity;
    struct tbw_view_run **runs;
    size_t run_count;
    uint64_t order;
};

void tbw_view_take(struct tbw_view *view, const struct tbw_log_item *item);
void tbw_view_clear(struct tbw_view *view);

/* ---- whether it is all as it should be ---- */

/* fault: some reader loses or misreads data by it; else worth knowing. */
typedef void tbw_check_report(void *context, const char *path, uint64_t offset, bool fault,
                              const char *text);

struct tbw_check_counts {
    uint64_t files, events, faults;
};

/*
 * Every rule of framing, order and contents (see tbw_check.c) on all that path holds. 0 when all
 * could be read, faults or not.
 */
int tbw_check(struct tbw_check_counts *out, const char *path, tbw_check_report *report,
              void *context, struct cs_error *err);

#endif
