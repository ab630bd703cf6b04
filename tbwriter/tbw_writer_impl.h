/*
 * tbw_writer_impl.h - what the files of the writer share: tbw_writer.c (scalars, text, any other
 * value), and one for each of the other kinds.
 */
#ifndef TBW_WRITER_IMPL_H
#define TBW_WRITER_IMPL_H

#include <pthread.h>

#include "tbwriter/event.pb-c.h"
#include "tbwriter/tbw.h"
#include "tbwriter/tbw_file.h"
#include "tbwriter/tbw_tags.h"

struct tbw_writer {
    pthread_mutex_t lock; /* over all that follows but start_step and wall_time */
    struct tbw_file file;
    struct tbw_tags tags;
    int64_t start_step;
    double wall_time; /* 0: the clock */
    uint64_t calls;
    bool has_graph;
    struct tbw_tag **picked; /* scratch: the tags of one call */
    size_t picked_capacity, picked_count;
    struct cs_buf value, summary, event; /* scratch: encodings */
};

/* given, or now (the writer's fixed wall time, if any) when it is 0; CS_ERANGE unless finite. */
int tbw_time_or_now(double *out, const tbw_writer *w, const char *what, double given,
                    struct cs_error *err);

void tbw_pack(struct cs_buf *out, const ProtobufCMessage *message); /* appends */

/* One summary value: what it is, besides its contents in a Tbw__Value. */
struct tbw_what {
    const char *tag;
    int64_t step;
    const char *plugin;
    const struct cs_buf *content; /* of the plugin; NULL: none */
    const char *description;      /* NULL: none */
    Tbw__DataClass data_class;    /* UNKNOWN: no metadata is stored */
    bool any_step;                /* also below the file's first */
};

/*
 * Add a value with its `what` set: the tag and its metadata (on its first point) are put in. Refused
 * when the tag is another plugin's or already has this step. Locks.
 */
int tbw_writer_value(tbw_writer *w, const struct tbw_what *what, Tbw__Value *value,
                     struct cs_error *err);
int tbw_writer_tensor(tbw_writer *w, const struct tbw_what *what, Tbw__Tensor *tensor,
                      struct cs_error *err);

/* A tensor of text or blobs [count], or of rank 0 when count < 0 (one blob then). */
int tbw_writer_blobs(tbw_writer *w, const struct tbw_what *what, ProtobufCBinaryData *blobs,
                     int count, struct cs_error *err);

/* A tensor [rows, columns] of numbers in little-endian bytes. */
int tbw_writer_matrix(tbw_writer *w, const struct tbw_what *what, Tbw__Tensor__Type type,
                      size_t rows, size_t columns, const struct cs_buf *numbers,
                      struct cs_error *err);

/* Put the files of the Projector page into dir, the one that names the others last. */
int tbw_projector_store(const char *dir, const struct tbw_embedding *list, size_t count,
                        struct cs_error *err);

/* A summary that is there to be seen only: an empty tensor. */
int tbw_writer_empty(tbw_writer *w, const struct tbw_what *what, struct cs_error *err);

/* A whole event; its wall time is put in. Locks. */
int tbw_writer_event(tbw_writer *w, Tbw__Event *event, struct cs_error *err);

#endif
