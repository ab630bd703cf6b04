/* The checkpoint store when nothing is broken: save, load, list, names, messages, races. */
#include "test_ckpt_util.h"

static void round_trip(void **state)
{
    struct scratch *s = *state;
    static const unsigned char binary[] = {0, 255, 1, 0, '\n'};
    const struct ckpt_file files[] = {
        {"z.bin", binary, sizeof binary},
        {"a.txt", "text", 4},
        {"empty", NULL, 0},
    };
    const struct ckpt_trailer trailers[] = {{"lr", "0.1"}, {"momentum", "0.9"}};
    struct ckpt_saved saved;
    ckpt_checkpoint *loaded = NULL;
    char hash[CKPT_ID_SIZE];

    assert_int_equal(
        ckpt_save(s->store, "s/0001/best", "title", trailers, 2, files, 3, &saved, NULL), 0);
    assert_int_equal(saved.superseded_bytes, 0);
    for (int i = 0; i < 3; i++) {
        ckpt_hash(hash, files[i].data, files[i].size);
        assert_string_equal(hash, saved.files[i]);
    }
    assert_int_equal(ckpt_load(&loaded, s->store, "s/0001/best", NULL), 0);
    assert_string_equal(loaded->tag, "s/0001/best");
    assert_string_equal(loaded->message, "title\n\nlr: 0.1\nmomentum: 0.9\n");
    assert_string_equal(loaded->commit, saved.commit);
    assert_int_equal(loaded->count, 3);
    assert_string_equal(loaded->files[0].name, "a.txt");
    assert_string_equal(loaded->ids[0], saved.files[1]);
    for (int i = 0; i < 3; i++) {
        const struct ckpt_file *file = ckpt_checkpoint_file(loaded, files[i].name);
        assert_non_null(file);
        assert_int_equal(file->size, files[i].size);
        assert_int_equal((uintptr_t) file->data % 64, 0);
        if (file->size)
            assert_memory_equal(file->data, files[i].data, file->size);
        assert_int_equal(((const char *) file->data)[file->size], '\0');
    }
    assert_null(ckpt_checkpoint_file(loaded, "none"));
    ckpt_checkpoint_free(loaded);
    assert_int_equal(ckpt_load_file(&loaded, s->store, "s/0001/best", files[1].name, NULL), 0);
    assert_int_equal(loaded->count, 1);
    assert_int_equal(ckpt_checkpoint_file(loaded, files[1].name)->size, files[1].size);
    ckpt_checkpoint_free(loaded);
    assert_int_equal(ckpt_load_file(&loaded, s->store, "s/0001/best", "none", NULL), 0);
    assert_int_equal(loaded->count, 0);
    ckpt_checkpoint_free(loaded);
    assert_int_equal(ckpt_load(&loaded, s->store, "s/0001/last", NULL), CS_ENONAME);
    assert_int_equal(ckpt_load(&loaded, s->store, "s/0001", NULL), CS_ENONAME);
}

