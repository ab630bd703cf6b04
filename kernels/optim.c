/*
 * optim.c - the optimizer registry, from kernels/optim/list.h.
 */
#include "kernels/optim.h"

#include <string.h>

#include "common/cs_str.h"

#define KERN_OPTIM_EACH(NAME)                         \
    static const struct kern_optim NAME##_entry = {   \
        .name = #NAME,                                \
        .help = NAME##_help,                          \
        .params = NAME##_params,                      \
        .param_count = (int) CS_COUNT(NAME##_params), \
        .check = NAME##_check,                        \
        .variant = NAME##_variant,                    \
        .slots = NAME##_slots,                        \
        .slot_name = NAME##_slot_name,                \
        .begin = NAME##_begin,                        \
        .slot_start = NAME##_slot_start,              \
        .by_tensor = NAME##_by_tensor,                \
    };
#include "kernels/optim/list.h"
#undef KERN_OPTIM_EACH

static const struct kern_optim *const entries[] = {
#define KERN_OPTIM_EACH(NAME) &NAME##_entry,
#include "kernels/optim/list.h"
#undef KERN_OPTIM_EACH
    NULL,
};

const struct kern_optim *const *kern_optim_all(void)
{
    return entries;
}

const struct kern_optim *kern_optim_find(const char *name)
{
    for (const struct kern_optim *const *e = entries; *e; e++)
        if (strcmp((*e)->name, name) == 0)
            return *e;
    return NULL;
}
