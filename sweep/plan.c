/*
 * plan.c - points to trials: every point through the trainer's checks, equal ones merged, seeds, names.
 */
#include "sweep/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_expr.h"
#include "common/cs_table.h"
#include "sweep/batch.h"
#include "sweep/names.h"
#include "sweep/plan_impl.h"
#include "sweep/prune/prune.h"

static const struct cs_param sweep_rows[] = {
    {"name", CS_TEXT, "", 0, 0, 0, NULL,
     "folder under the log directory and first part of the tags; empty: the file's stem"},
    {"description", CS_TEXT, "", 0, 0, 0, NULL, "one line for reports"},
    {"include", CS_TEXT, "", 0, 0, 0, NULL,
     "FILE, FILE: grid files read before this one's lines, which win over theirs; may stand before "
     "the first section"},
    {"metric", CS_TEXT, "", 0, 0, 0, NULL,
     "max TAG or min TAG: what makes a trial better; empty: max Accuracy/Val for classes, else min "
     "Loss/Val"},
    {"target", CS_TEXT, "", 0, 0, 0, NULL,
     "condition over tags that counts as reached, such as Accuracy/Val >= 0.85"},
    {"seeds", CS_INT, "1", 0, 9007199254740992.0, 0, NULL,
     "N repeats every point with seeds 0 to N-1; a list, 11, 12, 13, names them"},
    {"seed", CS_INT, "0", 0, 9007199254740992.0, 0, NULL, "the one seed, instead of seeds"},
    {"max_trials", CS_INT, "1000000", 1, GRID_MAX_POINTS, 0, NULL,
     "refuse a grid with more trials than this"},
    {"target_stops", CS_BOOL, "no", 0, 1, 0, NULL,
     "end the sweep when a trial meets target (which trials got how far by then depends on "
     "timing); "
     "no: it is only marked and compared"},
    {"budget", CS_TEXT, "", 0, 0, 0, NULL,
     "time that a run may take, as 90s, 30m, 2h, 1d or 1h 30m; then trials are checkpointed, and "
     "the same command goes on"},
    {"stop_trial", CS_TEXT, "", 0, 0, 0, NULL,
     "N% of median: end a trial that trains longer than that share of the median time of finished "
     "trials of its shape and epochs, three at least; looked at after every epoch. It depends on "
     "timing, so it is not reproducible; csweep rerun --slow goes on"},
    {"halt", CS_TEXT, "", 0, 0, 0, NULL,
     "N% failed or N failed: start no more trials when so many of the sweep's failed"},
    {"search", CS_TEXT, "grid", 0, 0, 0, NULL,
     "how points are chosen: csweep describe search; all but grid take trials"},
    {"trials", CS_INT, "1", 1, GRID_MAX_POINTS, 0, NULL,
     "of a search: points to draw; each is repeated by seeds"},
    {"search_seed", CS_INT, "0", 0, 9007199254740992.0, 0, NULL,
     "of a search: other numbers, other points"},
};

enum { SWEEP_ROWS_MAX = 128 };

/* Rows of the sweep, then those of pruners and searches. */
const struct cs_param *sweep_keys(size_t *count)
{
    static struct cs_param all[SWEEP_ROWS_MAX];
    static size_t filled;
    size_t owned, method_count;
    const struct search_method *const *methods = sweep_search_methods(&method_count);
    const struct sweep_prune_key *keys = sweep_prune_keys(&owned);

    if (filled == 0) {
        memcpy(all, sweep_rows, sizeof sweep_rows);
        filled = CS_COUNT(sweep_rows);
        all[filled++] = *sweep_prune_row();
        for (size_t i = 0; i < owned && filled < SWEEP_ROWS_MAX; i++) {
            size_t k = 0;
            while (k < filled && strcmp(all[k].name, keys[i].row->name) != 0)
                k++;
            if (k == filled)
                all[filled++] = *keys[i].row;
        }
        for (size_t i = 0; i < method_count; i++)
            for (size_t k = 0; k < methods[i]->key_count && filled < SWEEP_ROWS_MAX; k++)
                all[filled++] = methods[i]->keys[k];
    }
    *count = filled;
    return all;
}

/* [sweep] */

static const char *sweep_text(struct builder *b, const char *key, int *line)
{
    const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, key);
    struct cs_value value;

    *line = entry ? entry->value_line : 0;
    if (!entry ||
        cs_param_parse(&value, sweep_grid_sweep_key(key), entry->value, &b->grid.arena, NULL) < 0)
        return "";
    return value.text;
}

