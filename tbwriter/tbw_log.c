#include "tbwriter/tbw_log.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cs_error.h"
#include "common/cs_str.h"

enum { DEPTH_MAX = 32 }; /* of folders: links may lead in circles */

struct log_file {
    char *run, *path;
    const char *name; /* the end of path */
    tbw_reader *reader;
    uint64_t torn; /* that was told */
    bool begun, lost;
    bool damaged, told; /* waiting behind damage; that nothing follows it was said */
    char *why;
};

struct tbw_log {
    char *path;
    struct log_file **files; /* by run, then name */
    size_t count, capacity;
    size_t at; /* the file that is read */
    bool scanned;
};

int tbw_log_open(tbw_log **out, const char *path, struct cs_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return cs_fail_errno(err, "%s: cannot open", path);
    tbw_log *log = cs_xcalloc(1, sizeof *log);
    log->path = cs_xstrdup(path);
    *out = log;
    return 0;
}

void tbw_log_close(tbw_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->count; i++) {
        tbw_reader_close(log->files[i]->reader);
        free(log->files[i]->run);
        free(log->files[i]->path);
        free(log->files[i]->why);
        free(log->files[i]);
    }
    free(log->files);
    free(log->path);
    free(log);
}

/* ---- looking for files ---- */

static bool known(const tbw_log *log, const char *path)
{
    for (size_t i = 0; i < log->count; i++)
        if (strcmp(log->files[i]->path, path) == 0)
            return true;
    return false;
}

/* path is taken. */
static void add_file(tbw_log *log, const char *run, char *path)
{
    const char *slash = strrchr(path, '/');

    if (log->count == log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 16;
        log->files = cs_xrealloc(log->files, log->capacity * sizeof(void *));
    }
    struct log_file *file = cs_xcalloc(1, sizeof *file);
    file->run = cs_xstrdup(run);
    file->path = path;
    file->name = slash ? slash + 1 : path;
    log->files[log->count++] = file;
}

static int by_run(const void *a, const void *b)
{
    const struct log_file *x = *(struct log_file *const *) a, *y = *(struct log_file *const *) b;
    const int runs = strcmp(x->run, y->run);

    return runs ? runs : strcmp(x->name, y->name);
}

/* One entry of a folder: the name below it, or nothing that is wanted. */
static int scan_folder(tbw_log *log, const char *folder, const char *run, int depth,
                       struct cs_error *err);

static int scan_entry(tbw_log *log, const char *folder, const char *run, const char *name,
                      int depth, struct cs_error *err)
{
    char *path = cs_xasprintf("%s/%s", folder, name);
    struct stat st;
    int rc = 0;

    if (stat(path, &st) < 0) { /* gone meanwhile, or a link to nowhere */
        free(path);
        return 0;
    }
    if (S_ISREG(st.st_mode) && strstr(name, "tfevents") && !known(log, path)) {
        add_file(log, run, path);
        return 0;
    }
    if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
        char *below = strcmp(run, ".") == 0 ? cs_xstrdup(name) : cs_xasprintf("%s/%s", run, name);
        rc = scan_folder(log, path, below, depth + 1, err);
        free(below);
    }
    free(path);
    return rc;
}

static int scan_folder(tbw_log *log, const char *folder, const char *run, int depth,
                       struct cs_error *err)
{
    DIR *dir = opendir(folder);
    int rc = 0;

    if (!dir && depth > 0)
        return 0; /* gone meanwhile, or not ours to read */
    if (!dir)
        return cs_fail_errno(err, "%s: cannot list the folder", folder);
    for (const struct dirent *e; rc == 0 && (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            rc = scan_entry(log, folder, run, e->d_name, depth, err);
    closedir(dir);
    return rc;
}

static int scan(tbw_log *log, struct cs_error *err)
{
    struct stat st;

    if (stat(log->path, &st) < 0)
        return cs_fail_errno(err, "%s: cannot open", log->path);
    if (!S_ISDIR(st.st_mode)) {
        if (log->count == 0)
            add_file(log, ".", cs_xstrdup(log->path));
        return 0;
    }
    CS_TRY(scan_folder(log, log->path, ".", 0, err));
    if (log->count)
        qsort(log->files, log->count, sizeof(void *), by_run);
    return 0;
}

/* ---- reading ---- */

static int lose(struct tbw_log_item *out, struct log_file *file, const struct cs_error *why)
{
    file->lost = true;
    tbw_reader_close(file->reader);
    file->reader = NULL;
    free(file->why);
    file->why = cs_xstrdup(why->detail);
    out->kind = TBW_LOG_LOST;
    out->why = file->why;
    return 1;
}

/* Behind damage: 1 and a gap, or 0 when nothing new is to be said. */
static int go_on(struct tbw_log_item *out, struct log_file *file)
{
    struct cs_error err;
    struct tbw_gap gap = {tbw_reader_offset(file->reader), 0};
    const int rc = tbw_reader_recover(file->reader, &gap, &err);

    if (rc < 0)
        return lose(out, file, &err);
    if (rc == 0 && file->told)
        return 0;
    out->kind = TBW_LOG_GAP;
    out->gap = gap;
    out->why = file->why;
    file->damaged = file->told = rc == 0;
    return 1;
}

/* 1: an item of this file; 0: none for now. */
static int next_of(struct tbw_log_item *out, struct log_file *file)
{
    struct cs_error err;

    if (file->lost)
        return 0;
    if (!file->reader && tbw_reader_open(&file->reader, file->path, &err) < 0)
        return lose(out, file, &err);
    if (!file->begun) {
        file->begun = true;
        out->kind = TBW_LOG_FILE;
        return 1;
    }
    if (file->damaged)
        return go_on(out, file);
    const int rc = tbw_reader_next(&out->event, file->reader, &err);
    if (rc == 1) {
        out->kind = TBW_LOG_EVENT;
        return 1;
    }
    if (rc == 0) {
        const uint64_t torn = tbw_reader_torn_bytes(file->reader);
        const bool news = torn > 0 && torn != file->torn;
        file->torn = torn;
        out->kind = TBW_LOG_TORN;
        out->gap.from = tbw_reader_offset(file->reader);
        out->gap.to = out->gap.from + torn;
        return news;
    }
    if (rc != CS_ECORRUPT)
        return lose(out, file, &err);
    free(file->why);
    file->why = cs_xstrdup(err.detail);
    file->damaged = true;
    return go_on(out, file);
}

int tbw_log_next(struct tbw_log_item *out, tbw_log *log, struct cs_error *err)
{
    if (!log->scanned)
        CS_TRY(scan(log, err));
    log->scanned = true;
    for (; log->at < log->count; log->at++) {
        struct log_file *file = log->files[log->at];
        *out = (struct tbw_log_item){.run = file->run, .path = file->path, .why = ""};
        out->last =
            log->at + 1 == log->count || strcmp(log->files[log->at + 1]->run, file->run) != 0;
        if (next_of(out, file) == 1)
            return 1;
    }
    log->at = 0;
    log->scanned = false;
    return 0;
}
