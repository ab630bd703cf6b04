/*
 * npy.h - NumPy's .npy files, read. Private to trainer/data/.
 *
 * Format (numpy.org/devdocs/reference/generated/numpy.lib.format.html): "\x93NUMPY", u8 major (1, 2 or 3), u8 minor,
 * the header's length as u16le (version 1) or u32le, the header, a Python dict with the keys descr, fortran_order and shape, then
 * the numbers. Read: '<f4', '<f8', '|u1', '<i8', '|b1', in C order, 1 to 4 dimensions. The file is as long as
 * that asks for, to the byte.
 *
 * Refused, with one line: everything else. Nothing is allocated by what a header says: the numbers are mapped.
 */
#ifndef TRAIN_DATA_NPY_H
#define TRAIN_DATA_NPY_H

#include <stddef.h>
#include <stdint.h>

struct cs_error;

enum train_npy_type { TRAIN_NPY_F4, TRAIN_NPY_F8, TRAIN_NPY_U1, TRAIN_NPY_I8, TRAIN_NPY_B1 };

struct train_npy {
    enum train_npy_type type;
    int dims;
    int64_t size[4];     /* each at least 1, their product at most 2^40 */
    const void *numbers; /* mapped; aligned to their size */
    void *map;
    size_t map_bytes;
};

int train_npy_open(struct train_npy *out, const char *path, struct cs_error *err);
void train_npy_close(struct train_npy *npy); /* all zero is fine */

/* Element i as a double. */
double train_npy_get(const struct train_npy *npy, size_t i);

/* "<f4". */
const char *train_npy_name(enum train_npy_type type);

#endif
