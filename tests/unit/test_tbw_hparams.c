/* The HParams and Custom Scalars records, decoded again by protobuf-c, and what they refuse. */
#include <math.h>

#include "tbwriter/event.pb-c.h"
#include "tbwriter/hparams.pb-c.h"
#include "tbwriter/layout.pb-c.h"
#include "tbwriter/tbw.h"
#include "tbwriter/tbw_bytes.h"
#include "tests/unit/test_tbw_util.h"

struct fixture {
    char dir[SCRATCH_MAX];
    tbw_writer *w;
    struct cs_buf bytes;
    Tbw__Event *event; /* of the last record */
};

static void setup(struct fixture *f)
{
    const struct tbw_options opt = {.wall_time = 1600000000.5};

    memset(f, 0, sizeof *f);
    scratch_make(f->dir);
    assert_int_equal(tbw_writer_open(&f->w, f->dir, &opt, NULL), 0);
}

/* Close and decode the last record; its only value. */
static const Tbw__Value *last_value(struct fixture *f)
{
    char *path = cs_xstrdup(tbw_writer_path(f->w));
    size_t at = 0, size = 0;

    assert_int_equal(tbw_writer_close(f->w, NULL), 0);
    assert_int_equal(cs_read_file(&f->bytes, path, 1 << 20, NULL), 0);
    free(path);
    for (;; at += 16 + size) {
        size = (size_t) tbw_load64((const uint8_t *) f->bytes.data + at);
        if (at + 16 + size == f->bytes.size)
            break;
    }
    f->event = tbw__event__unpack(NULL, size, (const uint8_t *) f->bytes.data + at + 12);
    assert_non_null(f->event);
    assert_int_equal(f->event->step, 0);
    assert_int_equal(f->event->what_case, TBW__EVENT__WHAT_SUMMARY);
    assert_int_equal(f->event->summary->n_value, 1);
    return f->event->summary->value[0];
}

static void teardown(struct fixture *f)
{
    if (f->event)
        tbw__event__free_unpacked(f->event, NULL);
    else
        assert_int_equal(tbw_writer_close(f->w, NULL), 0);
    cs_buf_clear(&f->bytes);
    scratch_remove(f->dir);
}

/* The contents of the last record, after what all three have in common. */
static Tbw__HParamsPluginData *last_hparams(struct fixture *f, const char *tag)
{
    const Tbw__Value *value = last_value(f);
    const Tbw__PluginData *plugin = value->metadata->plugin_data;

    assert_string_equal(value->tag, tag);
    assert_string_equal(plugin->plugin_name, "hparams");
    assert_int_equal(value->metadata->data_class, TBW__DATA_CLASS__TENSOR);
    assert_int_equal(value->what_case, TBW__VALUE__WHAT_TENSOR);
    assert_int_equal(value->tensor->dtype, TBW__TENSOR__TYPE__FLOAT);
    assert_int_equal(value->tensor->tensor_shape->n_dim, 1);
    assert_int_equal(value->tensor->tensor_shape->dim[0]->size, 0);
    Tbw__HParamsPluginData *data =
        tbw__hparams_plugin_data__unpack(NULL, plugin->content.len, plugin->content.data);
    assert_non_null(data);
    return data;
}

static void test_start__values(void **state)
{
    const struct tbw_hvalue values[] = {{"lr", TBW_FLOAT, NULL, 0},
                                        {"opt", TBW_STRING, "adam", 0},
                                        {"aug", TBW_BOOL, NULL, 0},
                                        {"nesterov", TBW_BOOL, NULL, 1},
                                        {"layers", TBW_STRING, "", 0}};
    struct fixture f;

    (void) state;
    setup(&f);
    assert_int_equal(tbw_writer_hparams_start(f.w, values, 5, NULL, 0, NULL), 0);
    Tbw__HParamsPluginData *data = last_hparams(&f, "_hparams_/session_start_info");
    assert_int_equal(data->data_case, TBW__HPARAMS_PLUGIN_DATA__DATA_SESSION_START_INFO);
    const Tbw__SessionStartInfo *start = data->session_start_info;
    assert_true(start->start_time_secs == 1600000000.5);
    assert_string_equal(start->group_name, "");
    assert_int_equal(start->n_hparams, 5);
    assert_string_equal(start->hparams[0]->key, "lr");
    assert_int_equal(start->hparams[0]->value->kind_case, TBW__HPARAM_VALUE__KIND_NUMBER_VALUE);
    assert_int_equal(start->hparams[1]->value->kind_case, TBW__HPARAM_VALUE__KIND_STRING_VALUE);
    assert_string_equal(start->hparams[1]->value->string_value, "adam");
    assert_int_equal(start->hparams[2]->value->kind_case, TBW__HPARAM_VALUE__KIND_BOOL_VALUE);
    assert_false(start->hparams[2]->value->bool_value);
    assert_true(start->hparams[3]->value->bool_value);
    assert_int_equal(start->hparams[4]->value->kind_case, TBW__HPARAM_VALUE__KIND_STRING_VALUE);
    tbw__hparams_plugin_data__free_unpacked(data, NULL);
    teardown(&f);
}

