/*
 * ckpt_save.c - one checkpoint: blobs, tree, commit, tag object, ref; in this order.
 *
 *   1. csweep.lock is held shared throughout: what is written or found present cannot be collected
 *      meanwhile.
 *   2. All objects and their folders are flushed before the ref is touched, so a ref never names
 *      less than all.
 *   3. The ref changes by libgit2's lock file and rename: old or new, nothing between; then its
 *      folders up to refs/tags/ are flushed, and only then is the save acknowledged.
 *   4. What a failed save wrote stays as unreferenced objects: a second try finds them, ckpt_gc
 *      else. They must not be deleted here, another save may already rely on them.
 */
#include "checkpoints/ckpt_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/cs_error.h"
#include "common/cs_io.h"

enum {
    GC_WAIT_SECONDS = 60, /* a gc of a hundred thousand objects takes seconds */
    REF_WAIT_SECONDS = 2, /* another writer holds a ref's lock for milliseconds */
};

struct saving {
    ckpt_store *store;
    char ref[CKPT_REF_SIZE];
    const char *tag;
    const struct ckpt_file *files;
    size_t count;
    struct cs_buf message;
    git_signature *author;
    git_oid blobs[CKPT_FILES_MAX];
    git_oid tree, commit, tag_object;
};

/* --- message --- */

/* Text on one line of valid UTF-8: control bytes become blanks, bytes that are no UTF-8 '?'. */
static void add_line_text(struct cs_buf *out, const char *text)
{
    const unsigned char *p = (const unsigned char *) text;

    while (*p) {
        const int more = *p < 0x80 ? 0 : *p >= 0xf0 && *p < 0xf5 ? 3 : *p >= 0xe0 ? 2 : 1;
        int good = *p < 0x80 || (*p >= 0xc2 && *p < 0xf5);
        for (int i = 1; good && i <= more; i++)
            good = (p[i] & 0xc0) == 0x80;
        if (*p < ' ' || *p == 0x7f) {
            cs_buf_adds(out, " ");
            p++;
        } else if (good) {
            cs_buf_add(out, p, (size_t) more + 1);
            p += more + 1;
        } else {
            cs_buf_adds(out, "?");
            p++;
        }
    }
}

static void add_trailer(struct cs_buf *out, const struct ckpt_trailer *trailer)
{
    for (const char *p = trailer->key; *p; p++) {
        const bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        cs_buf_add(out, plain ? p : "-", 1);
    }
    cs_buf_adds(out, trailer->value[0] ? ": " : ":");
    add_line_text(out, trailer->value);
    cs_buf_adds(out, "\n");
}

static void compose(struct cs_buf *out, const char *title, const struct ckpt_trailer *trailers,
                    size_t count)
{
    add_line_text(out, title[0] ? title : "checkpoint");
    cs_buf_adds(out, "\n");
    for (size_t i = 0; i < count; i++) {
        if (i == 0)
            cs_buf_adds(out, "\n");
        add_trailer(out, &trailers[i]);
    }
}

/* --- checks --- */

static int check_file_name(const char *name, struct cs_error *err)
{
    const size_t size = strlen(name);
    bool good = size > 0 && size <= CKPT_NAME_MAX && name[0] != '.';

    for (const char *p = name; *p; p++)
        good = good && *p > ' ' && *p <= '~' && *p != '/' && *p != '\\';
    if (!good)
        return cs_fail(err, CS_ERANGE, "'%.*s' cannot name a file of a checkpoint", CKPT_NAME_MAX,
                       name);
    return 0;
}

static int check_input(const char *tag, const struct ckpt_trailer *trailers, size_t trailer_count,
                       const struct ckpt_file *files, size_t count, struct cs_error *err)
{
    CS_TRY(ckpt_check_tag(tag, err));
    if (count == 0 || count > CKPT_FILES_MAX)
        return cs_fail(err, CS_ERANGE, "%zu files: must be 1 to %d", count, CKPT_FILES_MAX);
    for (size_t i = 0; i < count; i++) {
        CS_TRY(check_file_name(files[i].name, err));
        for (size_t j = 0; j < i; j++)
            if (strcmp(files[i].name, files[j].name) == 0)
                return cs_fail(err, CS_ERANGE, "file '%s' is given twice", files[i].name);
    }
    for (size_t i = 0; i < trailer_count; i++)
        if (trailers[i].key[0] == '\0')
            return cs_fail(err, CS_ERANGE, "a trailer has no key");
    return 0;
}

/* --- objects --- */

