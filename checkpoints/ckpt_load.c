/*
 * ckpt_load.c - reading checkpoints back: load, list, verify.
 *
 * refs/tags/<tag> -> tag object -> commit -> tree -> blobs. Every step reads through ckpt_loose.c
 * (checked form) and git_odb_read (checked hash), so what arrives is what was saved, or
 * CS_ECORRUPT. A tag that points to a commit without a tag object (`git tag NAME COMMIT`) loads
 * too, with the commit's message.
 */
#include "checkpoints/ckpt_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "common/cs_error.h"

enum { LOCK_SECONDS = 60 };

/* --- sets of ids --- */

static size_t slot_of(const struct ckpt_ids *set, const git_oid *id)
{
    uint64_t hash;

    memcpy(&hash, id->id, sizeof hash);
    size_t i = hash & (set->capacity - 1);
    while (!git_oid_is_zero(&set->slots[i]) && !git_oid_equal(&set->slots[i], id))
        i = (i + 1) & (set->capacity - 1);
    return i;
}

bool ckpt_ids_has(const struct ckpt_ids *set, const git_oid *id)
{
    return set->count && !git_oid_is_zero(&set->slots[slot_of(set, id)]);
}

bool ckpt_ids_add(struct ckpt_ids *set, const git_oid *id)
{
    if (set->count * 2 >= set->capacity) {
        struct ckpt_ids grown = {.capacity = set->capacity ? set->capacity * 2 : 64};
        grown.slots = cs_xcalloc(grown.capacity, sizeof *grown.slots);
        for (size_t i = 0; i < set->capacity; i++)
            if (!git_oid_is_zero(&set->slots[i]))
                grown.slots[slot_of(&grown, &set->slots[i])] = set->slots[i];
        grown.count = set->count;
        free(set->slots);
        *set = grown;
    }
    const size_t i = slot_of(set, id);
    if (!git_oid_is_zero(&set->slots[i]))
        return false;
    set->slots[i] = *id;
    set->count++;
    return true;
}

void ckpt_ids_clear(struct ckpt_ids *set)
{
    free(set->slots);
    *set = (struct ckpt_ids){0};
}

/* --- from the tag to its tree --- */

struct opened {
    git_object *object; /* what the ref names: a tag or a commit */
    git_commit *commit;
    git_tree *tree;
};

static void opened_clear(struct opened *opened)
{
    git_tree_free(opened->tree);
    git_commit_free(opened->commit);
    git_object_free(opened->object);
    *opened = (struct opened){0};
}

static const char *message_of(const struct opened *opened)
{
    const char *text = NULL;

    if (git_object_type(opened->object) == GIT_OBJECT_TAG)
        text = git_tag_message((const git_tag *) opened->object);
    else if (opened->commit)
        text = git_commit_message(opened->commit);
    return text ? text : "";
}

static int open_ref(struct opened *out, ckpt_store *store, const char *ref, struct cs_error *err)
{
    git_oid id;

    CS_TRY(ckpt_ref_target(&id, store, ref, err));
    if (git_oid_is_zero(&id))
        return cs_fail(err, CS_ECORRUPT, "names another ref, not a checkpoint");
    if (git_object_lookup(&out->object, store->repo, &id, GIT_OBJECT_ANY) < 0)
        return ckpt_fail_git(err, store, CS_ECORRUPT, "cannot read what the tag names");
    const git_object_t type = git_object_type(out->object);
    if (type != GIT_OBJECT_TAG && type != GIT_OBJECT_COMMIT)
        return cs_fail(err, CS_ECORRUPT, "names a %s, not a checkpoint",
                       git_object_type2string(type));
    return 0;
}

static int open_tree(struct opened *out, ckpt_store *store, const char *ref, struct cs_error *err)
{
    git_object *commit = NULL;

    CS_TRY(open_ref(out, store, ref, err));
    if (git_object_peel(&commit, out->object, GIT_OBJECT_COMMIT) < 0)
        return ckpt_fail_git(err, store, CS_ECORRUPT, "cannot read the commit");
    out->commit = (git_commit *) commit;
    if (git_commit_tree(&out->tree, out->commit) < 0)
        return ckpt_fail_git(err, store, CS_ECORRUPT, "cannot read the tree");
    if (git_tree_entrycount(out->tree) > CKPT_FILES_MAX)
        return cs_fail(err, CS_ECORRUPT, "holds %zu files: a checkpoint has at most %d",
                       git_tree_entrycount(out->tree), CKPT_FILES_MAX);
    return 0;
}