static void read_name(struct builder *b)
{
    int line;
    const char *name = sweep_text(b, "name", &line);

    b->plan->name = *name ? name : sweep_name_from_path(b->grid.path, &b->grid.arena);
    const char *fault = sweep_name_fault(b->plan->name);
    if (fault)
        sweep_grid_fault(&b->grid, line, "name = %.120s: %s", name, fault);
}

static void read_metric(struct builder *b)
{
    const char *text = sweep_text(b, "metric", &b->metric_line);

    b->plan->metric = "";
    if (!*text)
        return;
    b->plan->maximize = strncmp(text, "max ", 4) == 0;
    if ((!b->plan->maximize && strncmp(text, "min ", 4) != 0) || strchr(text + 4, ' '))
        sweep_grid_fault(&b->grid, b->metric_line,
                         "metric = %.120s: must be max TAG or min TAG, such as max Accuracy/Val",
                         text);
    else
        b->plan->metric = text + 4;
}

static void read_target(struct builder *b)
{
    struct cs_error err;
    const char *text = sweep_text(b, "target", &b->target_line);

    b->plan->target_text = text;
    if (*text && cs_expr_compile(&b->plan->target, text, &b->grid.arena, &err) < 0)
        sweep_grid_fault(&b->grid, b->target_line, "target = %.120s: %s", text, err.detail);
}

/* seeds = N counts, seeds = A, B, ... lists. */
static void read_seeds(struct builder *b)
{
    const struct grid_entry *seeds = sweep_grid_sweep_entry(&b->grid, "seeds");
    const struct grid_entry *seed = sweep_grid_sweep_entry(&b->grid, "seed");
    static const struct cs_param row = {
        .name = "seeds", .type = CS_INT, .def = "1", .min = 0, .max = 9007199254740992.0};
    const struct cs_param *one[] = {&row}, *single[] = {sweep_grid_sweep_key("seed")};
    struct grid_list list = {0};

    b->plan->seed_count = 1;
    if (b->batch.has_seeds && (seed || seeds))
        sweep_grid_fault(&b->grid, (seed ? seed : seeds)->value_line,
                         "%s: the file has a column seed", seed ? "seed" : "seeds");
    if (seed && seeds)
        sweep_grid_fault(&b->grid, seed->value_line, "seed: give either seed or seeds, not both");
    if (seed)
        list = sweep_grid_values(&b->grid, "seed", single, 1, seed->value, seed->value_line, false);
    else if (seeds)
        list = sweep_grid_values(&b->grid, "seeds", one, 1, seeds->value, seeds->value_line, false);
    if (seed && list.count > 1)
        sweep_grid_fault(&b->grid, seed->value_line, "seed = %.120s: one number; a list is seeds",
                         seed->value);
    const bool counted = !seed && seeds && list.count == 1 && !strpbrk(seeds->value, ",(");
    if (counted && (list.values[0].num < 1 || list.values[0].num > GRID_MAX_POINTS)) {
        sweep_grid_fault(&b->grid, seeds->value_line,
                         "seeds = %.120s: must be a whole number in [1, %d]", seeds->value,
                         GRID_MAX_POINTS);
        return;
    }
    if (list.count)
        b->plan->seed_count = counted ? (size_t) list.values[0].num : list.count;
    b->seeds = cs_xcalloc(b->plan->seed_count, sizeof *b->seeds);
    for (size_t i = 0; i < b->plan->seed_count && list.count; i++)
        b->seeds[i] = counted ? i : (uint64_t) list.values[i].num;
}

static void read_max_trials(struct builder *b)
{
    const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, "max_trials");
    struct cs_error err;
    struct cs_value value;

    b->max_trials = GRID_MAX_POINTS;
    if (!entry)
        return;
    b->max_trials_line = entry->value_line;
    if (cs_param_parse(&value, sweep_grid_sweep_key("max_trials"), entry->value, &b->grid.arena,
                       &err) < 0)
        sweep_grid_fault(&b->grid, entry->value_line, "%s", err.detail);
    else
        b->max_trials = value.num;
}

