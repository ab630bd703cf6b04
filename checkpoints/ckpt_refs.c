/*
 * ckpt_refs.c - names of refs: checked, listed, cleared of stale locks.
 *
 * The names are read from the folders under refs/ and from packed-refs, not with libgit2's
 * iterators: those skip a damaged ref in silence, and a ref that is not seen cannot be reported,
 * nor its objects kept. Loose refs are read first: `git pack-refs` writes packed-refs before it
 * deletes them, so no ref is missed beside it.
 */
#include "checkpoints/ckpt_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_io.h"

enum {
    REF_FILE_MAX = 4096,
    PACKED_MAX = 1 << 28, /* bytes of packed-refs: some million refs */
};

/* --- one name --- */

int ckpt_check_tag(const char *tag, struct cs_error *err)
{
    char ref[CKPT_REF_SIZE];
    int valid = 0;
    bool start = true; /* of a component */

    if (strlen(tag) > CKPT_NAME_MAX)
        return cs_fail(err, CS_ERANGE, "tag of %zu bytes: at most %d allowed", strlen(tag),
                       CKPT_NAME_MAX);
    for (const char *p = tag; *p; p++) {
        if (*p < '!' || *p > '~' || (start && (*p == '-' || *p == '/')))
            return cs_fail(err, CS_ERANGE, "tag has a byte 0x%02x where none may be",
                           (unsigned char) *p);
        start = *p == '/';
    }
    snprintf(ref, sizeof ref, CKPT_TAGS "%s", tag);
    if (start || git_reference_name_is_valid(&valid, ref) < 0 || !valid)
        return cs_fail(err, CS_ERANGE, "tag '%s' is not a name git accepts", tag);
    return 0;
}

/* libgit2 opens whatever lies at the path; look first. */
static int check_ref_file(ckpt_store *store, const char *ref, struct cs_error *err)
{
    char *path = cs_xasprintf("%s/%s", store->path, ref);
    struct stat st;
    int rc = 0;

    if (lstat(path, &st) < 0) {
        if (errno != ENOENT && errno != ENOTDIR) /* else: packed, or not there */
            rc = cs_fail_errno(err, "%s: cannot look at the ref", ref);
    } else if (S_ISDIR(st.st_mode)) {
        rc = 0; /* perhaps empty, and the ref packed */
    } else if (!S_ISREG(st.st_mode) || st.st_size > REF_FILE_MAX) {
        rc = cs_fail(err, CS_ECORRUPT, "%s: is not a ref file", ref);
    } else if (st.st_size == 0) {
        rc =
            cs_fail(err, CS_ECORRUPT, "%s: the ref file is empty (power lost while writing?)", ref);
    }
    free(path);
    return rc;
}

int ckpt_ref_target(git_oid *out, ckpt_store *store, const char *ref, struct cs_error *err)
{
    git_reference *found = NULL;

    CS_TRY(check_ref_file(store, ref, err));
    int rc = git_reference_lookup(&found, store->repo, ref);
    if (rc == GIT_ENOTFOUND)
        return cs_fail(err, CS_ENONAME, "no such ref: %s", ref);
    if (rc < 0)
        return ckpt_fail_git(err, store, CS_ECORRUPT, "%s", ref);
    const git_oid *target = git_reference_target(found);
    *out = target ? *target : (git_oid){{0}};
    git_reference_free(found);
    return rc;
}

/*
 * libgit2 does not replace a ref file it cannot parse. Delete such a file, under the lock any
 * writer takes: in between, another save may have put it right.
 */
