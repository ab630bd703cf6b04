/*
 * cs_table.h - a set of texts with a pointer each: open addressing, grows as it fills, nothing is ever taken out.
 *
 * Texts are borrowed: they stay where they are for as long as the table is used.
 */
#ifndef CS_TABLE_H
#define CS_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct cs_table_slot {
    const char *text; /* NULL: free */
    union {           /* the caller's */
        void *item;
        size_t number;
    };
    uint64_t hash;
};

/* A zeroed struct is empty and valid. */
struct cs_table {
    struct cs_table_slot *slots;
    size_t size, count; /* size: a power of two, or 0 */
};

/* The slot of text, or NULL. */
struct cs_table_slot *cs_table_find(const struct cs_table *table, const char *text);

/*
 * The slot of text, made if there is none: then its text is NULL, and the caller sets text and item before the next
 * call. Slots move when the table grows.
 */
struct cs_table_slot *cs_table_add(struct cs_table *table, const char *text);

/* Forget all texts; the table can be used again. */
void cs_table_clear(struct cs_table *table);

#endif