static void read_limits(struct builder *b)
{
    for (int i = 0; sweep_limit_keys[i]; i++) {
        const char *key = sweep_limit_keys[i];
        const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, key);
        const struct cs_param *row = sweep_grid_sweep_key(key);
        struct cs_value value;
        struct cs_error err;
        int rc = cs_param_parse(&value, row, entry ? entry->value : row->def, &b->grid.arena, &err);
        if (rc == 0)
            rc = sweep_limits_take(&b->plan->limits, key, value.text, &err);
        if (rc < 0)
            sweep_grid_fault(&b->grid, entry ? entry->value_line : 0, "%s", err.detail);
    }
    if (b->plan->limits.target_stops && !*b->plan->target_text)
        sweep_grid_fault(&b->grid, sweep_grid_sweep_entry(&b->grid, "target_stops")->value_line,
                         "target_stops = yes: there is no target; expected target = CONDITION");
}

static const char *prune_text(void *context, const char *key)
{
    struct builder *b = context;
    const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, key);

    return entry ? entry->value : NULL;
}

/* A key that no choice uses is only worth a word when the choice is not the file's own. */
static void prune_fault(void *context, const char *about, bool unused, const char *text)
{
    struct builder *b = context;
    const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, about);
    if (!entry) /* not given, but needed */
        entry = sweep_grid_sweep_entry(&b->grid, "prune");
    const int line = entry ? entry->value_line : 0;

    if (!unused || sweep_grid_overridden(&b->grid, about) ||
        !(sweep_grid_overridden(&b->grid, "prune") ||
          sweep_grid_overridden(&b->grid, "wrapped_pruner")))
        sweep_grid_fault(&b->grid, line, "%s", text);
}

static void read_prune(struct builder *b)
{
    const struct sweep_prune_source source = {b, prune_text, prune_fault};

    b->plan->prune = sweep_prune_read(&source, &b->grid.arena);
}

static void read_sweep(struct builder *b)
{
    int line;

    read_name(b);
    b->plan->description = sweep_text(b, "description", &line);
    read_metric(b);
    read_target(b);
    read_seeds(b);
    read_max_trials(b);
    read_limits(b);
    read_prune(b);
    sweep_plan_read_search(b);
}

/* Points to specs. */

static const char *section_of(const struct grid_key *key)
{
    return key->own ? "model" : key->rows[0].row->section;
}

/* The key in force whose value stands in that line, or NULL. */
static const struct grid_key *key_at(const struct grid *grid, int line)
{
    for (size_t i = 0; i < grid->key_count && line; i++) {
        const struct grid_key *key = grid->keys[i];
        if (key->def && key->def->entry->value_line == line)
            return key;
    }
    return NULL;
}

/* May a fault of `key` only follow from a fault of `other`, which stands at its default? */
static bool depends(const struct grid_key *key, const struct grid_key *other)
{
    static const char *const pairs[][2] = {
        {"data", "dataset"},  {"data", "path"},        {"train", "loss"},
        {"model", "dataset"}, {"model", "loss"},       {"train", "dataset"},
        {"train", "layers"},  {"scheduler", "epochs"}, {"scheduler", "optimizer"},
    };
    const char *section = section_of(key);

    if (strcmp(section, section_of(other)) == 0 && strcmp(section, "data") != 0 &&
        strcmp(section, "train") != 0)
        return true;
    for (size_t i = 0; i < CS_COUNT(pairs); i++) {
        if (strcmp(section, pairs[i][0]) == 0 && strcmp(other->name, pairs[i][1]) == 0)
            return true;
    }
    return false;
}

/* A fault with no line of its own is told only when there is no other that may explain it. */
static bool is_consequence(const struct grid *grid, const struct grid_key *key)
{
    if (!key)
        return grid->faults.count > 0;
    for (size_t i = 0; i < grid->key_count; i++) {
        if (grid->keys[i]->broken && depends(key, grid->keys[i]))
            return true;
    }
    return false;
}

/* The settings of the restored point. */
static size_t collect_settings(struct builder *b)
{
    const struct grid *grid = &b->grid;
    size_t count = 0;

    for (size_t i = 0; i < grid->key_count; i++) {
        const struct grid_key *key = grid->keys[i];
        if (key->def && key->value && !key->own)
            b->settings[count++] =
                (struct train_setting){key->name, key->value, key->def->entry->value_line};
    }
    return count;
}

/* Take the setting at that line out; false when there is none. */
static bool remove_setting(struct train_setting *settings, size_t *count, int line)
{
    for (size_t i = 0; i < *count && line; i++) {
        if (settings[i].line == line) {
            memmove(&settings[i], &settings[i + 1], (*count - i - 1) * sizeof *settings);
            --*count;
            return true;
        }
    }
    return false;
}

