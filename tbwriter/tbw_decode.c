/*
 * Events by hand: no message objects, one look at every byte. What is written most, summaries of
 * scalars whose tags are those of the event before, costs a comparison per tag.
 */
#include "tbwriter/tbw_decode.h"

#include <limits.h>
#include <stdlib.h>

#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_wire.h"

static const char not_event[] = "is not an event", not_text[] = "text is not valid utf-8";

/* A field of text as a string; NULL when it is not valid. */
static const char *text_of(struct tbw_decoder *d, const struct tbw_field *f)
{
    const char *text = (const char *) f->data;

    if (!tbw_utf8_valid(text, f->size))
        return NULL;
    return f->size ? cs_arena_strndup(&d->arena, text, f->size) : "";
}

/* ---- metadata ---- */

struct metadata {
    const char *plugin, *display_name, *description; /* "" when not stored */
    const struct tbw_blob *content;
    int data_class;
};

static const char *parse_plugin_data(struct metadata *out, struct tbw_decoder *d, struct tbw_wire w)
{
    struct tbw_field f;

    while (tbw_wire_next(&w, &f)) {
        if (f.number == 1 && f.type == 2 && !(out->plugin = text_of(d, &f)))
            return not_text;
        if (f.number == 2 && f.type == 2) {
            struct tbw_blob *content = cs_arena_alloc(&d->arena, sizeof *content);
            *content = (struct tbw_blob){f.data, f.size};
            out->content = content;
        }
    }
    return w.bad ? not_event : NULL;
}

static const char *parse_metadata(struct metadata *out, struct tbw_decoder *d, struct tbw_wire w)
{
    const char *why = NULL;
    struct tbw_field f;

    while (!why && tbw_wire_next(&w, &f)) {
        if (f.number == 1 && f.type == 2)
            why = parse_plugin_data(out, d, tbw_wire_of(f.data, f.size));
        else if (f.number == 2 && f.type == 2 && !(out->display_name = text_of(d, &f)))
            why = not_text;
        else if (f.number == 3 && f.type == 2 && !(out->description = text_of(d, &f)))
            why = not_text;
        else if (f.number == 4 && f.type == 0)
            out->data_class = (int) f.num;
    }
    return why ? why : w.bad ? not_event : NULL;
}

/* ---- points ---- */

/* The tag of value i, which has these bytes; NULL when they are not text. */
static struct tbw_tag *tag_of(struct tbw_decoder *d, size_t i, const void *name, size_t size)
{
    struct tbw_tag *tag;

    if (i < d->ordered && d->order[i].tag->size == size &&
        memcmp(d->order[i].tag->name, name, size) == 0)
        return d->order[i].tag;
    tag = tbw_tags_find_bytes(&d->tags, name, size);
    if (!tag) {
        if (!tbw_utf8_valid(name, size))
            return NULL;
        tag = tbw_tags_add_bytes(&d->tags, name, size);
    }
    d->order[i].tag = tag;
    return tag;
}

static void shift_image(struct tbw_tensor *t)
{
    int *sides[] = {&t->width, &t->height};

    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < t->blobs[k].size && *sides[k] < INT_MAX / 16; i++)
            *sides[k] = 10 * *sides[k] + (t->blobs[k].data[i] - '0') % 10;
    t->blobs += 2;
    t->blob_count -= 2;
}

static bool is(const char *plugin, const char *name)
{
    return strcmp(plugin, name) == 0;
}

/* What a tensor is by its plugin, if it has the form that the plugin wants. */
static enum tbw_point_kind kind_of(const struct tbw_point *p, const struct tbw_tensor *t)
{
    const bool matrix = t->rank == 2 && t->number_count > 0 &&
                        (uint64_t) t->shape[0] * (uint64_t) t->shape[1] == t->number_count;

    if (is(p->plugin, "scalars"))
        return t->rank == 0 && t->number_count == 1 ? TBW_POINT_SCALAR : TBW_POINT_OTHER;
    if (is(p->plugin, "text"))
        return t->blob_count ? TBW_POINT_TEXT : TBW_POINT_OTHER;
    if (is(p->plugin, "histograms"))
        return (matrix && t->shape[1] == 3) || (t->rank == 2 && t->shape[0] == 0)
                   ? TBW_POINT_HISTOGRAM
                   : TBW_POINT_OTHER;
    if (is(p->plugin, "images"))
        return t->blob_count >= 2 ? TBW_POINT_IMAGE : TBW_POINT_OTHER;
    if (is(p->plugin, "audio"))
        return t->blob_count ? TBW_POINT_AUDIO : TBW_POINT_OTHER;
    if (is(p->plugin, "pr_curves"))
        return matrix && t->shape[0] == 6 ? TBW_POINT_PR_CURVE : TBW_POINT_OTHER;
    if (is(p->plugin, "custom_scalars"))
        return t->blob_count == 1 ? TBW_POINT_LAYOUT : TBW_POINT_OTHER;
    if (is(p->plugin, "mesh"))
        return TBW_POINT_MESH;
    return *p->plugin ? TBW_POINT_TENSOR : TBW_POINT_OTHER;
}

