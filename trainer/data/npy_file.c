/* npy_file.c - the reader of npy.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/data/npy.h"

enum { HEADER_MAX = 1 << 16 };
static const int64_t most_numbers = (int64_t) 1 << 40;

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
    [TRAIN_NPY_F4] = {"<f4", 4}, [TRAIN_NPY_F8] = {"<f8", 8}, [TRAIN_NPY_U1] = {"|u1", 1},
    [TRAIN_NPY_I8] = {"<i8", 8}, [TRAIN_NPY_B1] = {"|b1", 1},
};

const char *train_npy_name(enum train_npy_type type)
{
    return types[type].name;
}

/* ---- the header: a Python dict of three keys ---- */

struct text {
    const char *at, *end;
};

static void skip_blanks(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t'))
        t->at++;
}

static bool take(struct text *t, const char *word)
{
    const size_t size = strlen(word);

    skip_blanks(t);
    if ((size_t) (t->end - t->at) < size || memcmp(t->at, word, size) != 0)
        return false;
    t->at += size;
    return true;
}

/* 'text' or "text", at most size - 1 bytes of it. */
static bool take_quoted(char *out, size_t size, struct text *t)
{
    size_t n = 0;

    skip_blanks(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return false;
    for (const char quote = *t->at++; t->at < t->end && *t->at != quote; t->at++) {
        if (n + 1 == size)
            return false;
        out[n++] = *t->at;
    }
    out[n] = '\0';
    return t->at++ < t->end;
}

static bool take_size(int64_t *out, struct text *t)
{
    const char *start;
    int64_t value = 0;

    skip_blanks(t);
    for (start = t->at; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        value = 10 * value + (*t->at - '0');
        if (value > most_numbers)
            return false;
    }
    *out = value;
    return t->at > start;
}

/* (3,) or (3, 4) */
static bool take_shape(struct train_npy *npy, struct text *t)
{
    if (!take(t, "("))
        return false;
    for (npy->dims = 0; !take(t, ")"); npy->dims++) {
        if (npy->dims == 4 || (npy->dims > 0 && !take(t, ",")))
            return false;
        if (npy->dims > 0 && take(t, ")"))
            return true;
        if (!take_size(&npy->size[npy->dims], t))
            return false;
    }
    return npy->dims != 1 || t->at[-2] == ','; /* (3) is no tuple */
}

static bool take_header(char descr[16], bool *fortran, struct train_npy *npy, struct text *t)
{
    bool seen[3] = {false};

    if (!take(t, "{"))
        return false;
    while (!take(t, "}")) {
        char key[16];
        int which;
        if (!take_quoted(key, sizeof key, t) || !take(t, ":"))
            return false;
        if (strcmp(key, "descr") == 0 && take_quoted(descr, 16, t)) {
            which = 0;
        } else if (strcmp(key, "fortran_order") == 0) {
            which = 1;
            *fortran = take(t, "True");
            if (!*fortran && !take(t, "False"))
                return false;
        } else if (strcmp(key, "shape") == 0 && take_shape(npy, t)) {
            which = 2;
        } else {
            return false;
        }
        if (seen[which])
            return false;
        seen[which] = true;
        if (!take(t, ",")) {
            if (!take(t, "}"))
                return false;
            break;
        }
    }
    skip_blanks(t);
    return t->at == t->end && seen[0] && seen[1] && seen[2];
}

/* ---- the file ---- */

static int refuse(const char *path, const char *why, struct cs_error *err)
{
    return cs_fail(err, CS_ECORRUPT, "%s: %s", path, why);
}

static int set_type(struct train_npy *npy, const char *descr, const char *path,
                    struct cs_error *err)
{
    for (size_t i = 0; i < CS_COUNT(types); i++) {
        npy->type = (enum train_npy_type) i;
        if (strcmp(types[i].name, descr) == 0)
            return 0;
    }
    return cs_fail(err, CS_ECORRUPT, "%s: numbers of type %s; expected <f4, <f8, |u1, <i8 or |b1",
                   path, descr);
}

/* The numbers fill the rest of the file. */
static int check_sizes(const struct train_npy *npy, const char *path, size_t rest,
                       struct cs_error *err)
{
    int64_t count = 1;

    if (npy->dims < 1)
        return refuse(path, "a single number; expected 1 to 4 dimensions", err);
    for (int i = 0; i < npy->dims; i++) {
        if (npy->size[i] < 1)
            return refuse(path, "an empty array", err);
        if (__builtin_mul_overflow(count, npy->size[i], &count) || count > most_numbers)
            return refuse(path, "more than 2^40 numbers", err);
    }
    const size_t bytes = (size_t) count * types[npy->type].bytes;
    if (rest < bytes)
        return cs_fail(err, CS_ETRUNCATED, "%s: ends early; expected %zu bytes more", path,
                       bytes - rest);
    if (rest > bytes)
        return refuse(path, "longer than expected", err);
    return 0;
}

static int parse(struct train_npy *npy, const char *path, struct cs_error *err)
{
    const uint8_t *bytes = npy->map;
    char descr[16] = "";
    bool fortran = false;

    if (npy->map_bytes < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return refuse(path, "not a .npy file", err);
    if (bytes[6] < 1 || bytes[6] > 3)
        return cs_fail(err, CS_ECORRUPT, "%s: .npy version %d; expected 1, 2 or 3", path, bytes[6]);
    const size_t start = bytes[6] == 1 ? 10 : 12;
    size_t size = (size_t) bytes[8] | (size_t) bytes[9] << 8;
    if (bytes[6] > 1)
        size |= (size_t) bytes[10] << 16 | (size_t) bytes[11] << 24;
    if (size > HEADER_MAX || size > npy->map_bytes - start)
        return refuse(path, "its header is cut short or longer than 65536 bytes", err);
    struct text text = {(const char *) bytes + start, (const char *) bytes + start + size};
    if (!take_header(descr, &fortran, npy, &text))
        return refuse(path,
                      "its header is not a dict of descr, fortran_order and shape with at most 4 "
                      "dimensions",
                      err);
    CS_TRY(set_type(npy, descr, path, err));
    if (fortran && npy->dims > 1)
        return refuse(path, "in Fortran order; expected C order (numpy.ascontiguousarray)", err);
    if ((start + size) % types[npy->type].bytes != 0)
        return refuse(path, "its numbers are not aligned", err);
    npy->numbers = bytes + start + size;
    return check_sizes(npy, path, npy->map_bytes - start - size, err);
}

static int map(struct train_npy *out, int file, const char *path, struct cs_error *err)
{
    struct stat status;

    if (fstat(file, &status) < 0)
        return cs_fail_errno(err, "%s: cannot read", path);
    if (!S_ISREG(status.st_mode) || status.st_size < 12)
        return refuse(path, "not a .npy file", err);
    void *start = mmap(NULL, (size_t) status.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (start == MAP_FAILED)
        return cs_fail_errno(err, "%s: cannot map", path);
    out->map = start;
    out->map_bytes = (size_t) status.st_size;
    return parse(out, path, err);
}

int train_npy_open(struct train_npy *out, const char *path, struct cs_error *err)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    *out = (struct train_npy){.dims = 0};
    if (file < 0)
        return cs_fail(err, errno == ENOENT ? CS_EUNAVAILABLE : CS_EIO, "%s: cannot open: %s", path,
                       strerror(errno));
    const int rc = map(out, file, path, err);
    close(file);
    if (rc < 0)
        train_npy_close(out);
    return rc;
}

void train_npy_close(struct train_npy *npy)
{
    if (npy->map)
        munmap(npy->map, npy->map_bytes);
    *npy = (struct train_npy){.dims = 0};
}

double train_npy_get(const struct train_npy *npy, size_t i)
{
    switch (npy->type) {
    case TRAIN_NPY_F4:
        return (double) ((const float *) npy->numbers)[i];
    case TRAIN_NPY_F8:
        return ((const double *) npy->numbers)[i];
    case TRAIN_NPY_I8:
        return (double) ((const int64_t *) npy->numbers)[i];
    case TRAIN_NPY_U1:
    case TRAIN_NPY_B1:
        return (double) ((const uint8_t *) npy->numbers)[i];
    }
    return 0;
}
