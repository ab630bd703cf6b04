/*
 * fuzz.h - what the fuzz targets share. Each is one file fuzz_NAME.c with LLVMFuzzerTestOneInput (libFuzzer): it gives
 * the bytes to one parser, and walks over what the parser made of them. A fault is a crash, a report of ASan or UBSan, a
 * leak, a hang, or more memory than the limit; refusing is not.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A folder in memory, made once, gone at the end. */
static char fuzz_folder_path[64];

static inline void fuzz_folder_remove(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", fuzz_folder_path);
    if (system(command) != 0)
        fprintf(stderr, "cannot remove %s\n", fuzz_folder_path);
}

static inline const char *fuzz_folder(void)
{
    if (!*fuzz_folder_path) {
        snprintf(fuzz_folder_path, sizeof fuzz_folder_path, "/dev/shm/csweep-fuzz-XXXXXX");
        if (!mkdtemp(fuzz_folder_path))
            abort();
        atexit(fuzz_folder_remove);
    }
    return fuzz_folder_path;
}

/* folder/name with these bytes. */
static inline void fuzz_write(const char *name, const void *data, size_t size)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, data, size) != (ssize_t) size)
        abort();
    close(file);
}

/* One number of a file's items: the compiler must not drop the walk. */
static volatile double fuzz_sum;

#endif
