#include "sweep/changed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_json.h"
#include "common/cs_table.h"

enum { KEYS_MAX = 512, VALUES_SHOWN = 3 };

/* The values of a key on one side: of the trials left over, or of the grid's. */
struct side {
    struct cs_table seen;
    const char *first[VALUES_SHOWN];
    size_t with; /* trials or points that have the key */
};

struct key {
    const char *name;
    struct side old, now;
};

struct changed {
    struct cs_arena arena;
    struct key keys[KEYS_MAX];
    size_t count;
    size_t old, now; /* trials left over, points of the grid */
};

static struct key *find_key(struct changed *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->keys[i].name, name) == 0)
            return &c->keys[i];
    }
    if (c->count == KEYS_MAX)
        return NULL;
    c->keys[c->count].name = cs_arena_strdup(&c->arena, name);
    return &c->keys[c->count++];
}

static void add_value(struct changed *c, struct side *side, const char *value)
{
    struct cs_table_slot *slot = cs_table_add(&side->seen, value);

    side->with++;
    if (slot->text)
        return;
    slot->text = cs_arena_strdup(&c->arena, value);
    slot->number = side->seen.count;
    if (side->seen.count <= VALUES_SHOWN)
        side->first[side->seen.count - 1] = slot->text;
}

static void add_record(struct changed *c, const struct sweep_record *record)
{
    size_t i;
    const json_t *one;

    json_array_foreach(sweep_record_params(record), i, one)
    {
        struct key *key = find_key(c, cs_json_get_text(one, "key", ""));
        if (key)
            add_value(c, &key->old, cs_json_get_text(one, "value", ""));
    }
    c->old++;
}

static void add_point(struct changed *c, const struct sweep_trial *trial)
{
    for (size_t i = 0; i < trial->param_count; i++) {
        struct key *key = find_key(c, trial->params[i].key);
        if (key)
            add_value(c, &key->now, trial->params[i].value);
    }
    c->now++;
}

/* No value of one side on the other, and not left out on both. */
static bool is_changed(const struct changed *c, const struct key *key)
{
    if (key->old.with < c->old && key->now.with < c->now)
        return false;
    for (size_t i = 0; i < key->old.seen.size; i++) {
        const char *value = key->old.seen.slots[i].text;
        if (value && cs_table_find(&key->now.seen, value))
            return false;
    }
    return true;
}

static void say_values(struct cs_buf *out, const struct side *side)
{
    const size_t count = side->seen.count;

    if (count == 0)
        cs_buf_adds(out, "left out");
    for (size_t i = 0; i < count && i < VALUES_SHOWN; i++)
        cs_buf_addf(out, "%s%.60s", i ? ", " : "", side->first[i]);
    if (count > VALUES_SHOWN)
        cs_buf_adds(out, ", ...");
}

static void say(struct cs_buf *out, const struct changed *c)
{
    bool told = false, other = false;

    for (size_t i = 0; i < c->count; i++)
        other = other || (is_changed(c, &c->keys[i]) && strcmp(c->keys[i].name, "epochs") != 0);
    for (size_t i = 0; i < c->count && other; i++) {
        const struct key *key = &c->keys[i];
        if (!is_changed(c, key))
            continue;
        cs_buf_addf(out, "%s%s %s ", told ? "; " : "", key->name, key->now.seen.count ? "=" : "is");
        say_values(out, &key->now);
        cs_buf_adds(out, ", was ");
        say_values(out, &key->old);
        told = true;
    }
    if (told)
        cs_buf_addf(out, ": a new set of points; %zu finished trial%s of the old one stay%s",
                    c->old, c->old == 1 ? "" : "s", c->old == 1 ? "s" : "");
}

void sweep_changed_text(struct cs_buf *out, const struct sweep_plan *plan,
                        const struct sweep_state *state)
{
    struct changed *c = cs_xcalloc(1, sizeof *c);
    struct cs_table ids = {0};
    bool all_new = true;

    for (size_t i = 0; i < plan->trial_count; i++) {
        const struct sweep_trial *trial = &plan->trials[i];
        cs_table_add(&ids, trial->id)->text = trial->id;
        all_new = all_new && !sweep_state_find(state, trial->id);
    }
    for (size_t i = 0; i < state->count && all_new; i++) {
        const struct sweep_record *record = &state->records[i];
        if (sweep_record_is_over(record) && !cs_table_find(&ids, record->id))
            add_record(c, record);
    }
    for (size_t i = 0; i < plan->trial_count && c->old > 0; i++) {
        if (i == 0 || plan->trials[i].point != plan->trials[i - 1].point)
            add_point(c, &plan->trials[i]);
    }
    if (c->old > 0)
        say(out, c);
    for (size_t i = 0; i < c->count; i++) {
        cs_table_clear(&c->keys[i].old.seen);
        cs_table_clear(&c->keys[i].now.seen);
    }
    cs_table_clear(&ids);
    cs_arena_clear(&c->arena);
    free(c);
}
