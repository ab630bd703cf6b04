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

const struct train_dataset_kind train_dataset_fashion_mnist = {
    .name = "fashion-mnist",
    .usage = "fashion-mnist",
    .help = "70,000 images of clothes, 28 x 28, 10 classes (Debian's package "
            "dataset-fashion-mnist, data/FashionMNIST/raw, or `path`)",
    .describe = train_idx_set_describe,
    .check = train_idx_set_check,
    .load = train_idx_set_load,
    .of = &set,
    .classes = classes,
};
