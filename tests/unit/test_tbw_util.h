/* test_tbw_util.h - scratch folders and whole event files, for the tests of tbwriter. */
#ifndef TEST_TBW_UTIL_H
#define TEST_TBW_UTIL_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_str.h"

enum { SCRATCH_MAX = 512 };

static inline void scratch_make(char dir[SCRATCH_MAX])
{
    const char *base = getenv("TMPDIR");

    snprintf(dir, SCRATCH_MAX, "%s/tbw-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
}

/* Remove the folder and the files in it. */
static inline void scratch_remove(const char *dir)
{
    DIR *folder = opendir(dir);
    const struct dirent *entry;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        assert_int_equal(unlinkat(dirfd(folder), entry->d_name, 0), 0);
    }
    closedir(folder);
    assert_int_equal(rmdir(dir), 0);
}

static inline size_t scratch_count(const char *dir)
{
    DIR *folder = opendir(dir);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static inline void scratch_write(char **path, const char *dir, const char *name, const void *data,
                                 size_t size)
{
    *path = cs_xasprintf("%s/%s", dir, name);
    assert_int_equal(cs_write_file(*path, data, size, NULL), 0);
}

static inline size_t file_size(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (size_t) st.st_size;
}

#endif
