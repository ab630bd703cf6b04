/*
 * search.c - the registry, the points drawn so far, and the random numbers of the samplers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"
#include "sweep/search/list.h"
#include "sweep/search/search_impl.h"

#define DECLARE(name) extern const struct search_method sweep_search_##name;
SEARCH_METHODS(DECLARE)
#define ADDRESS(name) &sweep_search_##name,
static const struct search_method *const methods[] = {SEARCH_METHODS(ADDRESS)};

const struct search_method *const *sweep_search_methods(size_t *count)
{
    *count = CS_COUNT(methods);
    return methods;
}

const struct search_method *sweep_search_method_find(const char *name)
{
    for (size_t i = 0; i < CS_COUNT(methods); i++) {
        if (strcmp(methods[i]->name, name) == 0)
            return methods[i];
    }
    return NULL;
}

/* FNV-1a, stirred at the end. */
static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *text; text++)
        h = (h ^ (unsigned char) *text) * 0x100000001b3u;
    return h ^ (h >> 29);
}

struct search_words sweep_search_philox(uint64_t key, const uint32_t counter[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = (uint32_t) key, k1 = (uint32_t) (key >> 32);

    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t) 0xD2511F53u * c[0], p1 = (uint64_t) 0xCD9E8D57u * c[2];
        c[0] = (uint32_t) (p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t) p1;
        c[2] = (uint32_t) (p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t) p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (struct search_words){{c[0], c[1], c[2], c[3]}};
}

double sweep_search_uniform(const struct search *search, uint64_t name, enum search_use use,
                            uint32_t index)
{
    const uint32_t counter[4] = {search->draw, (uint32_t) use << 24 | index, (uint32_t) name,
                                 (uint32_t) (name >> 32)};
    const struct search_words r = sweep_search_philox(search->options.seed, counter);

    return (double) (((uint64_t) r.v[0] << 32 | r.v[1]) >> 11) * 0x1p-53;
}

/* How many keys with a name before this one: the place of the key in the order of names. */
static size_t find_dimension(const struct search_param *params, size_t count, const char *key)
{
    size_t before = 0;

    for (size_t i = 0; i < count; i++) {
        bool first = strcmp(params[i].key, key) < 0;
        for (size_t j = 0; j < i && first; j++)
            first = strcmp(params[j].key, params[i].key) != 0;
        before += first;
    }
    return before;
}

struct search *sweep_search_create(const struct search_method *method,
                                   const struct search_param *params, size_t count,
                                   const struct search_options *options)
{
    struct search *s = cs_xcalloc(1, sizeof *s);

    s->method = method;
    s->options = *options;
    s->count = count;
    s->params = cs_xcalloc(count + 1, sizeof *s->params);
    s->hashes = cs_xcalloc(count + 1, sizeof *s->hashes);
    s->key_hashes = cs_xcalloc(count + 1, sizeof *s->key_hashes);
    s->dimensions = cs_xcalloc(count + 1, sizeof *s->dimensions);
    s->values = cs_xcalloc(count + 1, sizeof *s->values);
    for (size_t i = 0; i < count; i++) {
        s->params[i] = params[i];
        s->hashes[i] = hash(params[i].name);
        s->key_hashes[i] = hash(params[i].key);
        s->dimensions[i] = find_dimension(params, count, params[i].key);
    }
    return s;
}

void sweep_search_free(struct search *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->point_count; i++)
        free(s->points[i].values);
    free(s->points);
    free(s->params);
    free(s->hashes);
    free(s->key_hashes);
    free(s->dimensions);
    free(s->values);
    free(s);
}

void sweep_search_begin(struct search *s, uint32_t draw)
{
    s->draw = draw;
    s->rejected++;
    for (size_t i = 0; i < s->count; i++)
        s->values[i] = NAN;
}

double sweep_search_suggest(struct search *s, size_t param)
{
    s->values[param] = s->method->suggest(s, param);
    return s->values[param];
}

void sweep_search_put(struct search *s, size_t param, double value)
{
    s->values[param] = value;
}

size_t sweep_search_accept(struct search *s)
{
    if (s->point_count == s->point_capacity) {
        s->point_capacity = s->point_capacity ? 2 * s->point_capacity : 64;
        s->points = cs_xrealloc(s->points, s->point_capacity * sizeof *s->points);
    }
    struct search_point *point = &s->points[s->point_count];
    *point = (struct search_point){.draw = s->draw,
                                   .values = cs_xcalloc(s->count + 1, sizeof *point->values)};
    memcpy(point->values, s->values, s->count * sizeof *point->values);
    s->rejected = 0;
    return s->point_count++;
}

void sweep_search_tell(struct search *s, size_t point, const struct search_result *result)
{
    s->points[point].result = *result;
    if (result->state == SEARCH_DONE && isnan(result->value))
        s->points[point].result.state = SEARCH_FAILED;
}

size_t sweep_search_dimensions(const struct search *s)
{
    size_t most = 0;

    for (size_t i = 0; i < s->count; i++)
        most = s->dimensions[i] >= most ? s->dimensions[i] + 1 : most;
    return most;
}

size_t sweep_search_param_count(const struct search *s)
{
    return s->count;
}

bool sweep_search_param_has(const struct search *s, size_t param, double value)
{
    const struct search_param *p = &s->params[param];

    if (p->kind == SEARCH_CHOICE)
        return value >= 0 && value < (double) p->count && value == floor(value);
    return value >= p->low && value <= p->high;
}

double sweep_search_point_value(const struct search *s, size_t point, size_t param)
{
    return s->points[point].values[param];
}

uint32_t sweep_search_point_draw(const struct search *s, size_t point)
{
    return s->points[point].draw;
}
