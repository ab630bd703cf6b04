/*
 * The three records behind TensorBoard's HParams page. Each is a summary value of plugin
 * "hparams" whose metadata carries an HParamsPluginData (hparams.proto); the tensor is empty and
 * only there because readers want one.
 */
#include <math.h>
#include <string.h>

#include "common/cs_error.h"
#include "tbwriter/hparams.pb-c.h"
#include "tbwriter/tbw_text.h"
#include "tbwriter/tbw_writer_impl.h"

/*
 * From so many numbers on the page has no check boxes for them, and its filter request is refused
 * by the server.
 */
enum { INTERVAL_COUNT = 10 };

static int add_record(tbw_writer *w, const char *tag, Tbw__HParamsPluginData *data,
                      struct cs_error *err)
{
    struct cs_buf content = {0};

    tbw_pack(&content, &data->base);
    const struct tbw_what what = {.tag = tag,
                                  .plugin = "hparams",
                                  .content = &content,
                                  .data_class = TBW__DATA_CLASS__TENSOR,
                                  .any_step = true};
    const int rc = tbw_writer_empty(w, &what, err);
    cs_buf_clear(&content);
    return rc;
}

/* ---- values ---- */

static int make_value(Tbw__HParamValue **out, const char *name, const struct tbw_hvalue *value,
                      struct cs_arena *arena, struct cs_error *err)
{
    Tbw__HParamValue *made = cs_arena_alloc(arena, sizeof *made);

    tbw__hparam_value__init(made);
    switch (value->kind) {
    case TBW_STRING:
        if (!value->text)
            return cs_fail(err, CS_EPARSE, "hyperparameter '%.200s' has no text", name);
        CS_TRY(tbw_check_text("text of a hyperparameter", value->text, err));
        made->kind_case = TBW__HPARAM_VALUE__KIND_STRING_VALUE;
        made->string_value = (char *) value->text;
        break;
    case TBW_FLOAT:
        if (!isfinite(value->num))
            return cs_fail(err, CS_ERANGE, "hyperparameter '%.200s' = %g: must be finite", name,
                           value->num);
        made->kind_case = TBW__HPARAM_VALUE__KIND_NUMBER_VALUE;
        made->number_value = value->num;
        break;
    case TBW_BOOL:
        made->kind_case = TBW__HPARAM_VALUE__KIND_BOOL_VALUE;
        made->bool_value = value->num != 0;
        break;
    default:
        return cs_fail(err, CS_ERANGE, "hyperparameter '%.200s': kind %d is not a tbw_kind", name,
                       (int) value->kind);
    }
    *out = made;
    return 0;
}

/* ---- a trial ---- */

static int make_entries(Tbw__SessionStartInfo *start, const struct tbw_hvalue *values, size_t count,
                        struct cs_arena *arena, struct cs_error *err)
{
    start->n_hparams = count;
    start->hparams = cs_arena_alloc(arena, count * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        Tbw__HParamEntry *entry = cs_arena_alloc(arena, sizeof *entry);
        const char *name = values[i].name;
        CS_TRY(tbw_check_name("hyperparameter name", name, err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(values[k].name, name) == 0)
                return cs_fail(err, CS_ERANGE, "hyperparameter '%.200s' given twice", name);
        tbw__hparam_entry__init(entry);
        entry->key = (char *) name;
        CS_TRY(make_value(&entry->value, name, &values[i], arena, err));
        start->hparams[i] = entry;
    }
    return 0;
}

int tbw_writer_hparams_start(tbw_writer *w, const struct tbw_hvalue *values, size_t count,
                             const char *group_name, double start_time, struct cs_error *err)
{
    Tbw__HParamsPluginData data = TBW__HPARAMS_PLUGIN_DATA__INIT;
    Tbw__SessionStartInfo start = TBW__SESSION_START_INFO__INIT;
    struct cs_arena arena = {0};
    int rc = tbw_time_or_now(&start.start_time_secs, w, "start_time", start_time, err);

    if (rc == 0)
        rc = tbw_check_text("group name", group_name, err);
    if (rc == 0)
        rc = make_entries(&start, values, count, &arena, err);
    if (rc < 0)
        goto done;
    if (group_name)
        start.group_name = (char *) group_name;
    data.data_case = TBW__HPARAMS_PLUGIN_DATA__DATA_SESSION_START_INFO;
    data.session_start_info = &start;
    rc = add_record(w, "_hparams_/session_start_info", &data, err);
done:
    cs_arena_clear(&arena);
    return rc;
}

int tbw_writer_hparams_end(tbw_writer *w, enum tbw_status status, double end_time,
                           struct cs_error *err)
{
    static const Tbw__SessionEndInfo__Status codes[] = {
        [TBW_UNKNOWN] = TBW__SESSION_END_INFO__STATUS__UNKNOWN,
        [TBW_SUCCESS] = TBW__SESSION_END_INFO__STATUS__SUCCESS,
        [TBW_FAILURE] = TBW__SESSION_END_INFO__STATUS__FAILURE,
        [TBW_RUNNING] = TBW__SESSION_END_INFO__STATUS__RUNNING,
    };
    Tbw__HParamsPluginData data = TBW__HPARAMS_PLUGIN_DATA__INIT;
    Tbw__SessionEndInfo end = TBW__SESSION_END_INFO__INIT;

