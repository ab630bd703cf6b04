#include "tbwriter/tbw_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_crc.h"
#include "tbwriter/tbw_decode.h"

enum { FRAME_HEAD = 12, FRAME_TAIL = 4, CHUNK = 256 << 10 };

/*
 * The buffer holds bytes [base + start, base + end) of the file. At the file's end it is freed and
 * the file closed; the next call opens it again at base + start, if it is still the same file.
 */
struct tbw_reader {
    char *path;
    int fd; /* -1: closed */
    dev_t device;
    ino_t inode;
    uint64_t base, torn;
    uint8_t *data;
    size_t start, end, capacity;
    uint64_t scan; /* tbw_reader_recover: where to look next; 0: not begun */
    size_t framed; /* size of the failed record when its frame is right, else 0 */
    struct tbw_decoder decoder;
    struct cs_error failure; /* code 0: none yet */
};

/* ---- the file ---- */

static int open_file(tbw_reader *r, struct cs_error *err)
{
    struct stat st;

    r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0)
        return cs_fail_errno(err, "%s: cannot open", r->path);
    if (fstat(r->fd, &st) < 0)
        return cs_fail_errno(err, "%s: cannot look at the file", r->path);
    if (r->inode == 0) {
        r->device = st.st_dev;
        r->inode = st.st_ino;
    } else if (r->device != st.st_dev || r->inode != st.st_ino) {
        return cs_fail(err, CS_EIO, "%s: another file has taken its place", r->path);
    }
    if (S_ISREG(st.st_mode) && (uint64_t) st.st_size < r->base)
        return cs_fail(err, CS_EIO, "%s: the file was cut to %llu bytes, of which %llu were read",
                       r->path, (unsigned long long) st.st_size, (unsigned long long) r->base);
    return 0;
}

static void close_file(tbw_reader *r)
{
    if (r->fd >= 0)
        (void) close(r->fd); /* only read from */
    r->fd = -1;
    free(r->data);
    r->data = NULL;
    r->base += r->start;
    r->start = r->end = r->capacity = 0;
}

int tbw_reader_open(tbw_reader **out, const char *path, struct cs_error *err)
{
    tbw_reader *r = cs_xcalloc(1, sizeof *r);

    r->path = cs_xstrdup(path);
    const int rc = open_file(r, err);
    if (rc < 0) {
        tbw_reader_close(r);
        return rc;
    }
    *out = r;
    return 0;
}

void tbw_reader_close(tbw_reader *r)
{
    if (!r)
        return;
    close_file(r);
    tbw_decoder_clear(&r->decoder);
    free(r->path);
    free(r);
}

uint64_t tbw_reader_torn_bytes(const tbw_reader *r)
{
    return r->torn;
}

uint64_t tbw_reader_offset(const tbw_reader *r)
{
    return r->base + r->start;
}

/* Room for size bytes from start on. */
static int reserve(tbw_reader *r, size_t size, struct cs_error *err)
{
    if (r->start > 0) {
        memmove(r->data, r->data + r->start, r->end - r->start);
        r->base += r->start;
        r->end -= r->start;
        r->start = 0;
    }
    if (size <= r->capacity)
        return 0;
    const size_t capacity = size < CHUNK ? CHUNK : size;
    uint8_t *data = realloc(r->data, capacity);
    if (!data)
        return cs_fail(err, CS_ENOMEM, "record of %zu bytes: out of memory", size);
    r->data = data;
    r->capacity = capacity;
    return 0;
}

/*
 * Have size bytes in the buffer: 1, or 0 when the file ends before. What a file grows by is read as
 * it comes, so a claimed length alone takes no memory.
 */
static int fill(tbw_reader *r, size_t size, struct cs_error *err)
{
    if (r->fd < 0)
        CS_TRY(open_file(r, err));
    while (r->end - r->start < size) {
        const size_t have = r->end - r->start, room = have + CHUNK < size ? have + CHUNK : size;
        if (r->capacity - r->start < size || r->start > r->capacity / 2)
            CS_TRY(reserve(r, room > 2 * have ? room : 2 * have, err));
        const ssize_t n =
            pread(r->fd, r->data + r->end, r->capacity - r->end, (off_t) (r->base + r->end));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cs_fail_errno(err, "%s: cannot read", r->path);
        if (n == 0)
            return 0;
        r->end += (size_t) n;
    }
    return 1;
}

