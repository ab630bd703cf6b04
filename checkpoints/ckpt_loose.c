/*
 * ckpt_loose.c - loose objects, read with suspicion and written to last.
 *
 *   objects/ab/cdef... = zlib( TYPE SP SIZE NUL CONTENT )   SIZE decimal, name = SHA-1 of the inside
 *
 * (git-scm.com/book, "Git Internals - Git Objects", section "Object Storage".)
 *
 * Why not libgit2's own backend. Its 1.5.1 never returns from most truncated objects; it trusts a
 * damaged file to be there when the same content is saved again; it compresses, which gains little
 * on weights and costs most of a save. This one:
 *   1. Every read ends: input is finite, output is bounded by the size the header claims, and that
 *      by what deflate could make of the file.
 *   2. The stream must end exactly where the header says and the file with it. (libgit2 compares
 *      the SHA-1.)
 *   3. An object that exists already counts as written only if its content is intact; else it is
 *      replaced.
 *   4. A file gets its name only after its content was flushed; ckpt_loose_flush then flushes the
 *      folders. A failed flush discards the file: flushing again would report success for lost
 *      pages.
 *   5. No symbolic link, FIFO or device is opened as an object.
 */
#include "checkpoints/ckpt_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "common/cs_error.h"

enum {
    HEADER_MAX = 32,      /* "commit 18446744073709551615" and its NUL fit */
    DEFLATE_RATIO = 1032, /* deflate's best: 258 bytes from 2 bits */
    CHUNK = 1 << 16,
};

void ckpt_loose_path(char out[CKPT_LOOSE_PATH], const git_oid *id)
{
    git_oid_pathfmt(out, id);
    out[CKPT_LOOSE_PATH - 1] = '\0';
}

/* --- reading --- */

struct reader {
    struct ckpt_loose *loose;
    z_stream z;
    int fd;
    bool ended; /* the zlib stream */
    unsigned char in[CHUNK];
};

static int damaged(const git_oid *id, const char *how)
{
    char text[128];

    snprintf(text, sizeof text, "object %s %s", git_oid_tostr_s(id), how);
    git_error_set_str(GIT_ERROR_ODB, text);
    return GIT_ERROR;
}

/* Refill the input; bytes read, 0 at the end of the file, -1 on error. */
static ssize_t refill(struct reader *r)
{
    ssize_t n;

    do
        n = read(r->fd, r->in, sizeof r->in);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        r->loose->error = errno;
    r->z.next_in = r->in;
    r->z.avail_in = n > 0 ? (uInt) n : 0;
    return n;
}

/* Inflate up to size bytes; fewer only at the end of the stream. -1: damage, or a read error. */
static ssize_t inflate_some(struct reader *r, unsigned char *out, size_t size)
{
    size_t done = 0;

    while (done < size && !r->ended) {
        if (r->z.avail_in == 0 && refill(r) <= 0)
            return -1;
        const size_t room = size - done < CHUNK * 256 ? size - done : CHUNK * 256;
        r->z.next_out = out + done;
        r->z.avail_out = (uInt) room;
        const int rc = inflate(&r->z, Z_NO_FLUSH);
        done += room - r->z.avail_out;
        if (rc == Z_STREAM_END)
            r->ended = true;
        else if (rc != Z_OK && !(rc == Z_BUF_ERROR && r->z.avail_in == 0))
            return -1;
    }
    return (ssize_t) done;
}

/* Parse "blob 123\0"; returns its length with the NUL, 0 when malformed. */
static size_t parse_header(git_object_t *type, size_t *size, const char *text, size_t length)
{
    const char *nul = memchr(text, '\0', length);
    const char *blank = nul ? strchr(text, ' ') : NULL;
    char name[8] = "";

    if (!blank || (size_t) (blank - text) >= sizeof name || blank + 1 == nul)
        return 0;
    memcpy(name, text, (size_t) (blank - text));
    *type = git_object_string2type(name);
    if (*type < GIT_OBJECT_COMMIT || *type > GIT_OBJECT_TAG)
        return 0;
    *size = 0;
    for (const char *p = blank + 1; p < nul; p++)
        if (*p < '0' || *p > '9' || (*p == '0' && p == blank + 1 && p + 1 < nul) ||
            __builtin_mul_overflow(*size, (size_t) 10, size) ||
            __builtin_add_overflow(*size, (size_t) (*p - '0'), size))
            return 0;
    return (size_t) (nul - text) + 1;
}

/*
 * The rest of an object whose first bytes were read: exactly size bytes, then the end of stream and
 * file.
 */
static int read_content(struct reader *r, unsigned char *out, size_t size, const git_oid *id)
{
    unsigned char extra;

    if (inflate_some(r, out, size) != (ssize_t) size)
        return damaged(id, "is cut or altered");
    if (inflate_some(r, &extra, 1) != 0 || r->z.avail_in > 0 || refill(r) != 0)
        return damaged(id, "does not end where it should");
    return 0;
}

