/*
 * ckpt_gc.c - deletes loose objects nothing needs.
 *
 *   1. csweep.lock is held exclusively: no save is between writing an object and tagging it.
 *   2. Live is what any ref (loose or packed) or a detached HEAD reaches. A ref or history that
 *      cannot be read makes gc refuse: what is unknown may be needed.
 *   3. So is what an unreferenced commit or tag of another author reaches: somebody with plain git
 *      made it.
 *   4. Freed at once: unreferenced tags and commits of author csweep, and what they reach. Freed
 *      after an hour: other unreferenced objects (blobs of a killed save have no author) and
 *      temporary files.
 *   5. Tags go before commits, trees and blobs, so that a gc killed half-way leaves nothing that
 *      names a hole.
 *
 * It touches no pack, no ref, no reflog.
 */
#include "checkpoints/ckpt_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cs_error.h"

enum { LOCK_SECONDS = 5, STALE_SECONDS = 3600 };

struct candidate {
    git_oid id;
    git_object_t type; /* GIT_OBJECT_INVALID: unreadable */
    bool ours;         /* tag or commit by CKPT_AUTHOR */
    off_t size;
    time_t changed;
};

struct collection {
    ckpt_store *store;
    struct ckpt_ids live,
        ours;       /* reached by what stays; by our own unreferenced tags and commits */
    git_oid *stack; /* of the walk */
    size_t depth, room;
    struct candidate *found; /* loose and not live */
    size_t count, capacity;
    time_t now;
    uint64_t freed;
};

/* --- the walk --- */

static void push(struct collection *c, struct ckpt_ids *seen, const git_oid *id)
{
    if (!ckpt_ids_add(seen, id))
        return;
    if (c->depth == c->room) {
        c->room = c->room ? c->room * 2 : 256;
        c->stack = cs_xrealloc(c->stack, c->room * sizeof *c->stack);
    }
    c->stack[c->depth++] = *id;
}

static void push_tree(struct collection *c, struct ckpt_ids *seen, const git_tree *tree)
{
    for (size_t i = 0; i < git_tree_entrycount(tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(tree, i);
        const git_object_t type = git_tree_entry_type(entry);
        if (type == GIT_OBJECT_TREE)
            push(c, seen, git_tree_entry_id(entry));
        else if (type == GIT_OBJECT_BLOB)
            ckpt_ids_add(seen, git_tree_entry_id(entry));
    }
}

/* Push what one object names. Blobs are not read: a damaged one is live all the same. */
static int expand(struct collection *c, struct ckpt_ids *seen, const git_oid *id)
{
    git_object *object = NULL;
    git_object_t type;
    size_t size;
    int rc = git_odb_read_header(&size, &type, c->store->odb, id);

    if (rc < 0 || type == GIT_OBJECT_BLOB)
        return rc;
    rc = git_object_lookup(&object, c->store->repo, id, type);
    if (rc < 0)
        return rc;
    if (type == GIT_OBJECT_TAG) {
        push(c, seen, git_tag_target_id((git_tag *) object));
    } else if (type == GIT_OBJECT_TREE) {
        push_tree(c, seen, (git_tree *) object);
    } else {
        const git_commit *commit = (git_commit *) object;
        push(c, seen, git_commit_tree_id(commit));
        for (unsigned i = 0; i < git_commit_parentcount(commit); i++)
            push(c, seen, git_commit_parent_id(commit, i));
    }
    git_object_free(object);
    return 0;
}

/* Add all that id reaches to seen. strict: stop at the first object that cannot be read. */
static int reach(struct collection *c, struct ckpt_ids *seen, const git_oid *id, bool strict)
{
    push(c, seen, id);
    while (c->depth) {
        const git_oid next = c->stack[--c->depth];
        if (expand(c, seen, &next) < 0 && strict) {
            c->depth = 0;
            return GIT_ERROR;
        }
    }
    return 0;
}

/* --- what is live --- */

static int mark_ref(struct collection *c, const char *name, struct cs_error *err)
{
    git_oid id;
    const int rc = ckpt_ref_target(&id, c->store, name, err);

    if (rc == CS_ENONAME) /* deleted since its name was read */
        return 0;
    if (rc < 0 || git_oid_is_zero(&id)) /* zero: the ref it names is in the list itself */
        return rc;
    if (reach(c, &c->live, &id, true) < 0)
        return ckpt_fail_git(err, c->store, CS_ECORRUPT, "%s: cannot follow it, nothing deleted",
                             name);
    return 0;
}

static int mark_refs(struct collection *c, struct cs_error *err)
{
    struct ckpt_names names = {0};
    int rc;

    CS_TRY(ckpt_names_read(&names, c->store, "refs", err));
    rc = mark_ref(c, "HEAD", err);
    for (size_t i = 0; rc == 0 && i < names.count; i++)
        rc = mark_ref(c, names.names[i], err);
    ckpt_names_clear(&names);
    return rc;
}

/* --- what is there --- */

static bool is_ours(struct collection *c, const struct candidate *candidate)
{
    git_object *object = NULL;
    const git_signature *author = NULL;

    if (git_object_lookup(&object, c->store->repo, &candidate->id, candidate->type) < 0)
        return false;
    if (candidate->type == GIT_OBJECT_TAG)
        author = git_tag_tagger((git_tag *) object);
    else
        author = git_commit_author((git_commit *) object);
    const bool ours = author && strcmp(author->name, CKPT_AUTHOR) == 0;
    git_object_free(object);
    return ours;
}

static bool names_others(const struct candidate *candidate)
{
    return candidate->type == GIT_OBJECT_TAG || candidate->type == GIT_OBJECT_COMMIT;
}

static void add_candidate(struct collection *c, const git_oid *id, const struct stat *st)
{
    struct candidate found = {.id = *id, .size = st->st_size, .changed = st->st_mtime};
    size_t size;

    git_odb_backend *loose = &c->store->loose->parent;
    if (loose->read_header(&size, &found.type, loose, id) < 0)
        found.type = GIT_OBJECT_INVALID;
    found.ours = names_others(&found) && is_ours(c, &found);
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : 256;
        c->found = cs_xrealloc(c->found, c->capacity * sizeof *c->found);
    }
    c->found[c->count++] = found;
}

