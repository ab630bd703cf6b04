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
#include "sweep/grid.h"
#include "sweep/names.h"

static const struct cs_param sweep_rows[] = {
    {"name", CS_TEXT, "", 0, 0, 0, NULL,
     "folder under the log directory and first part of the tags; empty: the file's stem"},
    {"description", CS_TEXT, "", 0, 0, 0, NULL, "one line for reports"},
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
};

const struct cs_param *sweep_keys(size_t *count)
{
    *count = CS_COUNT(sweep_rows);
    return sweep_rows;
}

static const struct cs_param *sweep_row(const char *name)
{
    for (size_t i = 0; i < CS_COUNT(sweep_rows); i++) {
        if (strcmp(sweep_rows[i].name, name) == 0)
            return &sweep_rows[i];
    }
    return NULL;
}

/* A set of texts with a number each: open addressing, texts borrowed. */
struct table {
    struct slot {
        const char *text;
        size_t number;
    } * slots;
    size_t size, count;
};

static uint64_t hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *text; text++)
        h = (h ^ (unsigned char) *text) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static struct slot *find_slot(const struct table *table, const char *text)
{
    size_t at = (size_t) hash_text(text) & (table->size - 1);

    while (table->slots[at].text && strcmp(table->slots[at].text, text) != 0)
        at = (at + 1) & (table->size - 1);
    return &table->slots[at];
}

/* The slot of text; its text is NULL when it was not in the set, and is to be set by the caller then. */
static struct slot *add_text(struct table *table, const char *text)
{
    if (2 * (table->count + 1) > table->size) {
        struct table grown = {.size = table->size ? 2 * table->size : 32, .count = table->count};
        grown.slots = cs_xcalloc(grown.size, sizeof *grown.slots);
        for (size_t i = 0; i < table->size; i++) {
            if (table->slots[i].text)
                *find_slot(&grown, table->slots[i].text) = table->slots[i];
        }
        free(table->slots);
        *table = grown;
    }
    struct slot *slot = find_slot(table, text);
    if (!slot->text)
        table->count++;
    return slot;
}

/* What is built. */
struct builder {
    struct grid grid;
    struct sweep_plan *plan;
    uint64_t *seeds;
    double max_trials;
    int max_trials_line;
    int metric_line, target_line;
    /* One entry per point that is left after merging: */
    struct unique {
        size_t point;
        struct train_spec *spec;
        struct sweep_param *params;
        size_t param_count;
    } * unique;
    size_t unique_count;
};

/* [sweep] */

static const char *sweep_text(struct builder *b, const char *key, int *line)
{
    const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, key);
    struct cs_value value;

    *line = entry ? entry->value_line : 0;
    if (!entry || cs_param_parse(&value, sweep_row(key), entry->value, &b->grid.arena, NULL) < 0)
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
    const struct cs_param *one[] = {&row}, *single[] = {sweep_row("seed")};
    struct grid_list list = {0};

    b->plan->seed_count = 1;
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
    if (cs_param_parse(&value, sweep_row("max_trials"), entry->value, &b->grid.arena, &err) < 0)
        sweep_grid_fault(&b->grid, entry->value_line, "%s", err.detail);
    else
        b->max_trials = value.num;
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

static size_t collect_settings(struct builder *b, struct train_setting *settings,
                               struct cs_buf *layers, struct cs_error *err)
{
    struct grid *grid = &b->grid;
    size_t count = 0;

