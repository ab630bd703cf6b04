/*
 * mnist.c - MNIST (LeCun, Cortes, Burges 1998): 60,000 + 10,000 images of handwritten digits, 28 x 28 bytes, 10 classes.
 */
#include "trainer/data/idx.h"

static const struct train_idx_set set = {
    .name = "mnist",
    .torchvision = "MNIST",
    .hint = "put its four files into data/MNIST/raw, as torchvision does, or set path",
};

static int describe(struct train_data_info *out, const char *args, const char *path,
                    struct cs_error *err)
{
    (void) path;
    return train_idx_set_describe(out, &set, args, err);
}

static int check(const char *path, struct cs_error *err)
{
    return train_idx_set_check(&set, path, err);
}

static int load(struct train_data *data, const char *args, const char *path,
                const struct train_data_info *info, struct cs_error *err)
{
    (void) args;
    return train_idx_set_load(data, &set, path, info, err);
}

const struct train_dataset_kind train_dataset_mnist = {
    .name = "mnist",
    .usage = "mnist",
    .help = "70,000 images of handwritten digits, 28 x 28, 10 classes (data/MNIST/raw, or `path`)",
    .describe = describe,
    .check = check,
    .load = load,
};
