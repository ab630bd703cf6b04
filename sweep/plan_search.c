/*
 * plan_search.c - points that are drawn, at once or batch by batch.
 *
 * A draw that an [exclude] rule takes or that is a point already there is followed by the next draw. When very many in a
 * row bring nothing new, the space has no more points. The batches of a sequential search are written as texts,
 *
 *   12:0.001,2,-;13:0.0032,0,0.9      draw:values of the parameters of the space, - where one is not in force;...
 *
 * which the journal keeps, so that a sweep that goes on has the same points whatever became of its results since.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "sweep/names.h"
#include "sweep/plan_impl.h"

/* What [sweep] says. */

static double read_number(struct builder *b, const char *key, double otherwise)
{
    const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, key);
    const struct cs_param *row = sweep_grid_sweep_key(key);
    struct cs_error err;
    struct cs_value value;

    if (!entry)
        return otherwise;
    if (cs_param_parse(&value, row, entry->value, &b->grid.arena, &err) == 0)
        return value.num;
    sweep_grid_fault(&b->grid, entry->value_line, "%s", err.detail);
    return otherwise;
}

static double read_owned(struct builder *b, const char *key)
{
    double number = 1;

    cs_parse_double(&number, sweep_grid_sweep_key(key)->def);
    return read_number(b, key, number);
}

static void read_method(struct builder *b)
{
    const struct grid_entry *entry = sweep_grid_sweep_entry(&b->grid, "search");
    const char *names[16];
    struct cs_error err;
    size_t count;
    const struct search_method *const *methods = sweep_search_methods(&count);

    b->plan->search = sweep_search_method_find(entry && !b->batch.text ? entry->value : "grid");
    if (entry && b->batch.text)
        sweep_grid_fault(&b->grid, entry->value_line,
                         "search: the points of a batch file are its lines");
    if (b->plan->search)
        return;
    for (size_t i = 0; i < count && i < CS_COUNT(names); i++)
        names[i] = methods[i]->name;
    cs_fail_unknown(&err, "search", entry->value, names, count);
    sweep_grid_fault(&b->grid, entry->value_line, "search = %.80s: %s", entry->value, err.detail);
}

/* Keys that the search does not read. */
static void refuse_others(struct builder *b)
{
    static const char *const drawn_keys[] = {"trials", "search_seed"};
    size_t count;
    const struct search_method *const *methods = sweep_search_methods(&count);
    const struct grid_entry *entry;

    for (size_t i = 0; i < CS_COUNT(drawn_keys); i++) {
        if (!b->plan->search->drawn &&
            (entry = sweep_grid_sweep_entry(&b->grid, drawn_keys[i])) != NULL)
            sweep_grid_fault(&b->grid, entry->value_line,
                             "%s = %.80s: a grid has the points it has; it goes with search = "
                             "random, sobol or tpe",
                             entry->key, entry->value);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < methods[i]->key_count && methods[i] != b->plan->search; k++) {
            entry = sweep_grid_sweep_entry(&b->grid, methods[i]->keys[k].name);
            if (entry)
                sweep_grid_fault(&b->grid, entry->value_line, "%s = %.80s: goes with search = %s",
                                 entry->key, entry->value, methods[i]->name);
        }
    }
}

void sweep_plan_read_search(struct builder *b)
{
    const struct grid_entry *search = sweep_grid_sweep_entry(&b->grid, "search");
    const struct grid_entry *trials = sweep_grid_sweep_entry(&b->grid, "trials");
    struct sweep_plan *plan = b->plan;

    read_method(b);
    if (!plan->search) { /* so that the file's other faults are told without more of this one */
        b->grid.search = plan->search = sweep_search_method_find("random");
        plan->drawn = true;
        b->wanted = b->first_batch = 1;
        return;
    }
    refuse_others(b);
    plan->drawn = plan->search->drawn;
    if (!plan->drawn)
        return;
    if (!trials)
        sweep_grid_fault(&b->grid, search->value_line,
                         "search = %s: how many points? give trials = N", plan->search->name);
    b->wanted = (size_t) read_number(b, "trials", 1);
    b->batch_size = b->first_batch = b->wanted;
    b->options.seed = (uint64_t) read_number(b, "search_seed", 0);
    if ((double) b->wanted * (double) plan->seed_count > b->max_trials)
        sweep_grid_fault(&b->grid, trials->value_line,
                         "trials = %zu: x %zu seeds are more than max_trials = %.0f", b->wanted,
                         plan->seed_count, b->max_trials);
    if (!plan->search->sequential)
        return;
    b->options.startup = read_owned(b, "tpe_n_startup_trials");
    b->options.candidates = read_owned(b, "tpe_n_ei_candidates");
    b->batch_size = (size_t) read_owned(b, "tpe_batch");
    b->first_batch = (size_t) b->options.startup;
}

