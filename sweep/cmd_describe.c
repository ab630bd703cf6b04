/* cmd_describe.c - `csweep describe`: the reference, from the tables the parser uses. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_json.h"
#include "sweep/cmd.h"
#include "sweep/plan.h"
#include "sweep/print.h"
#include "sweep/prune/prune.h"

extern const struct sweep_command sweep_command_describe;

/* Kinds of things to choose; keys come after them. */
static const char *const kinds[] = {"optimizer", "scheduler", "loss",   "layer",
                                    "init",      "dataset",   "search", "pruner"};

/* The key that chooses among a kind's. */
static const char *key_of(const char *kind)
{
    return strcmp(kind, "pruner") == 0 ? "prune" : kind;
}

/* What holds of every pruner. */
static const char pruner_promise[] =
    "Judged after an epoch, from values of the sweep's metric alone: the trial's own, and those "
    "that "
    "trials with\nlower numbers had at that epoch. So the same grid prunes the same trials at the "
    "same epochs, with any number of\nworkers, fused or not, and after interruptions; but not "
    "where "
    "trials fail, or end by stop_trial. The last epoch\nis not judged. A pruned trial keeps its "
    "checkpoint, and goes on with prune=none or csweep rerun --pruned.";

static const struct train_topic *topics_of(const char *kind, size_t *count)
{
    static struct train_topic topics[32];
    const struct sweep_pruner *const *pruners = sweep_pruners();

    if (strcmp(kind, "search") == 0) {
        const struct search_method *const *methods = sweep_search_methods(count);
        for (size_t i = 0; i < *count && i < CS_COUNT(topics); i++)
            topics[i] = (struct train_topic){methods[i]->name, methods[i]->name, methods[i]->help};
        return topics;
    }
    if (strcmp(kind, "pruner") != 0)
        return train_topics(kind, count);
    for (*count = 0; pruners[*count] && *count < CS_COUNT(topics); ++*count)
        topics[*count] = (struct train_topic){pruners[*count]->name, pruners[*count]->name,
                                              pruners[*count]->help};
    return topics;
}
/* The search that reads a key of [sweep], or NULL. */
static const char *search_of(const char *key)
{
    size_t count;
    const struct search_method *const *methods = sweep_search_methods(&count);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < methods[i]->key_count; k++) {
            if (strcmp(methods[i]->keys[k].name, key) == 0)
                return methods[i]->name;
        }
    }
    return NULL;
}

/* A key of [sweep] or of a trial. */
struct entry {
    const char *section, *owner_key, *owner;
    const struct cs_param *row;
};

static struct entry *collect_entries(size_t *count)
{
    size_t sweep_count, prune_count, train_count, group_count;
    const struct cs_param *sweep = sweep_keys(&sweep_count);
    const struct sweep_prune_key *prune = sweep_prune_keys(&prune_count);
    const struct train_key *train = train_keys(&train_count);
    const struct train_key *group = train_group_keys(&group_count);
    struct entry *entries =
        cs_xcalloc(sweep_count + prune_count + train_count + group_count, sizeof *entries);

    *count = 0;
    for (size_t i = 0; i < sweep_count; i++) {
        size_t owned = 0;
        while (owned < prune_count && strcmp(prune[owned].row->name, sweep[i].name) != 0)
            owned++;
        if (owned == prune_count)
            entries[(*count)++] =
                (struct entry){"sweep", "search", search_of(sweep[i].name), &sweep[i]};
    }
    for (size_t i = 0; i < prune_count; i++)
        entries[(*count)++] = (struct entry){"sweep", "prune", prune[i].owner, prune[i].row};
    for (size_t i = 0; i < train_count; i++)
        entries[(*count)++] =
            (struct entry){train[i].section, train[i].owner_key, train[i].owner, train[i].row};
    for (size_t i = 0; i < group_count; i++)
        entries[(*count)++] = (struct entry){"group NAME", NULL, NULL, group[i].row};
    return entries;
}

static const char *expected(const struct entry *entry, struct cs_arena *arena)
{
    const bool pruner = entry->owner_key && strcmp(entry->owner_key, "prune") == 0;
    return pruner ? sweep_prune_expected(entry->row, arena) : cs_param_expected(entry->row, arena);
}

