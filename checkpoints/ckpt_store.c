/*
 * ckpt_store.c - opening and making the repository, its lock, and libgit2's errors.
 *
 * csweep.lock (an empty file in the repository) is held LOCK_SH by every save and load and LOCK_EX
 * by gc, so that no object is judged free between being found and being tagged. Who waits for it
 * holds csweep.gate, in the same mode, so that a waiting gc is not overtaken for ever. flock goes
 * with the process: nothing to clean.
 *
 * libgit2's process-wide options set here: flush refs (GIT_OPT_ENABLE_FSYNC_GITDIR), compare hashes
 * on read, no object cache (a cached object would hide that the disk lost it).
 */
#include "checkpoints/ckpt_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <git2/sys/repository.h>

#include "common/cs_error.h"
#include "common/cs_io.h"

/* --- errors --- */

static int is_no_space(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

int ckpt_fail_git(struct cs_error *err, ckpt_store *store, int otherwise, const char *fmt, ...)
{
    static const int full[] = {ENOSPC, EDQUOT, EFBIG};
    const git_error *last = git_error_last();
    const char *text = last && last->message ? last->message : "unknown libgit2 error";
    const int number = store && store->loose ? store->loose->error : 0;
    int code = otherwise;
    char what[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (number) {
        store->loose->error = 0;
        errno = number;
        if (!is_no_space(number))
            return cs_fail_errno(err, "%s: %s", what, text);
        return cs_fail(err, CS_ENOSPACE, "%s: %s: %s", what, text, strerror(number));
    }
    if (last && last->klass == GIT_ERROR_NOMEMORY)
        code = CS_ENOMEM;
    else if (last && last->klass == GIT_ERROR_OS)
        code = CS_EIO;
    for (size_t i = 0; i < CS_COUNT(full); i++)
        if (strstr(text, strerror(full[i])))
            code = CS_ENOSPACE;
    return cs_fail(err, code, "%s: %s", what, text);
}

/* --- the lock --- */

void ckpt_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static int open_lock(int *out, ckpt_store *store, const char *name, int operation,
                     struct cs_error *err)
{
    int rc = 0;

    if (*out >= 0)
        return 0;
    char *path = cs_xasprintf("%s/%s", store->path, name);
    *out = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (*out < 0 && (errno == EACCES || errno == EROFS) && operation == LOCK_SH) {
        *out = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (*out < 0 &&
            errno == ENOENT) /* nobody could have locked it, and nothing will be written */
            goto done;
    }
    if (*out < 0)
        rc = cs_fail_errno(err, "%s: cannot open", path);
done:
    free(path);
    return rc;
}

static int wait_for(int fd, ckpt_store *store, int operation, double deadline, struct cs_error *err)
{
    while (fd >= 0 && flock(fd, operation | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return cs_fail_errno(err, "%s/csweep.lock: cannot lock", store->path);
        if (cs_mono_seconds() >= deadline)
            return cs_fail(err, CS_EBUSY, "%s/csweep.lock: held by other processes for too long",
                           store->path);
        ckpt_pause();
    }
    return 0;
}

int ckpt_lock(ckpt_store *store, int operation, double seconds, struct cs_error *err)
{
    const double deadline = cs_mono_seconds() + seconds;

    store->loose->error = 0;
    CS_TRY(open_lock(&store->gate_fd, store, "csweep.gate", operation, err));
    CS_TRY(open_lock(&store->lock_fd, store, "csweep.lock", operation, err));
    CS_TRY(wait_for(store->gate_fd, store, operation, deadline, err));
    const int rc = wait_for(store->lock_fd, store, operation, deadline, err);
    if (store->gate_fd >= 0)
        flock(store->gate_fd, LOCK_UN);
    return rc;
}

void ckpt_unlock(ckpt_store *store)
{
    if (store->lock_fd >= 0)
        flock(store->lock_fd, LOCK_UN);
}

/* --- making a repository --- */

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) st, (void) flag, (void) ftw;
    return remove(path);
}

static int flush_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) ftw, (void) st;
    if (flag != FTW_F && flag != FTW_D && flag != FTW_DP)
        return 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const int rc = fd < 0 ? -1 : fsync(fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int write_config(git_repository *repo)
{
    git_config *config = NULL;
    int rc = git_repository_config(&config, repo);

    if (rc == 0)
        rc = git_config_set_int32(config, "core.compression", 0);
    if (rc == 0)
        rc = git_config_set_int32(config, "core.looseCompression", 0);
    if (rc == 0) /* plain git: no search for deltas between weights */
        rc = git_config_set_string(config, "core.bigFileThreshold", "1m");
    if (rc == 0)
        rc = git_config_set_int32(config, "gc.auto", 0);
    git_config_free(config);
    return rc;
}

static int init_repository(const char *path, struct cs_error *err)
{
    git_repository_init_options options;
    git_repository *repo = NULL;

    git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
    options.flags = GIT_REPOSITORY_INIT_BARE;
    options.initial_head = "main";
    int rc = git_repository_init_ext(&repo, path, &options);
    if (rc == 0)
        rc = write_config(repo);
    git_repository_free(repo);
    if (rc < 0)
        return ckpt_fail_git(err, NULL, CS_EIO, "%s: cannot make the repository", path);
    if (nftw(path, flush_entry, 8, FTW_PHYS) != 0)
        return cs_fail_errno(err, "%s: cannot flush the repository", path);
    return 0;
}

/* Make it whole under another name, then rename. Losing the race to another process is fine. */
static int make_repository(const char *path, struct cs_error *err)
{
    char *temporary = cs_xasprintf("%s.new-XXXXXX", path);
    char *slash = strrchr(temporary, '/');
    int rc = 0;

    if (slash && slash != temporary) {
        *slash = '\0';
        rc = cs_make_dirs(temporary, err);
        *slash = '/';
    }
    if (rc == 0 && !mkdtemp(temporary))
        rc = cs_fail_errno(err, "%s: cannot make a folder beside it", path);
    if (rc < 0)
        goto done;
    rc = init_repository(temporary, err);
    if (rc == 0 && rename(temporary, path) == 0) {
        rc = cs_sync_parent(path, err);
        goto done;
    }
    if (rc == 0 && errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
        rc = cs_fail_errno(err, "%s: cannot rename the new repository", path);
    nftw(temporary, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
done:
    free(temporary);
    return rc;
}

/* --- opening --- */

/* Give the repository an object database of our loose backend and libgit2's packs. */
static int attach_odb(ckpt_store *store, struct cs_error *err)
{
    char *objects = cs_xasprintf("%s/objects", store->path);
    struct ckpt_loose *loose = NULL;
    git_odb_backend *packs = NULL;
    int rc = ckpt_loose_new(&loose, objects, err);

    if (rc < 0)
        goto done;
    rc = git_odb_new(&store->odb);
    if (rc == 0)
        rc = git_odb_add_backend(store->odb, &loose->parent, 1);
    if (rc < 0) {
        loose->parent.free(&loose->parent);
        rc = ckpt_fail_git(err, NULL, CS_EIO, "%s", objects);
        goto done;
    }
    store->loose = loose;
    rc = git_odb_backend_pack(&packs, objects);
    if (rc == 0)
        rc = git_odb_add_backend(store->odb, packs, 2); /* tried first */
    if (rc == 0)
        rc = git_repository_set_odb(store->repo, store->odb);
    if (rc < 0)
        rc = ckpt_fail_git(err, store, CS_ECORRUPT, "%s", objects);
done:
    free(objects);
    return rc;
}

static int open_repository(ckpt_store *store, bool create, struct cs_error *err)
{
    int rc = git_repository_open_bare(&store->repo, store->path);

    if (rc < 0 && create) {
        CS_TRY(make_repository(store->path, err));
        rc = git_repository_open_bare(&store->repo, store->path);
    }
    if (rc < 0 && access(store->path, F_OK) < 0)
        return cs_fail(err, CS_ENONAME, "%s: no checkpoint repository there", store->path);
    if (rc < 0)
        return ckpt_fail_git(err, NULL, CS_ECORRUPT, "%s: not a bare git repository", store->path);
    return attach_odb(store, err);
}

int ckpt_store_open(ckpt_store **out, const char *path, bool create, struct cs_error *err)
{
    if (path[0] == '\0')
        return cs_fail(err, CS_ENONAME, "the path of the checkpoint repository is empty");
    if (git_libgit2_init() < 0)
        return cs_fail(err, CS_EUNAVAILABLE, "libgit2 does not start");
    git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
    git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
    ckpt_store *store = cs_xcalloc(1, sizeof *store);
    store->path = cs_xstrdup(path);
    store->lock_fd = store->gate_fd = -1;
    for (size_t n = strlen(path); n > 1 && store->path[n - 1] == '/'; n--)
        store->path[n - 1] = '\0';
    const int rc = open_repository(store, create, err);
    if (rc < 0) {
        ckpt_store_close(store);
        return rc;
    }
    *out = store;
    return 0;
}

void ckpt_store_close(ckpt_store *store)
{
    if (!store)
        return;
    git_repository_free(store->repo);
    git_odb_free(store->odb);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    if (store->gate_fd >= 0)
        close(store->gate_fd);
    free(store->path);
    free(store);
    git_libgit2_shutdown();
}

static void start_libgit2(void)
{
    git_libgit2_init();
}

void ckpt_hash(char out[CKPT_ID_SIZE], const void *data, size_t size)
{
    static pthread_once_t once =
        PTHREAD_ONCE_INIT; /* starting it takes 5 ms: once, and never stopped */
    git_oid id;

    pthread_once(&once, start_libgit2);
    if (git_odb_hash(&id, data, size, GIT_OBJECT_BLOB) < 0)
        abort(); /* cannot: the type is valid and hashing allocates nothing */
    git_oid_tostr(out, CKPT_ID_SIZE, &id);
}