/*
 * The spec of the restored point. A fault is recorded and the point tried again without the setting at fault, so
 * that one run tells the faults of every section; what may only follow from the removal is not told.
 */
static struct train_spec *create_spec(struct builder *b)
{
    enum { TRIES = 8 };
    int tries = 0;
    const struct grid_key *removed[TRIES];
    struct cs_error err = {0};
    struct train_spec *spec = NULL;
    const uint64_t seed = b->seeds ? b->seeds[0] : 0;
    size_t count = collect_settings(b);

    for (int i = 0; i < TRIES; i++) {
        err = (struct cs_error){0};
        if (train_spec_create_shared(&spec, b->plan->shared, b->settings, count, seed, &err) == 0)
            break;
        tries++;
        const struct grid_key *key = key_at(&b->grid, err.line);
        bool consequence = is_consequence(&b->grid, key);
        for (int k = 0; k < i; k++)
            consequence = consequence || !key || depends(key, removed[k]);
        if (!consequence)
            sweep_grid_fault(&b->grid, err.line, "%s", err.detail);
        if (!key || !remove_setting(b->settings, &count, err.line))
            break;
        removed[i] = key;
    }
    if (spec && tries) { /* complete only without what was at fault */
        train_spec_free(spec);
        spec = NULL;
    }
    return spec;
}

static void collect_params(struct builder *b, struct sweep_point *point,
                           const struct train_spec *spec)
{
    const struct grid *grid = &b->grid;
    size_t count = 0;

    for (size_t i = 0; i < grid->key_count; i++)
        count += grid->keys[i]->code != 0;
    point->params = cs_arena_alloc(&b->grid.arena, count * sizeof *point->params);
    for (size_t i = 0; i < grid->key_count; i++) {
        const struct grid_key *key = grid->keys[i];
        if (key->code == 0)
            continue;
        struct sweep_param *param = &point->params[point->param_count++];
        const char *shown = sweep_grid_shown(key);
        param->key = key->name;
        param->own = key->own;
        if (key->formula && key->formula->expr)
            param->made = train_shared_text(b->plan->shared,
                                            key->formula->text + strspn(key->formula->text, "= "));
        if (!key->own && shown == key->value)
            param->value = train_spec_get(spec, key->name);
        else /* a value that was made is kept by the key for this point alone */
            param->value = train_shared_text(b->plan->shared, shown);
        if (shown != key->value)
            param->inserted = train_spec_get(spec, key->name);
        param->numeric = sweep_grid_is_number(key) && cs_parse_double(&param->num, param->value);
    }
}

/* What is kept of a spec. Its texts are those of plan->shared. */
static struct sweep_point *create_point(struct builder *b, const struct train_spec *spec)
{
    struct sweep_point *point = cs_arena_alloc(&b->grid.arena, sizeof *point);

    memcpy(point->id, spec->point_id, sizeof point->id);
    point->epochs = spec->epochs;
    point->shape_key = train_shared_text(b->plan->shared, spec->shape_key);
    point->dataset = train_shared_text(b->plan->shared, spec->dataset);
    point->path = train_shared_text(b->plan->shared, spec->path);
    point->tags = train_spec_tags(spec);
    point->work = train_spec_work(spec);
    point->bytes = train_spec_bytes(spec);
    collect_params(b, point, spec);
    return point;
}

/* The restored point, number `number` of the grid: the first of equal ones stays. The place in unique. */
static size_t keep_point(struct builder *b, size_t number, const struct train_spec *spec)
{
    struct cs_table_slot *slot = cs_table_add(&b->ids, spec->point_id);

    if (slot->text)
        return slot->number;
    if (b->unique_count == b->unique_capacity) {
        b->unique_capacity = b->unique_capacity ? 2 * b->unique_capacity : 64;
        b->unique = cs_xrealloc(b->unique, b->unique_capacity * sizeof *b->unique);
    }
    if (b->unique_count == 0)
        b->default_metric = train_spec_default_metric(spec);
    struct sweep_point *point = create_point(b, spec);
    slot->text = point->id;
    slot->number = b->unique_count;
    b->unique[b->unique_count] =
        (struct unique){number, point, cs_arena_strdup(&b->grid.arena, spec->id)};
    return b->unique_count++;
}

