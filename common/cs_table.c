#include "common/cs_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"

/* FNV-1a, with the high bits brought down. */
static uint64_t hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *text; text++)
        h = (h ^ (unsigned char) *text) * 0x100000001b3u;
    return h ^ (h >> 29);
}

/* The slot that has the text, or the free one where it belongs. */
static struct cs_table_slot *seek(const struct cs_table *table, const char *text, uint64_t hash)
{
    size_t at = (size_t) hash & (table->size - 1);

    while (table->slots[at].text &&
           (table->slots[at].hash != hash || strcmp(table->slots[at].text, text) != 0))
        at = (at + 1) & (table->size - 1);
    return &table->slots[at];
}

struct cs_table_slot *cs_table_find(const struct cs_table *table, const char *text)
{
    if (table->size == 0)
        return NULL;
    struct cs_table_slot *slot = seek(table, text, hash_text(text));
    return slot->text ? slot : NULL;
}

static void grow(struct cs_table *table)
{
    const struct cs_table old = *table;

    table->size = old.size ? 2 * old.size : 32;
    table->slots = cs_xcalloc(table->size, sizeof *table->slots);
    for (size_t i = 0; i < old.size; i++) {
        size_t at = (size_t) old.slots[i].hash & (table->size - 1);
        if (!old.slots[i].text)
            continue;
        while (table->slots[at].text)
            at = (at + 1) & (table->size - 1);
        table->slots[at] = old.slots[i];
    }
    free(old.slots);
}

struct cs_table_slot *cs_table_add(struct cs_table *table, const char *text)
{
    const uint64_t hash = hash_text(text);

    if (2 * (table->count + 1) > table->size)
        grow(table);
    struct cs_table_slot *slot = seek(table, text, hash);
    if (!slot->text) {
        slot->hash = hash;
        table->count++;
    }
    return slot;
}

void cs_table_clear(struct cs_table *table)
{
    free(table->slots);
    *table = (struct cs_table){0};
}