    for (size_t i = 0; i < grid->key_count; i++) {
        const struct grid_key *key = grid->keys[i];
        if (!key->def || key->own)
            continue;
        const char *value = key->value;
        const int line = key->def->entry->value_line;
        if (strcmp(key->name, "layers") == 0 && strstr(value, "${")) {
            value = sweep_grid_layers(grid, value, layers, err);
            if (!value) {
                err->line = line;
                return SIZE_MAX;
            }
        }
        settings[count++] = (struct train_setting){key->name, value, line};
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
static struct train_spec *create_spec(struct builder *b, struct train_setting *settings,
                                      struct cs_buf *layers, uint64_t seed)
{
    enum { TRIES = 8 };
    int tries = 0;
    const struct grid_key *removed[TRIES];
    struct cs_error err = {0};
    struct train_spec *spec = NULL;
    size_t count = collect_settings(b, settings, layers, &err);

    if (count == SIZE_MAX) {
        sweep_grid_fault(&b->grid, err.line, "%s", err.detail);
        return NULL;
    }
    for (int i = 0; i < TRIES; i++) {
        err = (struct cs_error){0};
        if (train_spec_create(&spec, settings, count, seed, &err) == 0)
            break;
        tries++;
        const struct grid_key *key = key_at(&b->grid, err.line);
        bool consequence = is_consequence(&b->grid, key);
        for (int k = 0; k < i; k++)
            consequence = consequence || !key || depends(key, removed[k]);
        if (!consequence)
            sweep_grid_fault(&b->grid, err.line, "%s", err.detail);
        if (!key || !remove_setting(settings, &count, err.line))
            break;
        removed[i] = key;
    }
    if (spec && tries) { /* complete only without what was at fault */
        train_spec_free(spec);
        spec = NULL;
    }
    return spec;
}

static bool is_number(const struct grid_key *key)
{
    if (key->own)
        return key->numeric;
    return key->row && (key->row->row->row->type == CS_FLOAT || key->row->row->row->type == CS_INT);
}

static void collect_params(struct builder *b, struct unique *unique)
{
    struct grid *grid = &b->grid;
    size_t count = 0;

    for (size_t i = 0; i < grid->key_count; i++)
        count += grid->keys[i]->code != 0;
    unique->params = cs_arena_alloc(&grid->arena, count * sizeof *unique->params);
    for (size_t i = 0; i < grid->key_count; i++) {
        const struct grid_key *key = grid->keys[i];
        if (key->code == 0)
            continue;
        struct sweep_param *param = &unique->params[unique->param_count++];
        const char *canonical =
            key->own || strstr(key->value, "${") ? NULL : train_spec_get(unique->spec, key->name);
        param->key = key->name;
        param->value = canonical ? canonical : key->value;
        param->numeric = is_number(key) && cs_parse_double(&param->num, param->value);
    }
}

/* Every point through the trainer; the first of equal ones stays. */
static void create_specs(struct builder *b)
{
    struct grid *grid = &b->grid;
    struct table ids = {0};
    struct cs_buf layers = {0};
    struct train_setting *settings = cs_xcalloc(grid->key_count + 1, sizeof *settings);

    b->unique = cs_xcalloc(grid->point_count, sizeof *b->unique);
    for (size_t p = 0; p < grid->point_count && grid->faults.count < GRID_MAX_FAULTS; p++) {
        sweep_grid_restore(grid, p);
        struct train_spec *spec = create_spec(b, settings, &layers, b->seeds ? b->seeds[0] : 0);
        if (!spec)
            continue;
        struct slot *slot = add_text(&ids, spec->point_id);
        if (slot->text || grid->faults.count) {
            b->plan->merged_count += slot->text != NULL;
            if (!slot->text)
                ids.count--;
            train_spec_free(spec);
            continue;
        }
        struct unique *unique = &b->unique[b->unique_count++];
        *unique = (struct unique){.point = p, .spec = spec};
        *slot = (struct slot){spec->point_id, p};
        collect_params(b, unique);
    }
    free(ids.slots);
    free(settings);
    cs_buf_clear(&layers);
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
    for (size_t i = 0; i < b->unique_count; i++) {
        const char *const *tags = train_spec_tags(b->unique[i].spec);
        size_t count = 0;
        if (has_tag(tags, tag))
            continue;
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
        const char *metric = train_spec_default_metric(b->unique[0].spec);
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

static bool check_count(struct builder *b)
{
    size_t trials;

    if (__builtin_mul_overflow(b->unique_count, b->plan->seed_count, &trials) ||
        (double) trials > b->max_trials) {
        const bool own = b->max_trials_line != 0;
        sweep_grid_fault(&b->grid, b->max_trials_line,
                         "%zu points x %zu seeds are more than %s%.0f trials%s", b->unique_count,
                         b->plan->seed_count, own ? "max_trials = " : "", b->max_trials,
                         own ? "" : "; split the grid");
        return false;
    }
    return true;
}

/* Which keys differ between trials that have them. */
static void find_varying(struct builder *b)
{
    struct grid *grid = &b->grid;
    const char **first = cs_xcalloc(grid->key_count + 1, sizeof *first);
    bool *varies = cs_xcalloc(grid->key_count + 1, sizeof *varies);

    for (int pass = 0; pass < 2; pass++) {
        for (size_t u = 0; u < b->unique_count; u++) {
            size_t k = 0;
            for (size_t i = 0; i < b->unique[u].param_count; i++) {
                struct sweep_param *param = &b->unique[u].params[i];
                while (grid->keys[k]->name != param->key)
                    k++;
                if (pass)
                    param->varies = varies[k];
                else if (!first[k])
                    first[k] = param->value;
                else if (strcmp(first[k], param->value) != 0)
                    varies[k] = true;
            }
        }
    }
    free(first);
    free(varies);
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

static const struct sweep_param *find_param(const struct unique *unique, const char *key)
{
    for (size_t i = 0; i < unique->param_count; i++) {
        if (unique->params[i].key == key)
            return &unique->params[i];
    }
    return NULL;
}

static void add_axis(struct builder *b, size_t k)
{
    struct grid *grid = &b->grid;
    struct table seen = {0};
    struct coded *values = cs_xcalloc(b->unique_count, sizeof *values);
    struct sweep_axis axis = {.key = grid->keys[k]->name, .numeric = true};

    for (size_t u = 0; u < b->unique_count; u++) {
        const struct sweep_param *param = find_param(&b->unique[u], axis.key);
        const uint32_t code = grid->points[b->unique[u].point * grid->key_count + k];
        if (!param || !param->varies)
            continue;
        axis.numeric = axis.numeric && param->numeric;
        struct slot *slot = add_text(&seen, param->value);
        if (!slot->text) {
            *slot = (struct slot){param->value, axis.count};
            values[axis.count++] = (struct coded){code, param->value};
        } else if (code < values[slot->number].code) {
            values[slot->number].code = code;
        }
    }
    qsort(values, axis.count, sizeof *values, compare_codes);
    axis.values = cs_arena_alloc(&grid->arena, axis.count * sizeof *axis.values);
    for (size_t i = 0; i < axis.count; i++)
        axis.values[i] = values[i].text;
    if (axis.count)
        b->plan->axes[b->plan->axis_count++] = axis;
    free(values);
    free(seen.slots);
}

static void create_trials(struct builder *b)
{
    struct sweep_plan *plan = b->plan;
    struct grid *grid = &b->grid;
    struct cs_buf layers = {0};
    struct train_setting *settings = cs_xcalloc(grid->key_count + 1, sizeof *settings);

    plan->trials = cs_xcalloc(b->unique_count * plan->seed_count, sizeof *plan->trials);
    for (size_t u = 0; u < b->unique_count; u++) {
        struct unique *unique = &b->unique[u];
        if (plan->seed_count > 1)
            sweep_grid_restore(grid, unique->point);
        for (size_t s = 0; s < plan->seed_count; s++) {
            struct train_spec *spec =
                s ? create_spec(b, settings, &layers, b->seeds[s]) : unique->spec;
            if (!spec)
                continue;
            plan->trials[plan->trial_count++] =
                (struct sweep_trial){.id = spec->id,
                                     .seed = b->seeds[s],
                                     .params = unique->params,
                                     .param_count = unique->param_count,
                                     .spec = spec};
        }
        unique->spec = NULL;
    }
    plan->point_count = b->unique_count;
    free(settings);
    cs_buf_clear(&layers);
}

/* sweep.ini */

static void add_header(struct cs_buf *out, const struct grid_section *section)
{
    cs_buf_addf(out, "%s[%s]\n", out->size ? "\n" : "", section->title);
}

struct placed {
    size_t section, entry;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    if (x->section != y->section)
        return x->section < y->section ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Entries by section; those the command line added are at the end of the list. */
static struct placed *place_entries(const struct grid *grid, size_t *count)
{
    struct placed *placed = cs_xcalloc(grid->entry_count, sizeof *placed);

    *count = 0;
    for (size_t e = 0; e < grid->entry_count; e++) {
        const struct grid_section *section = grid->entries[e].section;
        if (section->place != GRID_PRESET && section->place != GRID_SKIPPED)
            placed[(*count)++] = (struct placed){section->number, e};
    }
    qsort(placed, *count, sizeof *placed, compare_placed);
    return placed;
}

/* The name is written out: sweep.ini has another stem than the file it comes from. */
static char *resolve(const struct builder *b)
{
    const struct grid *grid = &b->grid;
    const struct grid_section *open = NULL;
    struct cs_buf out = {0};
    bool named = sweep_grid_sweep_entry(grid, "name") != NULL, has_sweep = false;
    size_t count;
    struct placed *placed = place_entries(grid, &count);

    for (size_t i = 0; i < count; i++)
        has_sweep = has_sweep || grid->entries[placed[i].entry].section->place == GRID_SWEEP;
    if (!named && !has_sweep)
        cs_buf_addf(&out, "[sweep]\nname = %s\n", b->plan->name);
    for (size_t i = 0; i < count; i++) {
        const struct grid_entry *entry = &grid->entries[placed[i].entry];
        if (entry->section != open)
            add_header(&out, entry->section);
        open = entry->section;
        if (!named && open->place == GRID_SWEEP) {
            cs_buf_addf(&out, "name = %s\n", b->plan->name);
            named = true;
        }
        cs_buf_addf(&out, "%s =%s%s\n", entry->key, *entry->value ? " " : "", entry->value);
    }
    free(placed);
    cs_buf_adds(&out, "");
    return out.data;
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

static void build(struct builder *b)
{
    struct sweep_plan *plan = b->plan;

    read_sweep(b);
    sweep_grid_expand(&b->grid);
    if (b->grid.stopped)
        return;
    create_specs(b);
    if (b->grid.faults.count == 0)
        settle_metric(b);
    if (b->grid.faults.count || !check_count(b))
        return;
    find_varying(b);
    plan->axes = cs_arena_alloc(&b->grid.arena, (b->grid.key_count + 1) * sizeof *plan->axes);
    for (size_t k = 0; k < b->grid.key_count; k++)
        add_axis(b, k);
    create_trials(b);
    move_rules(b);
    plan->resolved = resolve(b);
    move_warnings(b);
}

int sweep_plan_create(struct sweep_plan **out, const struct sweep_plan_input *input,
                      struct sweep_faults *faults)
{
    struct builder b = {.plan = cs_xcalloc(1, sizeof *b.plan)};

    int rc = sweep_grid_read(&b.grid, input);
    b.plan->path = cs_arena_strdup(&b.grid.arena, input->path);
    if (rc == 0)
        build(&b);
    move_faults(&b, faults);
    if (faults->count && rc == 0)
        rc = CS_EPARSE;
    for (size_t i = 0; i < b.unique_count; i++)
        train_spec_free(b.unique[i].spec);
    free(b.unique);
    free(b.seeds);
    b.plan->arena = b.grid.arena;
    b.grid.arena = (struct cs_arena){0};
    sweep_grid_clear(&b.grid);
    if (rc < 0) {
        sweep_plan_free(b.plan);
        return rc;
    }
    sweep_names_create(b.plan);
    *out = b.plan;
    return 0;
}

void sweep_plan_free(struct sweep_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->trial_count; i++)
        train_spec_free(plan->trials[i].spec);
    free(plan->trials);
    free(plan->resolved);
    cs_arena_clear(&plan->arena);
    free(plan);
}