/* The content of one entry, checked; the caller frees it. */
static int read_entry(git_odb_object **out, ckpt_store *store, const git_tree_entry *entry,
                      struct cs_error *err)
{
    const char *name = git_tree_entry_name(entry);

    if (git_odb_read(out, store->odb, git_tree_entry_id(entry)) < 0)
        return ckpt_fail_git(err, store, CS_ECORRUPT, "%s", name);
    if (git_odb_object_type(*out) != GIT_OBJECT_BLOB) {
        git_odb_object_free(*out);
        return cs_fail(err, CS_ECORRUPT, "%s: is not a file", name);
    }
    return 0;
}

/* --- load --- */

struct loaded {
    ckpt_checkpoint face; /* first: what the caller sees */
    struct cs_arena arena;
    struct ckpt_file *files;
};

void ckpt_checkpoint_free(ckpt_checkpoint *checkpoint)
{
    struct loaded *loaded = (struct loaded *) checkpoint;

    if (!loaded)
        return;
    for (size_t i = 0; i < checkpoint->count; i++)
        free((void *) (uintptr_t) loaded->files[i].data);
    cs_arena_clear(&loaded->arena);
    free(loaded);
}

static int load_file(struct loaded *out, ckpt_store *store, const git_tree_entry *entry,
                     struct cs_error *err)
{
    const size_t i = out->face.count;
    git_odb_object *object = NULL;

    CS_TRY(read_entry(&object, store, entry, err));
    const size_t size = git_odb_object_size(object);
    char *copy = size < SIZE_MAX ? cs_alloc_aligned(size + 1, 1) : NULL;
    if (copy)
        memcpy(copy, git_odb_object_data(object), size);
    git_odb_object_free(object);
    if (!copy)
        return cs_fail(err, CS_ENOMEM, "%s: no memory for %zu bytes", git_tree_entry_name(entry),
                       size);
    git_oid_tostr(out->face.ids[i], CKPT_ID_SIZE, git_tree_entry_id(entry));
    out->files[i] = (struct ckpt_file){
        .name = cs_arena_strdup(&out->arena, git_tree_entry_name(entry)),
        .data = copy,
        .size = size,
    };
    out->face.count++;
    return 0;
}

static int load_opened(ckpt_checkpoint **out, ckpt_store *store, const char *tag, const char *name,
                       const struct opened *opened, struct cs_error *err)
{
    const size_t count = git_tree_entrycount(opened->tree);
    struct loaded *loaded = cs_xcalloc(1, sizeof *loaded);
    int rc = 0;

    loaded->face.tag = cs_arena_strdup(&loaded->arena, tag);
    loaded->face.message = cs_arena_strdup(&loaded->arena, message_of(opened));
    loaded->files = cs_arena_alloc(&loaded->arena, (count + 1) * sizeof *loaded->files);
    loaded->face.files = loaded->files;
    loaded->face.ids = cs_arena_alloc(&loaded->arena, (count + 1) * sizeof *loaded->face.ids);
    git_oid_tostr(loaded->face.commit, CKPT_ID_SIZE, git_commit_id(opened->commit));
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(opened->tree, i);
        if (!name || strcmp(git_tree_entry_name(entry), name) == 0)
            rc = load_file(loaded, store, entry, err);
    }
    if (rc < 0)
        ckpt_checkpoint_free(&loaded->face);
    else
        *out = &loaded->face;
    return rc;
}

int ckpt_load(ckpt_checkpoint **out, ckpt_store *store, const char *tag, struct cs_error *err)
{
    return ckpt_load_file(out, store, tag, NULL, err);
}

int ckpt_load_file(ckpt_checkpoint **out, ckpt_store *store, const char *tag, const char *name,
                   struct cs_error *err)
{
    char ref[CKPT_REF_SIZE];
    struct opened opened = {0};