/* ---- records ---- */

static int corrupt(const tbw_reader *r, const char *what, struct cs_error *err)
{
    return cs_fail(err, CS_ECORRUPT, "record at byte %llu: %s",
                   (unsigned long long) (r->base + r->start), what);
}

/* The next record, whole in the buffer from start on: 1 and the size of its data; 0; negative. */
static int find_record(tbw_reader *r, size_t *size, struct cs_error *err)
{
    int rc = fill(r, FRAME_HEAD, err);

    if (rc <= 0)
        return rc;
    const uint8_t *head = r->data + r->start;
    const uint64_t length = tbw_load64(head);
    if (tbw_load32(head + 8) != tbw_crc32c_masked(head, 8))
        return corrupt(r, "checksum of the length does not match", err);
    if (length > TBW_RECORD_MAX)
        return corrupt(r, "length is over 64 MiB", err);
    *size = (size_t) length;
    rc = fill(r, FRAME_HEAD + *size + FRAME_TAIL, err);
    if (rc <= 0)
        return rc;
    const uint8_t *data = r->data + r->start + FRAME_HEAD;
    if (tbw_load32(data + *size) != tbw_crc32c_masked(data, *size))
        return corrupt(r, "checksum of the data does not match", err);
    return 1;
}

static int next(struct tbw_event *out, tbw_reader *r, struct cs_error *err)
{
    size_t size = 0;
    const int rc = find_record(r, &size, err);

    if (rc <= 0)
        return rc;
    const char *why = tbw_decode_event(out, &r->decoder, r->data + r->start + FRAME_HEAD, size);
    if (why) {
        r->framed = FRAME_HEAD + size + FRAME_TAIL;
        return corrupt(r, why, err);
    }
    out->offset = r->base + r->start;
    r->start += FRAME_HEAD + size + FRAME_TAIL;
    return 1;
}

int tbw_reader_next(struct tbw_event *out, tbw_reader *r, struct cs_error *err)
{
    int rc = r->failure.code;

    if (rc == 0) {
        rc = next(out, r, &r->failure);
        if (rc < 0)
            cs_fail_at(&r->failure, rc, r->path, 0);
        if (rc == 0) {
            r->torn = r->end - r->start;
            close_file(r);
        }
    }
    if (rc < 0 && err)
        *err = r->failure;
    return rc;
}

/* ---- behind damage ---- */

/*
 * Leave behind what cannot be the head of a record, a byte at a time while the buffer has 12; one
 * in four billion of them has a checksum that fits by chance.
 */
static void skip_bytes(tbw_reader *r)
{
    while (r->end - r->start >= FRAME_HEAD) {
        const uint8_t *head = r->data + r->start;
        if (tbw_load64(head) <= TBW_RECORD_MAX &&
            tbw_load32(head + 8) == tbw_crc32c_masked(head, 8))
            return;
        r->start++;
    }
}

/* The first whole record from start on: 1; 0 when the file ends before; negative. */
static int look(tbw_reader *r, struct cs_error *err)
{
    for (;;) {
        struct cs_error found;
        size_t size;
        int rc = fill(r, FRAME_HEAD, err);
        if (rc <= 0)
            return rc;
        skip_bytes(r);
        if (r->end - r->start < FRAME_HEAD)
            continue;
        rc = find_record(r, &size, &found);
        if (rc < 0 && rc != CS_ECORRUPT && err)
            *err = found;
        if (rc != CS_ECORRUPT)
            return rc;
        r->start++;
    }
}

int tbw_reader_recover(tbw_reader *r, struct tbw_gap *gap, struct cs_error *err)
{
    const uint64_t from = r->base + r->start;

    if (r->failure.code != CS_ECORRUPT)
        return cs_fail(err, CS_ERANGE, "%s: nothing to recover from", r->path);
    close_file(r);
    r->base = r->scan ? r->scan : from + (r->framed ? r->framed : 1);
    const int rc = look(r, err);
    const uint64_t at = r->base + r->start;
    if (rc == 1) {
        *gap = (struct tbw_gap){from, at};
        r->failure = (struct cs_error){0};
        r->scan = r->framed = 0;
        return 1;
    }
    r->scan = at;
    close_file(r);
    r->base = from;
    return rc;
}
