/*
 * What breaks, and what the store says then: cut and altered objects, odd refs, stale locks, a full
 * disk.
 */
#include "test_ckpt_util.h"

#include <signal.h>
#include <sys/resource.h>

enum { BIG = 1 << 20 };

/* Save a file of 1 MB (text of 4 letters at random) plus a small one under t/x. */
static void save_big(const struct scratch *s, struct ckpt_saved *saved)
{
    char *data = malloc(BIG);
    uint32_t random = 7;

    for (size_t i = 0; i < BIG; i++)
        data[i] = "abcd"[(random = random * 1664525u + 1013904223u) >> 30];
    const struct ckpt_file files[] = {{"big.bin", data, BIG}, {"small.txt", "small", 5}};
    assert_int_equal(ckpt_save(s->store, "t/x", "t", NULL, 0, files, 2, saved, NULL), 0);
    free(data);
}

static int load_code(const struct scratch *s, struct cs_error *err)
{
    ckpt_checkpoint *loaded = NULL;
    const int rc = ckpt_load(&loaded, s->store, "t/x", err);

    ckpt_checkpoint_free(loaded);
    return rc;
}

/* Replace the object by bytes; loading must say so at once. Then put the original back. */
static void check_damaged(const struct scratch *s, const char *path, const struct cs_buf *original,
                          const void *bytes, size_t size)
{
    struct cs_error err = {0};

    overwrite(path, bytes, size);
    const double start = cs_mono_seconds();
    if (load_code(s, &err) != CS_ECORRUPT)
        fail_msg("%zu bytes of %zu: damage not seen (%s)", size, original->size, err.detail);
    assert_true(cs_mono_seconds() - start < 1);
    assert_string_equal(err.where, "t/x");
    overwrite(path, original->data, original->size);
}

static void cut_everywhere(const struct scratch *s, const char *path, size_t cuts)
{
    struct cs_buf original = {0};

    assert_int_equal(cs_read_file(&original, path, 1 << 24, NULL), 0);
    for (size_t i = 0; i < cuts; i++)
        check_damaged(s, path, &original, original.data, original.size * i / cuts);
    check_damaged(s, path, &original, original.data, original.size - 1);
    assert_int_equal(load_code(s, NULL), 0);
    cs_buf_clear(&original);
}

/* As our files are (stored), and as plain git writes them (deflated). */
static void truncated_objects(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved saved;

    save_big(s, &saved);
    const char *const ids[] = {saved.files[0], saved.files[1], saved.commit, saved.tag};
    for (size_t i = 0; i < CS_COUNT(ids); i++) {
        char *path = object_path(s, ids[i]);
        cut_everywhere(s, path, 25);
        free(path);
    }
    char *path = object_path(s, saved.files[0]);
    setenv("BLOB", saved.files[0], 1);
    assert_int_equal(
        shell(s,
              "git -C \"$R\" show $BLOB > \"$R/copy\" && rm -f "
              "\"$R\"/objects/*/\"${BLOB#[0-9a-f][0-9a-f]}\" && "
              "git -C \"$R\" -c core.looseCompression=6 hash-object -w \"$R/copy\" > \"$R/id\" && "
              "rm \"$R/copy\" && test $(cat \"$R/id\") = $BLOB"),
        0);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size < BIG / 2); /* deflated indeed */
    assert_int_equal(load_code(s, NULL), 0);
    cut_everywhere(s, path, 60);
    free(path);
}

