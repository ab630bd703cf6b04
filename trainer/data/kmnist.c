/*
 * kmnist.c - Kuzushiji-MNIST (Clanuwat et al. 2018): 60,000 + 10,000 images of cursive Japanese, 28 x 28 bytes, 10 classes.
 */
#include "trainer/data/idx.h"

static const struct train_idx_set set = {
    .name = "kmnist",
    .torchvision = "KMNIST",
    .hint = "put its four files into data/KMNIST/raw, as torchvision does, or set path",
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

const struct train_dataset_kind train_dataset_kmnist = {
    .name = "kmnist",
    .usage = "kmnist",
    .help = "70,000 images of cursive Japanese, 28 x 28, 10 classes (data/KMNIST/raw, or `path`)",
    .describe = describe,
    .check = check,
    .load = load,
};