static const char *fill_tensor(struct tbw_point *p, struct tbw_decoder *d, struct tbw_blob bytes)
{
    struct tbw_tensor *t = tbw_tensor_parse(bytes, &d->arena);

    if (!t)
        return not_event;
    p->tensor = t;
    p->kind = kind_of(p, t);
    if (p->kind == TBW_POINT_SCALAR)
        p->value = t->numbers[0];
    if (p->kind == TBW_POINT_IMAGE)
        shift_image(t);
    if (p->kind == TBW_POINT_TEXT) {
        p->text = (const char *) t->blobs[0].data;
        p->size = t->blobs[0].size;
        for (size_t i = 0; i < t->blob_count; i++)
            if (!tbw_utf8_valid((const char *) t->blobs[i].data, t->blobs[i].size))
                return not_text;
    }
    return NULL;
}

/* The old forms name no plugin, but stand for one. */
static const struct old {
    const char *plugin;
    struct tbw_tensor *(*parse)(struct tbw_blob bytes, struct cs_arena *arena);
    enum tbw_point_kind kind;
} olds[] = {
    [4] = {"images", tbw_image_parse, TBW_POINT_IMAGE},
    [5] = {"histograms", tbw_histo_parse, TBW_POINT_HISTOGRAM},
    [6] = {"audio", tbw_audio_parse, TBW_POINT_AUDIO},
};

enum { VALUE_SIMPLE = 2, VALUE_TENSOR = 8 };

/* The contents, which stand in field `what` (0: none). */
static const char *fill_what(struct tbw_point *p, struct tbw_decoder *d, uint32_t what,
                             struct tbw_blob bytes, uint32_t bits)
{
    if (what == VALUE_SIMPLE) {
        p->kind = TBW_POINT_SCALAR;
        p->value = (double) tbw_float_of(bits);
        if (!*p->plugin)
            p->plugin = "scalars";
    } else if (what == VALUE_TENSOR) {
        const char *why = fill_tensor(p, d, bytes);
        if (why)
            return why;
    } else if (what) {
        const struct old *old = &olds[what];
        p->kind = old->kind;
        if (!*p->plugin)
            p->plugin = old->plugin;
        p->tensor = old->parse(bytes, &d->arena);
        if (!p->tensor)
            return not_event;
    }
    if (is(p->plugin, "hparams"))
        p->kind = TBW_POINT_HPARAMS;
    return NULL;
}

static const char *fill_point(struct tbw_point *p, struct tbw_decoder *d, size_t i,
                              struct tbw_wire w)
{
    struct metadata metadata = {"", "", "", NULL, 0};
    struct tbw_blob bytes = {NULL, 0}, name = {(const uint8_t *) "", 0};
    uint32_t what = 0, bits = 0;
    bool has_metadata = false;
    struct tbw_field f;

    while (tbw_wire_next(&w, &f)) {
        if (f.number == 1 && f.type == 2) {
            name = (struct tbw_blob){f.data, f.size};
        } else if (f.number == VALUE_SIMPLE && f.type == 5) {
            what = VALUE_SIMPLE;
            bits = (uint32_t) f.num;
        } else if ((f.number == VALUE_TENSOR || (f.number >= 4 && f.number <= 6)) && f.type == 2) {
            what = f.number;
            bytes = (struct tbw_blob){f.data, f.size};
        } else if (f.number == 9 && f.type == 2) {
            const char *why = parse_metadata(&metadata, d, tbw_wire_of(f.data, f.size));
            if (why)
                return why;
            has_metadata = true;
        }
    }
    if (w.bad)
        return not_event;
    struct tbw_tag *tag = tag_of(d, i, name.data, name.size);
    if (!tag)
        return not_text;
    if (has_metadata && !tag->plugin && *metadata.plugin) {
        tag->plugin = cs_xstrdup(metadata.plugin);
        for (size_t k = 0; k < d->ordered; k++) /* points there may say another plugin */
            d->order[k].plain = false;
    }
    *p = (struct tbw_point){.tag = tag->name,
                            .plugin = tag->plugin ? tag->plugin : "",
                            .data_class = metadata.data_class,
                            .display_name = metadata.display_name,
                            .description = metadata.description,
                            .content = metadata.content,
                            .text = ""};
    d->order[i].plain = what == VALUE_SIMPLE && !has_metadata;
    return fill_what(p, d, what, bytes, bits);
}

/*
 * Value i is {tag, simple_value} and nothing else, and was a plain scalar of this tag in the event
 * before too: only the number is new.
 */
static bool same_as_before(struct tbw_decoder *d, size_t i, const uint8_t *data, size_t size)
{
    const struct tbw_seen *seen = &d->order[i];
    const size_t length = size - 7;

    if (i >= d->ordered || !seen->plain || size < 7 || length != seen->tag->size ||
        length >= 0x80 || data[0] != (1 << 3 | 2) || data[1] != length ||
        data[2 + length] != (VALUE_SIMPLE << 3 | 5) ||
        memcmp(data + 2, seen->tag->name, length) != 0)
        return false;
    d->points[i].value = (double) tbw_float_of(tbw_load32(data + 3 + length));
    return true;
}