static int write_blobs(struct saving *s, struct cs_error *err)
{
    for (size_t i = 0; i < s->count; i++)
        if (git_odb_write(&s->blobs[i], s->store->odb, s->files[i].data ? s->files[i].data : "",
                          s->files[i].size, GIT_OBJECT_BLOB) < 0)
            return ckpt_fail_git(err, s->store, CS_EIO, "%s", s->files[i].name);
    return 0;
}

static int write_tree(struct saving *s, struct cs_error *err)
{
    git_treebuilder *builder = NULL;
    int rc = git_treebuilder_new(&builder, s->store->repo, NULL);

    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = git_treebuilder_insert(NULL, builder, s->files[i].name, &s->blobs[i],
                                    GIT_FILEMODE_BLOB);
    if (rc == 0)
        rc = git_treebuilder_write(&s->tree, builder);
    git_treebuilder_free(builder);
    return rc < 0 ? ckpt_fail_git(err, s->store, CS_EIO, "cannot write the tree") : 0;
}

static int write_commit(struct saving *s, struct cs_error *err)
{
    git_tree *tree = NULL;
    int rc = git_tree_lookup(&tree, s->store->repo, &s->tree);

    if (rc == 0)
        rc = git_commit_create(&s->commit, s->store->repo, NULL, s->author, s->author, "UTF-8",
                               s->message.data, tree, 0, NULL);
    git_tree_free(tree);
    return rc < 0 ? ckpt_fail_git(err, s->store, CS_EIO, "cannot write the commit") : 0;
}

static int write_tag(struct saving *s, struct cs_error *err)
{
    git_object *commit = NULL;
    int rc = git_object_lookup(&commit, s->store->repo, &s->commit, GIT_OBJECT_COMMIT);

    if (rc == 0)
        rc = git_tag_annotation_create(&s->tag_object, s->store->repo, s->tag, commit, s->author,
                                       s->message.data);
    git_object_free(commit);
    return rc < 0 ? ckpt_fail_git(err, s->store, CS_EIO, "cannot write the tag object") : 0;
}

static bool all_present(const struct saving *s)
{
    bool present = git_odb_exists(s->store->odb, &s->tree) &&
                   git_odb_exists(s->store->odb, &s->commit) &&
                   git_odb_exists(s->store->odb, &s->tag_object);

    for (size_t i = 0; present && i < s->count; i++)
        present = git_odb_exists(s->store->odb, &s->blobs[i]);
    return present;
}

/*
 * Plain git knows nothing of our lock: an object found present may be pruned before it is tagged.
 * Look again.
 */
static int write_objects(struct saving *s, struct cs_error *err)
{
    for (int tries = 0; tries < 3; tries++) {
        CS_TRY(write_blobs(s, err));
        CS_TRY(write_tree(s, err));
        CS_TRY(write_commit(s, err));
        CS_TRY(write_tag(s, err));
        CS_TRY(ckpt_loose_flush(s->store->loose, err));
        if (all_present(s))
            return 0;
    }
    return cs_fail(err, CS_EIO, "objects vanish while they are saved: is a git prune running?");
}

/* --- ref --- */

static int lock_held(const struct saving *s, struct cs_error *err)
{
    return cs_fail(err, CS_EBUSY,
                   "%s/%s.lock stayed for %d s: another writer, or left by a killed one",
                   s->store->path, s->ref, REF_WAIT_SECONDS);
}

/* A tag cannot be the folder of another: is part of its path a tag, or the tag a folder of some? */
static bool clashes(const struct saving *s)
{
    struct ckpt_names names = {0};
    char part[CKPT_REF_SIZE];
    git_oid id;

    if (ckpt_names_read(&names, s->store, s->ref, NULL) < 0)
        return false;
    const bool folder = names.count > 0 && strcmp(names.names[names.count - 1], s->ref) != 0;
    ckpt_names_clear(&names);
    if (folder)
        return true;
    strcpy(part, s->ref);
    for (char *slash; (slash = strrchr(part, '/')) && slash > part + strlen(CKPT_TAGS);) {
        *slash = '\0';
        if (git_reference_name_to_id(&id, s->store->repo, part) == 0)
            return true;
    }
    return false;
}