void sweep_plan_add_point(struct builder *b, size_t number)
{
    struct train_spec *spec = create_spec(b);
    const size_t before = b->unique_count;

    if (spec && b->grid.faults.count == 0) {
        keep_point(b, number, spec);
        b->plan->merged_count += b->unique_count == before;
    }
    train_spec_free(spec);
}

/* The trial of a row that says its seed. */
static void list_trial(struct builder *b, size_t number, const struct train_spec *spec)
{
    struct cs_table_slot *slot = cs_table_add(&b->trial_ids, spec->id);

    if (slot->text) {
        b->plan->merged_count++;
        sweep_grid_warn(&b->grid, b->batch.rows[number].line,
                        "the same trial as line %d; kept once", b->batch.rows[slot->number].line);
        return;
    }
    slot->text = cs_arena_strdup(&b->grid.arena, spec->id);
    slot->number = number;
    b->listed[b->listed_count++] =
        (struct listed){keep_point(b, number, spec), spec->seed, slot->text};
}

/* A row of a batch file. */
static void add_row(struct builder *b, size_t number)
{
    struct grid *grid = &b->grid;
    const struct sweep_batch_row *row = &b->batch.rows[number];
    const size_t faults = grid->faults.count, warnings = grid->warnings.count;

    sweep_grid_restore(grid, number);
    struct train_spec *spec = create_spec(b);
    if (spec && b->batch.has_seeds)
        train_spec_reseed(spec, row->seed);
    if (spec && row->id && !b->batch.has_seeds && b->plan->seed_count > 1)
        sweep_grid_fault(grid, row->line, "id: with several seeds there must be a column seed");
    else if (spec && row->id && strcmp(row->id, spec->id) != 0)
        sweep_grid_fault(grid, row->line, "id = %.80s: the line's settings are those of %s",
                         row->id, spec->id);
    sweep_batch_relocate(grid, row->line, faults, warnings);
    if (spec && grid->faults.count == 0 && b->batch.has_seeds) {
        list_trial(b, number, spec);
    } else if (spec && grid->faults.count == 0) {
        const size_t before = b->unique_count;
        keep_point(b, number, spec);
        b->plan->merged_count += b->unique_count == before;
    }
    train_spec_free(spec);
}

/* More trials than there may be? */
static bool too_many(const struct builder *b)
{
    size_t trials;

    if (b->batch.has_seeds)
        return (double) b->listed_count > b->max_trials;
    return __builtin_mul_overflow(b->unique_count, b->plan->seed_count, &trials) ||
           (double) trials > b->max_trials;
}

/* Every point, until there are too many trials. */
static void add_points(struct builder *b)
{
    struct grid *grid = &b->grid;

    if (b->batch.has_seeds)
        b->listed = cs_xcalloc(grid->point_count, sizeof *b->listed);
    for (size_t p = 0; p < grid->point_count && grid->faults.count < GRID_MAX_FAULTS; p++) {
        if (too_many(b))
            break;
        if (b->batch.rows) {
            add_row(b, p);
            continue;
        }
        sweep_grid_restore(grid, p);
        sweep_plan_add_point(b, p);
    }
}

struct train_spec *sweep_trial_spec(const struct sweep_plan *plan, const struct sweep_trial *trial)
{
    const struct sweep_point *point = trial->point;
    struct train_setting *settings = cs_xcalloc(point->param_count + 1, sizeof *settings);
    struct train_spec *spec = NULL;
    struct cs_error err;
    size_t count = 0;

    for (size_t i = 0; i < point->param_count; i++) {
        const struct sweep_param *param = &point->params[i];
        if (!param->own)
            settings[count++] = (struct train_setting){
                param->key, param->inserted ? param->inserted : param->value, 0};
    }
    if (train_spec_create_shared(&spec, plan->shared, settings, count, trial->seed, &err) < 0) {
        fprintf(stderr, "csweep: %s: %s\n", trial->name, err.detail);
        abort(); /* cannot: the same settings were a spec when the plan was made */
    }
    free(settings);
    return spec;
}

/* Metric and target, now that the tags are known. */

static bool has_tag(const char *const *tags, const char *tag)
{
    for (; *tags; tags++) {
        if (strcmp(*tags, tag) == 0)
            return true;
    }
    return false;
}

