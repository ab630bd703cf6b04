/*
 * mnist.c - MNIST (LeCun, Cortes, Burges 1998): 60,000 + 10,000 images of handwritten digits, 28 x 28 bytes, 10 classes.
 */
#include "trainer/data/idx.h"

static const struct train_idx_set set = {
    .name = "mnist",
    .torchvision = "MNIST",
    .hint = "put its four files into data/MNIST/raw, as torchvision does, or set path",
};

const struct train_dataset_kind train_dataset_mnist = {
    .name = "mnist",
    .usage = "mnist",
    .help = "70,000 images of handwritten digits, 28 x 28, 10 classes (data/MNIST/raw, or `path`)",
    .describe = train_idx_set_describe,
    .check = train_idx_set_check,
    .load = train_idx_set_load,
    .of = &set,
};