static void hash_is_git_s(void **state)
{
    char hash[CKPT_ID_SIZE];

    (void) state;
    ckpt_hash(hash, "hello\n", 6);
    assert_string_equal(hash, "ce013625030ba8dba906f756967f9e9ca394464a");
    ckpt_hash(hash, "", 0);
    assert_string_equal(hash, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

/* Sizes around the 64 KiB pieces the object code works in, and a large one. */
static void many_sizes(void **state)
{
    struct scratch *s = *state;
    static const size_t sizes[] = {1, 26, 31, 32, 33, 65535, 65536, 65537, 200000, 20u << 20};
    unsigned char *data = malloc(20u << 20);
    uint32_t random = 1;

    for (size_t i = 0; i < 20u << 20; i++)
        data[i] = (unsigned char) ((random = random * 1664525u + 1013904223u) >> 24);
    for (size_t i = 0; i < CS_COUNT(sizes); i++) {
        const struct ckpt_file file = {"f", data, sizes[i]};
        ckpt_checkpoint *loaded = NULL;
        assert_int_equal(ckpt_save(s->store, "t/x", "t", NULL, 0, &file, 1, NULL, NULL), 0);
        assert_int_equal(ckpt_load(&loaded, s->store, "t/x", NULL), 0);
        assert_int_equal(loaded->files[0].size, sizes[i]);
        assert_memory_equal(loaded->files[0].data, data, sizes[i]);
        ckpt_checkpoint_free(loaded);
    }
    free(data);
}

static void equal_files_are_stored_once(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved one, two;

    assert_int_equal(save_text(s->store, "s/1/best", "weights", &one, NULL), 0);
    assert_int_equal(count_objects(s), 4); /* blob tree commit tag */
    assert_int_equal(save_text(s->store, "s/2/best", "weights", &two, NULL), 0);
    assert_string_equal(one.files[0], two.files[0]);
    assert_string_not_equal(one.tag, two.tag);
    assert_true(count_objects(s) <=
                6); /* blob and tree are shared; the commit too within a second */
}

static void replacing_a_tag(void **state)
{
    struct scratch *s = *state;
    struct ckpt_saved saved;
    char *old;

    assert_int_equal(save_text(s->store, "s/1/last", "first", &saved, NULL), 0);
    old = object_path(s, saved.files[0]);
    struct stat st;
    assert_int_equal(stat(old, &st), 0);
    free(old);
    assert_int_equal(save_text(s->store, "s/1/last", "second", &saved, NULL), 0);
    assert_int_equal(saved.superseded_bytes, st.st_size);
    assert_int_equal(holds_text(s->store, "s/1/last", "second"), 1);
    assert_int_equal(save_text(s->store, "s/1/last", "second", &saved, NULL), 0);
    assert_int_equal(saved.superseded_bytes, 0);
}

struct listing {
    char text[512];
    int stop_after;
};

static int add_to_listing(void *context, const char *tag, const char *message)
{
    struct listing *listing = context;

    strcat(strcat(listing->text, tag), message ? " " : "! ");
    return --listing->stop_after == 0 ? 77 : 0;
}

static void check_list(ckpt_store *store, const char *prefix, const char *expected)
{
    struct listing listing = {0};

    assert_int_equal(ckpt_list(store, prefix, add_to_listing, &listing, NULL), 0);
    assert_string_equal(listing.text, expected);
}

static void listing_by_prefix(void **state)
{
    struct scratch *s = *state;
    static const char *const tags[] = {"ab/1/x", "a/2/last", "a/1/best", "a.b/1"};
    struct listing listing = {.stop_after = 1};

    check_list(s->store, "", "");
    for (size_t i = 0; i < CS_COUNT(tags); i++)
        assert_int_equal(save_text(s->store, tags[i], tags[i], NULL, NULL), 0);
    check_list(s->store, "a", "a/1/best a/2/last ");
    check_list(s->store, "a/", "a/1/best a/2/last ");
    check_list(s->store, "a/1", "a/1/best ");
    check_list(s->store, "a/1/best", "a/1/best ");
    check_list(s->store, "none", "");
    check_list(s->store, "", "a.b/1 a/1/best a/2/last ab/1/x ");
    assert_int_equal(ckpt_list(s->store, "../..", add_to_listing, &listing, NULL), CS_ERANGE);
    assert_int_equal(ckpt_list(s->store, "", add_to_listing, &listing, NULL), 77);
    /* packed by plain git: still all there, and replaceable */
    assert_int_equal(shell(s, "git -C \"$R\" pack-refs --all && git -C \"$R\" gc -q"), 0);
    check_list(s->store, "a", "a/1/best a/2/last ");
    assert_int_equal(holds_text(s->store, "a/1/best", "a/1/best"), 1);
    assert_int_equal(save_text(s->store, "a/1/best", "new", NULL, NULL), 0);
    check_list(s->store, "a", "a/1/best a/2/last ");
    assert_int_equal(holds_text(s->store, "a/1/best", "new"), 1);
    assert_int_equal(ckpt_verify(s->store, "", NULL, NULL, NULL), 0);
}

static void bad_names(void **state)
{
    struct scratch *s = *state;
    static const char *const tags[] = {
        "",       "/a",    "a/",   "a//b", "../x", "a/../b",       "a.lock", "a b",  "-rf",
        "a/-b",   "a:b",   "a~1",  "a^",   "a?",   "a*",           "[",      "a\\b", "a\nb",
        "\x1b[m", "a\x9b", ".a/b", "a..b", "@{",   "\xe2\x80\xae", "a.",     "a/.b", "x/y.lock/z",
    };
    static const char *const names[] = {"",     ".",  "..",   ".git", "a/b", "a b",
                                        "a\nb", ".x", "a\\b", "\xff", "-\t"};
    char longest[CKPT_NAME_MAX + 2];
    struct cs_error err;

    for (size_t i = 0; i < CS_COUNT(tags); i++)
        if (save_text(s->store, tags[i], "x", NULL, &err) != CS_ERANGE)
            fail_msg("tag '%s' was not refused", tags[i]);
    for (size_t i = 0; i < CS_COUNT(names); i++) {
        const struct ckpt_file file = {names[i], "x", 1};
        if (ckpt_save(s->store, "t", "t", NULL, 0, &file, 1, NULL, &err) != CS_ERANGE)
            fail_msg("file '%s' was not refused", names[i]);
    }
    memset(longest, 'x', sizeof longest);
    longest[CKPT_NAME_MAX + 1] = '\0';
    assert_int_equal(save_text(s->store, longest, "x", NULL, &err), CS_ERANGE);
    longest[CKPT_NAME_MAX] = '\0';
    assert_int_equal(save_text(s->store, longest, "x", NULL, &err), 0);
    const struct ckpt_file twice[] = {{"a", "x", 1}, {"a", "y", 1}};
    assert_int_equal(ckpt_save(s->store, "t", "t", NULL, 0, twice, 2, NULL, &err), CS_ERANGE);
    assert_int_equal(ckpt_save(s->store, "t", "t", NULL, 0, twice, 0, NULL, &err), CS_ERANGE);
    assert_int_equal(save_text(s->store, "a", "x", NULL, &err), 0);
    assert_int_equal(save_text(s->store, "a/b", "x", NULL, &err), CS_ERANGE); /* a is a tag */
    assert_string_equal(err.where, "a/b");
    assert_non_null(strstr(err.detail, "clash"));
    assert_int_equal(save_text(s->store, "b/c/d", "x", NULL, &err), 0);
    assert_int_equal(save_text(s->store, "b", "x", NULL, &err), CS_ERANGE); /* b is a folder */
    assert_int_equal(shell(s, "git -C \"$R\" pack-refs --all"), 0);
    assert_int_equal(save_text(s->store, "b/c", "x", NULL, &err), CS_ERANGE); /* a packed one */
    assert_int_equal(save_text(s->store, "a/b/c", "x", NULL, &err), CS_ERANGE);
    assert_int_equal(save_text(s->store, "b/c/e", "x", NULL, &err), 0);
}

static void messages(void **state)
{
    struct scratch *s = *state;
    const struct ckpt_trailer trailers[] = {
        {"Accuracy/Val", "0.5"},
        {"two\nlines", "a\nb\tc\x1b[m"},
        {"empty", ""},
        {"utf", "\xc3\xa9\xff\xe2\x82"},
    };
    const struct ckpt_file file = {"f", "x", 1};
    ckpt_checkpoint *loaded = NULL;
    char value[16];

    assert_int_equal(ckpt_save(s->store, "t", "one\n\ntwo", trailers, 4, &file, 1, NULL, NULL), 0);
    assert_int_equal(ckpt_load(&loaded, s->store, "t", NULL), 0);
    assert_string_equal(loaded->message,
                        "one  two\n\nAccuracy-Val: 0.5\ntwo-lines: a b c [m\nempty:\n"
                        "utf: \xc3\xa9???\n");
    assert_true(ckpt_message_trailer(value, sizeof value, loaded->message, "Accuracy-Val"));
    assert_string_equal(value, "0.5");
    assert_true(ckpt_message_trailer(value, sizeof value, loaded->message, "empty"));
    assert_string_equal(value, "");
    assert_true(ckpt_message_trailer(value, 4, loaded->message, "two-lines"));
    assert_string_equal(value, "a b");
    assert_false(ckpt_message_trailer(value, sizeof value, loaded->message, "one"));
    assert_false(ckpt_message_trailer(value, sizeof value, loaded->message, "Accuracy"));
    ckpt_checkpoint_free(loaded);
    assert_false(ckpt_message_trailer(value, sizeof value, "lr: 1", "lr"));
    const struct ckpt_trailer nameless = {"", "x"};
    assert_int_equal(ckpt_save(s->store, "t", "t", &nameless, 1, &file, 1, NULL, NULL), CS_ERANGE);
}

static void opening(void **state)
{
    struct scratch *s = *state;
    ckpt_store *store = NULL;
    struct cs_error err;
    char path[700];

    snprintf(path, sizeof path, "%s/none.git", s->folder);
    assert_int_equal(ckpt_store_open(&store, path, false, &err), CS_ENONAME);
    assert_int_equal(ckpt_store_open(&store, s->folder, true, &err), CS_ECORRUPT); /* not empty */
    assert_int_equal(ckpt_store_open(&store, s->folder, false, &err), CS_ECORRUPT);
    assert_int_equal(shell(s, "test $(ls -A \"$R/..\" | wc -l) = 1"),
                     0); /* nothing left beside it */
    snprintf(path, sizeof path, "%s/new/deep/x.git//", s->folder);
    assert_int_equal(ckpt_store_open(&store, path, true, &err), 0);
    assert_int_equal(save_text(store, "t", "x", NULL, NULL), 0);
    ckpt_store_close(store);
    assert_int_equal(ckpt_store_open(&store, path, true, &err), 0);
    assert_int_equal(holds_text(store, "t", "x"), 1);
    ckpt_store_close(store);
    assert_int_equal(shell(s, "test \"$(git -C \"$R\" config gc.auto)\" = 0 && "
                              "test \"$(git -C \"$R\" config core.compression)\" = 0"),
                     0);
}

/* Start count children that run body(argument, number); the number that did not exit with 0. */
static int run_children(int count, int (*body)(const struct scratch *, int),
                        const struct scratch *s)
{
    int bad = 0, status;

    for (int i = 0; i < count; i++) {
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(body(s, i));
    }
    for (int i = 0; i < count; i++) {
        assert_true(wait(&status) > 0);
        bad += status != 0;
    }
    return bad;
}

static int create_and_save(const struct scratch *s, int number)
{
    ckpt_store *store = NULL;
    char path[700], tag[32];

    snprintf(path, sizeof path, "%s/raced.git", s->folder);
    snprintf(tag, sizeof tag, "race/%d", number);
    return ckpt_store_open(&store, path, true, NULL) < 0 ||
           save_text(store, tag, tag, NULL, NULL) < 0;
}

static void racing_creators(void **state)
{
    struct scratch *s = *state;
    ckpt_store *store = NULL;
    char path[700], tag[32];

    assert_int_equal(run_children(8, create_and_save, s), 0);
    snprintf(path, sizeof path, "%s/raced.git", s->folder);
    assert_int_equal(ckpt_store_open(&store, path, false, NULL), 0);
    for (int i = 0; i < 8; i++) {
        snprintf(tag, sizeof tag, "race/%d", i);
        assert_int_equal(holds_text(store, tag, tag), 1);
    }
    ckpt_store_close(store);
    assert_int_equal(shell(s, "test $(ls -A \"$R/..\" | wc -l) = 2"), 0);
}

static int save_twenty(const struct scratch *s, int number)
{
    ckpt_store *store = NULL;
    char tag[32];
    int rc = ckpt_store_open(&store, s->repo, false, NULL);

    for (int i = 0; rc == 0 && i < 20; i++) {
        snprintf(tag, sizeof tag, "many/%d/%d", number, i);
        rc = save_text(store, tag, i % 2 ? tag : "shared", NULL, NULL);
        if (rc == 0) /* all eight replace this one */
            rc = save_text(store, "many/shared", tag, NULL, NULL);
    }
    return rc != 0;
}

static void eight_savers(void **state)
{
    struct scratch *s = *state;
    char tag[32];

    assert_int_equal(run_children(8, save_twenty, s), 0);
    for (int i = 0; i < 160; i++) {
        snprintf(tag, sizeof tag, "many/%d/%d", i / 20, i % 20);
        assert_int_equal(holds_text(s->store, tag, i % 2 ? tag : "shared"), 1);
    }
    assert_int_equal(ckpt_verify(s->store, "many", NULL, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CKPT_TEST(round_trip),      cmocka_unit_test(hash_is_git_s),
        CKPT_TEST(many_sizes),      CKPT_TEST(equal_files_are_stored_once),
        CKPT_TEST(replacing_a_tag), CKPT_TEST(listing_by_prefix),
        CKPT_TEST(bad_names),       CKPT_TEST(messages),
        CKPT_TEST(opening),         CKPT_TEST(racing_creators),
        CKPT_TEST(eight_savers),
    };

    alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
