/* none.c - the rate as given, for ever. */
#include "trainer/schedulers/scheduler.h"

const struct train_scheduler train_scheduler_none = {
    .name = "none",
    .help = "the rate stays as given",
};