static json_t *entry_json(const struct entry *entry, struct cs_arena *arena)
{
    json_t *out = json_object();

    cs_json_set(out, "key", cs_json_text(entry->row->name));
    cs_json_set(out, "section", cs_json_text(entry->section));
    if (entry->owner)
        cs_json_set(out, entry->owner_key, cs_json_text(entry->owner));
    cs_json_set(out, "type", cs_json_text(cs_type_name(entry->row->type)));
    cs_json_set(out, "default", cs_json_text(entry->row->def));
    cs_json_set(out, "must_be", cs_json_text(expected(entry, arena)));
    cs_json_set(out, "help", cs_json_text(entry->row->help));
    return out;
}

static void print_entry(const struct entry *entry, struct cs_arena *arena)
{
    const char *def = *entry->row->def ? entry->row->def : "empty";

    printf("  %-24s %s\n", entry->row->name, entry->row->help);
    printf("  %-24s %s; default %s", "", expected(entry, arena), def);
    if (entry->owner)
        printf("; of %s = %s", entry->owner_key, entry->owner);
    putchar('\n');
}

/* Is the entry one that `describe key NAME`, or `describe KIND NAME` with its kind as owner_key, asks for? */
static bool is_wanted(const struct entry *entry, const char *owner_key, const char *name)
{
    if (!owner_key)
        return !name || strcmp(entry->row->name, name) == 0;
    return entry->owner && strcmp(entry->owner_key, owner_key) == 0 &&
           strcmp(entry->owner, name) == 0;
}

static json_t *keys_json(const char *owner_key, const char *name)
{
    struct cs_arena arena = {0};
    size_t count;
    struct entry *entries = collect_entries(&count);
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++) {
        if (is_wanted(&entries[i], owner_key, name))
            json_array_append_new(out, entry_json(&entries[i], &arena));
    }
    free(entries);
    cs_arena_clear(&arena);
    return out;
}

static size_t print_keys(const char *owner_key, const char *name)
{
    struct cs_arena arena = {0};
    size_t count, printed = 0;
    struct entry *entries = collect_entries(&count);
    const char *section = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(&entries[i], owner_key, name))
            continue;
        if (!owner_key && (!section || strcmp(section, entries[i].section) != 0))
            printf("%s[%s]\n", printed && !name ? "\n" : "", entries[i].section);
        section = entries[i].section;
        print_entry(&entries[i], &arena);
        printed++;
    }
    free(entries);
    cs_arena_clear(&arena);
    return printed;
}

static int unknown(const char *kind, const char *name, const char *const *names, size_t count)
{
    const char *near = cs_nearest(name, names, count);

    if (near)
        return sweep_usage(&sweep_command_describe, "%s: no such %s; did you mean %s?", name, kind,
                           near);
    return sweep_usage(&sweep_command_describe, "%s: no such %s", name, kind);
}

static int describe_keys(const char *name, bool json)
{
    size_t count, found = 0;
    struct entry *entries = collect_entries(&count);
    const char **names = cs_xcalloc(count, sizeof *names);
    int rc = SWEEP_EXIT_OK;

    for (size_t i = 0; i < count; i++) {
        names[i] = entries[i].row->name;
        found += !name || strcmp(names[i], name) == 0;
    }
    if (found == 0)
        rc = unknown("key", name, names, count);
    else if (json)
        sweep_print_json(keys_json(NULL, name));
    else
        print_keys(NULL, name);
    free(names);
    free(entries);
    return rc;
}

static json_t *topic_json(const char *kind, const struct train_topic *topic)
{
    json_t *out = json_object();

    cs_json_set(out, "kind", cs_json_text(kind));
    cs_json_set(out, "name", cs_json_text(topic->name));
    cs_json_set(out, "usage", cs_json_text(topic->usage));
    cs_json_set(out, "help", cs_json_text(topic->help));
    if (strcmp(kind, "pruner") == 0)
        cs_json_set(out, "promise", cs_json_text(pruner_promise));
    cs_json_set(out, "keys", keys_json(key_of(kind), topic->name));
    return out;
}

enum { TOPIC_WIDTH = 16 };

