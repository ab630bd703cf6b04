#include "tbwriter/tbw_read.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "tbwriter/event.pb-c.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_crc.h"
#include "tbwriter/tbw_tags.h"
#include "tbwriter/tbw_text.h"

enum { FRAME_HEAD = 12, FRAME_TAIL = 4 };

struct tbw_reader {
    FILE *file;
    char *path;
    uint64_t offset;      /* of the next record */
    uint64_t torn;        /* bytes of an incomplete record at the end */
    uint8_t *data;        /* one record's data and its checksum */
    size_t capacity;      /* of data */
    Tbw__Event *event;    /* the last one returned */
    struct tbw_tags tags; /* plugin of each */
    struct tbw_point *points;
    size_t point_capacity;
    struct cs_error failure; /* code 0: none yet */
    bool ended;
};

int tbw_reader_open(tbw_reader **out, const char *path, struct cs_error *err)
{
    FILE *file = fopen(path, "rbe");

    if (!file)
        return cs_fail_errno(err, "%s: cannot open", path);
    tbw_reader *r = cs_xcalloc(1, sizeof *r);
    r->file = file;
    r->path = cs_xstrdup(path);
    *out = r;
    return 0;
}

void tbw_reader_close(tbw_reader *r)
{
    if (!r)
        return;
    (void) fclose(r->file); /* only read from */
    if (r->event)
        tbw__event__free_unpacked(r->event, NULL);
    tbw_tags_clear(&r->tags);
    free(r->path);
    free(r->data);
    free(r->points);
    free(r);
}

uint64_t tbw_reader_torn_bytes(const tbw_reader *r)
{
    return r->torn;
}

/* ---- records ---- */

static int corrupt(const tbw_reader *r, const char *what, struct cs_error *err)
{
    return cs_fail(err, CS_ECORRUPT, "record at byte %llu: %s", (unsigned long long) r->offset,
                   what);
}

/* 1: all size bytes; 0: the file ended first, r->torn counts what was there. */
static int read_part(tbw_reader *r, uint8_t *out, size_t size, struct cs_error *err)
{
    const size_t n = fread(out, 1, size, r->file);

    if (n == size)
        return 1;
    if (ferror(r->file))
        return cs_fail_errno(err, "cannot read");
    r->torn += n;
    return 0;
}

static int reserve(tbw_reader *r, size_t size, struct cs_error *err)
{
    if (size <= r->capacity)
        return 0;
    uint8_t *data = realloc(r->data, size);
    if (!data)
        return cs_fail(err, CS_ENOMEM, "record of %zu bytes: out of memory", size);
    r->data = data;
    r->capacity = size;
    return 0;
}

/* The next record's data into r->data: 1, 0 at the end, negative. */
static int read_record(tbw_reader *r, size_t *size, struct cs_error *err)
{
    uint8_t head[FRAME_HEAD];

    int rc = read_part(r, head, sizeof head, err);
    if (rc <= 0)
        return rc;
    const uint64_t length = tbw_load64(head);
    if (tbw_load32(head + 8) != tbw_crc32c_masked(head, 8))
        return corrupt(r, "checksum of the length does not match", err);
    if (length > TBW_RECORD_MAX)
        return corrupt(r, "length is over 64 MiB", err);
    *size = (size_t) length;
    CS_TRY(reserve(r, *size + FRAME_TAIL, err));
    rc = read_part(r, r->data, *size + FRAME_TAIL, err);
    if (rc == 0)
        r->torn += sizeof head;
    if (rc <= 0)
        return rc;
    if (tbw_load32(r->data + *size) != tbw_crc32c_masked(r->data, *size))
        return corrupt(r, "checksum of the data does not match", err);
    return 1;
}

/* ---- events ---- */

static bool valid(const char *text)
{
    return tbw_utf8_valid(text, strlen(text));
}

/* The number of a rank-0 float tensor. */
static bool tensor_scalar(double *out, const Tbw__Tensor *tensor)
{
    if (tensor->dtype != TBW__TENSOR__TYPE__FLOAT ||
        (tensor->tensor_shape && tensor->tensor_shape->n_dim != 0))
        return false;
    if (tensor->n_float_val == 1) {
        *out = (double) tensor->float_val[0];
        return true;
    }
    if (tensor->tensor_content.len != sizeof(float))
        return false;
    const uint32_t bits = tbw_load32(tensor->tensor_content.data);
    float value;
    memcpy(&value, &bits, sizeof value);
    *out = (double) value;
    return true;
}

static void fill_tensor(struct tbw_point *out, const Tbw__Tensor *tensor)
{
    if (strcmp(out->plugin, "scalars") == 0 && tensor_scalar(&out->value, tensor)) {
        out->kind = TBW_POINT_SCALAR;
    } else if (strcmp(out->plugin, "text") == 0 && tensor->dtype == TBW__TENSOR__TYPE__STRING &&
               tensor->n_string_val == 1) {
        out->kind = TBW_POINT_TEXT;
        out->text = (const char *) tensor->string_val[0].data;
        out->size = tensor->string_val[0].len;
        if (!out->text)
            out->text = "";
    }
}

