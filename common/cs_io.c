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

int cs_read_file(struct cs_buf *out, const char *path, size_t limit, struct cs_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    char chunk[65536];
    size_t total = 0;

    if (fd < 0)
        return cs_fail_errno(err, "%s: cannot open", path);
    for (;;) {
        const ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            const int rc = cs_fail_errno(err, "%s: cannot read", path);
            close(fd);
            return rc;
        }
        if (n == 0)
            break;
        total += (size_t) n;
        if (total > limit) {
            close(fd);
            return cs_fail(err, CS_ERANGE, "%s: longer than %zu bytes", path, limit);
        }
        cs_buf_add(out, chunk, (size_t) n);
    }
    close(fd);
    if (!out->data)
        cs_buf_add(out, "", 0);
    return 0;
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
