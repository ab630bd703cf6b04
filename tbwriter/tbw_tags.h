/*
 * tbw_tags.h - what a writer or a reader remembers about each tag of its file.
 *
 * A hash table that only grows; entries keep their address until clear. A zeroed struct is empty.
 */
#ifndef TBW_TAGS_H
#define TBW_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tbw_tag {
    char *name;
    size_t size;       /* of name */
    uint64_t hash;     /* of name */
    char *plugin;      /* NULL until the tag has a point (reader: one that names its plugin) */
    int64_t last_step; /* of its points, when it has one */
    uint64_t call;     /* the writer's last call that used the tag: finds repeats within one;
                          views and checks: the number of what they keep of it */
    bool is_scalar;    /* plugin is "scalars" */
    char *prefix;      /* the writer's encoding of a scalar of it, up to the number */
    size_t prefix_size;
};

struct tbw_tags {
    struct tbw_tag **slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

struct tbw_tag *tbw_tags_find(const struct tbw_tags *tags, const char *name);
struct tbw_tag *tbw_tags_add(struct tbw_tags *tags, const char *name); /* it must be new */
struct tbw_tag *tbw_tags_find_bytes(const struct tbw_tags *tags, const char *name, size_t size);
struct tbw_tag *tbw_tags_add_bytes(struct tbw_tags *tags, const char *name, size_t size);
void tbw_tags_clear(struct tbw_tags *tags);

#endif