bool sweep_plan_is_search_key(const char *key)
{
    static const char *const names[] = {"search", "trials", "search_seed"};
    size_t count;
    const struct search_method *const *methods = sweep_search_methods(&count);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < methods[i]->key_count; k++) {
            if (strcmp(methods[i]->keys[k].name, key) == 0)
                return true;
        }
    }
    return sweep_grid_one_of(key, names, CS_COUNT(names));
}

/* All that a proposal depends on but the results: the file without what may change between two runs. */
static const char *name_space(struct builder *b)
{
    static const char *const free_keys[] = {"name",   "description", "target",
                                            "trials", "max_trials",  "target_stops",
                                            "budget", "stop_trial",  "halt"};
    struct cs_buf text = {0};
    char id[CKPT_ID_SIZE];

    for (size_t i = 0; i < b->grid.entry_count; i++) {
        const struct grid_entry *entry = &b->grid.entries[i];
        const enum grid_place place = entry->section->place;
        if (place == GRID_PRESET || place == GRID_SKIPPED ||
            (place == GRID_SWEEP && sweep_grid_one_of(entry->key, free_keys, CS_COUNT(free_keys))))
            continue;
        cs_buf_addf(&text, "[%s] %s = %s\n", entry->section->same, entry->key, entry->value);
    }
    ckpt_hash(id, text.data ? text.data : "", text.size);
    cs_buf_clear(&text);
    return cs_arena_strdup(&b->grid.arena, id);
}

/* Draws. */

/* The draw as a point, if it is a new one. */
static bool take_draw(struct builder *b, const double *known)
{
    const size_t before = b->unique_count;

    if (!sweep_grid_draw(&b->grid, b->draw++, known))
        return false;
    sweep_plan_add_point(b, 0);
    if (b->unique_count == before)
        return false;
    sweep_search_accept(b->grid.drawer);
    return true;
}

/* Up to so many points in all; the longer nothing new comes, the fewer are left. */
static void draw_until(struct builder *b, size_t count)
{
    size_t misses = 0;

    while (b->unique_count < count && !b->exhausted && b->grid.faults.count < GRID_MAX_FAULTS) {
        misses = take_draw(b, NULL) ? 0 : misses + 1;
        b->exhausted = misses > 1000 + 20 * b->unique_count;
    }
}

static void tell_exhausted(struct builder *b)
{
    const struct grid_entry *trials = sweep_grid_sweep_entry(&b->grid, "trials");

    if (!b->exhausted || b->grid.faults.count)
        return;
    if (b->unique_count)
        sweep_grid_warn(&b->grid, trials->value_line,
                        "trials = %zu: there are no more than %zu different point%s", b->wanted,
                        b->unique_count, b->unique_count == 1 ? "" : "s");
    else
        sweep_grid_fault(&b->grid, 0, "[exclude]: nothing is left of the space");
}

void sweep_plan_draw(struct builder *b)
{
    struct grid *grid = &b->grid;

    sweep_grid_order(grid);
    if (grid->stopped)
        return;
    sweep_grid_search(grid, &b->options);
    if (strcmp(b->plan->search->name, "sobol") == 0 &&
        sweep_search_dimensions(grid->drawer) > SEARCH_SOBOL_MAX) {
        sweep_grid_fault(grid, sweep_grid_sweep_entry(grid, "search")->value_line,
                         "search = sobol: more than %d keys with several values", SEARCH_SOBOL_MAX);
        return;
    }
    sweep_grid_check_use(grid);
    b->plan->space = name_space(b);
    draw_until(b, b->first_batch < b->wanted ? b->first_batch : b->wanted);
    b->plan->merged_count = 0; /* drawn again instead */
    tell_exhausted(b);
}

