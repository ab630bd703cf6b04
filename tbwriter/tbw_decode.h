/*
 * tbw_decode.h - from the bytes of a record to a tbw_event, in place: the texts and blobs of the
 * event lie in the bytes or in the decoder, and are gone with the next call.
 */
#ifndef TBW_DECODE_H
#define TBW_DECODE_H

#include <stdbool.h>

#include "common/cs_str.h"
#include "tbwriter/tbw_read.h"
#include "tbwriter/tbw_tags.h"

struct tbw_seen {
    struct tbw_tag *tag;
    bool plain; /* points[] here is a scalar of this tag that had no metadata */
};

struct tbw_decoder {
    struct tbw_tags tags;     /* of the file, with the plugin of each */
    struct cs_arena arena;    /* of the last event */
    struct tbw_point *points; /* of the last event */
    struct tbw_seen *order;   /* of the last events: the next one often has the same */
    size_t capacity;          /* of points and order */
    size_t ordered;
};

/* NULL when *out is the event (but for its offset), else what is wrong. */
const char *tbw_decode_event(struct tbw_event *out, struct tbw_decoder *d, const void *data,
                             size_t size);

void tbw_decoder_clear(struct tbw_decoder *d);

/* ---- between tbw_decode.c and the kinds: parse a message into an arena; NULL when malformed ---- */

struct tbw_tensor *tbw_tensor_parse(struct tbw_blob bytes, struct cs_arena *arena);
struct tbw_tensor *tbw_histo_parse(struct tbw_blob bytes, struct cs_arena *arena);
struct tbw_tensor *tbw_image_parse(struct tbw_blob bytes, struct cs_arena *arena);
struct tbw_tensor *tbw_audio_parse(struct tbw_blob bytes, struct cs_arena *arena);

#endif
