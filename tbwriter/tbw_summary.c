/* Points in a few words, for people: what `csweep events` prints. */
#include <string.h>

#include "common/cs_str.h"
#include "tbwriter/hparams.pb-c.h"
#include "tbwriter/layout.pb-c.h"
#include "tbwriter/tbw_read.h"
#include "tbwriter/tbw_text.h"

enum { TEXT_SHOWN = 80 };

const char *tbw_point_word(enum tbw_point_kind kind)
{
    static const char *const words[] = {
#define X(name, word) word,
        TBW_POINTS(X)
#undef X
    };

    return (size_t) kind < CS_COUNT(words) ? words[kind] : "?";
}

static void put_number(struct cs_buf *out, double value)
{
    char text[CS_DOUBLE_MAX];

    cs_buf_adds(out, cs_format_double(text, value));
}

/* The text on one line, cut after TEXT_SHOWN bytes, not inside a letter. */
static void put_text(struct cs_buf *out, const char *text, size_t size)
{
    size_t shown = size < TEXT_SHOWN ? size : TEXT_SHOWN;

    while (shown < size && shown > 0 && ((unsigned char) text[shown] & 0xc0) == 0x80)
        shown--;
    for (size_t i = 0; i < shown; i++) {
        const unsigned char c = (unsigned char) text[i];
        if (c == '\n')
            cs_buf_adds(out, "\\n");
        else
            cs_buf_add(out, c < 0x20 || c == 0x7f ? "?" : (const char *) text + i, 1);
    }
    if (shown < size)
        cs_buf_addf(out, "... (%zu bytes)", size);
}

static void put_shape(struct cs_buf *out, const struct tbw_tensor *t)
{
    cs_buf_adds(out, "[");
    for (int i = 0; i < t->rank; i++)
        cs_buf_addf(out, "%s%lld", i ? ", " : "", (long long) t->shape[i]);
    cs_buf_adds(out, "]");
}

static size_t bytes_of(const struct tbw_tensor *t)
{
    size_t size = 0;

    for (size_t i = 0; i < t->blob_count; i++)
        size += t->blobs[i].size;
    return size;
}

/* ---- kinds ---- */

static void put_histogram(struct cs_buf *out, const struct tbw_tensor *t)
{
    const size_t rows = t->number_count / 3;
    double count = 0;

    for (size_t i = 0; i < rows; i++)
        count += t->numbers[3 * i + 2];
    put_number(out, count);
    cs_buf_addf(out, " values in %zu bins", rows);
    if (rows > 0) {
        cs_buf_adds(out, " from ");
        put_number(out, t->numbers[0]);
        cs_buf_adds(out, " to ");
        put_number(out, t->numbers[3 * rows - 2]);
    }
}

static void put_curve(struct cs_buf *out, const struct tbw_tensor *t)
{
    const size_t n = t->number_count / 6;

    put_number(out, t->numbers[0]);
    cs_buf_adds(out, " positive and ");
    put_number(out, t->numbers[n]);
    cs_buf_addf(out, " negative over %zu thresholds", n);
}

static void put_value(struct cs_buf *out, const Tbw__HParamValue *value)
{
    if (!value)
        return;
    if (value->kind_case == TBW__HPARAM_VALUE__KIND_NUMBER_VALUE)
        put_number(out, value->number_value);
    else if (value->kind_case == TBW__HPARAM_VALUE__KIND_STRING_VALUE)
        put_text(out, value->string_value, strlen(value->string_value));
    else if (value->kind_case == TBW__HPARAM_VALUE__KIND_BOOL_VALUE)
        cs_buf_adds(out, value->bool_value ? "true" : "false");
}

static void put_start(struct cs_buf *out, const Tbw__SessionStartInfo *start)
{
    for (size_t i = 0; i < start->n_hparams; i++) {
        cs_buf_addf(out, "%s%s=", i ? " " : "", start->hparams[i]->key);
        put_value(out, start->hparams[i]->value);
    }
    if (*start->group_name)
        cs_buf_addf(out, "%sgroup %s", start->n_hparams ? " " : "", start->group_name);
}

