#include "tbwriter/tbw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cs_error.h"
#include "common/cs_io.h"
#include "tbwriter/tbw_bytes.h"
#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_writer_impl.h"

enum { DEFAULT_FLUSH_BYTES = 64 << 10 };

static const double wall_time_max = 9999999999.0; /* the file name has ten digits */

static double wall_time(const tbw_writer *w)
{
    return w->wall_time != 0 ? w->wall_time : cs_wall_seconds();
}

int tbw_time_or_now(double *out, const tbw_writer *w, const char *what, double given,
                    struct cs_error *err)
{
    if (!isfinite(given))
        return cs_fail(err, CS_ERANGE, "%s = %g: must be finite", what, given);
    *out = given != 0 ? given : wall_time(w);
    return 0;
}

/* ---- messages of protobuf-c ---- */

struct sink {
    ProtobufCBuffer base; /* first: protobuf-c hands back a pointer to it */
    struct cs_buf *out;
};

static void sink_append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    cs_buf_add(((struct sink *) buffer)->out, data, size);
}

void tbw_pack(struct cs_buf *out, const ProtobufCMessage *message)
{
    struct sink sink = {.base = {.append = sink_append}, .out = out};

    protobuf_c_message_pack_to_buffer(message, &sink.base);
}

/* Without the lock: it is held, or no one else has the writer. */
static int add_event(tbw_writer *w, Tbw__Event *event, struct cs_error *err)
{
    event->wall_time = wall_time(w);
    w->event.size = 0;
    tbw_pack(&w->event, &event->base);
    return tbw_file_add(&w->file, w->event.data, w->event.size, err);
}

