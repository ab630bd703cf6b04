/*
 * ckpt_impl.h - what the files of the checkpoint store share; not for other folders.
 *
 * ckpt_store.c  open, create, the repo-wide lock, errors
 * ckpt_loose.c  our object backend for libgit2: checked reads, flushed writes
 * ckpt_refs.c   names of tags, list, stale locks
 * ckpt_save.c   save;  ckpt_load.c  load, verify;  ckpt_gc.c  gc
 */
#ifndef CKPT_IMPL_H
#define CKPT_IMPL_H

#include <git2.h>
#include <git2/sys/odb_backend.h>

#include "checkpoints/ckpt.h"
#include "common/cs_str.h"

#define CKPT_AUTHOR "csweep"

/* --- ckpt_loose.c --- */

struct ckpt_loose {
    git_odb_backend parent; /* first: libgit2 hands us a pointer to it */
    int dir;                /* objects/ */
    int error;              /* errno of the last write, flush or read that failed; 0 = none */
    unsigned serial;        /* of temporary files */
    bool dirty_root;        /* objects/ got a new folder */
    bool dirty[256];        /* objects/xx/ got a new file since the last flush */
};

/* The backend belongs to the odb it is added to; libgit2 frees it. */
int ckpt_loose_new(struct ckpt_loose **out, const char *objects_path, struct cs_error *err);

/* Flush every folder that got a file; before it the objects may vanish in a power cut. */
int ckpt_loose_flush(struct ckpt_loose *loose, struct cs_error *err);

/* objects/-relative path "ab/cdef...". */
enum { CKPT_LOOSE_PATH = GIT_OID_HEXSZ + 2 };
void ckpt_loose_path(char out[CKPT_LOOSE_PATH], const git_oid *id);

/* --- ckpt_store.c --- */

struct ckpt_store {
    char *path;
    git_repository *repo;
    git_odb *odb;             /* of repo */
    struct ckpt_loose *loose; /* of odb */
    int lock_fd, gate_fd;     /* csweep.lock and .gate, -1 until first needed */
};

/*
 * Begin an operation: LOCK_SH or LOCK_EX on csweep.lock, forgetting earlier errors. CS_EBUSY when
 * others hold it for all of `seconds`.
 */
int ckpt_lock(ckpt_store *store, int operation, double seconds, struct cs_error *err);
void ckpt_unlock(ckpt_store *store);
void ckpt_pause(void); /* 5 ms, between two tries */

/*
 * Report what libgit2 said: no space, no memory and system errors by their codes, all else by
 * `otherwise`. Call it right after the failure.
 */
int ckpt_fail_git(struct cs_error *err, ckpt_store *store, int otherwise, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* --- ckpt_refs.c --- */

#define CKPT_TAGS "refs/tags/"

enum { CKPT_REF_SIZE = CKPT_NAME_MAX + sizeof CKPT_TAGS };

/* CS_ERANGE unless tag is a name that git, libgit2 and a shell take for one. */
int ckpt_check_tag(const char *tag, struct cs_error *err);

/*
 * The object a ref names, zero for a symbolic ref. CS_ENONAME: no such ref. CS_ECORRUPT: empty or
 * odd.
 */
int ckpt_ref_target(git_oid *out, ckpt_store *store, const char *ref, struct cs_error *err);

/* Delete the ref's file if it is damaged, so that it can be set again. */
int ckpt_ref_clear_damage(ckpt_store *store, const char *ref, struct cs_error *err);

struct ckpt_names {
    struct cs_arena arena;
    char **names;
    size_t count, capacity;
};

/*
 * Names of all refs that are `folder` or under it ("refs", "refs/tags/sweep"), sorted; loose and
 * packed.
 */
int ckpt_names_read(struct ckpt_names *out, ckpt_store *store, const char *folder,
                    struct cs_error *err);
/* The same for a tag prefix as ckpt_list takes it. */
int ckpt_names_under(struct ckpt_names *out, ckpt_store *store, const char *prefix,
                     struct cs_error *err);
void ckpt_names_clear(struct ckpt_names *names);

/* --- ckpt_load.c --- */

/* A set of object ids. A zeroed struct is empty. */
struct ckpt_ids {
    git_oid *slots; /* all zero: free */
    size_t count, capacity;
};
bool ckpt_ids_add(struct ckpt_ids *set, const git_oid *id); /* true: it is new */
bool ckpt_ids_has(const struct ckpt_ids *set, const git_oid *id);
void ckpt_ids_clear(struct ckpt_ids *set);

#endif
