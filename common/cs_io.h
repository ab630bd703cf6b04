/*
 * cs_io.h - files: read whole, write whole, make folders, last words on disk.
 *
 * Every descriptor is close-on-exec. EINTR is retried. Paths are used as given.
 */
#ifndef CS_IO_H
#define CS_IO_H

#include <stddef.h>

#include "common/cs_str.h"

struct cs_error;

/* Append the file to out. CS_ERANGE when it is longer than limit bytes, CS_EIO when it cannot be read. */
int cs_read_file(struct cs_buf *out, const char *path, size_t limit, struct cs_error *err);

/* The same of a regular file only, and without ever waiting for one that another end has to fill. */
int cs_read_regular_file(struct cs_buf *out, const char *path, size_t limit, struct cs_error *err);

/* Replace path by these bytes: temporary file beside it, fsync, rename, fsync of the folder. */
int cs_write_file(const char *path, const void *data, size_t size, struct cs_error *err);

/* All bytes, or an error; a short write is continued. */
int cs_write_all(int fd, const void *data, size_t size, struct cs_error *err);

/* mkdir -p; an existing folder is fine. */
int cs_make_dirs(const char *path, struct cs_error *err);

/* Flush the folder that holds path, so that a rename or create in it survives power loss. */
int cs_sync_parent(const char *path, struct cs_error *err);

/* Seconds: since the epoch, and of the monotonic clock (durations). */
double cs_wall_seconds(void);
double cs_mono_seconds(void);

#endif
