/*
 * Verdicts on curves, one trial after the other, for run_optuna_pruners.py and integration/pruning.py.
 *
 *   prune_sample SWEEP max|min TRIALS EPOCHS FIRST KEY=VALUE ... < values
 *
 * Values: TRIALS x EPOCHS numbers separated by blanks; trials are numbered from FIRST. Prints a line for each trial: the
 * epoch after which it is pruned, 0: not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep/prune/judge.h"

static int words;
static char **settings;

static const char *get(void *context, const char *key)
{
    const size_t size = strlen(key);

    (void) context;
    for (int i = 0; i < words; i++) {
        if (strncmp(settings[i], key, size) == 0 && settings[i][size] == '=')
            return settings[i] + size + 1;
    }
    return NULL;
}

static void fault(void *context, const char *about, bool unused, const char *text)
{
    (void) context;
    (void) about;
    (void) unused;
    fprintf(stderr, "%s\n", text);
    exit(2);
}

int main(int argc, char **argv)
{
    const struct sweep_prune_source source = {NULL, get, fault};
    struct cs_arena arena = {0};
    struct cs_buf why = {0};
    int on;

    if (argc < 7)
        return 2;
    const int trials = atoi(argv[3]), epochs = atoi(argv[4]), first = atoi(argv[5]);
    words = argc - 6;
    settings = argv + 6;
    const struct sweep_pruning *pruning = sweep_prune_read(&source, &arena);
    sweep_judge *judge = sweep_judge_create(pruning, argv[1], strcmp(argv[2], "max") == 0);
    for (int t = 0; t < trials; t++)
        sweep_judge_add(judge, first + t, epochs, false);
    for (int t = 0; t < trials; t++) {
        int pruned = 0;
        for (int e = 1; e <= epochs; e++) {
            char word[64];
            if (scanf("%63s", word) != 1)
                return 2;
            if (pruned)
                continue;
            sweep_judge_tell(judge, first + t, e, strtod(word, NULL));
            const enum sweep_verdict v = sweep_judge_verdict(judge, first + t, e, &on, &why);
            pruned = v == SWEEP_PRUNE ? e : 0;
        }
        sweep_judge_end(judge, first + t);
        printf("%d\n", pruned);
    }
    sweep_judge_free(judge);
    cs_buf_clear(&why);
    cs_arena_clear(&arena);
    return 0;
}
