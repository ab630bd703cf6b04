/* Files: whole or not at all, limits, folders that cannot be made, full disks. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_io.h"

static int enter_folder(void **state)
{
    static char folder[] = "/tmp/csweep-io-XXXXXX";

    *state = folder;
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf %s", (const char *) *state);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

/* Entries of the working folder that begin with prefix. */
static int entries(const char *prefix)
{
    char command[256];
    int count = -1;

    snprintf(command, sizeof command, "ls -A | grep -c '^%s'", prefix);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

static void holds(const char *path, const char *expected)
{
    struct cs_buf data = {0};

    assert_int_equal(cs_read_file(&data, path, 1 << 20, NULL), 0);
    assert_string_equal(data.data, expected);
    cs_buf_clear(&data);
}

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void write_and_read_whole_files(void **state)
{
    struct cs_error err;
    struct cs_buf data = {0};
    char *big = malloc(300000);

    (void) state;
    assert_int_equal(cs_write_file("a", "one", 3, &err), 0);
    holds("a", "one");
    assert_int_equal(cs_write_file("a", "longer text", 11, &err), 0);
    assert_int_equal(cs_write_file("a", "two", 3, &err), 0);
    holds("a", "two");
    assert_int_equal(entries("a"), 1);
    assert_int_equal(cs_write_file("a", "", 0, &err), 0);
    holds("a", "");

    for (size_t i = 0; i < 300000; i++)
        big[i] = (char) (i * 7 + i / 256);
    assert_int_equal(cs_write_file("./a", big, 300000, &err), 0);
    cs_buf_adds(&data, "head:");
    assert_int_equal(cs_read_file(&data, "a", 300000, &err), 0); /* appends */
    assert_int_equal(data.size, 300005);
    assert_memory_equal(data.data, "head:", 5);
    assert_memory_equal(data.data + 5, big, 300000);
    cs_buf_clear(&data);
    free(big);
}

static void reading_is_limited_and_says_what_failed(void **state)
{
    struct cs_error err;
    struct cs_buf data = {0};

    (void) state;
    assert_int_equal(cs_write_file("b", "12345", 5, &err), 0);
    assert_int_equal(cs_read_file(&data, "b", 5, &err), 0);
    cs_buf_clear(&data);
    assert_int_equal(cs_read_file(&data, "b", 4, &err), CS_ERANGE);
    assert_string_equal(err.detail, "b: longer than 4 bytes");
    assert_int_equal(cs_read_file(&data, "none", 4, &err), CS_EIO);
    assert_string_equal(err.detail, "none: cannot open: No such file or directory");
    assert_int_equal(cs_read_file(&data, ".", 4, &err), CS_EIO);
    assert_string_equal(err.detail, ".: cannot read: Is a directory");
    assert_int_equal(cs_read_file(&data, "b/c", 4, &err), CS_EIO);
    assert_string_equal(err.detail, "b/c: cannot open: Not a directory");
    cs_buf_clear(&data);
}

/* Whatever stops the writing, the old file stays and nothing else is left. */
static void a_failed_write_changes_nothing(void **state)
{
    struct cs_error err;
    char big[8192] = {0};

    (void) state;
    assert_int_equal(cs_write_file("c", "old", 3, &err), 0);
    limit_file_size(4096);
    const int rc = cs_write_file("c", big, sizeof big, &err);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(rc, CS_EIO);
    assert_string_equal(err.detail, "cannot write: File too large");
    assert_string_equal(err.where, "c");
    holds("c", "old");
    assert_int_equal(entries("c"), 1);

    assert_int_equal(cs_write_file("nowhere/c", "x", 1, &err), CS_EIO);
    assert_string_equal(err.detail, "nowhere/c: cannot create: No such file or directory");
    assert_int_equal(mkdir("cdir", 0777), 0);
    assert_int_equal(cs_write_file("cdir", "x", 1, &err), CS_EIO);
    assert_string_equal(err.detail, "cdir: cannot rename: Is a directory");
    assert_int_equal(entries("cdir"), 1);
}

static void a_full_disk_has_its_own_code(void **state)
{
    struct cs_error err;
    const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void) state;
    assert_true(fd >= 0);
    assert_int_equal(cs_write_all(fd, "x", 1, &err), CS_ENOSPACE);
    assert_string_equal(err.detail, "cannot write: No space left on device");
    assert_int_equal(cs_write_all(fd, "", 0, &err), 0);
    close(fd);
    assert_int_equal(cs_write_all(-1, "x", 1, &err), CS_EIO);
    assert_string_equal(err.detail, "cannot write: Bad file descriptor");
}