static void flipped_bytes(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved saved;

    save_big(s, &saved);
    const char *const ids[] = {saved.files[0], saved.files[1], saved.commit, saved.tag};
    for (size_t i = 0; i < CS_COUNT(ids); i++) {
        struct cs_buf file = {0};
        char *path = object_path(s, ids[i]);
        assert_int_equal(cs_read_file(&file, path, 1 << 24, NULL), 0);
        struct cs_buf altered = {0};
        cs_buf_add(&altered, file.data, file.size);
        const size_t step = file.size > 4000 ? file.size / 40 : 3;
        for (size_t at = 0; at < file.size; at += step) {
            if (at == 1) /* zlib's level hint is no content; its check bits are */
                continue;
            altered.data[at] = (char) (file.data[at] ^ 0x10);
            check_damaged(s, path, &file, altered.data, altered.size);
            altered.data[at] = file.data[at];
        }
        cs_buf_adds(&altered, "x"); /* a byte too many */
        check_damaged(s, path, &file, altered.data, altered.size);
        cs_buf_clear(&altered);
        cs_buf_clear(&file);
        free(path);
    }
}

static void missing_and_odd_objects(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved saved, other;
    struct cs_buf wrong = {0};
    struct cs_error err;

    save_big(s, &saved);
    assert_int_equal(save_text(s->store, "t/y", "y", &other, NULL), 0);
    char *path = object_path(s, saved.files[1]), *source = object_path(s, other.files[0]);
    assert_int_equal(cs_read_file(&wrong, source, 1000, NULL), 0);
    overwrite(path, wrong.data, wrong.size); /* a good object under another's name */
    assert_int_equal(load_code(s, &err), CS_ECORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(load_code(s, &err), CS_ECORRUPT);
    assert_int_equal(symlink(source, path), 0);
    assert_int_equal(load_code(s, &err), CS_ECORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_int_equal(load_code(s, &err), CS_ECORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(load_code(s, &err), CS_ECORRUPT);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(holds_text(s->store, "t/y", "y"), 1); /* the other is untouched */
    cs_buf_clear(&wrong);
    free(source);
    free(path);
}

/* A few bytes that claim to be 2^40 must not be given 2^40. */
static void inflated_claims(void **state)
{
    struct scratch *s = *state;
    /* zlib, stored blocks: "blob N\0" + "small" */
    static const char *const claims[] = {
        "blob 1099511627776",
        "blob 18446744073709551616",
        "blob 4",
        "blob 6",
        "blob 05",
        "blob ",
        "blob -5",
        "blob 5 ",
        "bolb 5",
        "tree 5",
        "commit 5",
        "blobblobblobblobblob 5",
        "blob5",
        " 5",
        "blob 5\n",
        "",
    };
    struct ckpt_saved saved;

    save_big(s, &saved);
    char *path = object_path(s, saved.files[1]);
    for (size_t i = 0; i < CS_COUNT(claims); i++) {
        struct cs_error err;
        setenv("FILE", path, 1);
        setenv("CLAIM", claims[i], 1);
        assert_int_equal(shell(s, "chmod u+w \"$FILE\"; python3 -c 'import os,zlib; "
                                  "open(os.environ[\"FILE\"],\"wb\").write(zlib.compress("
                                  "os.environ[\"CLAIM\"].encode()+b\"\\0small\",0))'"),
                         0);
        if (load_code(s, &err) != CS_ECORRUPT)
            fail_msg("header '%s' was accepted", claims[i]);
    }
    free(path);
}

/* A damaged object must not pass for written when the same content is saved again. */
static void saving_again_repairs(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved saved;

    assert_int_equal(save_text(s->store, "t/x", "content", &saved, NULL), 0);
    char *path = object_path(s, saved.files[0]);
    overwrite(path, "x\x9c", 2);
    assert_int_equal(load_code(s, NULL), CS_ECORRUPT);
    assert_int_equal(save_text(s->store, "t/y", "content", &saved, NULL), 0);
    assert_int_equal(load_code(s, NULL), 0);
    assert_int_equal(holds_text(s->store, "t/y", "content"), 1);
    free(path);
}

struct damages {
    int count;
    char last[CKPT_NAME_MAX];
    struct cs_error error;
};

static void note_damage(void *context, const char *tag, const struct cs_error *damage)
{
    struct damages *damages = context;

    damages->count++;
    snprintf(damages->last, sizeof damages->last, "%s", tag);
    damages->error = *damage;
}

static int note_unreadable(void *context, const char *tag, const char *message)
{
    if (!message && strcmp(tag, "t/x") == 0)
        ++*(int *) context;
    return 0;
}

static void odd_refs(void **state)
{
    struct scratch *s = *state;
    static const char *const texts[] = {
        "",
        "\n",
        "garbage\n",
        "ce01",
        "zz013625030ba8dba906f756967f9e9ca394464a\n",
        "0000000000000000000000000000000000000000\n",
        "ce013625030ba8dba906f756967f9e9ca394464a\n", /* no such object */
        "ref: refs/tags/t/y\n",
        "ref: refs/tags/t/x\n",
        "ref: ",
    };
    char path[700];

    assert_int_equal(save_text(s->store, "t/x", "x", NULL, NULL), 0);
    assert_int_equal(save_text(s->store, "t/y", "y", NULL, NULL), 0);
    snprintf(path, sizeof path, "%s/refs/tags/t/x", s->repo);
    for (size_t i = 0; i < CS_COUNT(texts); i++) {
        struct damages damages = {0};
        struct cs_error err;
        int unreadable = 0;
        overwrite(path, texts[i], strlen(texts[i]));
        if (load_code(s, &err) != CS_ECORRUPT)
            fail_msg("ref '%s' was accepted", texts[i]);
        if (i == 0)
            assert_non_null(strstr(err.detail, "empty"));
        assert_int_equal(ckpt_verify(s->store, "t", note_damage, &damages, &err), 1);
        assert_string_equal(damages.last, "t/x");
        assert_int_equal(damages.error.code, CS_ECORRUPT);
        assert_int_equal(ckpt_list(s->store, "t", note_unreadable, &unreadable, &err), 0);
        assert_int_equal(unreadable, 1);
    }
    overwrite(path, "", 0);
    assert_int_equal(save_text(s->store, "t/x", "again", NULL, NULL), 0); /* heals */
    assert_int_equal(holds_text(s->store, "t/x", "again"), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_int_equal(load_code(s, NULL), CS_ECORRUPT);
    assert_int_equal(ckpt_verify(s->store, "t", NULL, NULL, NULL), 1);
    assert_int_equal(ckpt_gc(s->store, NULL, NULL), CS_ECORRUPT);
}

static void foreign_tags(void **state)
{
    struct scratch *s = *state;
    static const char make[] =
        "cd \"$R\" && export GIT_AUTHOR_NAME=u GIT_AUTHOR_EMAIL=u GIT_COMMITTER_NAME=u "
        "GIT_COMMITTER_EMAIL=u && "
        "B=$(echo hi | git hash-object -w --stdin) && T=$(printf '100644 blob %s\\ta.bin\\n' $B | "
        "git mktree) && "
        "D=$(printf '040000 tree %s\\tfolder\\n' $T | git mktree) && "
        "git tag t/light $(git commit-tree -m 'of the commit' $T) && git tag t/blob $B && "
        "git tag t/folder $(git commit-tree -m m $D)";
    ckpt_checkpoint *loaded = NULL;
    struct damages damages = {0};

    assert_int_equal(shell(s, make), 0);
    assert_int_equal(ckpt_load(&loaded, s->store, "t/light", NULL), 0);
    assert_string_equal(loaded->message, "of the commit\n");
    ckpt_checkpoint_free(loaded);
    assert_int_equal(ckpt_load(&loaded, s->store, "t/blob", NULL), CS_ECORRUPT);
    assert_int_equal(ckpt_load(&loaded, s->store, "t/folder", NULL), CS_ECORRUPT);
    assert_int_equal(ckpt_verify(s->store, "", note_damage, &damages, NULL), 2);
    assert_string_equal(damages.last, "t/folder");
}

static void stale_locks(void **state)
{
    struct scratch *s = *state;
    struct cs_error err;
    char lock[700], other[700];
    int removed = -1;

    assert_int_equal(save_text(s->store, "a/1/x", "old", NULL, NULL), 0);
    assert_int_equal(save_text(s->store, "b/1/x", "old", NULL, NULL), 0);
    snprintf(lock, sizeof lock, "%s/refs/tags/a/1/x.lock", s->repo);
    snprintf(other, sizeof other, "%s/refs/tags/b/1/x.lock", s->repo);
    close(open(lock, O_CREAT | O_WRONLY, 0644));
    close(open(other, O_CREAT | O_WRONLY, 0644));
    const double start = cs_mono_seconds();
    assert_int_equal(save_text(s->store, "a/1/x", "new", NULL, &err), CS_EBUSY);
    assert_true(cs_mono_seconds() - start < 4);
    assert_non_null(strstr(err.detail, "refs/tags/a/1/x.lock"));
    assert_int_equal(holds_text(s->store, "a/1/x", "old"), 1);
    assert_int_equal(ckpt_verify(s->store, "", NULL, NULL, NULL), 0); /* a lock is no tag */
    assert_int_equal(ckpt_remove_stale_locks(s->store, "a", &removed, &err), 0);
    assert_int_equal(removed, 1);
    assert_int_equal(access(other, F_OK), 0); /* not our prefix */
    assert_int_equal(save_text(s->store, "a/1/x", "new", NULL, &err), 0);
    assert_int_equal(ckpt_remove_stale_locks(s->store, "none", &removed, &err), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(ckpt_remove_stale_locks(s->store, "../objects", &removed, &err), CS_ERANGE);
}

static int unlock_soon(const char *lock)
{
    usleep(300000);
    return unlink(lock);
}

/* A lock that another writer holds for a moment is waited for. */
static void short_lock(void **state)
{
    struct scratch *s = *state;
    char lock[700];
    int status;

    assert_int_equal(save_text(s->store, "a/x", "old", NULL, NULL), 0);
    snprintf(lock, sizeof lock, "%s/refs/tags/a/x.lock", s->repo);
    close(open(lock, O_CREAT | O_WRONLY, 0644));
    const pid_t pid = fork();
    if (pid == 0)
        _exit(unlock_soon(lock));
    assert_int_equal(save_text(s->store, "a/x", "new", NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(holds_text(s->store, "a/x", "new"), 1);
}

/* A file size limit stands in for a full disk: every write past it fails. */
static void no_space(void **state)
{
    struct scratch *s = *state;
    struct rlimit old, tight;
    struct cs_error err;
    char *data = calloc(1, BIG);
    const struct ckpt_file file = {"a.bin", data, BIG};

    assert_int_equal(save_text(s->store, "t/x", "kept", NULL, NULL), 0);
    const int before = count_objects(s);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight = (struct rlimit){.rlim_cur = 100000, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const int large = ckpt_save(s->store, "t/x", "t", NULL, 0, &file, 1, NULL, &err);
    tight.rlim_cur = 20; /* not even a ref fits */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const int any = save_text(s->store, "t/x", "other", NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(large, CS_ENOSPACE);
    assert_int_equal(any, CS_ENOSPACE);
    assert_string_equal(err.where, "t/x");
    assert_int_equal(holds_text(s->store, "t/x", "kept"), 1);
    assert_int_equal(count_objects(s), before);
    assert_int_equal(
        shell(s, "test -z \"$(find \"$R\" -name 'tmp_*' -o -name '*.lock' ! -name csweep.lock)\""),
        0);
    assert_int_equal(ckpt_save(s->store, "t/x", "t", NULL, 0, &file, 1, NULL, NULL), 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CKPT_TEST(truncated_objects),
        CKPT_TEST(flipped_bytes),
        CKPT_TEST(missing_and_odd_objects),
        CKPT_TEST(inflated_claims),
        CKPT_TEST(saving_again_repairs),
        CKPT_TEST(odd_refs),
        CKPT_TEST(foreign_tags),
        CKPT_TEST(stale_locks),
        CKPT_TEST(short_lock),
        CKPT_TEST(no_space),
    };

    alarm(60); /* a hang is a failure */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
