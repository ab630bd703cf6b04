#include "common/cs_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cs_error.h"

/* At least a chunk more, at most the limit and a byte; the whole rest of a plain file at once. */
static size_t next_chunk(int fd, size_t total, size_t limit)
{
    size_t chunk = 65536;
    struct stat status;

    if (total == 0 && fstat(fd, &status) == 0 && status.st_size > (off_t) chunk)
        chunk = (size_t) status.st_size + 1; /* one more: the next read finds the end */
    return chunk <= limit - total ? chunk : limit - total + 1;
}

static int read_all(struct cs_buf *out, int fd, const char *path, size_t limit,
                    struct cs_error *err)
{
    size_t total = 0;

    for (;;) {
        const size_t chunk = next_chunk(fd, total, limit);
        cs_buf_reserve(out, chunk);
        const ssize_t n = read(fd, out->data + out->size, chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cs_fail_errno(err, "%s: cannot read", path);
        out->size += (size_t) n;
        out->data[out->size] = '\0';
        total += (size_t) n;
        if (n == 0)
            return 0;
        if (total > limit)
            return cs_fail(err, CS_ERANGE, "%s: longer than %zu bytes", path, limit);
    }
}

int cs_read_file(struct cs_buf *out, const char *path, size_t limit, struct cs_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const size_t before = out->size;

    if (fd < 0)
        return cs_fail_errno(err, "%s: cannot open", path);
    const int rc = read_all(out, fd, path, limit, err);
    if (rc < 0)
        out->data[out->size = before] = '\0';
    close(fd);
    return rc;
}

int cs_read_regular_file(struct cs_buf *out, const char *path, size_t limit, struct cs_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const size_t before = out->size;
    struct stat st;
    int rc;

    if (fd < 0)
        return cs_fail_errno(err, "%s: cannot open", path);
    if (fstat(fd, &st) < 0)
        rc = cs_fail_errno(err, "%s: cannot read", path);
    else if (!S_ISREG(st.st_mode))
        rc = cs_fail(err, CS_EIO, "%s: is no regular file", path);
    else
        rc = read_all(out, fd, path, limit, err);
    if (rc < 0 && out->data)
        out->data[out->size = before] = '\0';
    close(fd);
    return rc;
}

int cs_write_all(int fd, const void *data, size_t size, struct cs_error *err)
{
    const char *p = data;

    while (size) {
        const ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cs_fail_errno(err, "cannot write");
        p += n;
        size -= (size_t) n;
    }
    return 0;
}

int cs_sync_parent(const char *path, struct cs_error *err)
{
    char *folder = cs_xstrdup(path);
    char *slash = strrchr(folder, '/');
    int rc = 0;

    if (slash == folder)
        folder[1] = '\0';
    else if (slash)
        *slash = '\0';
    const int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        rc = cs_fail_errno(err, "%s: cannot flush the folder", slash ? folder : ".");
    if (fd >= 0)
        close(fd);
    free(folder);
    return rc;
}

int cs_write_file(const char *path, const void *data, size_t size, struct cs_error *err)
{
    char *temporary = cs_xasprintf("%s.tmp.%ld", path, (long) getpid());
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int rc = 0;

    if (fd < 0) {
        rc = cs_fail_errno(err, "%s: cannot create", path);
        free(temporary);
        return rc;
    }
    rc = cs_write_all(fd, data, size, err);
    if (rc < 0)
        cs_fail_at(err, rc, path, 0);
    if (rc == 0 && fsync(fd) < 0)
        rc = cs_fail_errno(err, "%s: cannot flush", path);
    if (close(fd) < 0 && rc == 0)
        rc = cs_fail_errno(err, "%s: cannot close", path);
    if (rc == 0 && rename(temporary, path) < 0)
        rc = cs_fail_errno(err, "%s: cannot rename", path);
    if (rc < 0)
        unlink(temporary);
    else
        rc = cs_sync_parent(path, err);
    free(temporary);
    return rc;
}

int cs_make_dirs(const char *path, struct cs_error *err)
{
    char *copy = cs_xstrdup(path);
    int rc = 0;

    for (char *p = copy + (*copy != '\0'); rc == 0; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        const char saved = *p;
        *p = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            rc = cs_fail_errno(err, "%s: cannot make the folder", copy);
        *p = saved;
        if (saved == '\0')
            break;
    }
    struct stat st;
    if (rc == 0 && (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)))
        rc = cs_fail(err, CS_EIO, "%s: is not a folder", path);
    free(copy);
    return rc;
}

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

double cs_wall_seconds(void)
{
    return seconds(CLOCK_REALTIME);
}

double cs_mono_seconds(void)
{
    return seconds(CLOCK_MONOTONIC);
}
