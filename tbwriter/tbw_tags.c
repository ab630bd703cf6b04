#include "tbwriter/tbw_tags.h"

#include <stdlib.h>
#include <string.h>

#include "common/cs_str.h"

/* FNV-1a */
static uint64_t hash_of(const char *name, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char) name[i]) * 0x100000001b3u;
    return hash;
}

/* The slot that holds the name, or the free one where it belongs. */
static struct tbw_tag **slot_of(const struct tbw_tags *tags, const char *name, size_t size,
                                uint64_t hash)
{
    for (size_t i = (size_t) hash;; i++) {
        struct tbw_tag **slot = &tags->slots[i & (tags->capacity - 1)];
        const struct tbw_tag *tag = *slot;
        if (!tag || (tag->hash == hash && tag->size == size && memcmp(tag->name, name, size) == 0))
            return slot;
    }
}

struct tbw_tag *tbw_tags_find(const struct tbw_tags *tags, const char *name)
{
    const size_t size = strlen(name);

    return tags->capacity ? *slot_of(tags, name, size, hash_of(name, size)) : NULL;
}

/* At most half full, so that every search ends at a free slot. */
static void grow(struct tbw_tags *tags)
{
    struct tbw_tags larger = {.capacity = tags->capacity ? 2 * tags->capacity : 32,
                              .count = tags->count};

    larger.slots = cs_xcalloc(larger.capacity, sizeof *larger.slots);
    for (size_t i = 0; i < tags->capacity; i++) {
        struct tbw_tag *tag = tags->slots[i];
        if (tag)
            *slot_of(&larger, tag->name, tag->size, tag->hash) = tag;
    }
    free(tags->slots);
    *tags = larger;
}

struct tbw_tag *tbw_tags_add(struct tbw_tags *tags, const char *name)
{
    struct tbw_tag *tag = cs_xcalloc(1, sizeof *tag);

    if (2 * (tags->count + 1) > tags->capacity)
        grow(tags);
    tag->name = cs_xstrdup(name);
    tag->size = strlen(name);
    tag->hash = hash_of(name, tag->size);
    *slot_of(tags, name, tag->size, tag->hash) = tag;
    tags->count++;
    return tag;
}

void tbw_tags_clear(struct tbw_tags *tags)
{
    for (size_t i = 0; i < tags->capacity; i++) {
        if (tags->slots[i]) {
            free(tags->slots[i]->name);
            free(tags->slots[i]->plugin);
            free(tags->slots[i]);
        }
    }
    free(tags->slots);
    *tags = (struct tbw_tags){0};
}