int tbw_writer_event(tbw_writer *w, Tbw__Event *event, struct cs_error *err)
{
    pthread_mutex_lock(&w->lock);
    int rc = tbw_file_check(&w->file, err);
    if (rc == 0 && event->what_case == TBW__EVENT__WHAT_GRAPH_DEF && w->has_graph)
        rc = cs_fail(err, CS_ERANGE, "this file has its graph already");
    if (rc == 0)
        rc = add_event(w, event, err);
    if (rc == 0 && event->what_case == TBW__EVENT__WHAT_GRAPH_DEF)
        w->has_graph = true;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

/* ---- open and close ---- */

/* The two records that must be in every file before anything else. */
static int add_head(tbw_writer *w, struct cs_error *err)
{
    Tbw__Event version = TBW__EVENT__INIT, start = TBW__EVENT__INIT;
    Tbw__SourceMetadata source = TBW__SOURCE_METADATA__INIT;
    Tbw__SessionLog session = TBW__SESSION_LOG__INIT;

    source.writer = (char *) "csweep";
    version.what_case = TBW__EVENT__WHAT_FILE_VERSION;
    version.file_version = (char *) "brain.Event:2";
    version.source_metadata = &source;
    session.status = TBW__SESSION_LOG__STATUS__START;
    start.step = w->start_step;
    start.what_case = TBW__EVENT__WHAT_SESSION_LOG;
    start.session_log = &session;
    CS_TRY(add_event(w, &version, err));
    CS_TRY(add_event(w, &start, err));
    return tbw_file_flush(&w->file, err);
}

/* The page is offered once a point names it. */
static int show_projector(tbw_writer *w, struct cs_error *err)
{
    const struct tbw_what what = {.tag = "projector",
                                  .plugin = "projector",
                                  .data_class = TBW__DATA_CLASS__TENSOR,
                                  .any_step = true};

    CS_TRY(tbw_writer_empty(w, &what, err));
    return tbw_file_flush(&w->file, err);
}

static void free_writer(tbw_writer *w)
{
    tbw_tags_clear(&w->tags);
    free(w->picked);
    cs_buf_clear(&w->value);
    cs_buf_clear(&w->summary);
    cs_buf_clear(&w->event);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static int check_options(const struct tbw_options *opt, struct cs_error *err)
{
    if (opt->start_step < 0)
        return cs_fail(err, CS_ERANGE, "start_step = %lld: must be 0 or more",
                       (long long) opt->start_step);
    if (!(opt->wall_time >= 0 && opt->wall_time <= wall_time_max))
        return cs_fail(err, CS_ERANGE, "wall_time = %g: must be in [0, %.0f]", opt->wall_time,
                       wall_time_max);
    if (!(opt->flush_seconds >= 0 && isfinite(opt->flush_seconds)))
        return cs_fail(err, CS_ERANGE, "flush_seconds = %g: must be finite and not below 0",
                       opt->flush_seconds);
    return 0;
}

int tbw_writer_open(tbw_writer **out, const char *dir, const struct tbw_options *opt,
                    struct cs_error *err)
{
    static const struct tbw_options defaults = {0};

    if (!opt)
        opt = &defaults;
    CS_TRY(check_options(opt, err));
    CS_TRY(cs_make_dirs(dir, err));
    if (opt->embedding_count)
        CS_TRY(tbw_projector_store(dir, opt->embeddings, opt->embedding_count, err));
    tbw_writer *w = cs_xcalloc(1, sizeof *w);
    w->start_step = opt->start_step;
    w->wall_time = opt->wall_time;
    pthread_mutex_init(&w->lock, NULL);
    /* No limit yet: the two records of add_head go out as one write. */
    int rc = tbw_file_create(&w->file, dir, wall_time(w), SIZE_MAX, err);
    if (rc < 0) {
        free_writer(w);
        return rc;
    }
    rc = add_head(w, err);
    if (rc == 0 && opt->embedding_count)
        rc = show_projector(w, err);
    if (rc < 0) {
        unlink(w->file.path);
        tbw_file_close(&w->file, NULL);
        free_writer(w);
        return rc;
    }
    w->file.flush_bytes = opt->flush_bytes ? opt->flush_bytes : DEFAULT_FLUSH_BYTES;
    if (opt->flush_seconds > 0)
        w->file.flush_seconds = opt->flush_seconds;
    *out = w;
    return 0;
}

const char *tbw_writer_path(const tbw_writer *w)
{
    return w->file.path;
}

int tbw_writer_flush(tbw_writer *w, struct cs_error *err)
{
    pthread_mutex_lock(&w->lock);
    const int rc = tbw_file_flush(&w->file, err);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int tbw_writer_sync(tbw_writer *w, struct cs_error *err)
{
    pthread_mutex_lock(&w->lock);
    const int rc = tbw_file_sync(&w->file, err);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int tbw_writer_close(tbw_writer *w, struct cs_error *err)
{
    if (!w)
        return 0;
    const int rc = tbw_file_close(&w->file, err);
    free_writer(w);
    return rc;
}

/* ---- tags ---- */

/* Find or make the tag and check that it can take this point; nothing is recorded yet. */
static int pick_tag(struct tbw_tag **out, tbw_writer *w, const char *name, int64_t step,
                    const char *plugin, struct cs_error *err)
{
    struct tbw_tag *tag = name ? tbw_tags_find(&w->tags, name) : NULL;

    if (!tag) {
        CS_TRY(tbw_check_name("tag", name, err));
        tag = tbw_tags_add(&w->tags, name);
    }
    if (tag->plugin && strcmp(tag->plugin, plugin) != 0)
        return cs_fail(err, CS_ERANGE, "tag '%.200s' belongs to %s and cannot hold %s", name,
                       tag->plugin, plugin);
    if (tag->plugin && step <= tag->last_step)
        return cs_fail(err, CS_ERANGE, "tag '%.200s': step %lld must be above %lld, its last", name,
                       (long long) step, (long long) tag->last_step);
    *out = tag;
    return 0;
}

static void commit_point(struct tbw_tag *tag, int64_t step, const char *plugin)
{
    if (!tag->plugin)
        tag->plugin = cs_xstrdup(plugin);
    tag->last_step = step;
}

/*
 * Below the start step readers have already kept what an earlier file holds; a point there would
 * show twice.
 */
static int check_step(const tbw_writer *w, int64_t step, struct cs_error *err)
{
    if (step < w->start_step)
        return cs_fail(err, CS_ERANGE, "step %lld: this file starts at step %lld", (long long) step,
                       (long long) w->start_step);
    return 0;
}

/* ---- scalars: encoded by hand ---- */

/*
 * Metadata {plugin_data {plugin_name "scalars"}, summary_description, data_class SCALAR} as field
 * 9 of a value.
 */
static void put_scalar_metadata(struct cs_buf *out, const char *description)
{
    static const char plugin[] = "\x0a\x09\x0a\x07scalars", data_class[] = "\x20\x01";
    const size_t size = description ? strlen(description) : 0;
    size_t total = sizeof plugin - 1 + sizeof data_class - 1;

    if (size)
        total += 1 + tbw_varint_size(size) + size;
    tbw_put_length(out, 9, total);
    cs_buf_add(out, plugin, sizeof plugin - 1);
    if (size)
        tbw_put_bytes(out, 3, description, size);
    cs_buf_add(out, data_class, sizeof data_class - 1);
}

/* What every later point of the tag begins with: value {tag, key of simple_value}. */
static void make_prefix(struct tbw_tag *tag)
{
    const size_t size = 1 + tbw_varint_size(tag->size) + tag->size + 1 + sizeof(float);
    struct cs_buf out = {0};

    tbw_put_length(&out, 1, size);
    tbw_put_bytes(&out, 1, tag->name, tag->size);
    tbw_put_varint(&out, 2 << 3 | 5);
    tag->prefix = out.data;
    tag->prefix_size = out.size;
}

/* A tag's first point, with its metadata. */
static void put_first(tbw_writer *w, const struct tbw_tag *tag, const struct tbw_scalar *scalar)
{
    w->value.size = 0;
    tbw_put_bytes(&w->value, 1, tag->name, tag->size);
    tbw_put_float(&w->value, 2, (float) scalar->value);
    put_scalar_metadata(&w->value, scalar->description);
    tbw_put_bytes(&w->summary, 1, w->value.data, w->value.size);
}

/* The values of an event into w->summary. */
static void put_scalars(tbw_writer *w, const struct tbw_scalar *values, size_t count)
{
    w->summary.size = 0;
    for (size_t i = 0; i < count; i++) {
        struct tbw_tag *tag = w->picked[i];
        if (!tag->plugin) {
            put_first(w, tag, &values[i]);
            continue;
        }
        if (!tag->prefix)
            make_prefix(tag);
        cs_buf_reserve(&w->summary, tag->prefix_size + sizeof(float));
        uint8_t *out = (uint8_t *) w->summary.data + w->summary.size;
        const float value = (float) values[i].value;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        memcpy(out, tag->prefix, tag->prefix_size);
        tbw_store32(out + tag->prefix_size, bits);
        w->summary.size += tag->prefix_size + sizeof(float);
    }
}

static uint8_t *store_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t) (value | 0x80);
    *out++ = (uint8_t) value;
    return out;
}

/* Event {wall_time 1, step 2, summary 5}, written where it stays. */
static int add_summary(tbw_writer *w, int64_t step, struct cs_error *err)
{
    const double time = wall_time(w);
    const size_t step_size = step ? 1 + tbw_varint_size((uint64_t) step) : 0;
    const size_t size = 9 + step_size + 1 + tbw_varint_size(w->summary.size) + w->summary.size;
    uint64_t bits;
    int rc;
    uint8_t *out = tbw_file_begin(&rc, &w->file, size, err);

    if (!out)
        return rc;
    memcpy(&bits, &time, sizeof bits);
    *out++ = 1 << 3 | 1;
    tbw_store64(out, bits);
    out += 8;
    if (step) {
        *out++ = 2 << 3;
        out = store_varint(out, (uint64_t) step);
    }
    *out++ = 5 << 3 | 2;
    out = store_varint(out, w->summary.size);
    memcpy(out, w->summary.data, w->summary.size);
    return tbw_file_end(&w->file, size, err);
}

/*
 * The tag of value i. Steps often hold the same tags in the same order, so the one of the call
 * before is tried first.
 */
static int pick_scalar(struct tbw_tag **out, tbw_writer *w, size_t i, int64_t step,
                       const struct tbw_scalar *scalar, struct cs_error *err)
{
    struct tbw_tag *tag = i < w->picked_count ? w->picked[i] : NULL;

    if (tag && tag->is_scalar && scalar->tag && strcmp(tag->name, scalar->tag) == 0 &&
        step > tag->last_step) {
        *out = tag;
        return 0;
    }
    CS_TRY(pick_tag(out, w, scalar->tag, step, "scalars", err));
    return (*out)->plugin ? 0 : tbw_check_text("description", scalar->description, err);
}

/* The tags of a call into w->picked, all checked. */
static int pick_all(tbw_writer *w, int64_t step, const struct tbw_scalar *values, size_t count,
                    struct cs_error *err)
{
    if (count > w->picked_capacity) {
        w->picked = cs_xrealloc(w->picked, count * sizeof *w->picked);
        w->picked_capacity = count;
    }
    w->calls++;
    for (size_t i = 0; i < count; i++) {
        struct tbw_tag *tag;
        CS_TRY(pick_scalar(&tag, w, i, step, &values[i], err));
        if (tag->call == w->calls)
            return cs_fail(err, CS_ERANGE, "tag '%.200s' given twice for step %lld", tag->name,
                           (long long) step);
        tag->call = w->calls;
        w->picked[i] = tag;
        if (w->picked_count <= i)
            w->picked_count = i + 1;
    }
    return 0;
}

static int add_scalars(tbw_writer *w, int64_t step, const struct tbw_scalar *values, size_t count,
                       struct cs_error *err)
{
    CS_TRY(tbw_file_check(&w->file, err));
    if (count == 0)
        return 0;
    CS_TRY(check_step(w, step, err));
    CS_TRY(pick_all(w, step, values, count, err));
    put_scalars(w, values, count);
    CS_TRY(add_summary(w, step, err));
    for (size_t i = 0; i < count; i++) {
        commit_point(w->picked[i], step, "scalars");
        w->picked[i]->is_scalar = true;
    }
    return 0;
}

int tbw_writer_scalars(tbw_writer *w, int64_t step, const struct tbw_scalar *values, size_t count,
                       struct cs_error *err)
{
    pthread_mutex_lock(&w->lock);
    const int rc = add_scalars(w, step, values, count, err);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

/* ---- everything else ---- */

static int add_value(tbw_writer *w, const struct tbw_what *what, Tbw__Value *value,
                     struct cs_error *err)
{
    Tbw__Event event = TBW__EVENT__INIT;
    Tbw__Summary summary = TBW__SUMMARY__INIT;
    Tbw__Metadata metadata = TBW__METADATA__INIT;
    Tbw__PluginData plugin_data = TBW__PLUGIN_DATA__INIT;
    struct tbw_tag *tag;

    CS_TRY(tbw_file_check(&w->file, err));
    if (!what->any_step)
        CS_TRY(check_step(w, what->step, err));
    CS_TRY(tbw_check_text("description", what->description, err));
    CS_TRY(pick_tag(&tag, w, what->tag, what->step, what->plugin, err));
    plugin_data.plugin_name = (char *) what->plugin;
    if (what->content) {
        plugin_data.content.data = (uint8_t *) what->content->data;
        plugin_data.content.len = what->content->size;
    }
    metadata.plugin_data = &plugin_data;
    metadata.data_class = what->data_class;
    if (what->description)
        metadata.summary_description = (char *) what->description;
    value->tag = (char *) what->tag;
    if (!tag->plugin && what->data_class != TBW__DATA_CLASS__UNKNOWN)
        value->metadata = &metadata;
    summary.value = &value;
    summary.n_value = 1;
    event.step = what->step;
    event.what_case = TBW__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    const int rc = add_event(w, &event, err);
    value->metadata = NULL;
    if (rc == 0)
        commit_point(tag, what->step, what->plugin);
    return rc;
}

int tbw_writer_value(tbw_writer *w, const struct tbw_what *what, Tbw__Value *value,
                     struct cs_error *err)
{
    pthread_mutex_lock(&w->lock);
    const int rc = add_value(w, what, value, err);
    pthread_mutex_unlock(&w->lock);
    return rc;
}

int tbw_writer_tensor(tbw_writer *w, const struct tbw_what *what, Tbw__Tensor *tensor,
                      struct cs_error *err)
{
    Tbw__Value value = TBW__VALUE__INIT;

    value.what_case = TBW__VALUE__WHAT_TENSOR;
    value.tensor = tensor;
    return tbw_writer_value(w, what, &value, err);
}

int tbw_writer_empty(tbw_writer *w, const struct tbw_what *what, struct cs_error *err)
{
    Tbw__TensorShape__Dim dim = TBW__TENSOR_SHAPE__DIM__INIT, *dims = &dim;
    Tbw__TensorShape shape = TBW__TENSOR_SHAPE__INIT;
    Tbw__Tensor tensor = TBW__TENSOR__INIT;

    shape.dim = &dims;
    shape.n_dim = 1;
    tensor.dtype = TBW__TENSOR__TYPE__FLOAT;
    tensor.tensor_shape = &shape;
    return tbw_writer_tensor(w, what, &tensor, err);
}

int tbw_writer_blobs(tbw_writer *w, const struct tbw_what *what, ProtobufCBinaryData *blobs,
                     int count, struct cs_error *err)
{
    Tbw__TensorShape__Dim dim = TBW__TENSOR_SHAPE__DIM__INIT, *dims = &dim;
    Tbw__TensorShape shape = TBW__TENSOR_SHAPE__INIT;
    Tbw__Tensor tensor = TBW__TENSOR__INIT;

    if (count >= 0) {
        dim.size = count;
        shape.dim = &dims;
        shape.n_dim = 1;
    }
    tensor.dtype = TBW__TENSOR__TYPE__STRING;
    tensor.tensor_shape = &shape;
    tensor.string_val = blobs;
    tensor.n_string_val = count < 0 ? 1 : (size_t) count;
    return tbw_writer_tensor(w, what, &tensor, err);
}

int tbw_writer_matrix(tbw_writer *w, const struct tbw_what *what, Tbw__Tensor__Type type,
                      size_t rows, size_t columns, const struct cs_buf *numbers,
                      struct cs_error *err)
{
    Tbw__TensorShape__Dim dim[2] = {TBW__TENSOR_SHAPE__DIM__INIT, TBW__TENSOR_SHAPE__DIM__INIT};
    Tbw__TensorShape__Dim *dims[2] = {&dim[0], &dim[1]};
    Tbw__TensorShape shape = TBW__TENSOR_SHAPE__INIT;
    Tbw__Tensor tensor = TBW__TENSOR__INIT;

    dim[0].size = (int64_t) rows;
    dim[1].size = (int64_t) columns;
    shape.dim = dims;
    shape.n_dim = 2;
    tensor.dtype = type;
    tensor.tensor_shape = &shape;
    tensor.tensor_content.data = (uint8_t *) numbers->data;
    tensor.tensor_content.len = numbers->size;
    return tbw_writer_tensor(w, what, &tensor, err);
}

int tbw_writer_text(tbw_writer *w, const char *tag, int64_t step, const char *markdown,
                    struct cs_error *err)
{
    const struct tbw_what what = {
        .tag = tag, .step = step, .plugin = "text", .data_class = TBW__DATA_CLASS__TENSOR};
    ProtobufCBinaryData text = {.len = strlen(markdown), .data = (uint8_t *) markdown};

    CS_TRY(tbw_check_text("text", markdown, err));
    return tbw_writer_blobs(w, &what, &text, -1, err);
}