/* GIT_ENOTFOUND: `git pack-refs` removed the folder under us; it is made again on the next try. */
static int set_ref(struct saving *s, struct cs_error *err)
{
    const double deadline = cs_mono_seconds() + REF_WAIT_SECONDS;
    git_reference *ref = NULL;
    int rc;

    CS_TRY(ckpt_ref_clear_damage(s->store, s->ref, err));
    for (;;) {
        rc = git_reference_create(&ref, s->store->repo, s->ref, &s->tag_object, 1, NULL);
        if ((rc != GIT_ELOCKED && rc != GIT_ENOTFOUND) || cs_mono_seconds() >= deadline)
            break;
        ckpt_pause();
    }
    git_reference_free(ref);
    if (rc == GIT_ELOCKED)
        return lock_held(s, err);
    if (rc == 0)
        return 0;
    rc = ckpt_fail_git(err, s->store, CS_EIO, "cannot set the tag");
    if (clashes(s))
        rc = cs_fail(err, CS_ERANGE, "clashes with a tag that is its folder, or in its folder");
    return rc;
}

/* libgit2 flushed the ref and its folder; flush those above, which may be new. */
static int flush_ref_folders(const struct saving *s, struct cs_error *err)
{
    char *path = cs_xasprintf("%s/%s", s->store->path, s->ref);
    const size_t root = strlen(path) - strlen(s->ref) + strlen(CKPT_TAGS) - 1;
    int rc = 0;

    while (rc == 0 && strlen(path) > root) {
        rc = cs_sync_parent(path, err);
        *strrchr(path, '/') = '\0';
    }
    free(path);
    return rc;
}

/* --- what the save replaces --- */

static bool among(const struct saving *s, const git_oid *id)
{
    for (size_t i = 0; i < s->count; i++)
        if (git_oid_equal(&s->blobs[i], id))
            return true;
    return false;
}

/*
 * Bytes on disk of the loose files the ref's present checkpoint has and the new one has not. 0 if
 * unreadable.
 */
static uint64_t superseded_bytes(struct saving *s)
{
    git_oid id;
    git_object *object = NULL, *tree = NULL;
    uint64_t bytes = 0;

    if (ckpt_ref_target(&id, s->store, s->ref, NULL) == 0 &&
        git_object_lookup(&object, s->store->repo, &id, GIT_OBJECT_ANY) == 0 &&
        git_object_peel(&tree, object, GIT_OBJECT_TREE) == 0) {
        for (size_t i = 0; i < git_tree_entrycount((git_tree *) tree); i++) {
            const git_oid *blob = git_tree_entry_id(git_tree_entry_byindex((git_tree *) tree, i));
            char path[CKPT_LOOSE_PATH];
            struct stat st;
            ckpt_loose_path(path, blob);
            if (!among(s, blob) && fstatat(s->store->loose->dir, path, &st, 0) == 0)
                bytes += (uint64_t) st.st_size;
        }
    }
    git_object_free(tree);
    git_object_free(object);
    s->store->loose->error = 0; /* damage of the old is not this save's failure */
    return bytes;
}

/* --- save --- */

static void report(struct ckpt_saved *out, const struct saving *s, uint64_t superseded)
{
    *out = (struct ckpt_saved){.superseded_bytes = superseded};
    git_oid_tostr(out->tag, CKPT_ID_SIZE, &s->tag_object);
    git_oid_tostr(out->commit, CKPT_ID_SIZE, &s->commit);
    for (size_t i = 0; i < s->count; i++)
        git_oid_tostr(out->files[i], CKPT_ID_SIZE, &s->blobs[i]);
}

static int save_locked(struct saving *s, struct ckpt_saved *out, struct cs_error *err)
{
    if (git_signature_now(&s->author, CKPT_AUTHOR, CKPT_AUTHOR "@localhost") < 0)
        return ckpt_fail_git(err, s->store, CS_EIO, "cannot sign");
    CS_TRY(write_objects(s, err));
    const uint64_t superseded = out ? superseded_bytes(s) : 0;
    CS_TRY(set_ref(s, err));
    CS_TRY(flush_ref_folders(s, err));
    if (out)
        report(out, s, superseded);
    return 0;
}

int ckpt_save(ckpt_store *store, const char *tag, const char *title,
              const struct ckpt_trailer *trailers, size_t trailer_count,
              const struct ckpt_file *files, size_t file_count, struct ckpt_saved *out,
              struct cs_error *err)
{
    struct saving s = {.store = store, .tag = tag, .files = files, .count = file_count};

    int rc = check_input(tag, trailers, trailer_count, files, file_count, err);
    if (rc == 0)
        rc = ckpt_lock(store, LOCK_SH, GC_WAIT_SECONDS, err);
    if (rc == 0) {
        snprintf(s.ref, sizeof s.ref, CKPT_TAGS "%s", tag);
        compose(&s.message, title, trailers, trailer_count);
        rc = save_locked(&s, out, err);
        ckpt_unlock(store);
    }
    git_signature_free(s.author);
    cs_buf_clear(&s.message);
    return rc < 0 ? cs_fail_at(err, rc, tag, 0) : 0;
}
