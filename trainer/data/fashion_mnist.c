/*
 * fashion_mnist.c - Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 60,000 + 10,000 images of clothes, 28 x 28 bytes, 10 classes.
 */
#include "trainer/data/idx.h"

static const struct train_idx_set set = {
    .name = "fashion-mnist",
    .torchvision = "FashionMNIST",
    .hint = "install the package dataset-fashion-mnist or set path",
};

static const char *const classes[] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                      "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

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

const struct train_dataset_kind train_dataset_fashion_mnist = {
    .name = "fashion-mnist",
    .usage = "fashion-mnist",
    .help = "70,000 images of clothes, 28 x 28, 10 classes (Debian's package "
            "dataset-fashion-mnist, data/FashionMNIST/raw, or `path`)",
    .describe = describe,
    .check = check,
    .load = load,
    .classes = classes,
};