static void put_experiment(struct cs_buf *out, const Tbw__Experiment *e)
{
    cs_buf_addf(out, "experiment%s%s: hparams", *e->name ? " " : "", e->name);
    for (size_t i = 0; i < e->n_hparam_infos; i++)
        cs_buf_addf(out, " %s", e->hparam_infos[i]->name);
    cs_buf_adds(out, "; metrics");
    for (size_t i = 0; i < e->n_metric_infos; i++)
        cs_buf_addf(out, " %s", e->metric_infos[i]->name ? e->metric_infos[i]->name->tag : "?");
}

static void put_hparams(struct cs_buf *out, const struct tbw_blob *content)
{
    static const char *const words[] = {"unknown", "success", "failure", "running"};
    Tbw__HParamsPluginData *data =
        content ? tbw__hparams_plugin_data__unpack(NULL, content->size, content->data) : NULL;

    if (!data)
        cs_buf_adds(out, "not readable");
    else if (data->data_case == TBW__HPARAMS_PLUGIN_DATA__DATA_EXPERIMENT)
        put_experiment(out, data->experiment);
    else if (data->data_case == TBW__HPARAMS_PLUGIN_DATA__DATA_SESSION_START_INFO)
        put_start(out, data->session_start_info);
    else if (data->data_case == TBW__HPARAMS_PLUGIN_DATA__DATA_SESSION_END_INFO)
        cs_buf_addf(out, "ended: %s",
                    (unsigned) data->session_end_info->status < CS_COUNT(words)
                        ? words[data->session_end_info->status]
                        : "?");
    if (data)
        tbw__hparams_plugin_data__free_unpacked(data, NULL);
}

static void put_layout(struct cs_buf *out, struct tbw_blob blob)
{
    Tbw__Layout *layout = tbw__layout__unpack(NULL, blob.size, blob.data);

    if (!layout) {
        cs_buf_adds(out, "not readable");
        return;
    }
    for (size_t i = 0; i < layout->n_category; i++) {
        const Tbw__LayoutCategory *c = layout->category[i];
        cs_buf_addf(out, "%s%s:", i ? "; " : "", c->title);
        for (size_t k = 0; k < c->n_chart; k++)
            cs_buf_addf(out, "%s %s", k ? "," : "", c->chart[k]->title);
    }
    tbw__layout__free_unpacked(layout, NULL);
}

/* protobuf-c takes any bytes for text: what is printed must be valid all the same. */
static void mend(struct cs_buf *out, size_t from)
{
    for (size_t i = from; i < out->size; i++)
        if ((unsigned char) out->data[i] < 0x20)
            out->data[i] = '?';
    if (tbw_utf8_valid(out->data + from, out->size - from))
        return;
    for (size_t i = from; i < out->size; i++)
        if ((unsigned char) out->data[i] >= 0x7f)
            out->data[i] = '?';
}

void tbw_point_summary(struct cs_buf *out, const struct tbw_point *p)
{
    const struct tbw_tensor *t = p->tensor;
    const size_t from = out->size;

    cs_buf_adds(out, "");
    if (p->kind == TBW_POINT_SCALAR)
        put_number(out, p->value);
    else if (p->kind == TBW_POINT_TEXT)
        put_text(out, p->text, p->size);
    else if (p->kind == TBW_POINT_HPARAMS)
        put_hparams(out, p->content);
    else if (p->kind == TBW_POINT_HISTOGRAM && t)
        put_histogram(out, t);
    else if (p->kind == TBW_POINT_PR_CURVE && t)
        put_curve(out, t);
    else if (p->kind == TBW_POINT_IMAGE && t)
        cs_buf_addf(out, "%zu image%s of %d x %d, %zu bytes", t->blob_count,
                    t->blob_count == 1 ? "" : "s", t->width, t->height, bytes_of(t));
    else if (p->kind == TBW_POINT_AUDIO && t)
        cs_buf_addf(out, "%zu clip%s, %zu bytes", t->blob_count, t->blob_count == 1 ? "" : "s",
                    bytes_of(t));
    else if (p->kind == TBW_POINT_LAYOUT && t)
        put_layout(out, t->blobs[0]);
    else if (t)
        put_shape(out, t);
    mend(out, from);
}