    CS_TRY(ckpt_check_tag(tag, err));
    CS_TRY(ckpt_lock(store, LOCK_SH, LOCK_SECONDS, err));
    snprintf(ref, sizeof ref, CKPT_TAGS "%s", tag);
    int rc = open_tree(&opened, store, ref, err);
    if (rc == 0)
        rc = load_opened(out, store, tag, name, &opened, err);
    opened_clear(&opened);
    ckpt_unlock(store);
    return rc < 0 ? cs_fail_at(err, rc, tag, 0) : 0;
}

const struct ckpt_file *ckpt_checkpoint_file(const ckpt_checkpoint *checkpoint, const char *name)
{
    for (size_t i = 0; i < checkpoint->count; i++)
        if (strcmp(checkpoint->files[i].name, name) == 0)
            return &checkpoint->files[i];
    return NULL;
}

bool ckpt_message_trailer(char *out, size_t size, const char *message, const char *key)
{
    const size_t key_size = strlen(key);
    const char *line = strstr(message, "\n\n"); /* ckpt_save writes one blank line only */
    bool found = false;

    for (line = line ? line + 2 : NULL; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, key_size) != 0 || line[key_size] != ':')
            continue;
        const char *value = line + key_size + 1;
        value += *value == ' ';
        snprintf(out, size, "%.*s", (int) strcspn(value, "\n"), value);
        found = true;
    }
    return found;
}

/* --- list --- */

int ckpt_list(ckpt_store *store, const char *prefix, ckpt_list_fn *callback, void *context,
              struct cs_error *err)
{
    struct ckpt_names names = {0};
    int rc = 0;

    CS_TRY(ckpt_names_under(&names, store, prefix, err));
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        struct opened opened = {0};
        const char *tag = names.names[i] + strlen(CKPT_TAGS);
        int got = open_ref(&opened, store, names.names[i], NULL);
        if (got == 0 && git_object_type(opened.object) == GIT_OBJECT_COMMIT)
            got = open_tree(&opened, store, names.names[i], NULL);
        if (got != CS_ENONAME) /* deleted since its name was read */
            rc = callback(context, tag, got == 0 ? message_of(&opened) : NULL);
        opened_clear(&opened);
    }
    ckpt_names_clear(&names);
    return rc;
}

/* --- verify --- */

static int verify_ref(ckpt_store *store, const char *ref, struct ckpt_ids *intact,
                      struct cs_error *err)
{
    struct opened opened = {0};
    int rc = open_tree(&opened, store, ref, err);

    for (size_t i = 0; rc == 0 && i < git_tree_entrycount(opened.tree); i++) {
        const git_tree_entry *entry = git_tree_entry_byindex(opened.tree, i);
        git_odb_object *object = NULL;
        if (ckpt_ids_has(intact, git_tree_entry_id(entry)))
            continue;
        rc = read_entry(&object, store, entry, err);
        if (rc < 0)
            break;
        ckpt_ids_add(intact, git_tree_entry_id(entry));
        git_odb_object_free(object);
    }
    opened_clear(&opened);
    return rc;
}

int ckpt_verify(ckpt_store *store, const char *prefix, ckpt_damage_fn *callback, void *context,
                struct cs_error *err)
{
    struct ckpt_names names = {0};
    struct ckpt_ids intact = {0};
    int bad = 0, rc = 0;

    CS_TRY(ckpt_names_under(&names, store, prefix, err));
    for (size_t i = 0; i < names.count; i++) {
        const char *tag = names.names[i] + strlen(CKPT_TAGS);
        struct cs_error damage = {0};
        rc = ckpt_lock(store, LOCK_SH, LOCK_SECONDS, err);
        if (rc < 0)
            break;
        const int got = verify_ref(store, names.names[i], &intact, &damage);
        ckpt_unlock(store);
        if (got == 0 || got == CS_ENONAME)
            continue;
        cs_fail_at(&damage, got, tag, 0);
        bad++;
        if (callback)
            callback(context, tag, &damage);
    }
    ckpt_ids_clear(&intact);
    ckpt_names_clear(&names);
    return rc < 0 ? rc : bad;
}
