/*
 * safetensors.h - named arrays as one block of bytes that PyTorch, numpy and others load.
 *
 *   [u64 LE: N][N bytes of JSON, padded with blanks so that 8 + N is a multiple of 8][data]
 *   {"__metadata__":{"k":"v"},"NAME":{"dtype":"F32","shape":[2,3],"data_offsets":[BEGIN,END]},...}
 *
 * Offsets count from the start of data. Format: github.com/huggingface/safetensors, README
 * "Format".
 *
 * The writer is deterministic: arrays and keys in the order given, no padding between arrays. The
 * reader is total and strict: bounded memory, checked arithmetic, and a file is refused unless its
 * arrays cover the data exactly, each as long as its shape says, with no key twice and none
 * unknown. It refuses dtypes other than F32, F64 and I64, and more than 4 dimensions, with the
 * array named. It knows nothing of layers.
 */
#ifndef CS_SAFETENSORS_H
#define CS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "common/cs_str.h"

struct cs_error;

enum {
    ST_DIMS_MAX = 4,
    ST_HEADER_MAX = 100000000, /* bytes, the format's own limit */
};

enum st_dtype { ST_F32, ST_F64, ST_I64 };

struct st_tensor {
    const char *name;
    int ndim; /* 0: a scalar */
    int64_t shape[ST_DIMS_MAX];
    union {
        const float *data; /* ST_F32 */
        const double *f64;
        const int64_t *i64;
    };
    enum st_dtype dtype; /* left out: ST_F32 */
};

/* Elements of a tensor that st_encode or st_decode accepted; 1 for a scalar. */
size_t st_length(const struct st_tensor *tensor);

/*
 * Append the file to out, which must be empty. pairs is key, value, key, value ...: 2 * pair_count
 * texts. CS_ERANGE: a name or key that is repeated, empty, no UTF-8 or "__metadata__"; a bad shape.
 */
int st_encode(struct cs_buf *out, const struct st_tensor *tensors, size_t count,
              const char *const *pairs, size_t pair_count, struct cs_error *err);

/* A decoded file. */
struct st_view {
    size_t count;
    const struct st_tensor *tensors; /* in the order of the header */
    size_t pair_count;
    const char *const *pairs; /* of __metadata__: key, value, key, value ... */
};

/*
 * Read a file. Names and texts are the view's own; array data points into data, which must outlive
 * the view, save where it is not aligned for its type: then the view holds a copy. CS_ETRUNCATED:
 * data ends early. CS_EPARSE: anything else that is wrong. CS_ENOMEM.
 */
int st_decode(struct st_view **out, const void *data, size_t size, struct cs_error *err);
void st_free(struct st_view *view); /* NULL is fine */

/* Borrowed, or NULL. */
const struct st_tensor *st_find(const struct st_view *view, const char *name);
const char *st_metadata(const struct st_view *view, const char *key);

#endif