static void print_topic(const char *kind, const struct train_topic *topic, bool whole)
{
    if (!whole) {
        const bool wide = strlen(topic->usage) > TOPIC_WIDTH;
        printf("  %-*s", TOPIC_WIDTH, topic->usage);
        if (wide)
            printf("\n  %*s", TOPIC_WIDTH, "");
        printf(" %s\n", topic->help);
        return;
    }
    printf("%s: %s\n", topic->usage, topic->help);
    print_keys(key_of(kind), topic->name);
    if (strcmp(kind, "pruner") == 0)
        puts(pruner_promise);
}

static int describe_topics(const char *kind, const char *name, bool json)
{
    size_t count, found = 0;
    const struct train_topic *topics = topics_of(kind, &count);
    const char **names = cs_xcalloc(count, sizeof *names);
    json_t *out = json_array();
    int rc = SWEEP_EXIT_OK;

    for (size_t i = 0; i < count; i++) {
        names[i] = topics[i].name;
        if (name && strcmp(name, topics[i].name) != 0)
            continue;
        found++;
        if (json)
            json_array_append_new(out, topic_json(kind, &topics[i]));
        else
            print_topic(kind, &topics[i], name != NULL);
    }
    if (name && found == 0)
        rc = unknown(kind, name, names, count);
    if (json && rc == SWEEP_EXIT_OK)
        sweep_print_json(json_incref(out));
    json_decref(out);
    free(names);
    return rc;
}

static int describe_all(bool json)
{
    if (json) {
        json_t *out = json_array();
        for (size_t i = 0; i < CS_COUNT(kinds); i++) {
            size_t count;
            const struct train_topic *topics = topics_of(kinds[i], &count);
            for (size_t k = 0; k < count; k++)
                json_array_append_new(out, topic_json(kinds[i], &topics[k]));
        }
        sweep_print_json(out);
        return SWEEP_EXIT_OK;
    }
    for (size_t i = 0; i < CS_COUNT(kinds); i++) {
        printf("%s\n", kinds[i]);
        describe_topics(kinds[i], NULL, false);
        putchar('\n');
    }
    puts("keys of the grid file: csweep describe key");
    return SWEEP_EXIT_OK;
}

static int describe(const char *kind, const char *name, bool json)
{
    const char *all[CS_COUNT(kinds) + 1];

    if (!kind)
        return describe_all(json);
    if (strcmp(kind, "key") == 0)
        return describe_keys(name, json);
    for (size_t i = 0; i < CS_COUNT(kinds); i++) {
        if (strcmp(kinds[i], kind) == 0)
            return describe_topics(kind, name, json);
        all[i] = kinds[i];
    }
    all[CS_COUNT(kinds)] = "key";
    return unknown("topic", kind, all, CS_COUNT(all));
}

static int run_describe(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    bool json = false;

    opterr = 0;
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h')
            return fputs(sweep_command_describe.help, stdout) < 0 ? SWEEP_EXIT_ENVIRONMENT
                                                                  : SWEEP_EXIT_OK;
        if (c != 'j')
            return sweep_usage(&sweep_command_describe, "%s: unknown option", argv[optind - 1]);
        json = true;
    }
    if (argc - optind > 2)
        return sweep_usage(&sweep_command_describe, "%s: too many words", argv[optind + 2]);
    return describe(optind < argc ? argv[optind] : NULL,
                    optind + 1 < argc ? argv[optind + 1] : NULL, json);
}

const struct sweep_command sweep_command_describe = {
    .name = "describe",
    .summary = "the reference: optimizers, schedulers, losses, layers, datasets, searches, keys",
    .help = "usage: csweep describe [KIND [NAME]] [--json]\n"
            "\n"
            "Print what a grid file may say, from the tables that check it.\n"
            "\n"
            "  KIND: optimizer, scheduler, loss, layer, init, dataset, search, pruner or key\n"
            "\n"
            "  csweep describe                 everything there is to choose\n"
            "  csweep describe optimizer sgd   one choice with its keys\n"
            "  csweep describe key             every key: section, type, default, range\n"
            "  --json                          the same as one JSON array\n"
            "\n"
            "example: csweep describe key momentum\n",
    .run = run_describe,
};
