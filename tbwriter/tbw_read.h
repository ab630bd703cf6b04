/*
 * tbw_read.h - read TensorBoard event files: one file, record by record. Many files: tbw_log.h.
 *
 * Strict: the framing (see tbw.h), both checksums of every record, lengths up to TBW_RECORD_MAX,
 * the form of an Event and the UTF-8 of its strings are checked. A fault is CS_ECORRUPT with the
 * offset, given again by every later call until tbw_reader_recover() finds a whole record behind
 * it. A file that ends inside a record, as after a crash or while it is being written, just ends
 * there for now: call again when it may have grown. Between such calls the file is closed.
 *
 * Understood: every summary of TensorFlow 1 and 2, torch and tensorboardX, old forms and new ones
 * as one kind of point. What else there is comes as TBW_EVENT_OTHER or TBW_POINT_OTHER. A reader
 * is for one thread at a time. Memory is bounded by a few times the largest record.
 */
#ifndef TBW_READ_H
#define TBW_READ_H

#include <stddef.h>
#include <stdint.h>

struct cs_error;
struct cs_buf;
typedef struct tbw_reader tbw_reader;

enum { TBW_RECORD_MAX = 64 << 20 }; /* bytes of one Event; the writer keeps to it too */

/* X(name, word): what a point is. */
#define TBW_POINTS(X)         \
    X(OTHER, "other")         \
    X(SCALAR, "scalar")       \
    X(TEXT, "text")           \
    X(HISTOGRAM, "histogram") \
    X(IMAGE, "image")         \
    X(AUDIO, "audio")         \
    X(PR_CURVE, "pr_curve")   \
    X(HPARAMS, "hparams")     \
    X(LAYOUT, "layout")       \
    X(MESH, "mesh")           \
    X(TENSOR, "tensor")

enum tbw_point_kind {
#define X(name, word) TBW_POINT_##name,
    TBW_POINTS(X)
#undef X
};

const char *tbw_point_word(enum tbw_point_kind kind);

struct tbw_blob {
    const uint8_t *data;
    size_t size;
};

enum { TBW_RANK_MAX = 8, TBW_NUMBERS_MAX = 1 << 24 };

/* Of every point but scalars stored as simple_value. */
struct tbw_tensor {
    int dtype; /* TensorFlow's DataType: 1 float, 2 double, 3 int32, 7 string, ... */
    int rank;
    int64_t shape[TBW_RANK_MAX];
    const double *numbers; /* the elements of a numeric one, row-major */
    size_t number_count;
    const struct tbw_blob *blobs; /* those of a string tensor; images and clips without the rest */
    size_t blob_count;
    int width, height; /* TBW_POINT_IMAGE */
};

struct tbw_point {
    enum tbw_point_kind kind;
    int data_class; /* as stored with this point: 1 scalar, 2 tensor, 3 blobs; 0: not stored */
    const char *tag;
    const char *plugin; /* of the tag's first point in this file that names one, else what its old
                           form stands for; "" when neither */
    const char *display_name, *description; /* as stored with this point; "" on all but the first */
    double value;                           /* TBW_POINT_SCALAR */
    const char *text;                       /* TBW_POINT_TEXT: size bytes, no NUL behind them */
    size_t size;
    const struct tbw_tensor
        *tensor;                    /* NULL: none. TBW_POINT_HISTOGRAM: [k, 3] {left, right, count};
                                        TBW_POINT_PR_CURVE: [6, k]; others as stored */
    const struct tbw_blob *content; /* of the plugin, as stored with this point; NULL: none */
};

enum tbw_event_kind {
    TBW_EVENT_OTHER,
    TBW_EVENT_VERSION,      /* version, writer */
    TBW_EVENT_SESSION,      /* session_status */
    TBW_EVENT_SUMMARY,      /* points */
    TBW_EVENT_GRAPH,        /* blob: a GraphDef */
    TBW_EVENT_META_GRAPH,   /* blob: a MetaGraphDef */
    TBW_EVENT_RUN_METADATA, /* name; blob: a RunMetadata */
    TBW_EVENT_LOG,          /* text in blob */
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
    const char *name;
    struct tbw_blob blob;
    const struct tbw_point *points;
    size_t count;
    uint64_t offset; /* of the record in the file */
};

int tbw_reader_open(tbw_reader **out, const char *path, struct cs_error *err);

/* 1: *out is the next event; 0: no whole record is left, for now; negative: a code. */
int tbw_reader_next(struct tbw_event *out, tbw_reader *r, struct cs_error *err);

/*
 * After 0: how many bytes of an incomplete last record follow the last whole one; 0 when none.
 */
uint64_t tbw_reader_torn_bytes(const tbw_reader *r);

/* Where the next record begins. */
uint64_t tbw_reader_offset(const tbw_reader *r);

struct tbw_gap {
    uint64_t from, to; /* bytes that were skipped */
};

/*
 * After CS_ECORRUPT: look for the next place where a whole record stands, both checksums right. 1:
 * found, the gap is skipped and reading goes on; 0: none yet, call again when the file has grown;
 * negative: it cannot be read.
 */
int tbw_reader_recover(tbw_reader *r, struct tbw_gap *gap, struct cs_error *err);

void tbw_reader_close(tbw_reader *r); /* NULL is a no-op */

/* Append a point in a few words, one line: "0.25", "2 images of 28 x 28", "lr=0.1 batch=32". */
void tbw_point_summary(struct cs_buf *out, const struct tbw_point *point);

#endif