    if ((size_t) status >= CS_COUNT(codes))
        return cs_fail(err, CS_ERANGE, "status %d is not a tbw_status", (int) status);
    CS_TRY(tbw_time_or_now(&end.end_time_secs, w, "end_time", end_time, err));
    end.status = codes[status];
    data.data_case = TBW__HPARAMS_PLUGIN_DATA__DATA_SESSION_END_INFO;
    data.session_end_info = &end;
    return add_record(w, "_hparams_/session_end_info", &data, err);
}

/* ---- the experiment ---- */

static Tbw__Interval *make_interval(const struct tbw_hvalue *values, size_t count,
                                    struct cs_arena *arena)
{
    Tbw__Interval *made = cs_arena_alloc(arena, sizeof *made);

    tbw__interval__init(made);
    made->min_value = made->max_value = values[0].num;
    for (size_t i = 1; i < count; i++) {
        made->min_value = fmin(made->min_value, values[i].num);
        made->max_value = fmax(made->max_value, values[i].num);
    }
    return made;
}

static int make_domain(Tbw__HParamInfo *made, const struct tbw_hparam_info *info,
                       struct cs_arena *arena, struct cs_error *err)
{
    Tbw__ListValue *list = cs_arena_alloc(arena, sizeof *list);

    tbw__list_value__init(list);
    list->n_values = info->domain_count;
    list->values = cs_arena_alloc(arena, info->domain_count * sizeof(void *));
    for (size_t i = 0; i < info->domain_count; i++) {
        if (info->domain[i].kind != info->kind)
            return cs_fail(err, CS_ERANGE, "hyperparameter '%.200s': domain of more than one kind",
                           info->name);
        CS_TRY(make_value(&list->values[i], info->name, &info->domain[i], arena, err));
    }
    if (info->kind == TBW_FLOAT && info->domain_count > 0 &&
        (info->interval || info->domain_count >= INTERVAL_COUNT)) {
        made->domain_case = TBW__HPARAM_INFO__DOMAIN_DOMAIN_INTERVAL;
        made->domain_interval = make_interval(info->domain, info->domain_count, arena);
    } else if (info->domain_count) {
        made->domain_case = TBW__HPARAM_INFO__DOMAIN_DOMAIN_DISCRETE;
        made->domain_discrete = list;
    }
    return 0;
}

/* An optional text of a message: protobuf-c leaves out what still points to its default. */
static int set_text(char **field, const char *what, const char *text, struct cs_error *err)
{
    CS_TRY(tbw_check_text(what, text, err));
    if (text)
        *field = (char *) text;
    return 0;
}

static int make_hparam(Tbw__HParamInfo **out, const struct tbw_hparam_info *info,
                       struct cs_arena *arena, struct cs_error *err)
{
    static const Tbw__HParamInfo__Type types[] = {
        [TBW_STRING] = TBW__HPARAM_INFO__TYPE__STRING,
        [TBW_FLOAT] = TBW__HPARAM_INFO__TYPE__FLOAT64,
        [TBW_BOOL] = TBW__HPARAM_INFO__TYPE__BOOL,
    };
    Tbw__HParamInfo *made = cs_arena_alloc(arena, sizeof *made);

