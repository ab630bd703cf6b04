#include "trainer/schedulers/scheduler.h"

#include <string.h>

#include "trainer/schedulers/list.h"

#define X(name) extern const struct train_scheduler train_scheduler_##name;
TRAIN_SCHEDULERS(X)
#undef X

static const struct train_scheduler *const all[] = {
#define X(name) &train_scheduler_##name,
    TRAIN_SCHEDULERS(X)
#undef X
        NULL};

const struct train_scheduler *const *train_schedulers(void)
{
    return all;
}

const struct train_scheduler *train_scheduler_find(const char *name)
{
    for (int i = 0; all[i]; i++) {
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    }
    return NULL;
}

double train_scheduler_begin_plain(double *state, const double *args, double initial_lr)
{
    (void) state;
    (void) args;
    return initial_lr;
}
