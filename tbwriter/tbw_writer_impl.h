/*
 * tbw_writer_impl.h - what the files of the writer share: tbw_writer.c (scalars, text),
 * tbw_hparams.c, tbw_layout.c.
 */
#ifndef TBW_WRITER_IMPL_H
#define TBW_WRITER_IMPL_H

#include "tbwriter/event.pb-c.h"
#include "tbwriter/tbw.h"
#include "tbwriter/tbw_file.h"
#include "tbwriter/tbw_tags.h"

struct tbw_writer {
    struct tbw_file file;
    struct tbw_tags tags;
    int64_t start_step;
    double wall_time; /* 0: the clock */
    uint64_t calls;
    struct tbw_tag **picked; /* scratch: the tags of one call */
    size_t picked_capacity;
    struct cs_buf value, summary, event; /* scratch: encodings */
};

/* given, or now (the writer's fixed wall time, if any) when it is 0; CS_ERANGE unless finite. */
int tbw_time_or_now(double *out, const tbw_writer *w, const char *what, double given,
                    struct cs_error *err);

void tbw_pack(struct cs_buf *out, const ProtobufCMessage *message); /* appends */

/*
 * Add one summary value of data class TENSOR: the tag and its metadata (on its first point), the
 * tensor. Refused when the tag is another plugin's or already has this step.
 */
int tbw_writer_tensor(tbw_writer *w, const char *tag, int64_t step, const char *plugin,
                      const struct cs_buf *content, Tbw__Tensor *tensor, struct cs_error *err);

#endif