    tbw__hparam_info__init(made);
    CS_TRY(tbw_check_name("hyperparameter name", info->name, err));
    if ((size_t) info->kind >= CS_COUNT(types))
        return cs_fail(err, CS_ERANGE, "hyperparameter '%.200s': kind %d is not a tbw_kind",
                       info->name, (int) info->kind);
    made->name = (char *) info->name;
    made->type = types[info->kind];
    made->differs = info->differs;
    CS_TRY(set_text(&made->display_name, "display name", info->display_name, err));
    CS_TRY(set_text(&made->description, "description", info->description, err));
    CS_TRY(make_domain(made, info, arena, err));
    *out = made;
    return 0;
}

static int make_metric(Tbw__MetricInfo **out, const struct tbw_metric_info *info,
                       struct cs_arena *arena, struct cs_error *err)
{
    static const Tbw__MetricInfo__Dataset datasets[] = {
        [TBW_DATASET_UNKNOWN] = TBW__METRIC_INFO__DATASET__UNKNOWN,
        [TBW_TRAINING] = TBW__METRIC_INFO__DATASET__TRAINING,
        [TBW_VALIDATION] = TBW__METRIC_INFO__DATASET__VALIDATION,
    };
    Tbw__MetricInfo *made = cs_arena_alloc(arena, sizeof *made);
    Tbw__MetricName *name = cs_arena_alloc(arena, sizeof *name);

    tbw__metric_info__init(made);
    tbw__metric_name__init(name);
    CS_TRY(tbw_check_name("metric tag", info->tag, err));
    if ((size_t) info->dataset >= CS_COUNT(datasets))
        return cs_fail(err, CS_ERANGE, "metric '%.200s': dataset %d is not a tbw_dataset",
                       info->tag, (int) info->dataset);
    name->tag = (char *) info->tag;
    made->name = name;
    made->dataset_type = datasets[info->dataset];
    CS_TRY(set_text(&made->display_name, "display name", info->display_name, err));
    CS_TRY(set_text(&made->description, "description", info->description, err));
    *out = made;
    return 0;
}

static int make_infos(Tbw__Experiment *made, const struct tbw_experiment *e, struct cs_arena *arena,
                      struct cs_error *err)
{
    made->n_hparam_infos = e->hparam_count;
    made->hparam_infos = cs_arena_alloc(arena, e->hparam_count * sizeof(void *));
    for (size_t i = 0; i < e->hparam_count; i++) {
        CS_TRY(make_hparam(&made->hparam_infos[i], &e->hparams[i], arena, err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(e->hparams[k].name, e->hparams[i].name) == 0)
                return cs_fail(err, CS_ERANGE, "hyperparameter '%.200s' given twice",
                               e->hparams[i].name);
    }
    made->n_metric_infos = e->metric_count;
    made->metric_infos = cs_arena_alloc(arena, e->metric_count * sizeof(void *));
    for (size_t i = 0; i < e->metric_count; i++) {
        CS_TRY(make_metric(&made->metric_infos[i], &e->metrics[i], arena, err));
        for (size_t k = 0; k < i; k++)
            if (strcmp(e->metrics[k].tag, e->metrics[i].tag) == 0)
                return cs_fail(err, CS_ERANGE, "metric '%.200s' given twice", e->metrics[i].tag);
    }
    return 0;
}

int tbw_writer_experiment(tbw_writer *w, const struct tbw_experiment *experiment,
                          struct cs_error *err)
{
    Tbw__HParamsPluginData data = TBW__HPARAMS_PLUGIN_DATA__INIT;
    Tbw__Experiment made = TBW__EXPERIMENT__INIT;
    struct cs_arena arena = {0};
    int rc =
        tbw_time_or_now(&made.time_created_secs, w, "time_created", experiment->time_created, err);

    if (rc == 0)
        rc = set_text(&made.name, "experiment name", experiment->name, err);
    if (rc == 0)
        rc = set_text(&made.description, "description", experiment->description, err);
    if (rc == 0)
        rc = make_infos(&made, experiment, &arena, err);
    if (rc < 0)
        goto done;
    data.data_case = TBW__HPARAMS_PLUGIN_DATA__DATA_EXPERIMENT;
    data.experiment = &made;
    rc = add_record(w, "_hparams_/experiment", &data, err);
done:
    cs_arena_clear(&arena);
    return rc;
}
