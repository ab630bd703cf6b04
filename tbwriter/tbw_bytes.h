/*
 * tbw_bytes.h - little-endian numbers and protobuf fields by hand, for the two places where that
 * is the clearest way: the frame of a record and the event of scalars, which is written most
 * often by far.
 *
 * A field is a key, number << 3 | wire type, and its value: 0 a varint, 1 eight bytes, 2 a length
 * and so many bytes, 5 four bytes (protobuf encoding guide).
 */
#ifndef TBW_BYTES_H
#define TBW_BYTES_H

#include <stdint.h>
#include <string.h>

#include "common/cs_str.h"

static inline void tbw_store32(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t) (value >> 8 * i);
}

static inline void tbw_store64(uint8_t out[8], uint64_t value)
{
    tbw_store32(out, (uint32_t) value);
    tbw_store32(out + 4, (uint32_t) (value >> 32));
}

static inline uint32_t tbw_load32(const uint8_t *in)
{
    return in[0] | (uint32_t) in[1] << 8 | (uint32_t) in[2] << 16 | (uint32_t) in[3] << 24;
}

static inline uint64_t tbw_load64(const uint8_t *in)
{
    return tbw_load32(in) | (uint64_t) tbw_load32(in + 4) << 32;
}

static inline size_t tbw_varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static inline void tbw_put_varint(struct cs_buf *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t size = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[size++] = (uint8_t) (value | 0x80);
    bytes[size++] = (uint8_t) value;
    cs_buf_add(out, bytes, size);
}

/*
 * Key and length of a field of wire type 2; its bytes follow. Fields up to 15 have a key of one
 * byte.
 */
static inline void tbw_put_length(struct cs_buf *out, unsigned field, size_t size)
{
    tbw_put_varint(out, field << 3 | 2);
    tbw_put_varint(out, size);
}

static inline void tbw_put_bytes(struct cs_buf *out, unsigned field, const void *data, size_t size)
{
    tbw_put_length(out, field, size);
    cs_buf_add(out, data, size);
}

static inline void tbw_put_float(struct cs_buf *out, unsigned field, float value)
{
    uint8_t bytes[4];
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    tbw_store32(bytes, bits);
    tbw_put_varint(out, field << 3 | 5);
    cs_buf_add(out, bytes, sizeof bytes);
}

static inline void tbw_put_double(struct cs_buf *out, unsigned field, double value)
{
    uint8_t bytes[8];
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    tbw_store64(bytes, bits);
    tbw_put_varint(out, field << 3 | 1);
    cs_buf_add(out, bytes, sizeof bytes);
}

#endif
