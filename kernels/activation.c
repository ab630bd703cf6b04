/*
 * activation.c - the registry of activations, from kernels/activation/list.h.
 */
#include "kernels/activation.h"

#include "kernels/activation/list.h"

static const struct kern_activation *const entries[] = {
#define KERN_ACTIVATION_EACH(NAME) &NAME##_info,
#include "kernels/activation/list.h"
#undef KERN_ACTIVATION_EACH
    NULL,
};

const struct kern_activation *const *kern_activations(void)
{
    return entries;
}