static void check_tag(struct builder *b, const char *key, const char *text, const char *tag,
                      int line)
{
    const char *const *good = NULL;

    for (size_t i = 0; i < b->unique_count; i++) {
        const char *const *tags = b->unique[i].point->tags;
        size_t count = 0;
        if (tags == good || has_tag(tags, tag)) {
            good = tags;
            continue;
        }
        while (tags[count])
            count++;
        const char *near = cs_nearest(tag, tags, count);
        if (near)
            sweep_grid_fault(&b->grid, line, "%s = %.120s: no such tag %.80s; did you mean %s?",
                             key, text, tag, near);
        else
            sweep_grid_fault(&b->grid, line, "%s = %.120s: no such tag %.80s", key, text, tag);
        return;
    }
}

static void settle_metric(struct builder *b)
{
    struct sweep_plan *plan = b->plan;

    if (!*plan->metric && b->unique_count) {
        const char *metric = b->default_metric;
        plan->maximize = strncmp(metric, "max ", 4) == 0;
        plan->metric = metric + 4;
    }
    if (*plan->metric)
        check_tag(
            b, "metric",
            cs_arena_printf(&b->grid.arena, "%s %s", plan->maximize ? "max" : "min", plan->metric),
            plan->metric, b->metric_line);
    if (plan->target) {
        size_t count;
        const struct cs_expr_use *uses = cs_expr_uses(plan->target, &count);
        for (size_t i = 0; i < count; i++) {
            if (!uses[i].value)
                check_tag(b, "target", plan->target_text, uses[i].name, b->target_line);
        }
    }
}

/* Trials. */

static void report_count(struct builder *b)
{
    const bool own = b->max_trials_line != 0;
    const size_t points =
        b->plan->merged_count ? b->unique_count : b->grid.point_count; /* the least there are */

    if (b->batch.has_seeds)
        sweep_grid_fault(&b->grid, b->max_trials_line, "more than %s%.0f trials",
                         own ? "max_trials = " : "", b->max_trials);
    else
        sweep_grid_fault(&b->grid, b->max_trials_line,
                         "%zu points x %zu seeds are more than %s%.0f trials%s", points,
                         b->plan->seed_count, own ? "max_trials = " : "", b->max_trials,
                         own ? "" : "; split the grid");
}

/* Which keys differ between trials that have them. */
static void find_varying(struct builder *b)
{
    struct grid *grid = &b->grid;
    const char **first = cs_xcalloc(grid->key_count + 1, sizeof *first);
    const char **first_way = cs_xcalloc(grid->key_count + 1, sizeof *first_way);
    bool *varies = cs_xcalloc(grid->key_count + 1, sizeof *varies);
    bool *chosen = cs_xcalloc(grid->key_count + 1, sizeof *chosen);

    for (int pass = 0; pass < 2; pass++) {
        for (size_t u = 0; u < b->unique_count; u++) {
            const struct sweep_point *point = b->unique[u].point;
            size_t k = 0;
            for (size_t i = 0; i < point->param_count; i++) {
                struct sweep_param *param = &point->params[i];
                while (grid->keys[k]->name != param->key)
                    k++;
                const char *way = param->made ? param->made : param->value;
                if (!first[k]) {
                    first[k] = param->value;
                    first_way[k] = way;
                }
                varies[k] |= first[k] != param->value && strcmp(first[k], param->value) != 0;
                chosen[k] |= first_way[k] != way && strcmp(first_way[k], way) != 0;
                param->varies = varies[k];
                param->chosen = chosen[k];
            }
        }
    }
    free(first);
    free(first_way);
    free(varies);
    free(chosen);
}

struct coded {
    uint32_t code;
    const char *text;
};

static int compare_codes(const void *a, const void *b)
{
    const struct coded *x = a, *y = b;
    return (x->code > y->code) - (x->code < y->code);
}

static const struct sweep_param *find_param(const struct sweep_point *point, const char *key)
{
    for (size_t i = 0; i < point->param_count; i++) {
        if (point->params[i].key == key)
            return &point->params[i];
    }
    return NULL;
}