/* A pipe whose reader is slow takes a large write in pieces. */
static void short_writes_are_continued(void **state)
{
    enum { SIZE = 1 << 20 };
    int ends[2];
    char *data = malloc(SIZE), *got = malloc(SIZE);
    size_t at = 0;

    (void) state;
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char) (i ^ i >> 8 ^ i >> 16);
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        _exit(cs_write_all(ends[1], data, SIZE, NULL) == 0 ? 0 : 1);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], got + at, SIZE - at)) > 0;)
        at += (size_t) n;
    close(ends[0]);
    assert_int_equal(at, SIZE);
    assert_memory_equal(got, data, SIZE);
    free(data);
    free(got);
}

static void folders_are_made_with_their_parents(void **state)
{
    struct cs_error err;
    struct stat st;
    char absolute[256];

    assert_int_equal(cs_make_dirs("d/e/f", &err), 0);
    assert_int_equal(cs_make_dirs("d/e/f", &err), 0);
    assert_int_equal(cs_make_dirs("d//e/g/", &err), 0);
    assert_int_equal(stat("d/e/g", &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    snprintf(absolute, sizeof absolute, "%s/d/h/i", (const char *) *state);
    assert_int_equal(cs_make_dirs(absolute, &err), 0);
    assert_int_equal(stat("d/h/i", &st), 0);
    assert_int_equal(cs_make_dirs("/", &err), 0);
    assert_int_equal(cs_make_dirs(".", &err), 0);
}

static void folders_that_cannot_be_made(void **state)
{
    struct cs_error err;

    (void) state;
    assert_int_equal(cs_write_file("file", "x", 1, &err), 0);
    assert_int_equal(cs_make_dirs("file", &err), CS_EIO);
    assert_string_equal(err.detail, "file: is not a folder");
    assert_int_equal(cs_make_dirs("file/below/it", &err), CS_EIO);
    assert_string_equal(err.detail, "file/below: cannot make the folder: Not a directory");
    assert_int_equal(symlink("nowhere", "dangling"), 0);
    assert_int_equal(cs_make_dirs("dangling", &err), CS_EIO);
    assert_string_equal(err.detail, "dangling: is not a folder");
    assert_int_equal(cs_make_dirs("/proc/none/x", &err), CS_EIO);
    assert_string_equal(err.detail,
                        "/proc/none: cannot make the folder: No such file or directory");
    /* The empty path was once read past its end. */
    assert_int_equal(cs_make_dirs("", &err), CS_EIO);
    assert_string_equal(err.detail, ": cannot make the folder: No such file or directory");
}

static void parents_are_flushed(void **state)
{
    struct cs_error err;

    (void) state;
    assert_int_equal(cs_sync_parent("name", &err), 0);
    assert_int_equal(cs_sync_parent("/name", &err), 0);
    assert_int_equal(cs_sync_parent("nofolder/name", &err), CS_EIO);
    assert_string_equal(err.detail, "nofolder: cannot flush the folder: No such file or directory");
}

static void clocks_go_forward(void **state)
{
    const double wall = cs_wall_seconds(), mono = cs_mono_seconds();

    (void) state;
    usleep(20000);
    const double elapsed = cs_mono_seconds() - mono;
    assert_true(elapsed >= 0.02 && elapsed < 60);
    assert_true(wall > 1.6e9); /* seconds since 1970, not since boot */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_read_whole_files),
        cmocka_unit_test(reading_is_limited_and_says_what_failed),
        cmocka_unit_test(a_failed_write_changes_nothing),
        cmocka_unit_test(a_full_disk_has_its_own_code),
        cmocka_unit_test(short_writes_are_continued),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(folders_that_cannot_be_made),
        cmocka_unit_test(parents_are_flushed),
        cmocka_unit_test(clocks_go_forward),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
