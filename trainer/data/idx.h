/*
 * idx.h - data sets in IDX files, as MNIST has them. Private to trainer/data/.
 *
 * Four files, .gz or not: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte. IDX
 * (yann.lecun.com/exdb/mnist): u32be magic 0x0000080D, D the number of dimensions and 8 for bytes, D u32be sizes, the first
 * of them the number of items, then the bytes. Images have 2 (rows of numbers), 3 (height, width) or 4 dimensions (channels too), labels 1.
 *
 * A .gz that is as it should be is unpacked by libdeflate, in about half of zlib's time; everything else, what is at fault
 * above all, goes through zlib, which passes plain files through and says where a file ends early. Headers, sizes,
 * checksums and labels are checked; a header that says more than its file can hold is refused before anything is allocated.
 */
#ifndef TRAIN_DATA_IDX_H
#define TRAIN_DATA_IDX_H

#include "trainer/data/data.h"

/* A data set that is known: images of 1 x 28 x 28 in 10 classes, 60,000 and 10,000 of them. */
struct train_idx_set {
    const char *name;
    const char *torchvision; /* its folder there: "FashionMNIST" (ROOT/FashionMNIST/raw) */
    const char *hint;        /* what to do where it is missing */
};

/* The functions of a kind of them; its `of` is the struct train_idx_set. */
int train_idx_set_describe(struct train_data_info *out, const struct train_data_source *from,
                           struct cs_error *err);
int train_idx_set_check(const struct train_data_source *from, struct cs_error *err);
int train_idx_set_load(struct train_data *data, const struct train_data_source *from,
                       const struct train_data_info *info, struct cs_error *err);

#endif