/* Key k of the grid as an axis: its values in file order. */
static void add_axis(struct builder *b, size_t k)
{
    struct grid *grid = &b->grid;
    struct cs_table seen = {0};
    struct coded *values = NULL;
    struct sweep_axis axis = {.key = grid->keys[k]->name, .numeric = true};
    size_t capacity = 0;

    for (size_t u = 0; u < b->unique_count; u++) {
        const struct sweep_param *param = find_param(b->unique[u].point, axis.key);
        const uint32_t code = grid->points[b->unique[u].number * grid->key_count + k];
        if (!param || !param->varies)
            continue;
        axis.numeric = axis.numeric && param->numeric;
        struct cs_table_slot *slot = cs_table_add(&seen, param->value);
        if (!slot->text) {
            if (axis.count == capacity)
                values = cs_xrealloc(values, (capacity = 2 * capacity + 16) * sizeof *values);
            slot->text = param->value;
            slot->number = axis.count;
            values[axis.count++] = (struct coded){code, param->value};
        } else if (code < values[slot->number].code) {
            values[slot->number].code = code;
        }
    }
    if (axis.count)
        qsort(values, axis.count, sizeof *values, compare_codes);
    axis.values = cs_arena_alloc(&grid->arena, axis.count * sizeof *axis.values);
    for (size_t i = 0; i < axis.count; i++)
        axis.values[i] = values[i].text;
    if (axis.count)
        b->plan->axes[b->plan->axis_count++] = axis;
    free(values);
    cs_table_clear(&seen);
}

static struct sweep_trial first_trial(const struct builder *b, size_t unique)
{
    const struct sweep_point *point = b->unique[unique].point;

    return (struct sweep_trial){.name = b->plan->name,
                                .id = b->unique[unique].id,
                                .point = point,
                                .params = point->params,
                                .param_count = point->param_count};
}

/* Trials with seeds of their own: points in the order of their first lines, the seeds of each in the order of theirs. */
static void create_listed(struct builder *b)
{
    struct sweep_plan *plan = b->plan;
    size_t *next = cs_xcalloc(b->unique_count + 2, sizeof *next);

    plan->trials = cs_xcalloc(b->listed_count + 1, sizeof *plan->trials);
    for (size_t i = 0; i < b->listed_count; i++)
        next[b->listed[i].unique + 1]++;
    for (size_t u = 0; u < b->unique_count; u++) {
        plan->seed_count = next[u + 1] > plan->seed_count ? next[u + 1] : plan->seed_count;
        next[u + 1] += next[u];
    }
    for (size_t i = 0; i < b->listed_count; i++) {
        const struct listed *listed = &b->listed[i];
        struct sweep_trial *trial = &plan->trials[next[listed->unique]++];
        *trial = first_trial(b, listed->unique);
        trial->seed = listed->seed;
        trial->id = listed->id;
    }
    plan->trial_count = b->listed_count;
    plan->point_count = b->unique_count;
    free(next);
}

/* The id of every seed but the first takes the point's spec once more. */
void sweep_plan_add_trials(struct builder *b, size_t u)
{
    struct sweep_plan *plan = b->plan;

    for (; u < b->unique_count; u++) {
        struct sweep_trial trial = first_trial(b, u);
        trial.seed = b->seeds[0];
        struct train_spec *spec = plan->seed_count > 1 ? sweep_trial_spec(plan, &trial) : NULL;
        for (size_t s = 0; s < plan->seed_count; s++) {
            trial.seed = b->seeds[s];
            if (s) {
                train_spec_reseed(spec, trial.seed);
                trial.id = cs_arena_strdup(&b->grid.arena, spec->id);
            }
            plan->trials[plan->trial_count++] = trial;
        }
        train_spec_free(spec);
    }
    plan->point_count = b->unique_count;
}

static void create_trials(struct builder *b)
{
    struct sweep_plan *plan = b->plan;
    const size_t points = plan->drawn && !b->exhausted ? b->wanted : b->unique_count;

    plan->trials = cs_xcalloc(points * plan->seed_count + 1, sizeof *plan->trials);
    sweep_plan_add_trials(b, 0);
    plan->wanted = points * plan->seed_count;
}

/* All together. */

static void move_warnings(struct builder *b)
{
    struct grid_faults *list = &b->grid.warnings;

    sweep_grid_faults_sort(list);
    b->plan->warnings = cs_arena_alloc(&b->grid.arena, list->count * sizeof *b->plan->warnings);
    for (size_t i = 0; i < list->count; i++) {
        struct cs_buf line = {0};
        sweep_grid_faults_print(&line, &b->grid, list, i);
        b->plan->warnings[b->plan->warning_count++] = cs_arena_strdup(&b->grid.arena, line.data);
        cs_buf_clear(&line);
    }
}

static void move_faults(struct builder *b, struct sweep_faults *faults)
{
    struct grid_faults *list = &b->grid.faults;

    sweep_grid_faults_sort(list);
    for (size_t i = 0; i < list->count; i++) {
        sweep_grid_faults_print(&faults->text, &b->grid, list, i);
        cs_buf_adds(&faults->text, "\n");
        faults->count++;
    }
}

