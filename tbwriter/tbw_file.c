#include "tbwriter/tbw_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cs_io.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_crc.h"
#include "tbwriter/tbw_read.h"

#define NAME_HEAD "events.out.tfevents."

enum {
    SECONDS_DIGITS = 10,
    HOST_MAX = 64,
    FRAME_HEAD = 12, /* length, its checksum */
    FRAME_TAIL = 4,  /* checksum of the data */
    CREATE_TRIES = 8,
};

static const long long seconds_max = 9999999999; /* what SECONDS_DIGITS hold */

/* ---- name ---- */

/* The name in dir that TensorBoard, which orders by bytes, reads last; NULL when there is none. */
static int last_name(char **out, const char *dir, struct cs_error *err)
{
    DIR *folder = opendir(dir);
    char *last = NULL;
    const struct dirent *entry;

    if (!folder)
        return cs_fail_errno(err, "%s: cannot list the folder", dir);
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        if (!strstr(entry->d_name, "tfevents") || (last && strcmp(entry->d_name, last) <= 0))
            continue;
        free(last);
        last = cs_xstrdup(entry->d_name);
    }
    const int rc = errno ? cs_fail_errno(err, "%s: cannot list the folder", dir) : 0;
    closedir(folder);
    if (rc < 0)
        free(last);
    else
        *out = last;
    return rc;
}

/* The time in an event file's name, -1 when it has none. */
static long long name_seconds(const char *name)
{
    long long seconds = 0;

    if (strncmp(name, NAME_HEAD, strlen(NAME_HEAD)) != 0)
        return -1;
    name += strlen(NAME_HEAD);
    for (int i = 0; i < SECONDS_DIGITS; i++) {
        if (!isdigit((unsigned char) name[i]))
            return -1;
        seconds = 10 * seconds + (name[i] - '0');
    }
    return seconds;
}

/* The machine's name in bytes that are safe in a file name; long ones are cut. */
static void host_name(char out[HOST_MAX + 1])
{
    char full[256] = "";

    if (gethostname(full, sizeof full - 1) < 0 || full[0] == '\0')
        strcpy(full, "localhost");
    (void) snprintf(out, HOST_MAX + 1, "%.*s", HOST_MAX, full);
    for (char *p = out; *p; p++)
        if (!isalnum((unsigned char) *p) && *p != '-' && *p != '_' && *p != '.')
            *p = '_';
}

/* A name that sorts after last. */
static int next_name(char **out, const char *dir, const char *last, double now,
                     struct cs_error *err)
{
    static atomic_uint files; /* made by this process */
    long long seconds = (long long) now;
    char host[HOST_MAX + 1];

    if (last && name_seconds(last) >= seconds)
        seconds = name_seconds(last) + 1;
    host_name(host);
    char *name = cs_xasprintf(NAME_HEAD "%0*lld.%s.%ld.%u", SECONDS_DIGITS, seconds, host,
                              (long) getpid(), atomic_fetch_add(&files, 1));
    if (seconds > seconds_max || (last && strcmp(name, last) <= 0)) {
        free(name);
        return cs_fail(err, CS_ERANGE, "%s/%s: no new event file can sort after this one", dir,
                       last ? last : "");
    }
    *out = name;
    return 0;
}

