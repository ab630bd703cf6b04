/*
 * kernels.c - which backend, and which instance of "cpu": the best that the machine runs and CSWEEP_CPU allows.
 */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "kernels/backend_impl.h"

enum { INSTANCES = 3 };

enum kern_skip kern_cpu_skip = KERN_SKIP_CHOOSE;

static const char *const instance_names[INSTANCES] = {"avx512", "avx2", "generic"};

/* The table of instance_names[i]; NULL when this machine cannot run it. */
static const struct kern_ops *runnable(int i)
{
    switch (i) {
#ifdef KERN_X86
    case 0:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("fma")
                   ? &kern_cpu_avx512
                   : NULL;
    case 1:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kern_cpu_avx2
                                                                               : NULL;
#endif
    case 2:
        return &kern_cpu_generic;
    default:
        return NULL;
    }
}

const struct kern_ops *const *kern_cpu_instances(void)
{
    static _Thread_local const struct kern_ops *found[INSTANCES + 1];
    int count = 0;

    for (int i = 0; i < INSTANCES; i++)
        if (runnable(i))
            found[count++] = runnable(i);
    found[count] = NULL;
    return found;
}

static int find_capped(const struct kern_ops **out, const char *cap, struct cs_error *err)
{
    if (strcmp(cap, "ref") == 0) {
        *out = &kern_ref;
        return 0;
    }
    for (int i = 0; i < INSTANCES; i++) {
        if (strcmp(cap, instance_names[i]) != 0)
            continue;
        if (!runnable(i))
            return cs_fail(err, CS_EUNAVAILABLE, "CSWEEP_CPU = %s: this machine has no %s", cap,
                           cap);
        *out = runnable(i);
        return 0;
    }
    return cs_fail(err, CS_ERANGE, "CSWEEP_CPU = %s: must be one of generic, avx2, avx512, ref",
                   cap);
}

int kern_backend_find(const struct kern_ops **out, const char *name, struct cs_error *err)
{
    static const char *const names[] = {"cpu", "ref"};
    const char *cap = getenv("CSWEEP_CPU");
    const char *near;

    if (strcmp(name, "ref") == 0) {
        *out = &kern_ref;
        return 0;
    }
    if (strcmp(name, "cpu") == 0) {
        if (cap && *cap)
            return find_capped(out, cap, err);
        *out = kern_cpu_instances()[0];
        return 0;
    }
    near = cs_nearest(name, names, CS_COUNT(names));
    return cs_fail(err, CS_ENONAME, "no backend '%s'%s%s%s", name, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : ": must be cpu or ref");
}