/* How many points each rule of [exclude] took. */
static void move_rules(struct builder *b)
{
    const struct grid *grid = &b->grid;
    struct sweep_plan *plan = b->plan;

    plan->rules = cs_arena_alloc(&b->grid.arena, grid->rule_count * sizeof *plan->rules);
    for (size_t i = 0; i < grid->rule_count; i++) {
        const struct grid_rule *rule = &grid->rules[i];
        plan->rules[plan->rule_count++] =
            (struct sweep_rule){rule->entry->key, rule->entry->value, rule->removed};
        plan->excluded_count += rule->removed;
    }
}

/* What sweep.ini holds: either kind of file, whose settings are those in force. */
static char *resolve(struct builder *b)
{
    struct cs_buf out = {0};

    if (!b->batch.rows)
        return sweep_plan_resolve(&b->grid, b->plan->name);
    sweep_batch_write(&out, b->plan, sweep_plan_lines(&b->grid, b->plan->name));
    return out.data;
}

static void build(struct builder *b)
{
    struct sweep_plan *plan = b->plan;

    read_sweep(b);
    plan->shared = train_shared_create();
    b->settings = cs_xcalloc(b->grid.key_count + 1, sizeof *b->settings);
    if (!b->batch.text && !plan->drawn)
        sweep_grid_expand(&b->grid);
    if (plan->drawn)
        sweep_plan_draw(b);
    if (b->grid.stopped)
        return;
    add_points(b);
    if (b->grid.faults.count == 0)
        settle_metric(b);
    if (b->grid.faults.count == 0 && too_many(b))
        report_count(b);
    if (b->grid.faults.count)
        return;
    if (!plan->drawn)
        find_varying(b);
    plan->axes = cs_arena_alloc(&b->grid.arena, (b->grid.key_count + 1) * sizeof *plan->axes);
    for (size_t k = 0; k < b->grid.key_count && !plan->drawn; k++)
        add_axis(b, k);
    if (plan->drawn)
        sweep_plan_search_axes(b);
    if (b->batch.has_seeds)
        create_listed(b);
    else
        create_trials(b);
    move_rules(b);
    plan->sweep_lines = sweep_plan_lines(&b->grid, NULL);
    move_warnings(b);
}

void sweep_plan_free_builder(struct builder *b)
{
    if (!b)
        return;
    free(b->unique);
    free(b->seeds);
    free(b->settings);
    free(b->listed);
    cs_table_clear(&b->ids);
    cs_table_clear(&b->trial_ids);
    sweep_grid_clear(&b->grid);
    sweep_batch_clear(&b->batch);
    free(b);
}

int sweep_plan_create(struct sweep_plan **out, const struct sweep_plan_input *input,
                      struct sweep_faults *faults)
{
    struct builder *b = cs_xcalloc(1, sizeof *b);
    struct sweep_plan *plan = b->plan = cs_xcalloc(1, sizeof *plan);

    const bool batch = sweep_batch_is(input->path);
    int rc =
        batch ? sweep_batch_read(&b->batch, &b->grid, input) : sweep_grid_read(&b->grid, input);
    plan->path = cs_arena_strdup(&b->grid.arena, input->path);
    if (rc == 0)
        build(b);
    move_faults(b, faults);
    if (faults->count && rc == 0)
        rc = CS_EPARSE;
    if (rc == 0) {
        if (plan->wanted < plan->trial_count)
            plan->wanted = plan->trial_count;
        plan->arena = b->grid.arena; /* one arena, lent for the names */
        sweep_names_create(plan);
        b->grid.arena = plan->arena;
        plan->resolved = resolve(b);
    }
    plan->arena = b->grid.arena;
    b->grid.arena = (struct cs_arena){0};
    if (rc == 0 && plan->trial_count < plan->wanted)
        plan->more = b;
    else
        sweep_plan_free_builder(b);
    if (rc < 0) {
        sweep_plan_free(plan);
        return rc;
    }
    *out = plan;
    return 0;
}

void sweep_plan_free(struct sweep_plan *plan)
{
    if (!plan)
        return;
    sweep_plan_free_builder(plan->more);
    free(plan->trials);
    free(plan->resolved);
    cs_arena_clear(&plan->arena);
    train_shared_free(plan->shared);
    free(plan);
}
