/*
 * tbw_file.h - a new event file: its name, its records, and what happens when the disk does not
 * take them.
 *
 * States: OPEN -> (tbw_file_flush or tbw_file_sync fails) -> POISONED -> closed. Nothing leads
 * back from POISONED. A write that fails half-way leaves a cut record at the end of the file; its
 * remaining bytes are kept, and every later call tries to write them, because a whole record is
 * worth more to readers than a torn one. The records behind it are dropped.
 */
#ifndef TBW_FILE_H
#define TBW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cs_error.h"
#include "common/cs_str.h"

struct tbw_file {
    int fd;
    char *path;
    struct cs_buf pending; /* OPEN: whole records; POISONED: the rest of the cut one */
    size_t flush_bytes;
    double flush_seconds;    /* since the last flush, that cause one */
    double flushed;          /* monotonic time of the last flush */
    bool entry_synced;       /* the folder's entry is on the disk */
    struct cs_error failure; /* code 0: OPEN */
};

/*
 * Create the next event file of dir. seconds go into its name, or one more than those of the last
 * file there if that is later. CS_ERANGE when a file there has a name behind which none of ours
 * can sort.
 */
int tbw_file_create(struct tbw_file *out, const char *dir, double seconds, size_t flush_bytes,
                    struct cs_error *err);

/*
 * A record in two steps: where to put its size bytes of data (NULL: *rc says why not), then its
 * frame. tbw_file_add() is both.
 */
uint8_t *tbw_file_begin(int *rc, struct tbw_file *file, size_t size, struct cs_error *err);
int tbw_file_end(struct tbw_file *file, size_t size, struct cs_error *err);

/* Frame data as one record; flushes when enough bytes or seconds have gathered. */
int tbw_file_add(struct tbw_file *file, const void *data, size_t size, struct cs_error *err);

/* 0 when OPEN; else the first failure, after one more try to complete the cut record. */
int tbw_file_check(struct tbw_file *file, struct cs_error *err);

int tbw_file_flush(struct tbw_file *file, struct cs_error *err);
int tbw_file_sync(struct tbw_file *file, struct cs_error *err);
int tbw_file_close(struct tbw_file *file, struct cs_error *err); /* flushes; frees the contents */

#endif