/*
 * The plugin the tag's first metadata named, as readers do: metadata is stored with the first
 * point only.
 */
static const char *plugin_of(tbw_reader *r, const Tbw__Value *value)
{
    const Tbw__Metadata *metadata = value->metadata;
    struct tbw_tag *tag = tbw_tags_find(&r->tags, value->tag);

    if (!tag)
        tag = tbw_tags_add(&r->tags, value->tag);
    if (!tag->plugin && metadata && metadata->plugin_data && metadata->plugin_data->plugin_name[0])
        tag->plugin = cs_xstrdup(metadata->plugin_data->plugin_name);
    return tag->plugin ? tag->plugin : "";
}

static int fill_point(struct tbw_point *out, tbw_reader *r, const Tbw__Value *value,
                      struct cs_error *err)
{
    const Tbw__Metadata *metadata = value->metadata;

    if (!valid(value->tag) ||
        (metadata && (!valid(metadata->display_name) || !valid(metadata->summary_description))) ||
        (metadata && metadata->plugin_data && !valid(metadata->plugin_data->plugin_name)))
        return corrupt(r, "text is not valid utf-8", err);
    *out = (struct tbw_point){.tag = value->tag, .plugin = plugin_of(r, value), .text = ""};
    out->description = metadata ? metadata->summary_description : "";
    if (value->what_case == TBW__VALUE__WHAT_SIMPLE_VALUE) {
        out->kind = TBW_POINT_SCALAR;
        out->value = (double) value->simple_value;
    } else if (value->what_case == TBW__VALUE__WHAT_TENSOR) {
        fill_tensor(out, value->tensor);
    }
    if (out->kind == TBW_POINT_TEXT && !tbw_utf8_valid(out->text, out->size))
        return corrupt(r, "text is not valid utf-8", err);
    return 0;
}

static int fill_points(struct tbw_event *out, tbw_reader *r, const Tbw__Summary *summary,
                       struct cs_error *err)
{
    if (summary->n_value > r->point_capacity) {
        struct tbw_point *points = realloc(r->points, summary->n_value * sizeof *points);
        if (!points)
            return cs_fail(err, CS_ENOMEM, "%zu values: out of memory", summary->n_value);
        r->points = points;
        r->point_capacity = summary->n_value;
    }
    for (size_t i = 0; i < summary->n_value; i++)
        CS_TRY(fill_point(&r->points[i], r, summary->value[i], err));
    out->points = r->points;
    out->count = summary->n_value;
    return 0;
}

static int fill_event(struct tbw_event *out, tbw_reader *r, struct cs_error *err)
{
    const Tbw__Event *event = r->event;

    *out = (struct tbw_event){.wall_time = event->wall_time,
                              .step = event->step,
                              .kind = TBW_EVENT_OTHER,
                              .version = "",
                              .writer = "",
                              .offset = r->offset};
    if (event->what_case == TBW__EVENT__WHAT_FILE_VERSION) {
        out->kind = TBW_EVENT_VERSION;
        out->version = event->file_version;
        if (event->source_metadata)
            out->writer = event->source_metadata->writer;
        if (!valid(out->version) || !valid(out->writer))
            return corrupt(r, "text is not valid utf-8", err);
    } else if (event->what_case == TBW__EVENT__WHAT_SESSION_LOG) {
        out->kind = TBW_EVENT_SESSION;
        out->session_status = (int) event->session_log->status;
    } else if (event->what_case == TBW__EVENT__WHAT_SUMMARY) {
        out->kind = TBW_EVENT_SUMMARY;
        return fill_points(out, r, event->summary, err);
    }
    return 0;
}

static int next(struct tbw_event *out, tbw_reader *r, struct cs_error *err)
{
    size_t size = 0;
    const int rc = read_record(r, &size, err);

    if (rc <= 0)
        return rc;
    if (r->event)
        tbw__event__free_unpacked(r->event, NULL);
    r->event = tbw__event__unpack(NULL, size, r->data);
    if (!r->event)
        return corrupt(r, "is not an event", err);
    CS_TRY(fill_event(out, r, err));
    r->offset += FRAME_HEAD + size + FRAME_TAIL;
    return 1;
}

int tbw_reader_next(struct tbw_event *out, tbw_reader *r, struct cs_error *err)
{
    struct tbw_event event;
    int rc = r->failure.code;

    if (rc == 0 && !r->ended) {
        rc = next(&event, r, &r->failure);
        r->ended = rc == 0;
        if (rc < 0)
            cs_fail_at(&r->failure, rc, r->path, 0);
    }
    if (rc < 0 && err)
        *err = r->failure;
    if (rc == 1)
        *out = event;
    return rc;
}