/* Axes. */

/* Of one alternative: is that an expression? A text with ${name}s is shown as it is written. */
static bool is_computed(const struct grid_key *key)
{
    for (size_t d = 0; d < key->def_count; d++) {
        for (size_t i = 0; i < key->defs[d].count; i++) {
            const struct grid_formula *formula = key->defs[d].values[i].formula;
            if (formula && formula->expr)
                return true;
        }
    }
    return false;
}

/* Does the key's value differ between points of the space? */
static bool may_vary(const struct grid_key *key)
{
    size_t alternatives = 0;

    for (size_t d = 0; d < key->def_count; d++) {
        alternatives += key->defs[d].count;
        for (size_t i = 0; i < key->defs[d].count; i++) {
            if (key->defs[d].values[i].dist)
                return true;
        }
    }
    return alternatives > 1 || (alternatives == 1 && is_computed(key));
}

/* A list to choose from, as optimizer = sgd, adam: what the comparison has rows of. Drawn numbers are all different. */
static bool is_choice(const struct grid_key *key)
{
    size_t alternatives = 0;

    for (size_t d = 0; d < key->def_count; d++) {
        alternatives += key->defs[d].count;
        for (size_t i = 0; i < key->defs[d].count; i++) {
            if (key->defs[d].values[i].dist)
                return false;
        }
    }
    return alternatives > 1;
}

static void widen(struct sweep_axis *axis, double low, double high)
{
    if (!axis->drawn || low < axis->low)
        axis->low = low;
    if (!axis->drawn || high > axis->high)
        axis->high = high;
    axis->drawn = true;
}

static struct sweep_axis make_axis(struct builder *b, const struct grid_key *key)
{
    struct sweep_axis axis = {.key = key->name, .numeric = sweep_grid_is_number(key)};
    struct cs_table seen = {0};
    size_t capacity = 0;

    for (size_t d = 0; d < key->def_count; d++)
        capacity += key->defs[d].count;
    axis.values = cs_arena_alloc(&b->grid.arena, (capacity + 1) * sizeof *axis.values);
    for (size_t d = 0; d < key->def_count; d++) {
        for (size_t i = 0; i < key->defs[d].count; i++) {
            const struct grid_value *value = &key->defs[d].values[i];
            if (value->dist)
                widen(&axis, value->dist->low, value->dist->high);
            if (value->dist || (value->formula && value->formula->expr) ||
                cs_table_find(&seen, value->text))
                continue;
            cs_table_add(&seen, value->text)->text = value->text;
            axis.values[axis.count++] = value->text;
        }
    }
    for (size_t i = 0; i < axis.count && axis.drawn; i++) {
        double number;
        if (cs_parse_double(&number, axis.values[i]))
            widen(&axis, number, number);
    }
    cs_table_clear(&seen);
    return axis;
}

static void mark_varying(struct builder *b, size_t unique)
{
    const struct grid *grid = &b->grid;

    for (; unique < b->unique_count; unique++) {
        struct sweep_point *point = b->unique[unique].point;
        size_t k = 0;
        for (size_t i = 0; i < point->param_count; i++) {
            while (grid->keys[k]->name != point->params[i].key)
                k++;
            point->params[i].varies = may_vary(grid->keys[k]);
            point->params[i].chosen = is_choice(grid->keys[k]);
        }
    }
}

void sweep_plan_search_axes(struct builder *b)
{
    for (size_t k = 0; k < b->grid.key_count; k++) {
        if (may_vary(b->grid.keys[k]))
            b->plan->axes[b->plan->axis_count++] = make_axis(b, b->grid.keys[k]);
    }
    mark_varying(b, 0);
}

/* Batches. */

