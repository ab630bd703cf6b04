/* ckpt_gc: frees what nothing needs, nothing else, also beside savers. */
#include "test_ckpt_util.h"

#include <sys/file.h>

static uint64_t gc(const struct scratch *s)
{
    struct cs_error err = {0};
    uint64_t freed = UINT64_MAX;

    if (ckpt_gc(s->store, &freed, &err) < 0)
        fail_msg("gc: %s", err.detail);
    return freed;
}

static void frees_only_unreferenced(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved old, kept, now;
    const struct ckpt_file files[] = {{"a.bin", "shared", 6}, {"b.bin", "only here", 9}};

    assert_int_equal(ckpt_save(s->store, "t/last", "t", NULL, 0, files, 2, &old, NULL), 0);
    assert_int_equal(save_text(s->store, "t/best", "shared", &kept, NULL), 0);
    assert_string_equal(kept.files[0], old.files[0]);
    assert_int_equal(gc(s), 0);
    assert_int_equal(save_text(s->store, "t/last", "new", &now, NULL), 0);
    assert_true(object_exists(s, old.files[1]));
    assert_true(gc(s) > 0);
    assert_true(object_exists(s, old.files[0])); /* t/best holds it */
    assert_false(object_exists(s, old.files[1]));
    assert_false(object_exists(s, old.commit));
    assert_false(object_exists(s, old.tag));
    assert_int_equal(holds_text(s->store, "t/best", "shared"), 1);
    assert_int_equal(holds_text(s->store, "t/last", "new"), 1);
    assert_int_equal(count_objects(s), 8);
    assert_int_equal(gc(s), 0);
    assert_int_equal(
        shell(s, "test -z \"$(git -C \"$R\" fsck --strict --full 2>&1 | grep -v notice)\""), 0);
}

/* superseded_bytes is what gc frees of files; tag, commit and tree come on top. */
static void superseded_matches(void **state)
{
    struct scratch *s = *state;
    char *data = calloc(1, 300000);
    struct ckpt_saved saved;
    struct ckpt_file file = {"a.bin", data, 300000};

    assert_int_equal(ckpt_save(s->store, "t/x", "t", NULL, 0, &file, 1, NULL, NULL), 0);
    data[0] = 1;
    assert_int_equal(ckpt_save(s->store, "t/x", "t", NULL, 0, &file, 1, &saved, NULL), 0);
    assert_true(saved.superseded_bytes > 300000);
    const uint64_t freed = gc(s);
    assert_true(freed > saved.superseded_bytes && freed < saved.superseded_bytes + 2000);
    free(data);
}

static void packed_refs_are_roots(void **state)
{
    struct scratch *s = *state;

    assert_int_equal(save_text(s->store, "t/1/x", "one", NULL, NULL), 0);
    assert_int_equal(save_text(s->store, "t/2/x", "two", NULL, NULL), 0);
    assert_int_equal(shell(s, "git -C \"$R\" pack-refs --all && test ! -e \"$R/refs/tags/t/1/x\""),
                     0);
    assert_int_equal(gc(s), 0);
    assert_int_equal(save_text(s->store, "t/2/x", "new", NULL, NULL), 0); /* loose over packed */
    assert_true(gc(s) > 0);
    assert_int_equal(holds_text(s->store, "t/1/x", "one"), 1);
    assert_int_equal(holds_text(s->store, "t/2/x", "new"), 1);
}

/*
 * A commit of somebody else, referenced or not, keeps what it names; young blobs of nobody stay
 * too.
 */
static void foreign_work_stays(void **state)
{
    struct scratch *s = *state;
    static const char make[] =
        "cd \"$R\" && export GIT_AUTHOR_NAME=u GIT_AUTHOR_EMAIL=u GIT_COMMITTER_NAME=u "
        "GIT_COMMITTER_EMAIL=u && B=$(printf mine | git hash-object -w --stdin) && "
        "T=$(printf '100644 blob %s\\ta.bin\\n' $B | git mktree) && C=$(git commit-tree -m m $T) "
        "&& "
        "D=$(git commit-tree -p $C -m n $T) && git update-ref refs/heads/main $D && "
        "printf dangling | git hash-object -w --stdin > young && "
        "printf old | git hash-object -w --stdin > old";
    struct ckpt_saved saved;

    assert_int_equal(save_text(s->store, "t/x", "mine", &saved, NULL), 0);
    assert_int_equal(shell(s, make), 0);
    assert_int_equal(save_text(s->store, "t/x", "other", NULL, NULL), 0);
    assert_true(gc(s) > 0);
    assert_true(object_exists(s, saved.files[0])); /* refs/heads/main holds it */
    assert_int_equal(shell(s, "cd \"$R\" && git log --format=%h main | wc -l | grep -q 2"), 0);
    assert_int_equal(shell(s, "cd \"$R\" && git update-ref -d refs/heads/main"), 0);
    char *command =
        cs_xasprintf("cd \"$R\" && find objects -type f -path 'objects/[0-9a-f][0-9a-f]/*' "
                     "! -path \"objects/$(cut -c1-2 young)/$(cut -c3- young)\" "
                     "-exec touch -d '2 hours ago' {} +");
    assert_int_equal(shell(s, command), 0);
    free(command);
    assert_true(gc(s) > 0);                        /* "old" alone */
    assert_true(object_exists(s, saved.files[0])); /* u's dangling commit holds it */
    assert_int_equal(shell(s, "cd \"$R\" && git cat-file -e $(cat young) && ! git cat-file -e "
                              "$(cat old) 2> /dev/null"),
                     0);
    assert_int_equal(shell(s, "cd \"$R\" && git fsck --strict 2>&1 | grep -q missing"), 1);
}

