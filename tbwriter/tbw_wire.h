/*
 * tbw_wire.h - walk over the fields of a serialized protobuf message, in place.
 *
 * Groups, which nothing here uses, count as malformed. See tbw_bytes.h for the wire types.
 */
#ifndef TBW_WIRE_H
#define TBW_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tbwriter/tbw_bytes.h"

struct tbw_wire {
    const uint8_t *at, *end;
    bool bad; /* malformed: the walk ended early */
};

struct tbw_field {
    uint32_t number;
    uint32_t type;
    uint64_t num;        /* types 0, 1 and 5 */
    const uint8_t *data; /* type 2 */
    size_t size;
};

static inline struct tbw_wire tbw_wire_of(const void *data, size_t size)
{
    const uint8_t *at = data;

    return (struct tbw_wire){at, at + size, false};
}

static inline bool tbw_wire_varint(struct tbw_wire *w, uint64_t *out)
{
    if (w->at < w->end && *w->at < 0x80) {
        *out = *w->at++;
        return true;
    }
    *out = 0;
    for (unsigned shift = 0; shift < 70 && w->at < w->end; shift += 7) {
        const uint8_t byte = *w->at++;
        if (shift < 64)
            *out |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    w->bad = true;
    return false;
}

/* The next field; false at the end, or where it is malformed. */
static inline bool tbw_wire_next(struct tbw_wire *w, struct tbw_field *f)
{
    uint64_t key, size;

    f->num = 0;
    f->data = NULL;
    f->size = 0;
    if (w->at >= w->end || w->bad || !tbw_wire_varint(w, &key))
        return false;
    const size_t left = (size_t) (w->end - w->at);
    f->number = (uint32_t) (key >> 3);
    f->type = key & 7;
    if (key < 8 || key > UINT32_MAX) {
        w->bad = true;
    } else if (f->type == 0) {
        return tbw_wire_varint(w, &f->num);
    } else if (f->type == 2) {
        if (!tbw_wire_varint(w, &size))
            return false;
        if (size <= (size_t) (w->end - w->at)) {
            f->data = w->at;
            f->size = (size_t) size;
            w->at += size;
            return true;
        }
        w->bad = true;
    } else if (f->type == 1 && left >= 8) {
        f->num = tbw_load64(w->at);
        w->at += 8;
        return true;
    } else if (f->type == 5 && left >= 4) {
        f->num = tbw_load32(w->at);
        w->at += 4;
        return true;
    } else {
        w->bad = true;
    }
    return false;
}

static inline double tbw_double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float tbw_float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