int ckpt_ref_clear_damage(ckpt_store *store, const char *ref, struct cs_error *err)
{
    git_oid id;
    int rc = 0;

    if (ckpt_ref_target(&id, store, ref, NULL) != CS_ECORRUPT)
        return 0;
    char *path = cs_xasprintf("%s/%s", store->path, ref);
    char *lock = cs_xasprintf("%s.lock", path);
    const int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        rc = errno == EEXIST ? 0 : cs_fail_errno(err, "%s.lock: cannot create", ref);
        goto done; /* held: the save waits for it in its turn */
    }
    close(fd);
    if (ckpt_ref_target(&id, store, ref, NULL) == CS_ECORRUPT && unlink(path) < 0)
        rc = cs_fail_errno(err, "%s: cannot delete the damaged ref", ref);
    unlink(lock);
done:
    free(lock);
    free(path);
    return rc;
}

/* --- many names --- */

static bool ends_in_lock(const char *name)
{
    const size_t n = strlen(name);
    return n >= 5 && strcmp(name + n - 5, ".lock") == 0;
}

/* Is name the ref `folder` or one under it? */
static bool is_under(const char *name, const char *folder)
{
    const size_t n = strlen(folder);
    return strncmp(name, folder, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

static void add_name(struct ckpt_names *out, const char *name)
{
    if (out->count == out->capacity) {
        out->capacity = out->capacity ? out->capacity * 2 : 64;
        out->names = cs_xrealloc(out->names, out->capacity * sizeof *out->names);
    }
    out->names[out->count++] = cs_arena_strdup(&out->arena, name);
}

typedef int file_fn(void *context, const char *ref, int folder_fd, const char *entry,
                    struct cs_error *err);

static int walk_folder(int folder_fd, const char *ref, file_fn *file, void *context, int depth,
                       struct cs_error *err);

static int walk_entry(int parent_fd, const char *ref, const char *entry, file_fn *file,
                      void *context, int depth, struct cs_error *err)
{
    const int fd = openat(parent_fd, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (fd >= 0)
        return walk_folder(fd, ref, file, context, depth + 1, err);
    if (errno == ENOTDIR || errno == ELOOP)
        return file(context, ref, parent_fd, entry, err);
    if (errno == ENOENT)
        return 0;
    return cs_fail_errno(err, "%s: cannot open", ref);
}

/* Call file for everything under a folder that is no folder; takes folder_fd. */
static int walk_folder(int folder_fd, const char *ref, file_fn *file, void *context, int depth,
                       struct cs_error *err)
{
    DIR *dir = fdopendir(folder_fd);
    int rc = 0;

    if (!dir) {
        rc = cs_fail_errno(err, "%s: cannot read the folder", ref);
        close(folder_fd);
        return rc;
    }
    if (depth > CKPT_NAME_MAX)
        rc = cs_fail(err, CS_ECORRUPT, "%.100s...: folders too deep", ref);
    while (rc == 0) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno)
                rc = cs_fail_errno(err, "%s: cannot read the folder", ref);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *name = cs_xasprintf("%s/%s", ref, entry->d_name);
        rc = walk_entry(dirfd(dir), name, entry->d_name, file, context, depth, err);
        free(name);
    }
    closedir(dir);
    return rc;
}

/* Walk what is at <repository>/<folder>: a folder, a file or nothing. */
static int walk(ckpt_store *store, const char *folder, file_fn *file, void *context,
                struct cs_error *err)
{
    const int root = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    int rc = 0;

    if (root < 0)
        return cs_fail_errno(err, "%s: cannot open", store->path);
    if (fstatat(root, folder, &st, AT_SYMLINK_NOFOLLOW) == 0)
        rc = walk_entry(root, folder, folder, file, context, 0, err);
    else if (errno != ENOENT && errno != ENOTDIR)
        rc = cs_fail_errno(err, "%s: cannot look at it", folder);
    close(root);
    return rc;
}

static int collect(void *context, const char *ref, int folder_fd, const char *entry,
                   struct cs_error *err)
{
    (void) folder_fd, (void) entry, (void) err;
    if (!ends_in_lock(ref))
        add_name(context, ref);
    return 0;
}

/*
 * packed-refs: "# header", "<40 hex> <name>", and "^<40 hex>" after a tag. A file without it is
 * fine.
 */
static int collect_packed(struct ckpt_names *out, ckpt_store *store, const char *folder,
                          struct cs_error *err)
{
    char *path = cs_xasprintf("%s/packed-refs", store->path);
    struct cs_buf text = {0};
    int rc = 0;

    if (access(path, F_OK) < 0)
        goto done;
    rc = cs_read_file(&text, path, PACKED_MAX, err);
    char *rest = text.data, *line;
    while (rc == 0 && (line = strsep(&rest, "\n"))) {
        if (line[0] == '#' || line[0] == '^' || (line[0] == '\0' && !rest))
            continue;
        if (strlen(line) < GIT_OID_HEXSZ + 2 || line[GIT_OID_HEXSZ] != ' ')
            rc = cs_fail(err, CS_ECORRUPT, "%s: malformed line '%.60s'", path, line);
        else if (is_under(line + GIT_OID_HEXSZ + 1, folder))
            add_name(out, line + GIT_OID_HEXSZ + 1);
    }
done:
    cs_buf_clear(&text);
    free(path);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

int ckpt_names_read(struct ckpt_names *out, ckpt_store *store, const char *folder,
                    struct cs_error *err)
{
    size_t kept = 0;
    int rc = walk(store, folder, collect, out, err);

    if (rc == 0)
        rc = collect_packed(out, store, folder, err);
    if (rc < 0) {
        ckpt_names_clear(out);
        return rc;
    }
    if (out->count)
        qsort(out->names, out->count, sizeof *out->names, by_name);
    for (size_t i = 0; i < out->count; i++)
        if (kept == 0 || strcmp(out->names[kept - 1], out->names[i]) != 0)
            out->names[kept++] = out->names[i];
    out->count = kept;
    return 0;
}

void ckpt_names_clear(struct ckpt_names *names)
{
    free(names->names);
    cs_arena_clear(&names->arena);
    *names = (struct ckpt_names){0};
}

/* "" -> "refs/tags", "sweep" or "sweep/" -> "refs/tags/sweep". */
static int prefix_folder(char out[CKPT_REF_SIZE], const char *prefix, struct cs_error *err)
{
    size_t n = strlen(prefix);

    if (n > CKPT_NAME_MAX)
        return cs_fail(err, CS_ERANGE, "tag prefix of %zu bytes: at most %d allowed", n,
                       CKPT_NAME_MAX);
    n = (size_t) snprintf(out, CKPT_REF_SIZE, CKPT_TAGS "%s", prefix);
    if (out[n - 1] == '/')
        out[n - 1] = '\0';
    return prefix[0] ? ckpt_check_tag(out + strlen(CKPT_TAGS), err) : 0;
}

int ckpt_names_under(struct ckpt_names *out, ckpt_store *store, const char *prefix,
                     struct cs_error *err)
{
    char folder[CKPT_REF_SIZE];

    CS_TRY(prefix_folder(folder, prefix, err));
    return ckpt_names_read(out, store, folder, err);
}

/* --- stale locks --- */

static int remove_lock(void *context, const char *ref, int folder_fd, const char *entry,
                       struct cs_error *err)
{
    int *removed = context;

    if (!ends_in_lock(entry))
        return 0;
    if (unlinkat(folder_fd, entry, 0) == 0)
        ++*removed;
    else if (errno != ENOENT)
        return cs_fail_errno(err, "%s: cannot delete the stale lock", ref);
    return 0;
}

int ckpt_remove_stale_locks(ckpt_store *store, const char *prefix, int *removed,
                            struct cs_error *err)
{
    char folder[CKPT_REF_SIZE];
    int count = 0;

    CS_TRY(prefix_folder(folder, prefix, err));
    CS_TRY(walk(store, folder, remove_lock, &count, err));
    if (removed)
        *removed = count;
    return 0;
}
