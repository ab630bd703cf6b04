/*
 * list.h - the data sets. To add one: write trainer/data/NAME.c ending in
 * `const struct train_dataset_kind train_dataset_NAME` (trainer/data/data.h), and add a line here.
 */
#define TRAIN_DATASETS(X) \
    X(fashion_mnist)      \
    X(mnist)              \
    X(kmnist)             \
    X(random)             \
    X(regression)         \
    X(moons)              \
    X(spirals)            \
    X(xor)                \
    X(idx)                \
    X(npy)                \
    X(csv)
