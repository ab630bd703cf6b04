#include "sweep/shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"

const char *sweep_shares_name(struct sweep_shares *shares, const char *dataset, const char *path,
                              struct cs_error *err)
{
    for (size_t i = 0; i < shares->count; i++) {
        const struct sweep_share *share = &shares->list[i];
        if (strcmp(share->dataset, dataset) == 0 && strcmp(share->path, path) == 0)
            return share->name;
    }
    const int file = memfd_create("csweep-data", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        cs_fail_errno(err, "no memory for workers to share data sets in");
        return NULL;
    }
    shares->list = cs_xrealloc(shares->list, (shares->count + 1) * sizeof *shares->list);
    struct sweep_share *share = &shares->list[shares->count++];
    *share = (struct sweep_share){.dataset = dataset, .path = path, .file = file};
    snprintf(share->name, sizeof share->name, "/proc/%ld/fd/%d", (long) getpid(), file);
    return share->name;
}

void sweep_shares_prune(struct sweep_shares *shares,
                        bool (*wanted)(void *context, const char *dataset, const char *path),
                        void *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < shares->count; i++) {
        if (wanted(context, shares->list[i].dataset, shares->list[i].path))
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
