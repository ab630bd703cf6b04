/*
 * loss.c - the registry of losses, from kernels/loss/list.h.
 */
#include "kernels/loss.h"

#include <string.h>

#include "kernels/loss/list.h"

static const struct kern_loss *const entries[] = {
#define KERN_LOSS_EACH(NAME) &NAME##_info,
#include "kernels/loss/list.h"
#undef KERN_LOSS_EACH
    NULL,
};

const struct kern_loss *const *kern_losses(void)
{
    return entries;
}

const struct kern_loss *kern_loss_find(const char *name)
{
    for (const struct kern_loss *const *e = entries; *e; e++)
        if (strcmp((*e)->name, name) == 0)
            return *e;
    return NULL;
}
