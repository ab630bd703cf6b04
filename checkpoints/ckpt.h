/*
 * ckpt.h - checkpoints as annotated tags of a bare git repository.
 *
 * A checkpoint is a handful of named files and a message. Saving one writes a blob per file, a
 * tree, a commit without parents (author csweep) and an annotated tag refs/tags/<tag>; plain git
 * reads all of it (`git show sweep/0007/best:metrics.json`). Equal files are one object however
 * many checkpoints hold them.
 *
 * Promises
 *   1. ckpt_save returns 0 only after objects, folders and ref were flushed to the disk.
 *   2. A save that fails or is killed leaves the tag as it was; no reader sees half a checkpoint.
 *   3. ckpt_load returns only files whose content has the hash the tag vouches for; damage of any
 *      kind is CS_ECORRUPT, never a hang and never other bytes.
 *   4. Any number of processes may save, load and list at once; ckpt_gc beside them frees nothing
 *      in use.
 *   5. Refs are never packed and packs never touched: libgit2 loses tags when two processes pack
 *      refs (libgit2 issue 1534). Tags and objects packed by plain git are read, and `git
 *      pack-refs` and `git gc` may run at any time; `git prune` and `git gc --prune=now` may not
 *      run beside a save.
 *   6. Nothing waits without a deadline; past it the answer is CS_EBUSY and names the file.
 *
 * It refuses to know what the files mean, to follow objects/info/alternates, and to delete what it
 * did not make. A store belongs to one thread at a time; open one per thread. Pointers are borrowed
 * until the call says otherwise.
 */
#ifndef CKPT_H
#define CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cs_error;

typedef struct ckpt_store ckpt_store;
typedef struct ckpt_checkpoint ckpt_checkpoint;

enum {
    CKPT_FILES_MAX = 16, /* files of one checkpoint */
    CKPT_NAME_MAX = 200, /* bytes of a tag or file name */
    CKPT_ID_SIZE = 41,   /* a git object id in hex, with its NUL */
};

/*
 * Open the bare repository at path. With create a missing one is made beside it and renamed into
 * place, so that processes may race; its configuration says core.compression 0 (weights do not
 * compress) and gc.auto 0 (plain git packs only when asked to). CS_ENONAME: nothing at path.
 * CS_ECORRUPT: something else is there.
 */
int ckpt_store_open(ckpt_store **out, const char *path, bool create, struct cs_error *err);
void ckpt_store_close(ckpt_store *store); /* NULL is fine */

/* The id git gives a file of this content. Needs no store. */
void ckpt_hash(char out[CKPT_ID_SIZE], const void *data, size_t size);

struct ckpt_file {
    const char *name; /* no '/', not starting with '.' */
    const void *data;
    size_t size;
};

/*
 * One `Key: value` line at the end of the message, as `git interpret-trailers --parse` reads them.
 */
struct ckpt_trailer {
    const char *key;   /* bytes outside [A-Za-z0-9-] become '-' */
    const char *value; /* control bytes and line ends become blanks */
};

struct ckpt_saved {
    char tag[CKPT_ID_SIZE];
    char commit[CKPT_ID_SIZE];
    char files[CKPT_FILES_MAX][CKPT_ID_SIZE]; /* in the order given */
    uint64_t superseded_bytes; /* of files that only the replaced checkpoint names, on disk */
};

/*
 * Save files under tag ("sweep/0007/best"), replacing what it named; out may be NULL. CS_ERANGE: a
 * name git or we refuse, or one that is a folder of other tags. CS_ENOSPACE: the disk is full.
 * CS_EBUSY: the ref stayed locked for 2 s (a stale lock: see ckpt_remove_stale_locks), or a gc ran
 * for 60 s.
 */
int ckpt_save(ckpt_store *store, const char *tag, const char *title,
              const struct ckpt_trailer *trailers, size_t trailer_count,
              const struct ckpt_file *files, size_t file_count, struct ckpt_saved *out,
              struct cs_error *err);

/*
 * A loaded checkpoint: all in memory, 64-byte aligned, each file followed by a NUL that size does
 * not count.
 */
struct ckpt_checkpoint {
    const char *tag;
    const char *message; /* title, blank line, trailers */
    char commit[CKPT_ID_SIZE];
    size_t count;
    const struct ckpt_file *files; /* sorted by name */
    char (*ids)[CKPT_ID_SIZE];     /* of each file */
};

/*
 * CS_ENONAME: no such tag. CS_ECORRUPT: the ref or any object behind it is missing, cut or altered.
 */
int ckpt_load(ckpt_checkpoint **out, ckpt_store *store, const char *tag, struct cs_error *err);
/* The same with but one of its files (or none of that name); NULL: all. */
int ckpt_load_file(ckpt_checkpoint **out, ckpt_store *store, const char *tag, const char *name,
                   struct cs_error *err);
void ckpt_checkpoint_free(ckpt_checkpoint *checkpoint); /* NULL is fine */

/* NULL when there is no such file. */
const struct ckpt_file *ckpt_checkpoint_file(const ckpt_checkpoint *checkpoint, const char *name);

/*
 * The value of the message's last `key: value` trailer, copied to out and cut to size; false when
 * absent.
 */
bool ckpt_message_trailer(char *out, size_t size, const char *message, const char *key);

/*
 * Every tag under prefix, sorted: "sweep" is refs/tags/sweep/... and nothing else is read, "" is
 * all tags, a whole tag is itself. message is NULL when the tag cannot be read. A callback's
 * nonzero answer ends the walk and is returned.
 */
typedef int ckpt_list_fn(void *context, const char *tag, const char *message);
int ckpt_list(ckpt_store *store, const char *prefix, ckpt_list_fn *callback, void *context,
              struct cs_error *err);

/*
 * Load every tag under prefix (each distinct file once) and report each that fails; returns how
 * many did.
 */
typedef void ckpt_damage_fn(void *context, const char *tag, const struct cs_error *damage);
int ckpt_verify(ckpt_store *store, const char *prefix, ckpt_damage_fn *callback, void *context,
                struct cs_error *err);

/*
 * Delete the .lock files a killed saver left under refs/tags/<prefix>/. Only for the process that
 * owns that prefix, while none of its savers lives: the lock of a live one would be deleted too.
 * removed may be NULL.
 */
int ckpt_remove_stale_locks(ckpt_store *store, const char *prefix, int *removed,
                            struct cs_error *err);

/*
 * Delete the loose objects that no ref reaches and that csweep made, and temporary files older than
 * an hour. Blobs and trees of unknown origin go after an hour too; what a commit or tag of
 * another author reaches stays. CS_EBUSY: saves kept the store busy for 5 s. CS_ECORRUPT: some ref
 * or its history cannot be read, so nothing is known to be free and nothing was deleted.
 * freed_bytes may be NULL.
 */
int ckpt_gc(ckpt_store *store, uint64_t *freed_bytes, struct cs_error *err);

#endif
