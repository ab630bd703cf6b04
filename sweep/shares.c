#include "sweep/shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/spec.h"

bool sweep_shares_same(const struct train_spec *a, const struct train_spec *b)
{
    return strcmp(a->dataset, b->dataset) == 0 && strcmp(a->path, b->path) == 0;
}

const char *sweep_shares_path(struct sweep_shares *shares, const struct train_spec *spec,
                              struct cs_error *err)
{
    for (size_t i = 0; i < shares->count; i++) {
        if (sweep_shares_same(shares->list[i].spec, spec))
            return shares->list[i].path;
    }
    const int file = memfd_create("csweep-data", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        cs_fail_errno(err, "no memory for workers to share data sets in");
        return NULL;
    }
    shares->list = cs_xrealloc(shares->list, (shares->count + 1) * sizeof *shares->list);
    struct sweep_share *share = &shares->list[shares->count++];
    *share = (struct sweep_share){.spec = spec, .file = file};
    snprintf(share->path, sizeof share->path, "/proc/%ld/fd/%d", (long) getpid(), file);
    return share->path;
}

void sweep_shares_prune(struct sweep_shares *shares,
                        bool (*wanted)(void *context, const struct train_spec *spec), void *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < shares->count; i++) {
        if (wanted(context, shares->list[i].spec))
            shares->list[kept++] = shares->list[i];
        else
            close(shares->list[i].file);
    }
    shares->count = kept;
}

void sweep_shares_clear(struct sweep_shares *shares)
{
    for (size_t i = 0; i < shares->count; i++)
        close(shares->list[i].file);
    free(shares->list);
    *shares = (struct sweep_shares){0};
}
