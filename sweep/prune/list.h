/*
 * list.h - the pruners, in the order they are listed to the user. To add one: write sweep/prune/NAME.c ending in
 * `const struct sweep_pruner sweep_pruner_NAME` (prune.h), and add a line here.
 */
#define SWEEP_PRUNERS(X) \
    X(median)            \
    X(percentile)        \
    X(asha)              \
    X(hyperband)         \
    X(threshold)         \
    X(patient)
