/*
 * list.h - the layers. To add one: write trainer/layers/NAME.c ending in
 * `const struct train_layer_kind train_layer_NAME` (trainer/model.h), and add a line here.
 */
#define TRAIN_LAYERS(X) \
    X(flatten)          \
    X(linear)           \
    X(relu)             \
    X(dropout)          \
    X(res)              \
    X(conv)             \
    X(maxpool)          \
    X(avgpool)          \
    X(globalavgpool)    \
    X(batchnorm)        \
    X(layernorm)        \
    X(dropout2d)        \
    X(noise)            \
    X(softmax)          \
    X(log_softmax)
