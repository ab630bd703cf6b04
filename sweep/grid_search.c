/*
 * grid_search.c - the parameters of a grid whose points are drawn.
 *
 * Every definition of several alternatives is a choice, every [zip] one for all its keys, every distribution a
 * number. Those of one key under different conditions are different parameters with the key's random numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"
#include "sweep/grid_impl.h"

struct params {
    struct search_param *items;
    size_t count, capacity;
};

static size_t add(struct params *params, const struct search_param *param)
{
    if (params->count == params->capacity) {
        params->capacity = params->capacity ? 2 * params->capacity : 16;
        params->items = cs_xrealloc(params->items, params->capacity * sizeof *params->items);
    }
    params->items[params->count] = *param;
    return params->count++;
}

static size_t add_choice(struct params *params, const char *key, const char *name, size_t count)
{
    return add(params,
               &(struct search_param){
                   .key = key, .name = name, .kind = SEARCH_CHOICE, .count = count, .share = 1});
}

static void add_def(struct grid *grid, struct params *params, const struct grid_key *key,
                    struct grid_def *def)
{
    const char *name =
        def->when ? cs_arena_printf(&grid->arena, "%s %s", key->name, def->when->same) : key->name;

    if (def->count > 1 && !def->zip)
        def->param = add_choice(params, key->name, name, def->count);
    for (size_t i = 0; i < def->count; i++) {
        struct grid_value *value = &def->values[i];
        if (!value->dist)
            continue;
        struct search_param number = *value->dist;
        number.key = key->name;
        number.name = def->count > 1 ? cs_arena_printf(&grid->arena, "%s %zu", name, i) : name;
        number.share = def->count;
        value->param = add(params, &number);
    }
}

bool sweep_grid_is_number(const struct grid_key *key)
{
    if (key->own)
        return key->numeric;
    const struct cs_param *row = key->row ? key->row->row->row : key->rows[0].row->row;
    return row->type == CS_FLOAT || row->type == CS_INT;
}

void sweep_grid_search(struct grid *grid, const struct search_options *options)
{
    struct params params = {0};

    for (size_t i = 0; i < grid->zip_count; i++) {
        struct grid_zip *zip = grid->zips[i];
        zip->param = add_choice(&params, zip->same, zip->same, zip->count);
    }
    for (size_t i = 0; i < grid->key_count; i++) {
        for (size_t d = 0; d < grid->keys[i]->def_count; d++)
            add_def(grid, &params, grid->keys[i], &grid->keys[i]->defs[d]);
    }
    grid->drawer = sweep_search_create(grid->search, params.items, params.count, options);
    free(params.items);
}