static void temporary_files(void **state)
{
    struct scratch *s = *state;
    char young[700], old[700], other[700];

    assert_int_equal(save_text(s->store, "t/x", "x", NULL, NULL), 0);
    assert_int_equal(shell(s, "mkdir -p \"$R/objects/00\""), 0);
    snprintf(young, sizeof young, "%s/objects/00/tmp_obj_young", s->repo);
    snprintf(old, sizeof old, "%s/objects/00/tmp_obj_old", s->repo);
    snprintf(other, sizeof other, "%s/objects/00/other", s->repo);
    assert_int_equal(cs_write_file(young, "abc", 3, NULL), 0);
    assert_int_equal(cs_write_file(old, "abc", 3, NULL), 0);
    assert_int_equal(cs_write_file(other, "abc", 3, NULL), 0);
    age(old, 2);
    age(other, 2);
    assert_int_equal(gc(s), 3);
    assert_int_equal(access(young, F_OK), 0);
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(other, F_OK), 0);
}

/* With anything unreadable among the roots nothing is known to be free. */
static void refuses_damage(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved old, saved;
    struct cs_error err;
    char ref[700];

    assert_int_equal(save_text(s->store, "t/x", "old", &old, NULL), 0);
    assert_int_equal(save_text(s->store, "t/x", "new", &saved, NULL), 0);
    const int before = count_objects(s);
    char *path = object_path(s, saved.commit);
    struct cs_buf commit = {0};
    assert_int_equal(cs_read_file(&commit, path, 10000, NULL), 0);
    overwrite(path, commit.data, commit.size / 2);
    assert_int_equal(ckpt_gc(s->store, NULL, &err), CS_ECORRUPT);
    assert_non_null(strstr(err.detail, "refs/tags/t/x"));
    overwrite(path, commit.data, commit.size);
    snprintf(ref, sizeof ref, "%s/refs/tags/t/empty", s->repo);
    assert_int_equal(cs_write_file(ref, "", 0, NULL), 0);
    assert_int_equal(ckpt_gc(s->store, NULL, &err), CS_ECORRUPT);
    assert_int_equal(count_objects(s), before);
    unlink(ref);
    assert_true(gc(s) > 0);
    assert_false(object_exists(s, old.files[0]));
    cs_buf_clear(&commit);
    free(path);
}

static void waits_and_gives_up(void **state)
{
    struct scratch *s = *state;
    struct cs_error err;
    char path[700];

    snprintf(path, sizeof path, "%s/csweep.lock", s->repo);
    const int fd = open(path, O_RDWR | O_CREAT, 0644);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    assert_int_equal(save_text(s->store, "t/x", "x", NULL, NULL), 0); /* savers share it */
    const double start = cs_mono_seconds();
    assert_int_equal(ckpt_gc(s->store, NULL, &err), CS_EBUSY);
    assert_true(cs_mono_seconds() - start > 4 && cs_mono_seconds() - start < 8);
    assert_non_null(strstr(err.detail, "csweep.lock"));
    close(fd);
    assert_int_equal(gc(s), 0);
}

enum { SAVERS = 4, ROUNDS = 60 };

/*
 * Contents come back again and again: gc finds them unreferenced while the next save is about to
 * reuse them.
 */
static int save_rounds(const struct scratch *s, int number)
{
    ckpt_store *store = NULL;
    char tag[32], text[32];
    int rc = ckpt_store_open(&store, s->repo, false, NULL);

    for (int i = 0; rc == 0 && i < ROUNDS; i++) {
        snprintf(tag, sizeof tag, "t/%d/%d", number, i % 3);
        snprintf(text, sizeof text, "content %d", i % 5);
        rc = save_text(store, tag, text, NULL, NULL);
        if (rc == 0 && holds_text(store, tag, text) != 1)
            return 2;
    }
    return rc != 0;
}

static void beside_savers(void **state)
{
    struct scratch *s = *state;
    int bad = 0, rounds = 0, status;
    char tag[32], text[32];

    for (int i = 0; i < SAVERS; i++)
        if (fork() == 0)
            _exit(save_rounds(s, i));
    for (int left = SAVERS; left;) {
        const int rc = ckpt_gc(s->store, NULL, NULL);
        assert_int_equal(rc, 0); /* savers without pause do not starve it */
        rounds++;
        while (left && waitpid(-1, &status, WNOHANG) > 0) {
            left--;
            bad += status != 0;
        }
    }
    assert_int_equal(bad, 0);
    assert_true(rounds >= 10);
    for (int i = 0; i < SAVERS * 3; i++) {
        const int last = ROUNDS - 3 + i % 3; /* the round that saved it last */
        snprintf(tag, sizeof tag, "t/%d/%d", i / 3, last % 3);
        snprintf(text, sizeof text, "content %d", last % 5);
        assert_int_equal(holds_text(s->store, tag, text), 1);
    }
    gc(s);
    assert_int_equal(ckpt_verify(s->store, "", NULL, NULL, NULL), 0);
    assert_int_equal(
        shell(s, "test -z \"$(git -C \"$R\" fsck --strict --full 2>&1 | grep -v notice)\""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CKPT_TEST(frees_only_unreferenced), CKPT_TEST(superseded_matches),
        CKPT_TEST(packed_refs_are_roots),   CKPT_TEST(foreign_work_stays),
        CKPT_TEST(temporary_files),         CKPT_TEST(refuses_damage),
        CKPT_TEST(waits_and_gives_up),      CKPT_TEST(beside_savers),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