/* ---- events ---- */

static void grow(struct tbw_decoder *d)
{
    d->capacity = d->capacity ? 2 * d->capacity : 16;
    d->points = cs_xrealloc(d->points, d->capacity * sizeof *d->points);
    d->order = cs_xrealloc(d->order, d->capacity * sizeof *d->order);
}

static const char *parse_summary(struct tbw_event *out, struct tbw_decoder *d, struct tbw_wire w)
{
    struct tbw_field f;

    out->kind = TBW_EVENT_SUMMARY;
    while (tbw_wire_next(&w, &f)) {
        if (f.number != 1 || f.type != 2)
            continue;
        if (out->count == d->capacity)
            grow(d);
        if (!same_as_before(d, out->count, f.data, f.size)) {
            const char *why =
                fill_point(&d->points[out->count], d, out->count, tbw_wire_of(f.data, f.size));
            if (why)
                return why;
        }
        out->count++;
        if (d->ordered < out->count)
            d->ordered = out->count;
    }
    return w.bad ? not_event : NULL;
}

static const char *parse_writer(struct tbw_event *out, struct tbw_decoder *d, struct tbw_wire w)
{
    struct tbw_field f;

    while (tbw_wire_next(&w, &f))
        if (f.number == 1 && f.type == 2 && !(out->writer = text_of(d, &f)))
            return not_text;
    return w.bad ? not_event : NULL;
}

static const char *parse_session(struct tbw_event *out, struct tbw_wire w)
{
    struct tbw_field f;

    out->kind = TBW_EVENT_SESSION;
    while (tbw_wire_next(&w, &f))
        if (f.number == 1 && f.type == 0)
            out->session_status = (int) f.num;
    return w.bad ? not_event : NULL;
}

/* LogMessage {level 1, message 2} and TaggedRunMetadata {tag 1, run_metadata 2}. */
static const char *parse_pair(struct tbw_event *out, struct tbw_decoder *d,
                              enum tbw_event_kind kind, struct tbw_wire w)
{
    struct tbw_field f;

    out->kind = kind;
    while (tbw_wire_next(&w, &f)) {
        if (f.number == 1 && f.type == 2 && !(out->name = text_of(d, &f)))
            return not_text;
        if (f.number == 2 && f.type == 2)
            out->blob = (struct tbw_blob){f.data, f.size};
    }
    return w.bad ? not_event : NULL;
}

static void set_blob(struct tbw_event *out, enum tbw_event_kind kind, const struct tbw_field *f)
{
    out->kind = kind;
    out->blob = (struct tbw_blob){f->data, f->size};
}

static const char *take_field(struct tbw_event *out, struct tbw_decoder *d,
                              const struct tbw_field *f)
{
    if (f->type != 2) {
        if (f->number == 1 && f->type == 1)
            out->wall_time = tbw_double_of(f->num);
        else if (f->number == 2 && f->type == 0)
            out->step = (int64_t) f->num;
        return NULL;
    }
    switch (f->number) {
    case 3:
        out->kind = TBW_EVENT_VERSION;
        out->version = text_of(d, f);
        return out->version ? NULL : not_text;
    case 4:
        set_blob(out, TBW_EVENT_GRAPH, f);
        return NULL;
    case 5:
        return parse_summary(out, d, tbw_wire_of(f->data, f->size));
    case 6:
        return parse_pair(out, d, TBW_EVENT_LOG, tbw_wire_of(f->data, f->size));
    case 7:
        return parse_session(out, tbw_wire_of(f->data, f->size));
    case 8:
        return parse_pair(out, d, TBW_EVENT_RUN_METADATA, tbw_wire_of(f->data, f->size));
    case 9:
        set_blob(out, TBW_EVENT_META_GRAPH, f);
        return NULL;
    case 10:
        return parse_writer(out, d, tbw_wire_of(f->data, f->size));
    default:
        return NULL;
    }
}

const char *tbw_decode_event(struct tbw_event *out, struct tbw_decoder *d, const void *data,
                             size_t size)
{
    struct tbw_wire w = tbw_wire_of(data, size);
    const char *why = NULL;
    struct tbw_field f;

    if (d->arena.head)
        cs_arena_clear(&d->arena);
    *out = (struct tbw_event){.version = "", .writer = "", .name = ""};
    while (!why && tbw_wire_next(&w, &f))
        why = take_field(out, d, &f);
    out->points = d->points;
    return why ? why : w.bad ? not_event : NULL;
}

void tbw_decoder_clear(struct tbw_decoder *d)
{
    tbw_tags_clear(&d->tags);
    cs_arena_clear(&d->arena);
    free(d->points);
    free(d->order);
    *d = (struct tbw_decoder){0};
}
