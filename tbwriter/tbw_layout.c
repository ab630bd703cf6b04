/*
 * The layout of TensorBoard's Custom Scalars page: one text tensor that holds a serialized Layout
 * (layout.proto).
 */
#include "common/cs_error.h"
#include "tbwriter/layout.pb-c.h"
#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_writer_impl.h"

static int make_lines(Tbw__LayoutMultiline **out, const struct tbw_chart *chart,
                      struct cs_arena *arena, struct cs_error *err)
{
    Tbw__LayoutMultiline *lines = cs_arena_alloc(arena, sizeof *lines);

    tbw__layout_multiline__init(lines);
    lines->n_tag = chart->tag_count;
    lines->tag = cs_arena_alloc(arena, chart->tag_count * sizeof(char *));
    for (size_t i = 0; i < chart->tag_count; i++) {
        CS_TRY(tbw_check_name("tag expression", chart->tags[i], err));
        lines->tag[i] = (char *) chart->tags[i];
    }
    *out = lines;
    return 0;
}

static int make_bands(Tbw__LayoutMargin **out, const struct tbw_chart *chart,
                      struct cs_arena *arena, struct cs_error *err)
{
    Tbw__LayoutMargin *margin = cs_arena_alloc(arena, sizeof *margin);

    tbw__layout_margin__init(margin);
    margin->n_series = chart->band_count;
    margin->series = cs_arena_alloc(arena, chart->band_count * sizeof(void *));
    for (size_t i = 0; i < chart->band_count; i++) {
        Tbw__LayoutBand *band = margin->series[i] = cs_arena_alloc(arena, sizeof *band);
        tbw__layout_band__init(band);
        CS_TRY(tbw_check_name("tag", chart->bands[i].value, err));
        CS_TRY(tbw_check_name("tag", chart->bands[i].lower, err));
        CS_TRY(tbw_check_name("tag", chart->bands[i].upper, err));
        band->value = (char *) chart->bands[i].value;
        band->lower = (char *) chart->bands[i].lower;
        band->upper = (char *) chart->bands[i].upper;
    }
    *out = margin;
    return 0;
}

static int make_chart(Tbw__LayoutChart **out, const struct tbw_chart *chart, struct cs_arena *arena,
                      struct cs_error *err)
{
    Tbw__LayoutChart *made = cs_arena_alloc(arena, sizeof *made);

    tbw__layout_chart__init(made);
    CS_TRY(tbw_check_name("chart title", chart->title, err));
    made->title = (char *) chart->title;
    if (chart->tag_count > 0 || chart->band_count == 0) {
        made->content_case = TBW__LAYOUT_CHART__CONTENT_MULTILINE;
        CS_TRY(make_lines(&made->multiline, chart, arena, err));
    } else {
        made->content_case = TBW__LAYOUT_CHART__CONTENT_MARGIN;
        CS_TRY(make_bands(&made->margin, chart, arena, err));
    }
    *out = made;
    return 0;
}

static int make_category(Tbw__LayoutCategory **out, const struct tbw_category *category,
                         struct cs_arena *arena, struct cs_error *err)
{
    Tbw__LayoutCategory *made = cs_arena_alloc(arena, sizeof *made);

    tbw__layout_category__init(made);
    CS_TRY(tbw_check_name("category title", category->title, err));
    made->title = (char *) category->title;
    made->n_chart = category->chart_count;
    made->chart = cs_arena_alloc(arena, category->chart_count * sizeof(void *));
    for (size_t i = 0; i < category->chart_count; i++)
        CS_TRY(make_chart(&made->chart[i], &category->charts[i], arena, err));
    *out = made;
    return 0;
}

static int add_layout(tbw_writer *w, const Tbw__Layout *layout, struct cs_error *err)
{
    const struct tbw_what what = {.tag = "custom_scalars__config__",
                                  .plugin = "custom_scalars",
                                  .data_class = TBW__DATA_CLASS__TENSOR,
                                  .any_step = true};
    struct cs_buf packed = {0};

    cs_buf_add(&packed, "", 0);
    tbw_pack(&packed, &layout->base);
    ProtobufCBinaryData bytes = {.len = packed.size, .data = (uint8_t *) packed.data};
    const int rc = tbw_writer_blobs(w, &what, &bytes, -1, err);
    cs_buf_clear(&packed);
    return rc;
}

int tbw_writer_layout(tbw_writer *w, const struct tbw_category *categories, size_t count,
                      struct cs_error *err)
{
    Tbw__Layout layout = TBW__LAYOUT__INIT;
    struct cs_arena arena = {0};
    int rc = 0;

    layout.n_category = count;
    layout.category = cs_arena_alloc(&arena, count * sizeof(void *));
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = make_category(&layout.category[i], &categories[i], &arena, err);
    if (rc == 0)
        rc = add_layout(w, &layout, err);
    cs_arena_clear(&arena);
    return rc;
}