static bool is_stale(const struct collection *c, time_t changed)
{
    return changed < c->now - STALE_SECONDS;
}

static bool is_temporary(const char *name)
{
    return strncmp(name, "tmp_obj_", 8) == 0 || strncmp(name, "tmp_object_", 11) == 0;
}

/* One entry of objects/ or objects/xx/ (folder is "" or "xx"). */
static void see_entry(struct collection *c, int folder_fd, const char *folder, const char *name)
{
    char hex[GIT_OID_HEXSZ + 1];
    struct stat st;
    git_oid id;

    const bool object = folder[0] && strlen(name) == GIT_OID_HEXSZ - 2;
    if ((!object && !is_temporary(name)) ||
        fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return;
    if (!object) {
        if (is_stale(c, st.st_mtime) && unlinkat(folder_fd, name, 0) == 0)
            c->freed += (uint64_t) st.st_size;
        return;
    }
    memcpy(hex, folder, 2);
    memcpy(hex + 2, name, sizeof hex - 2);
    if (git_oid_fromstr(&id, hex) == 0 && !ckpt_ids_has(&c->live, &id))
        add_candidate(c, &id, &st);
}

static int see_folder(struct collection *c, const char *folder, struct cs_error *err)
{
    const int fd = openat(c->store->loose->dir, folder[0] ? folder : ".",
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    const struct dirent *entry;

    if (fd < 0 && errno == ENOENT)
        return 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        const int rc = cs_fail_errno(err, "objects/%s: cannot read", folder);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while ((entry = readdir(dir)))
        see_entry(c, dirfd(dir), folder, entry->d_name);
    closedir(dir);
    return 0;
}

static int find_candidates(struct collection *c, struct cs_error *err)
{
    char folder[3];

    CS_TRY(see_folder(c, "", err));
    for (unsigned i = 0; i < 256; i++) {
        snprintf(folder, sizeof folder, "%02x", i);
        CS_TRY(see_folder(c, folder, err));
    }
    return 0;
}

/* --- what goes --- */

static void mark_unreferenced(struct collection *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (names_others(&c->found[i]))
            reach(c, c->found[i].ours ? &c->ours : &c->live, &c->found[i].id, false);
}

static bool is_free(const struct collection *c, const struct candidate *candidate)
{
    return !ckpt_ids_has(&c->live, &candidate->id) &&
           (ckpt_ids_has(&c->ours, &candidate->id) || is_stale(c, candidate->changed));
}

static int delete_type(struct collection *c, git_object_t type, struct cs_error *err)
{
    char path[CKPT_LOOSE_PATH];

    for (size_t i = 0; i < c->count; i++) {
        const struct candidate *candidate = &c->found[i];
        if (candidate->type != type || !is_free(c, candidate))
            continue;
        ckpt_loose_path(path, &candidate->id);
        if (unlinkat(c->store->loose->dir, path, 0) == 0)
            c->freed += (uint64_t) candidate->size;
        else if (errno != ENOENT)
            return cs_fail_errno(err, "objects/%s: cannot delete", path);
    }
    return 0;
}

static int collect(struct collection *c, struct cs_error *err)
{
    static const git_object_t order[] = {GIT_OBJECT_TAG, GIT_OBJECT_COMMIT, GIT_OBJECT_TREE,
                                         GIT_OBJECT_BLOB, GIT_OBJECT_INVALID};

    CS_TRY(mark_refs(c, err));
    CS_TRY(find_candidates(c, err));
    mark_unreferenced(c);
    for (size_t i = 0; i < CS_COUNT(order); i++)
        CS_TRY(delete_type(c, order[i], err));
    return 0;
}

int ckpt_gc(ckpt_store *store, uint64_t *freed_bytes, struct cs_error *err)
{
    struct collection c = {.store = store, .now = time(NULL)};

    CS_TRY(ckpt_lock(store, LOCK_EX, LOCK_SECONDS, err));
    const int rc = collect(&c, err);
    store->loose->error = 0; /* of candidates that could not be read */
    ckpt_unlock(store);
    ckpt_ids_clear(&c.live);
    ckpt_ids_clear(&c.ours);
    free(c.stack);
    free(c.found);
    if (freed_bytes)
        *freed_bytes = c.freed;
    return rc;
}
