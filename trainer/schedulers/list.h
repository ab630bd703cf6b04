/*
 * list.h - the schedules. To add one: write trainer/schedulers/NAME.c ending in
 * `const struct train_scheduler train_scheduler_NAME` (scheduler.h), and add a line here.
 */
#define TRAIN_SCHEDULERS(X) \
    X(none)                 \
    X(step)                 \
    X(multistep)            \
    X(exponential)          \
    X(constant)             \
    X(linear)               \
    X(polynomial)           \
    X(cosine)               \
    X(cosine_restarts)      \
    X(plateau)              \
    X(one_cycle)            \
    X(cyclic)               \
    X(lambda)               \
    X(multiplicative)       \
    X(sequence)             \
    X(chain)