/* Read header, and content when data is not NULL. */
static int read_stream(struct reader *r, off_t file_size, void **data, size_t *size,
                       git_object_t *type, git_odb_backend *backend, const git_oid *id)
{
    char head[HEADER_MAX];
    const ssize_t got = inflate_some(r, (unsigned char *) head, sizeof head);
    const size_t used = got > 0 ? parse_header(type, size, head, (size_t) got) : 0;

    if (used == 0 || *size / DEFLATE_RATIO > (size_t) file_size)
        return damaged(id, "has no valid header");
    const size_t start = (size_t) got - used;
    if (start > *size)
        return damaged(id, "is longer than its header says");
    if (!data)
        return 0;
    unsigned char *content = git_odb_backend_data_alloc(backend, *size + 1);
    if (!content)
        return GIT_ERROR;
    memcpy(content, head + used, start);
    content[*size] = '\0';
    if (read_content(r, content + start, *size - start, id) < 0) {
        git_odb_backend_data_free(backend, content);
        return GIT_ERROR;
    }
    *data = content;
    return 0;
}

static int open_object(struct ckpt_loose *loose, const git_oid *id, struct stat *st)
{
    char path[CKPT_LOOSE_PATH];

    ckpt_loose_path(path, id);
    const int fd = openat(loose->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return GIT_ENOTFOUND;
    if (fd < 0 && errno == ELOOP)
        return damaged(id, "is a symbolic link");
    if (fd < 0 || fstat(fd, st) < 0) {
        loose->error = errno;
        if (fd >= 0)
            close(fd);
        return damaged(id, "cannot be opened");
    }
    if (!S_ISREG(st->st_mode)) {
        close(fd);
        return damaged(id, "is not a file");
    }
    return fd;
}

static int read_object(void **data, size_t *size, git_object_t *type, git_odb_backend *backend,
                       const git_oid *id)
{
    struct ckpt_loose *loose = (struct ckpt_loose *) backend;
    struct stat st;
    struct reader *r;
    const int fd = open_object(loose, id, &st);

    if (fd < 0)
        return fd;
    r = cs_xcalloc(1, sizeof *r);
    r->loose = loose;
    r->fd = fd;
    int rc = GIT_ERROR;
    if (inflateInit(&r->z) == Z_OK) {
        rc = read_stream(r, st.st_size, data, size, type, backend, id);
        inflateEnd(&r->z);
    }
    close(fd);
    free(r);
    return rc;
}

static int read_header(size_t *size, git_object_t *type, git_odb_backend *backend,
                       const git_oid *id)
{
    return read_object(NULL, size, type, backend, id);
}

static int object_exists(git_odb_backend *backend, const git_oid *id)
{
    struct stat st;
    const int fd = open_object((struct ckpt_loose *) backend, id, &st);

    if (fd < 0)
        return 0;
    close(fd);
    return 1;
}

/* --- writing --- */

static int flush_folder(struct ckpt_loose *loose, const char *name)
{
    const int fd = openat(loose->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);

    if (fd < 0 && errno == ENOENT) /* `git gc` packed all of it and removed the folder */
        rc = 0;
    if (rc < 0)
        loose->error = errno;
    if (fd >= 0)
        close(fd);
    return rc;
}

int ckpt_loose_flush(struct ckpt_loose *loose, struct cs_error *err)
{
    char name[3];

    if (loose->dirty_root && flush_folder(loose, ".") < 0)
        return cs_fail_errno(err, "cannot flush objects/");
    loose->dirty_root = false;
    for (unsigned i = 0; i < 256; i++) {
        if (!loose->dirty[i])
            continue;
        snprintf(name, sizeof name, "%02x", i);
        if (flush_folder(loose, name) < 0)
            return cs_fail_errno(err, "cannot flush objects/%s", name);
        loose->dirty[i] = false;
    }
    return 0;
}

static int is_intact(git_odb_backend *backend, const git_oid *id)
{
    void *data = NULL;
    size_t size;
    git_object_t type;
    git_oid actual;

    if (read_object(&data, &size, &type, backend, id) < 0)
        return 0;
    const int rc = git_odb_hash(&actual, data, size, type);
    git_odb_backend_data_free(backend, data);
    return rc == 0 && git_oid_equal(&actual, id);
}

/*
 * Intact content in place counts as written, once it is flushed: its writer may not have come that
 * far.
 */
static int freshen(git_odb_backend *backend, const git_oid *id)
{
    struct ckpt_loose *loose = (struct ckpt_loose *) backend;
    struct stat st;
    int rc = GIT_ENOTFOUND; /* any trouble: write it anew */

    if (is_intact(backend, id)) {
        const int fd = open_object(loose, id, &st);
        if (fd >= 0 && fsync(fd) == 0)
            rc = 0;
        if (fd >= 0) {
            futimens(fd, NULL); /* `git gc` prunes by age; not ours to touch: no harm */
            close(fd);
        }
        loose->dirty[id->id[0]] = true;
    }
    loose->error = 0;
    return rc;
}

static int write_all(int fd, const unsigned char *data, size_t size)
{
    while (size) {
        const ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        size -= (size_t) n;
    }
    return 0;
}

/* Deflate and write one piece; finish ends the stream. */
static int write_piece(int fd, z_stream *z, const void *data, size_t size, bool finish)
{
    unsigned char out[CHUNK];
    const unsigned char *at = data;
    int rc;

    do {
        const size_t piece = size < CHUNK * 256 ? size : CHUNK * 256;
        z->next_in = (unsigned char *) (uintptr_t) at;
        z->avail_in = (uInt) piece;
        at += piece;
        size -= piece;
        const int flush = finish && size == 0 ? Z_FINISH : Z_NO_FLUSH;
        do {
            z->next_out = out;
            z->avail_out = sizeof out;
            rc = deflate(z, flush);
            if (rc == Z_STREAM_ERROR || write_all(fd, out, sizeof out - z->avail_out) < 0)
                return -1;
        } while (z->avail_out == 0);
    } while (size);
    return 0;
}

/*
 * Level 0, stored blocks: on float weights level 1 saves 14 % of the bytes and takes 8 times as
 * long.
 */
static int write_content(int fd, const void *data, size_t size, git_object_t type)
{
    char head[HEADER_MAX];
    z_stream z = {0};
    const int used = snprintf(head, sizeof head, "%s %zu", git_object_type2string(type), size) + 1;

    if (deflateInit(&z, Z_NO_COMPRESSION) != Z_OK) {
        errno = ENOMEM;
        return -1;
    }
    errno = EIO;
    int rc = write_piece(fd, &z, head, (size_t) used, false);
    if (rc == 0)
        rc = write_piece(fd, &z, data, size, true);
    const int saved = errno;
    deflateEnd(&z);
    errno = saved;
    return rc;
}

/* A new file in the object's folder, named as git names (and prunes) its own temporary files. */
static int open_temporary(struct ckpt_loose *loose, char *path, size_t size, const git_oid *id)
{
    char folder[3];

    snprintf(folder, sizeof folder, "%02x", id->id[0]);
    for (int tries = 0; tries < 1000; tries++) {
        if (mkdirat(loose->dir, folder, 0777) == 0)
            loose->dirty_root = true;
        else if (errno != EEXIST)
            return -1;
        snprintf(path, size, "%s/tmp_obj_csweep_%ld_%u", folder, (long) getpid(), loose->serial++);
        const int fd = openat(loose->dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        if (fd >= 0 || (errno != EEXIST && errno != ENOENT)) /* ENOENT: `git gc` was faster */
            return fd;
    }
    return -1;
}

static int write_object(git_odb_backend *backend, const git_oid *id, const void *data, size_t size,
                        git_object_t type)
{
    struct ckpt_loose *loose = (struct ckpt_loose *) backend;
    char temporary[64], path[CKPT_LOOSE_PATH];
    const int fd = open_temporary(loose, temporary, sizeof temporary, id);

    ckpt_loose_path(path, id);
    if (fd < 0) {
        loose->error = errno;
        return damaged(id, "cannot be created");
    }
    int rc = write_content(fd, data, size, type);
    if (rc == 0)
        rc = fsync(fd);
    if (rc < 0)
        loose->error = errno;
    if (close(fd) < 0 && rc == 0) {
        loose->error = errno;
        rc = -1;
    }
    if (rc == 0 && (rc = renameat(loose->dir, temporary, loose->dir, path)) < 0)
        loose->error = errno;
    if (rc < 0) {
        unlinkat(loose->dir, temporary, 0);
        return damaged(id, "cannot be written");
    }
    loose->error = 0; /* libgit2 tries a failed write once more; this was it */
    loose->dirty[id->id[0]] = true;
    return 0;
}

static void free_backend(git_odb_backend *backend)
{
    struct ckpt_loose *loose = (struct ckpt_loose *) backend;

    close(loose->dir);
    free(loose);
}

int ckpt_loose_new(struct ckpt_loose **out, const char *objects_path, struct cs_error *err)
{
    const int dir = open(objects_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return cs_fail_errno(err, "%s: cannot open", objects_path);
    struct ckpt_loose *loose = cs_xcalloc(1, sizeof *loose);
    git_odb_init_backend(&loose->parent, GIT_ODB_BACKEND_VERSION);
    loose->parent.read = read_object;
    loose->parent.read_header = read_header;
    loose->parent.exists = object_exists;
    loose->parent.freshen = freshen;
    loose->parent.write = write_object;
    loose->parent.free = free_backend;
    loose->dir = dir;
    *out = loose;
    return 0;
}
