/*
 * kmnist.c - Kuzushiji-MNIST (Clanuwat et al. 2018): 60,000 + 10,000 images of cursive Japanese, 28 x 28 bytes, 10 classes.
 */
#include "trainer/data/idx.h"

static const struct train_idx_set set = {
    .name = "kmnist",
    .torchvision = "KMNIST",
    .hint = "put its four files into data/KMNIST/raw, as torchvision does, or set path",
};

const struct train_dataset_kind train_dataset_kmnist = {
    .name = "kmnist",
    .usage = "kmnist",
    .help = "70,000 images of cursive Japanese, 28 x 28, 10 classes (data/KMNIST/raw, or `path`)",
    .describe = train_idx_set_describe,
    .check = train_idx_set_check,
    .load = train_idx_set_load,
    .of = &set,
};
