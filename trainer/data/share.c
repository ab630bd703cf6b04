/* share.c - a data set's parts in a memfd, written once, mapped by all. */
#include "trainer/data/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_str.h"

enum { SIDE_PARTS = 4, PARTS = 2 * SIDE_PARTS, ALIGN = 64 };

struct part {
    const void **place; /* the side's pointer */
    size_t bytes;       /* where it is not NULL */
};

struct header {
    uint64_t bytes[PARTS];
};

/* Everything of a side that lies in memory by sample. */
static void list_side(struct part *out, struct train_side *side, int64_t samples,
                      const struct train_data_info *info)
{
    const size_t n = (size_t) samples, features = (size_t) train_shape_size(&info->shape);

    out[0] = (struct part){(const void **) &side->pixels, n * features};
    out[1] = (struct part){(const void **) &side->values, n * features * sizeof *side->values};
    out[2] = (struct part){(const void **) &side->labels, n * sizeof *side->labels};
    out[3] = (struct part){(const void **) &side->targets,
                           n * (size_t) info->width * sizeof *side->targets};
}

static void list_parts(struct part out[PARTS], struct train_data *data,
                       const struct train_data_info *info)
{
    list_side(out, &data->train, info->train_count, info);
    list_side(out + SIDE_PARTS, &data->val, info->test_count, info);
}

static size_t align(size_t at)
{
    return (at + ALIGN - 1) / ALIGN * ALIGN;
}

static int write_at(int file, const void *bytes, size_t size, size_t at, struct cs_error *err)
{
    const char *from = bytes;

    for (size_t done = 0; done < size;) {
        const ssize_t n = pwrite(file, from + done, size - done, (off_t) (at + done));
        if (n < 0 && errno != EINTR)
            return cs_fail(err, CS_ENOMEM, "no memory for the shared data set: %s",
                           strerror(errno));
        done += n > 0 ? (size_t) n : 0;
    }
    return 0;
}

static int write_parts(int file, const struct part parts[PARTS], struct cs_error *err)
{
    struct header header = {{0}};
    size_t at = align(sizeof header);

    if (ftruncate(file, 0) < 0)
        return cs_fail_errno(err, "the shared data set cannot be emptied");
    for (int i = 0; i < PARTS; i++) {
        header.bytes[i] = *parts[i].place ? parts[i].bytes : 0;
        if (header.bytes[i] > 0)
            CS_TRY(write_at(file, *parts[i].place, parts[i].bytes, at, err));
        at = align(at + header.bytes[i]);
    }
    return write_at(file, &header, sizeof header, 0, err);
}

static bool is_whole(int file)
{
    const int seals = fcntl(file, F_GET_SEALS);
    return seals >= 0 && seals & F_SEAL_WRITE;
}

/* Read the data set, write it, seal it. */
static int fill(int file, struct train_data *data, const struct train_data_info *info,
                const struct train_share_source *source, struct cs_error *err)
{
    struct part parts[PARTS];

    CS_TRY(source->load(source->context, data, err));
    list_parts(parts, data, info);
    CS_TRY(write_parts(file, parts, err));
    if (fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return cs_fail_errno(err, "the shared data set cannot be sealed");
    train_data_drop(data);
    data->train = data->val = (struct train_side){0};
    return 0;
}

static int map(int file, struct train_data *data, const struct train_data_info *info,
               struct cs_error *err)
{
    struct part parts[PARTS];
    struct stat status;
    size_t at = align(sizeof(struct header));

    if (fstat(file, &status) < 0)
        return cs_fail_errno(err, "the shared data set cannot be read");
    const size_t size = (size_t) status.st_size;
    if (size < at)
        return cs_fail(err, CS_ECORRUPT, "the shared data set is cut short");
    void *start = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    if (start == MAP_FAILED)
        return cs_fail_errno(err, "the shared data set cannot be mapped");
    data->mapped[0] = start;
    data->mapped_bytes[0] = size;
    const struct header *header = start;
    list_parts(parts, data, info);
    for (int i = 0; i < PARTS; i++) {
        const size_t bytes = header->bytes[i];
        if (bytes == 0)
            continue;
        if (bytes != parts[i].bytes || at > size || bytes > size - at)
            return cs_fail(err, CS_ECORRUPT, "the shared data set is another one");
        *parts[i].place = (const char *) start + at;
        at = align(at + bytes);
    }
    return 0;
}

int train_share_load(struct train_data *data, const char *path, const struct train_data_info *info,
                     const struct train_share_source *source, struct cs_error *err)
{
    const int file = open(path, O_RDWR | O_CLOEXEC);
    int rc = 0;

    if (file < 0)
        return cs_fail_errno(err, "%s: cannot open the shared data set", path);
    while (flock(file, LOCK_EX) < 0 && rc == 0)
        rc = errno == EINTR ? 0 : cs_fail_errno(err, "%s: cannot lock the shared data set", path);
    if (rc == 0 && !is_whole(file))
        rc = fill(file, data, info, source, err);
    flock(file, LOCK_UN); /* a mapping would keep the lock when the file is closed */
    if (rc == 0)
        rc = map(file, data, info, err);
    close(file);
    return rc;
}