static void test_start__refusals(void **state)
{
    const struct tbw_hvalue ok = {"a", TBW_FLOAT, NULL, 1};
    const struct tbw_hvalue infinite = {"a", TBW_FLOAT, NULL, (double) INFINITY};
    const struct tbw_hvalue nan_value = {"a", TBW_FLOAT, NULL, (double) NAN};
    const struct tbw_hvalue kind = {"a", (enum tbw_kind) 9, NULL, 1};
    const struct tbw_hvalue no_text = {"a", TBW_STRING, NULL, 1};
    const struct tbw_hvalue no_name = {"", TBW_FLOAT, NULL, 1};
    const struct tbw_hvalue twice[] = {ok, {"b", TBW_FLOAT, NULL, 1}, {"a", TBW_BOOL, NULL, 1}};
    struct cs_error err;
    struct fixture f;

    (void) state;
    setup(&f);
    assert_int_equal(tbw_writer_hparams_start(f.w, &infinite, 1, NULL, 0, &err), CS_ERANGE);
    assert_string_equal(err.detail, "hyperparameter 'a' = inf: must be finite");
    assert_int_equal(tbw_writer_hparams_start(f.w, &nan_value, 1, NULL, 0, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_hparams_start(f.w, &kind, 1, NULL, 0, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_hparams_start(f.w, &no_text, 1, NULL, 0, NULL), CS_EPARSE);
    assert_int_equal(tbw_writer_hparams_start(f.w, &no_name, 1, NULL, 0, NULL), CS_EPARSE);
    assert_int_equal(tbw_writer_hparams_start(f.w, twice, 3, NULL, 0, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_hparams_start(f.w, &ok, 1, NULL, (double) NAN, NULL), CS_ERANGE);
    assert_int_equal(tbw_writer_hparams_start(f.w, &ok, 1, NULL, 1, NULL), 0);
    assert_int_equal(tbw_writer_hparams_start(f.w, &ok, 1, NULL, 1, NULL), CS_ERANGE); /* once */
    teardown(&f);
}

static void test_end__statuses(void **state)
{
    static const struct {
        enum tbw_status status;
        int wire;
    } rows[] = {{TBW_UNKNOWN, 0}, {TBW_SUCCESS, 1}, {TBW_FAILURE, 2}, {TBW_RUNNING, 3}};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        assert_int_equal(tbw_writer_hparams_end(f.w, (enum tbw_status) 4, 1, NULL), CS_ERANGE);
        assert_int_equal(tbw_writer_hparams_end(f.w, rows[i].status, (double) INFINITY, NULL),
                         CS_ERANGE);
        assert_int_equal(tbw_writer_hparams_end(f.w, rows[i].status, 7.5, NULL), 0);
        assert_int_equal(tbw_writer_hparams_end(f.w, rows[i].status, 7.5, NULL), CS_ERANGE);
        Tbw__HParamsPluginData *data = last_hparams(&f, "_hparams_/session_end_info");
        assert_int_equal(data->data_case, TBW__HPARAMS_PLUGIN_DATA__DATA_SESSION_END_INFO);
        assert_int_equal(data->session_end_info->status, rows[i].wire);
        assert_true(data->session_end_info->end_time_secs == 7.5);
        tbw__hparams_plugin_data__free_unpacked(data, NULL);
        teardown(&f);
    }
}

static void test_experiment__all_fields(void **state)
{
    const struct tbw_hvalue rates[] = {{NULL, TBW_FLOAT, NULL, 0.1}, {NULL, TBW_FLOAT, NULL, 0.01}};
    const struct tbw_hvalue names[] = {{NULL, TBW_STRING, "sgd", 0}};
    const struct tbw_hvalue flags[] = {{NULL, TBW_BOOL, NULL, 0}, {NULL, TBW_BOOL, NULL, 1}};
    const struct tbw_hparam_info hparams[] = {
        {"lr", "Rate", "step size", TBW_FLOAT, rates, 2, true, false},
        {"opt", NULL, NULL, TBW_STRING, names, 1, false, false},
        {"aug", NULL, NULL, TBW_BOOL, flags, 2, true, false},
        {"free", NULL, NULL, TBW_FLOAT, NULL, 0, false, false},
    };
    const struct tbw_metric_info metrics[] = {
        {"Accuracy/Val", "Accuracy", "of the last epoch", TBW_VALIDATION},
        {"Loss/Train", NULL, NULL, TBW_TRAINING},
        {"Best/Loss", NULL, NULL, TBW_DATASET_UNKNOWN},
    };
    const struct tbw_experiment experiment = {"sweep", "about it", 12.5, hparams, 4, metrics, 3};
    struct fixture f;

    (void) state;
    setup(&f);
    assert_int_equal(tbw_writer_experiment(f.w, &experiment, NULL), 0);
    assert_int_equal(tbw_writer_experiment(f.w, &experiment, NULL), CS_ERANGE);
    Tbw__HParamsPluginData *data = last_hparams(&f, "_hparams_/experiment");
    assert_int_equal(data->data_case, TBW__HPARAMS_PLUGIN_DATA__DATA_EXPERIMENT);
    const Tbw__Experiment *e = data->experiment;
    assert_string_equal(e->name, "sweep");
    assert_string_equal(e->description, "about it");
    assert_true(e->time_created_secs == 12.5);
    assert_int_equal(e->n_hparam_infos, 4);
    assert_string_equal(e->hparam_infos[0]->name, "lr");
    assert_string_equal(e->hparam_infos[0]->display_name, "Rate");
    assert_string_equal(e->hparam_infos[0]->description, "step size");
    assert_int_equal(e->hparam_infos[0]->type, TBW__HPARAM_INFO__TYPE__FLOAT64);
    assert_true(e->hparam_infos[0]->differs);
    assert_int_equal(e->hparam_infos[0]->domain_case, TBW__HPARAM_INFO__DOMAIN_DOMAIN_DISCRETE);
    assert_int_equal(e->hparam_infos[0]->domain_discrete->n_values, 2);
    assert_true(e->hparam_infos[0]->domain_discrete->values[1]->number_value == 0.01);
    assert_int_equal(e->hparam_infos[1]->type, TBW__HPARAM_INFO__TYPE__STRING);
    assert_string_equal(e->hparam_infos[1]->domain_discrete->values[0]->string_value, "sgd");
    assert_false(e->hparam_infos[1]->differs);
    assert_int_equal(e->hparam_infos[2]->type, TBW__HPARAM_INFO__TYPE__BOOL);
    assert_true(e->hparam_infos[2]->domain_discrete->values[1]->bool_value);
    assert_int_equal(e->hparam_infos[3]->domain_case, TBW__HPARAM_INFO__DOMAIN__NOT_SET);
    assert_int_equal(e->n_metric_infos, 3);
    assert_string_equal(e->metric_infos[0]->name->tag, "Accuracy/Val");
    assert_string_equal(e->metric_infos[0]->name->group, "");
    assert_string_equal(e->metric_infos[0]->display_name, "Accuracy");
    assert_int_equal(e->metric_infos[0]->dataset_type, TBW__METRIC_INFO__DATASET__VALIDATION);
    assert_int_equal(e->metric_infos[1]->dataset_type, TBW__METRIC_INFO__DATASET__TRAINING);
    assert_int_equal(e->metric_infos[2]->dataset_type, TBW__METRIC_INFO__DATASET__UNKNOWN);
    tbw__hparams_plugin_data__free_unpacked(data, NULL);
    teardown(&f);
}

/* Nine numbers stay a list, ten become an interval; ten texts stay a list; ends are an interval. */
static void test_experiment__interval_from_ten_numbers(void **state)
{
    struct tbw_hvalue numbers[10], texts[10];

    (void) state;
    for (int i = 0; i < 10; i++) {
        numbers[i] = (struct tbw_hvalue){NULL, TBW_FLOAT, NULL, (i * 7) % 10 - 3};
        texts[i] = (struct tbw_hvalue){NULL, TBW_STRING, "x", 0};
    }
    const struct tbw_hparam_info hparams[] = {
        {"nine", NULL, NULL, TBW_FLOAT, numbers, 9, true, false},
        {"ten", NULL, NULL, TBW_FLOAT, numbers, 10, true, false},
        {"texts", NULL, NULL, TBW_STRING, texts, 10, true, false},
        {"ends", NULL, NULL, TBW_FLOAT, numbers, 2, true, true}};
    const struct tbw_experiment experiment = {.hparams = hparams, .hparam_count = 4};
    struct fixture f;
    setup(&f);
    assert_int_equal(tbw_writer_experiment(f.w, &experiment, NULL), 0);
    Tbw__HParamsPluginData *data = last_hparams(&f, "_hparams_/experiment");
    Tbw__HParamInfo **infos = data->experiment->hparam_infos;
    assert_int_equal(infos[0]->domain_case, TBW__HPARAM_INFO__DOMAIN_DOMAIN_DISCRETE);
    assert_int_equal(infos[1]->domain_case, TBW__HPARAM_INFO__DOMAIN_DOMAIN_INTERVAL);
    assert_true(infos[1]->domain_interval->min_value == -3);
    assert_true(infos[1]->domain_interval->max_value == 6);
    assert_int_equal(infos[2]->domain_case, TBW__HPARAM_INFO__DOMAIN_DOMAIN_DISCRETE);
    assert_int_equal(infos[2]->domain_discrete->n_values, 10);
    assert_int_equal(infos[3]->domain_case, TBW__HPARAM_INFO__DOMAIN_DOMAIN_INTERVAL);
    assert_true(infos[3]->domain_interval->min_value == -3);
    assert_true(infos[3]->domain_interval->max_value == 4);
    assert_true(data->experiment->time_created_secs == 1600000000.5);
    tbw__hparams_plugin_data__free_unpacked(data, NULL);
    teardown(&f);
}

static void expect_refused(tbw_writer *w, const struct tbw_hparam_info *hparams,
                           size_t hparam_count, const struct tbw_metric_info *metrics,
                           size_t metric_count, int code)
{
    const struct tbw_experiment e = {"e", NULL, 1, hparams, hparam_count, metrics, metric_count};

    assert_int_equal(tbw_writer_experiment(w, &e, NULL), code);
}

static void test_experiment__refusals(void **state)
{
    const struct tbw_hvalue mixed[] = {{NULL, TBW_FLOAT, NULL, 1}, {NULL, TBW_STRING, "x", 0}};
    const struct tbw_hvalue infinite[] = {{NULL, TBW_FLOAT, NULL, (double) INFINITY}};
    const struct tbw_hparam_info ok = {"a", NULL, NULL, TBW_FLOAT, NULL, 0, false, false};
    const struct tbw_hparam_info twice[] = {ok, ok};
    const struct tbw_hparam_info of_mixed = {"a", NULL, NULL, TBW_FLOAT, mixed, 2, false, false};
    const struct tbw_hparam_info of_infinite = {"a",      NULL, NULL,  TBW_FLOAT,
                                                infinite, 1,    false, false};
    const struct tbw_hparam_info kind = {"a", NULL, NULL, (enum tbw_kind) 7, NULL, 0, false, false};
    const struct tbw_hparam_info nameless = {"", NULL, NULL, TBW_FLOAT, NULL, 0, false, false};
    const struct tbw_hparam_info shown = {"a", "\xff", NULL, TBW_FLOAT, NULL, 0, false, false};
    const struct tbw_hparam_info told = {"a", NULL, "\xff", TBW_FLOAT, NULL, 0, false, false};
    const struct tbw_metric_info metric = {"m", NULL, NULL, TBW_TRAINING};
    const struct tbw_metric_info metrics[] = {metric, metric};
    const struct tbw_metric_info dataset = {"m", NULL, NULL, (enum tbw_dataset) 3};
    const struct tbw_metric_info tagless = {NULL, NULL, NULL, TBW_TRAINING};
    const struct tbw_metric_info metric_shown = {"m", "\xff", NULL, TBW_TRAINING};
    const struct tbw_metric_info metric_told = {"m", NULL, "\xff", TBW_TRAINING};
    const struct tbw_experiment name = {.name = "\xff"}, about = {.description = "\xff"};
    const struct tbw_experiment when = {.time_created = (double) NAN};
    struct fixture f;

    (void) state;
    setup(&f);
    expect_refused(f.w, twice, 2, NULL, 0, CS_ERANGE);
    expect_refused(f.w, &of_mixed, 1, NULL, 0, CS_ERANGE);
    expect_refused(f.w, &of_infinite, 1, NULL, 0, CS_ERANGE);
    expect_refused(f.w, &kind, 1, NULL, 0, CS_ERANGE);
    expect_refused(f.w, &nameless, 1, NULL, 0, CS_EPARSE);
    expect_refused(f.w, &shown, 1, NULL, 0, CS_EPARSE);
    expect_refused(f.w, &told, 1, NULL, 0, CS_EPARSE);
    expect_refused(f.w, &ok, 1, metrics, 2, CS_ERANGE);
    expect_refused(f.w, &ok, 1, &dataset, 1, CS_ERANGE);
    expect_refused(f.w, &ok, 1, &tagless, 1, CS_EPARSE);
    expect_refused(f.w, &ok, 1, &metric_shown, 1, CS_EPARSE);
    expect_refused(f.w, &ok, 1, &metric_told, 1, CS_EPARSE);
    assert_int_equal(tbw_writer_experiment(f.w, &name, NULL), CS_EPARSE);
    assert_int_equal(tbw_writer_experiment(f.w, &about, NULL), CS_EPARSE);
    assert_int_equal(tbw_writer_experiment(f.w, &when, NULL), CS_ERANGE);
    expect_refused(f.w, &ok, 1, &metric, 1, 0);
    teardown(&f);
}

static void test_layout__comes_back(void **state)
{
    static const char *const tags[] = {"Loss/Train", "Loss/Val"}, *const one[] = {"Accuracy/.*"};
    static const struct tbw_band band[] = {{"mean", "low", "high"}};
    const struct tbw_chart charts[] = {{.title = "Loss", .tags = tags, .tag_count = 2},
                                       {.title = "Accuracy", .tags = one, .tag_count = 1},
                                       {.title = "Band", .bands = band, .band_count = 1}};
    const struct tbw_category categories[] = {{"Learning", charts, 3}, {"None", NULL, 0}};
    struct fixture f;

    (void) state;
    setup(&f);
    assert_int_equal(tbw_writer_layout(f.w, categories, 2, NULL), 0);
    const Tbw__Value *value = last_value(&f);
    assert_string_equal(value->tag, "custom_scalars__config__");
    assert_string_equal(value->metadata->plugin_data->plugin_name, "custom_scalars");
    assert_int_equal(value->tensor->dtype, TBW__TENSOR__TYPE__STRING);
    assert_int_equal(value->tensor->n_string_val, 1);
    Tbw__Layout *layout = tbw__layout__unpack(NULL, value->tensor->string_val[0].len,
                                              value->tensor->string_val[0].data);
    assert_non_null(layout);
    assert_int_equal(layout->n_category, 2);
    assert_string_equal(layout->category[0]->title, "Learning");
    assert_int_equal(layout->category[0]->n_chart, 3);
    assert_string_equal(layout->category[0]->chart[0]->title, "Loss");
    assert_int_equal(layout->category[0]->chart[0]->multiline->n_tag, 2);
    assert_string_equal(layout->category[0]->chart[0]->multiline->tag[1], "Loss/Val");
    assert_string_equal(layout->category[0]->chart[1]->multiline->tag[0], "Accuracy/.*");
    assert_int_equal(layout->category[0]->chart[2]->margin->n_series, 1);
    assert_string_equal(layout->category[0]->chart[2]->margin->series[0]->value, "mean");
    assert_string_equal(layout->category[0]->chart[2]->margin->series[0]->lower, "low");
    assert_string_equal(layout->category[0]->chart[2]->margin->series[0]->upper, "high");
    assert_int_equal(layout->category[1]->n_chart, 0);
    tbw__layout__free_unpacked(layout, NULL);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start__values),
        cmocka_unit_test(test_start__refusals),
        cmocka_unit_test(test_end__statuses),
        cmocka_unit_test(test_experiment__all_fields),
        cmocka_unit_test(test_experiment__interval_from_ten_numbers),
        cmocka_unit_test(test_experiment__refusals),
        cmocka_unit_test(test_layout__comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
