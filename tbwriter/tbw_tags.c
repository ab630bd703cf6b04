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

struct tbw_tag *tbw_tags_find_bytes(const struct tbw_tags *tags, const char *name, size_t size)
{
    return tags->capacity ? *slot_of(tags, name, size, hash_of(name, size)) : NULL;
}

struct tbw_tag *tbw_tags_find(const struct tbw_tags *tags, const char *name)
{
    return tbw_tags_find_bytes(tags, name, strlen(name));
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

struct tbw_tag *tbw_tags_add_bytes(struct tbw_tags *tags, const char *name, size_t size)
{
    struct tbw_tag *tag = cs_xcalloc(1, sizeof *tag);

    if (2 * (tags->count + 1) > tags->capacity)
        grow(tags);
    tag->name = cs_xmalloc(size + 1);
    memcpy(tag->name, name, size);
    tag->name[size] = '\0';
    tag->size = size;
    tag->hash = hash_of(name, size);
    *slot_of(tags, name, size, tag->hash) = tag;
    tags->count++;
    return tag;
}

struct tbw_tag *tbw_tags_add(struct tbw_tags *tags, const char *name)
{
    return tbw_tags_add_bytes(tags, name, strlen(name));
}

void tbw_tags_clear(struct tbw_tags *tags)
{
    for (size_t i = 0; i < tags->capacity; i++) {
        if (tags->slots[i]) {
            free(tags->slots[i]->name);
            free(tags->slots[i]->plugin);
            free(tags->slots[i]->prefix);
            free(tags->slots[i]);
        }
    }
    free(tags->slots);
    *tags = (struct tbw_tags){0};
}
