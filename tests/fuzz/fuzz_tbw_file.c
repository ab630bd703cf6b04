/*
 * fuzz_tbw_file.c - libFuzzer target: any bytes as an event file, checked and viewed. A record whose length is right but
 * whose checksums are not gets them set for every second input, or hardly any would be looked into.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_crc.h"
#include "tbwriter/tbw_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, const char *path, uint64_t offset, bool fault, const char *text)
{
    (void) context;
    (void) path;
    (void) offset;
    (void) fault;
    (void) text;
}

static void mend(uint8_t *bytes, size_t size)
{
    size_t at = 0;

    while (size - at >= 16) {
        const uint64_t length = tbw_load64(bytes + at);
        if (length > size - at - 16)
            return;
        tbw_store32(bytes + at + 8, tbw_crc32c_masked(bytes + at, 8));
        at += 12 + (size_t) length;
        tbw_store32(bytes + at, tbw_crc32c_masked(bytes + at - length, (size_t) length));
        at += 4;
    }
}

static void view_all(const char *path)
{
    struct tbw_view view = {.rules = TBW_RULE_STEPS | TBW_RULE_START};
    struct tbw_log_item item;
    tbw_log *log;

    if (tbw_log_open(&log, path, NULL) < 0)
        abort();
    while (tbw_log_next(&item, log, NULL) == 1)
        tbw_view_take(&view, &item);
    tbw_view_clear(&view);
    tbw_log_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tbw_check_counts counts;
    uint8_t *copy = malloc(size + 1);
    const int fd = memfd_create("tfevents", MFD_CLOEXEC);
    char path[64];

    if (!copy || fd < 0)
        abort();
    memcpy(copy, data, size);
    if (size % 2 == 0)
        mend(copy, size);
    if (write(fd, copy, size) != (ssize_t) size)
        abort();
    (void) snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (tbw_check(&counts, path, ignore, NULL, NULL) < 0)
        abort();
    view_all(path);
    close(fd);
    free(copy);
    return 0;
}