/* One try: -1 in *fd when another process took the name. */
static int create_once(int *fd, char **path, const char *dir, double now, struct cs_error *err)
{
    char *last = NULL, *name = NULL;
    int rc = last_name(&last, dir, err);

    if (rc == 0)
        rc = next_name(&name, dir, last, now, err);
    if (rc < 0)
        goto done;
    *path = cs_xasprintf("%s/%s", dir, name);
    *fd = open(*path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (*fd < 0 && errno != EEXIST)
        rc = cs_fail_errno(err, "%s: cannot create", *path);
    if (*fd < 0) {
        free(*path);
        *path = NULL;
    }
done:
    free(last);
    free(name);
    return rc;
}

int tbw_file_create(struct tbw_file *out, const char *dir, double seconds, size_t flush_bytes,
                    struct cs_error *err)
{
    struct tbw_file file = {.fd = -1,
                            .flush_bytes = flush_bytes,
                            .flush_seconds = 1, /* TensorBoard polls every 5 */
                            .flushed = cs_mono_seconds()};

    for (int i = 0; i < CREATE_TRIES && file.fd < 0; i++)
        CS_TRY(create_once(&file.fd, &file.path, dir, seconds, err));
    if (file.fd < 0)
        return cs_fail(err, CS_EBUSY, "%s: other writers keep taking the next file name", dir);
    *out = file;
    return 0;
}

/* ---- records ---- */

/* How many bytes were written; fewer than size: errno says why. */
static size_t write_bytes(int fd, const char *data, size_t size)
{
    size_t done = 0;

    while (done < size) {
        const ssize_t n = write(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t) n;
    }
    return done;
}

static void drop_front(struct cs_buf *buf, size_t size)
{
    if (size == 0)
        return;
    buf->size -= size;
    memmove(buf->data, buf->data + size, buf->size);
}

/*
 * Keep of the records in buf, of which `written` bytes are in the file, only the rest of the one
 * that was cut.
 */
static void keep_cut_record(struct cs_buf *buf, size_t written)
{
    size_t end = 0;

    while (end < written)
        end += FRAME_HEAD + (size_t) tbw_load64((const uint8_t *) buf->data + end) + FRAME_TAIL;
    buf->size = end;
    drop_front(buf, written);
}

static int poison(struct tbw_file *file, const char *what, struct cs_error *err)
{
    cs_fail_errno(&file->failure, "%s", what);
    cs_fail_at(&file->failure, file->failure.code, file->path, 0);
    if (err)
        *err = file->failure;
    return file->failure.code;
}

int tbw_file_check(struct tbw_file *file, struct cs_error *err)
{
    if (file->failure.code == 0)
        return 0;
    drop_front(&file->pending, write_bytes(file->fd, file->pending.data, file->pending.size));
    if (err)
        *err = file->failure;
    return file->failure.code;
}

int tbw_file_flush(struct tbw_file *file, struct cs_error *err)
{
    CS_TRY(tbw_file_check(file, err));
    const size_t written = write_bytes(file->fd, file->pending.data, file->pending.size);
    if (written < file->pending.size) {
        const int rc = poison(file, "cannot write", err);
        keep_cut_record(&file->pending, written);
        return rc;
    }
    file->pending.size = 0;
    file->flushed = cs_mono_seconds();
    return 0;
}

int tbw_file_sync(struct tbw_file *file, struct cs_error *err)
{
    CS_TRY(tbw_file_flush(file, err));
    if (fsync(file->fd) < 0)
        return poison(file, "cannot flush to disk", err);
    if (!file->entry_synced)
        CS_TRY(cs_sync_parent(file->path, err));
    file->entry_synced = true;
    return 0;
}

/* For the flush interval: a few milliseconds coarse, and a fraction of the fine clock's time. */
static double coarse_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

uint8_t *tbw_file_begin(int *rc, struct tbw_file *file, size_t size, struct cs_error *err)
{
    *rc = tbw_file_check(file, err);
    if (*rc == 0 && size > TBW_RECORD_MAX)
        *rc = cs_fail(err, CS_ERANGE, "event of %zu bytes: must be at most %d", size,
                      (int) TBW_RECORD_MAX);
    if (*rc < 0)
        return NULL;
    cs_buf_reserve(&file->pending, FRAME_HEAD + size + FRAME_TAIL);
    return (uint8_t *) file->pending.data + file->pending.size + FRAME_HEAD;
}

int tbw_file_end(struct tbw_file *file, size_t size, struct cs_error *err)
{
    uint8_t *head = (uint8_t *) file->pending.data + file->pending.size, *data = head + FRAME_HEAD;

    tbw_store64(head, size);
    tbw_store32(head + 8, tbw_crc32c_masked(head, 8));
    tbw_store32(data + size, tbw_crc32c_masked(data, size));
    file->pending.size += FRAME_HEAD + size + FRAME_TAIL;
    if (file->pending.size >= file->flush_bytes ||
        coarse_seconds() - file->flushed >= file->flush_seconds)
        return tbw_file_flush(file, err);
    return 0;
}

int tbw_file_add(struct tbw_file *file, const void *data, size_t size, struct cs_error *err)
{
    int rc;
    uint8_t *place = tbw_file_begin(&rc, file, size, err);

    if (!place)
        return rc;
    if (size)
        memcpy(place, data, size);
    return tbw_file_end(file, size, err);
}

int tbw_file_close(struct tbw_file *file, struct cs_error *err)
{
    int rc = tbw_file_flush(file, err);

    if (close(file->fd) < 0 && rc == 0)
        rc = poison(file, "cannot close", err);
    free(file->path);
    cs_buf_clear(&file->pending);
    return rc;
}
