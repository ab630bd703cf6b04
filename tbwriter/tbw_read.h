/*
 * tbw_read.h - read one TensorBoard event file, record by record.
 *
 * Strict: the framing (see tbw.h), both checksums of every record, lengths up to TBW_RECORD_MAX,
 * the Event schema and the UTF-8 of its strings are checked, and a fault ends the reading:
 * CS_ECORRUPT with the offset. The one exception is a file that ends inside a record, as after a
 * crash or while it is being written: that is an end, and tbw_reader_torn_bytes() tells it apart.
 *
 * Understood: file_version, session_log, and of summaries the scalars and texts. Anything else is
 * passed on as TBW_EVENT_OTHER or TBW_POINT_OTHER. Not a view of a run: nothing is purged and
 * several files are not joined.
 */
#ifndef TBW_READ_H
#define TBW_READ_H

#include <stddef.h>
#include <stdint.h>

struct cs_error;
typedef struct tbw_reader tbw_reader;

enum { TBW_RECORD_MAX = 64 << 20 }; /* bytes of one Event; the writer keeps to it too */

enum tbw_point_kind { TBW_POINT_OTHER, TBW_POINT_SCALAR, TBW_POINT_TEXT };

struct tbw_point {
    enum tbw_point_kind kind;
    const char *tag;
    const char
        *plugin; /* of the tag's first point in this file that names one; "" when none does */
    const char *description; /* as stored with this point; "" on all but the first */
    double value;            /* TBW_POINT_SCALAR */
    const char *text;        /* TBW_POINT_TEXT: size bytes, no NUL behind them */
    size_t size;
};

enum tbw_event_kind {
    TBW_EVENT_OTHER,
    TBW_EVENT_VERSION, /* version, writer */
    TBW_EVENT_SESSION, /* session_status */
    TBW_EVENT_SUMMARY, /* points */
};

enum { TBW_SESSION_START = 1, TBW_SESSION_STOP = 2, TBW_SESSION_CHECKPOINT = 3 };

/* Valid until the next call on its reader. */
struct tbw_event {
    double wall_time;
    int64_t step;
    enum tbw_event_kind kind;
    const char *version; /* "brain.Event:2" */
    const char *writer;  /* "" when not stored */
    int session_status;  /* TBW_SESSION_* */
    const struct tbw_point *points;
    size_t count;
    uint64_t offset; /* of the record in the file */
};

int tbw_reader_open(tbw_reader **out, const char *path, struct cs_error *err);

/* 1: *out is the next event; 0: the end; negative: a code, given again by every later call. */
int tbw_reader_next(struct tbw_event *out, tbw_reader *r, struct cs_error *err);

/*
 * After the end: how many bytes of an incomplete last record follow the last whole one; 0 when
 * none.
 */
uint64_t tbw_reader_torn_bytes(const tbw_reader *r);

void tbw_reader_close(tbw_reader *r); /* NULL is a no-op */

#endif