static void write_points(struct cs_buf *out, const struct builder *b, size_t point)
{
    char number[CS_DOUBLE_MAX];

    for (size_t p = point; p < b->unique_count; p++) {
        cs_buf_addf(out, "%s%lu", p > point ? ";" : "",
                    (unsigned long) sweep_search_point_draw(b->grid.drawer, p));
        for (size_t i = 0; i < sweep_search_param_count(b->grid.drawer); i++) {
            const double x = sweep_search_point_value(b->grid.drawer, p, i);
            cs_buf_addf(out, "%c%s", i ? ',' : ':', isnan(x) ? "-" : cs_format_double(number, x));
        }
    }
}

/* "12:0.001,2,-" */
static bool read_point(double *values, uint32_t *draw, const struct builder *b, char *text)
{
    const size_t count = sweep_search_param_count(b->grid.drawer);
    double number;
    char *word = strsep(&text, ":");
    size_t i = 0;

    if (!cs_parse_double(&number, word) || !(number >= b->draw && number < UINT32_MAX))
        return false;
    *draw = (uint32_t) number;
    for (word = strsep(&text, ","); word && i < count; word = strsep(&text, ","), i++) {
        values[i] = NAN;
        if (strcmp(word, "-") != 0 && (!cs_parse_double(&values[i], word) ||
                                       !sweep_search_param_has(b->grid.drawer, i, values[i])))
            return false;
    }
    return i == count && !word;
}

static void take_known(struct builder *b, const char *known)
{
    char *copy = cs_xstrdup(known), *rest = copy;
    double *values = cs_xcalloc(sweep_search_param_count(b->grid.drawer) + 1, sizeof *values);
    uint32_t draw;

    for (char *word = strsep(&rest, ";"); word && b->unique_count < b->wanted;
         word = strsep(&rest, ";")) {
        if (!read_point(values, &draw, b, word))
            break;
        b->draw = draw;
        if (!take_draw(b, values))
            break;
    }
    free(values);
    free(copy);
}

/* A point's result is the mean over its seeds; one of them pruned, failed or diverged, so is the point. */
static struct search_result result_of(const struct sweep_plan *plan,
                                      const struct sweep_outcome *outcomes)
{
    struct search_result result = {.state = SEARCH_DONE, .step = INFINITY};

    for (size_t s = 0; s < plan->seed_count; s++) {
        const struct sweep_outcome *o = &outcomes[s];
        const bool pruned = strcmp(o->state, "pruned") == 0;
        if (!pruned && strcmp(o->state, "done") != 0 && strcmp(o->state, "stopped") != 0)
            return (struct search_result){.state = SEARCH_FAILED};
        if (pruned)
            result.state = SEARCH_PRUNED;
        result.step = fmin(result.step, o->epoch);
        result.value += (plan->maximize ? -o->value : o->value) / (double) plan->seed_count;
    }
    return result;
}

size_t sweep_plan_extend(struct sweep_plan *plan, const struct sweep_outcome *outcomes,
                         const char *known, struct cs_buf *batch, struct cs_buf *faults)
{
    struct builder *b = plan->more;
    const size_t points = b->unique_count, trials = plan->trial_count;
    const size_t until = points + b->batch_size < b->wanted ? points + b->batch_size : b->wanted;

    plan->batches++;
    b->grid.arena = plan->arena;
    for (size_t p = 0; p < points; p++) {
        const struct search_result result = result_of(plan, &outcomes[p * plan->seed_count]);
        sweep_search_tell(b->grid.drawer, p, &result);
    }
    if (known)
        take_known(b, known);
    while (!known && b->unique_count < until && !b->exhausted) {
        draw_until(b, until);
        for (size_t i = 0; i < b->grid.faults.count; i++) {
            sweep_grid_faults_print(faults, &b->grid, &b->grid.faults, i);
            cs_buf_adds(faults, "\n");
        }
        b->grid.faults.count = 0;
    }
    mark_varying(b, points);
    sweep_plan_add_trials(b, points);
    write_points(batch, b, points);
    plan->arena = b->grid.arena;
    b->grid.arena = (struct cs_arena){0};
    sweep_names_extend(plan, trials);
    if (b->exhausted)
        plan->wanted = plan->trial_count;
    if (plan->trial_count == plan->wanted) {
        sweep_plan_free_builder(b);
        plan->more = NULL;
    }
    return plan->trial_count - trials;
}
