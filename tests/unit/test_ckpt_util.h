/*
 * test_ckpt_util.h - a scratch folder, and shorthands to save and load, for the tests of the
 * checkpoint store.
 */
#ifndef TEST_CKPT_UTIL_H
#define TEST_CKPT_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_str.h"

struct scratch {
    char folder[512];
    char repo[600];
    ckpt_store *store;
};

static inline int scratch_setup(void **state)
{
    struct scratch *s = cs_xcalloc(1, sizeof *s);
    const char *base = getenv("TMPDIR");

    snprintf(s->folder, sizeof s->folder, "%s/csweep-ckpt-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(s->folder))
        return -1;
    snprintf(s->repo, sizeof s->repo, "%s/checkpoints.git", s->folder);
    *state = s;
    return ckpt_store_open(&s->store, s->repo, true, NULL);
}

static inline int scratch_remove_entry(const char *path, const struct stat *st, int flag,
                                       struct FTW *ftw)
{
    (void) st, (void) flag, (void) ftw;
    return remove(path);
}

static inline int scratch_teardown(void **state)
{
    struct scratch *s = *state;

    ckpt_store_close(s->store);
    nftw(s->folder, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(s);
    return 0;
}

#define CKPT_TEST(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

/* Save one file "a.bin" under tag. */
static inline int save_text(ckpt_store *store, const char *tag, const char *text,
                            struct ckpt_saved *saved, struct cs_error *err)
{
    const struct ckpt_file file = {"a.bin", text, strlen(text)};
    return ckpt_save(store, tag, "a title", NULL, 0, &file, 1, saved, err);
}

/* 1 when tag loads and holds text; else the negative code of ckpt_load, or 0 for other content. */
static inline int holds_text(ckpt_store *store, const char *tag, const char *text)
{
    ckpt_checkpoint *loaded = NULL;
    const int rc = ckpt_load(&loaded, store, tag, NULL);

    if (rc < 0)
        return rc;
    const struct ckpt_file *file = ckpt_checkpoint_file(loaded, "a.bin");
    const int same =
        file && file->size == strlen(text) && memcmp(file->data, text, file->size) == 0;
    ckpt_checkpoint_free(loaded);
    return same;
}

static inline char *object_path(const struct scratch *s, const char *id)
{
    return cs_xasprintf("%s/objects/%.2s/%s", s->repo, id, id + 2);
}

static inline bool object_exists(const struct scratch *s, const char *id)
{
    char *path = object_path(s, id);
    const bool found = access(path, F_OK) == 0;
    free(path);
    return found;
}

/* Replace a read-only file's bytes in place. */
static inline void overwrite(const char *path, const void *data, size_t size)
{
    assert_int_equal(chmod(path, 0644), 0);
    const int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(cs_write_all(fd, data, size, NULL), 0);
    close(fd);
}

/* Set the modification time of path to some hours ago. */
static inline void age(const char *path, int hours)
{
    struct timespec times[2];

    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= hours * 3600L;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Loose objects in the repository. */
static inline int count_objects(const struct scratch *s)
{
    char *command =
        cs_xasprintf("find '%s/objects' -type f -path '*/[0-9a-f][0-9a-f]/*' | wc -l", s->repo);
    FILE *pipe = popen(command, "r");
    int count = -1;

    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    free(command);
    return count;
}

/* Run a shell command with the repository as $R; its exit status. */
static inline int shell(const struct scratch *s, const char *command)
{
    assert_int_equal(setenv("R", s->repo, 1), 0);
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

#endif
