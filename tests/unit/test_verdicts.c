/*
 * What judged workers are answered: at once, after others got there, or to set a trial aside. And with the controller's
 * rules (prune/judge.h) a sweep always ends, with one outcome, however few workers there are and whoever dies.
 */
#include "tests/unit/test_plan_util.h"

#include "common/cs_json.h"
#include "sweep/prune/judge.h"
#include "sweep/verdicts.h"

#define GRID                                                                            \
    "[sweep]\nmetric = min Loss/Val\nprune = median\nn_startup_trials = 1\nseeds = 4\n" \
    "[train]\nepochs = 5\n" TEST_BASE

struct answers {
    bool held[8]; /* by number */
    char text[256];
};

static bool is_held(void *context, int number)
{
    return ((struct answers *) context)->held[number];
}

/* "0: 1 go 2, 2 prune" */
static void take_answer(void *context, int slot, const json_t *command)
{
    struct answers *a = context;
    struct cs_buf text = {0};
    size_t i;
    const json_t *one;

    cs_buf_addf(&text, "%d:", slot);
    json_array_foreach(json_object_get(command, "trials"), i, one)
    {
        const char *verdict = cs_json_get_text(one, "verdict", "");
        cs_buf_addf(&text, "%s %d %s", i ? "," : "", (int) cs_json_get_int(one, "number", 0),
                    verdict);
        if (strcmp(verdict, "go") == 0)
            cs_buf_addf(&text, " %d", (int) cs_json_get_int(one, "next", 0));
    }
    snprintf(a->text, sizeof a->text, "%s", text.data);
    cs_buf_clear(&text);
}

static void hear(sweep_verdicts *v, void (*take)(sweep_verdicts *, const json_t *),
                 const char *text)
{
    json_t *report = cs_json_read(text, strlen(text));

    assert_non_null(report);
    take(v, report);
    json_decref(report);
}

static void epoch(sweep_verdicts *v, int number, int at, double loss)
{
    char *text = cs_xasprintf("{\"number\":%d,\"epoch\":%d,\"metrics\":{\"Loss/Val\":%g}}", number,
                              at, loss);

    hear(v, sweep_verdicts_epoch, text);
    free(text);
}

static void ask(sweep_verdicts *v, int slot, const char *text)
{
    json_t *report = cs_json_read(text, strlen(text));

    assert_non_null(report);
    sweep_verdicts_ask(v, slot, report);
    json_decref(report);
}

static void answers(sweep_verdicts *v, struct answers *a, const char *expected)
{
    a->text[0] = '\0';
    sweep_verdicts_settle(v);
    assert_string_equal(a->text, expected);
}

static void questions_wait_for_what_they_hang_on(void **state)
{
    struct sweep_plan *plan = test_plan(GRID);
    struct answers a = {.held = {[1] = true, [2] = true, [3] = true}};
    const struct sweep_verdicts_hooks hooks = {&a, is_held, take_answer};
    sweep_verdicts *v = sweep_verdicts_create(plan, &hooks);

    (void) state;
    assert_int_equal(plan->trial_count, 4);
    for (size_t i = 0; i < 4; i++)
        sweep_verdicts_add(v, &plan->trials[i], i == 3);
    ask(v, 1,
        "{\"trials\":[{\"number\":2,\"epoch\":0,\"step\":0},{\"number\":3,\"epoch\":0,\"step\":0}]"
        "}");
    answers(v, &a, "1: 2 go 1, 3 go 1"); /* they begin */
    epoch(v, 2, 1, 0.7);
    epoch(v, 3, 1, 0.4);
    ask(v, 1,
        "{\"trials\":[{\"number\":2,\"epoch\":1,\"step\":0},{\"number\":3,\"epoch\":1,\"step\":0}]"
        "}");
    answers(v, &a, ""); /* on 1, which has a worker */
    epoch(v, 1, 1, 0.5);
    answers(v, &a, "1: 2 prune, 3 go 2");
    answers(v, &a, ""); /* once */
    sweep_verdicts_end(v, 2);
    epoch(v, 3, 2, 0.4);
    ask(v, 1, "{\"trials\":[{\"number\":3,\"epoch\":2,\"step\":0}]}");
    answers(v, &a, "");
    a.held[1] = false; /* its worker dies */
    answers(v, &a, "1: 3 aside");
    hear(v, sweep_verdicts_values, "{\"number\":1,\"values\":[0.5,0.3]}"); /* it comes again */
    ask(v, 0,
        "{\"trials\":[{\"number\":3,\"epoch\":2,\"step\":0},{\"number\":1,\"epoch\":2,\"step\":7}]"
        "}");
    answers(v, &a, "0: 3 prune, 1 go 3"); /* inside an epoch it was judged before */
    ask(v, 0, "{\"trials\":[{\"number\":4,\"epoch\":2,\"step\":0}]}");
    answers(v, &a, "0: 4 go 0"); /* spared */
    ask(v, 0, "{\"trials\":[{\"number\":3,\"epoch\":1,\"step\":0}]}");
    sweep_verdicts_gone(v, 0);
    answers(v, &a, "");
    sweep_verdicts_free(v);
    sweep_verdicts_free(NULL);
    sweep_plan_free(plan);
}

static void the_epoch_of_a_divergence_counts_for_nobody(void **state)
{
    struct sweep_plan *plan = test_plan(GRID);
    struct answers a = {.held = {[1] = true, [2] = true, [3] = true}};
    const struct sweep_verdicts_hooks hooks = {&a, is_held, take_answer};
    sweep_verdicts *v = sweep_verdicts_create(plan, &hooks);

    (void) state;
    for (size_t i = 0; i < 4; i++)
        sweep_verdicts_add(v, &plan->trials[i], false);
    for (int t = 1; t <= 3; t++)
        epoch(v, t, 1, 0.4);
    epoch(v, 1, 2, 0.3);
    epoch(v, 3, 2, 0.4);
    hear(v, sweep_verdicts_epoch,
         "{\"number\":2,\"epoch\":2,\"diverged\":true,\"metrics\":{\"Loss/Val\":0.9}}");
    ask(v, 0, "{\"trials\":[{\"number\":3,\"epoch\":2,\"step\":0}]}");
    answers(v, &a, ""); /* until it is over */
    sweep_verdicts_end(v, 2);
    answers(v, &a, "0: 3 prune"); /* the median of 0.3 alone; of both it would be 0.6 */
    sweep_verdicts_free(v);
    sweep_plan_free(plan);
}

/* ---- the controller's rules, with workers that train an epoch when it is their turn ---- */

enum { TRIALS = 30, EPOCHS = 6, WORKERS = 3, BUNDLE = 4 };

struct simulated {
    sweep_judge *judge;
    int at[TRIALS + 1], kept[TRIALS + 1]; /* epochs now, and in the last checkpoint */
    int worker[TRIALS + 1];               /* that has it, -1: none */
    int pruned[TRIALS + 1];
    bool over[TRIALS + 1];
    bool trained[WORKERS]; /* and asks; else it is about to train an epoch */
    uint32_t random;
};

static uint32_t draw(struct simulated *s, uint32_t n)
{
    return ((s->random = s->random * 1664525 + 1013904223) >> 8) % n;
}

static double value_of(int trial, int e)
{
    return (double) ((uint32_t) (trial * 7919 + e * 104729) * 2654435761u >> 16);
}

/* Waiting trials in the order of their numbers, at one place, without a gap; they ask before they train. */
static void give(struct simulated *s, int w)
{
    int first = 0, count = 0;

    for (int t = 1; t <= TRIALS && count < BUNDLE; t++) {
        if (s->over[t] || s->worker[t] >= 0)
            continue;
        if (first && s->kept[t] != s->kept[first])
            break;
        first = first ? first : t;
        s->worker[t] = w;
        s->at[t] = s->kept[t];
        count++;
    }
    s->trained[w] = true;
}

static void end_trial(struct simulated *s, int t, int pruned)
{
    s->over[t] = true;
    s->worker[t] = -1;
    s->pruned[t] = pruned;
    sweep_judge_end(s->judge, t);
}

/* All verdicts on the worker's trials, or none; is there an answer? */
static bool answer(struct simulated *s, int w)
{
    enum sweep_verdict verdict[TRIALS + 1];
    struct cs_buf why = {0};
    bool known = true;

    for (int t = 1; t <= TRIALS; t++) {
        int on = 0;
        if (s->worker[t] != w)
            continue;
        verdict[t] = sweep_judge_verdict(s->judge, t, s->at[t], &on, &why);
        known = known && (verdict[t] != SWEEP_COMPARE || s->worker[on] < 0);
    }
    cs_buf_clear(&why);
    for (int t = 1; t <= TRIALS && known; t++) {
        if (s->worker[t] != w)
            continue;
        if (verdict[t] == SWEEP_PRUNE) {
            end_trial(s, t, s->at[t]);
        } else if (verdict[t] == SWEEP_COMPARE) {
            s->kept[t] = s->at[t];
            s->worker[t] = -1;
        }
    }
    s->trained[w] = !known;
    return known;
}

static void train(struct simulated *s, int w)
{
    for (int t = 1; t <= TRIALS; t++) {
        if (s->worker[t] != w)
            continue;
        s->at[t]++;
        sweep_judge_tell(s->judge, t, s->at[t], value_of(t, s->at[t]));
        if (draw(s, 3) == 0)
            s->kept[t] = s->at[t];
        if (s->at[t] == EPOCHS)
            end_trial(s, t, 0);
    }
    s->trained[w] = true;
}

static bool has_trials(const struct simulated *s, int w)
{
    for (int t = 1; t <= TRIALS; t++)
        if (s->worker[t] == w)
            return true;
    return false;
}

/* One worker does what it can: is anything done? */
static bool step(struct simulated *s, int w)
{
    if (!has_trials(s, w))
        give(s, w);
    if (!has_trials(s, w))
        return false;
    if (draw(s, 40) == 0) { /* it dies */
        for (int t = 1; t <= TRIALS; t++)
            if (s->worker[t] == w)
                s->worker[t] = -1;
        return true;
    }
    if (s->trained[w])
        return answer(s, w);
    train(s, w);
    return true;
}

static void run_simulated(struct simulated *s, const struct sweep_plan *plan, int workers,
                          uint32_t seed)
{
    int idle = 0;

    *s = (struct simulated){.judge = sweep_judge_create(plan->prune, "x", false), .random = seed};
    for (int t = 1; t <= TRIALS; t++) {
        sweep_judge_add(s->judge, t, EPOCHS, false);
        s->worker[t] = -1;
    }
    for (bool left = true; left;) {
        idle = step(s, (int) draw(s, (uint32_t) workers)) ? 0 : idle + 1;
        assert_true(idle < 1000); /* nobody can do anything */
        left = false;
        for (int t = 1; t <= TRIALS; t++)
            left = left || !s->over[t];
    }
    sweep_judge_free(s->judge);
}

static void a_sweep_always_ends_with_one_outcome(void **state)
{
    static const char *const settings[] = {
        "prune = median\nn_startup_trials = 2\nn_warmup_steps = 2",
        "prune = asha\nreduction_factor = 2",
        "prune = hyperband\nreduction_factor = 2",
        "prune = patient\nprune_patience = 1\nwrapped_pruner = median\nn_startup_trials = 1",
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(settings); i++) {
        char *text = cs_xasprintf("[sweep]\nmetric = min Loss/Val\n%s\n" TEST_BASE, settings[i]);
        struct sweep_plan *plan = test_plan(text);
        struct simulated first, other;
        int pruned = 0;
        run_simulated(&first, plan, 1, 1);
        for (int t = 1; t <= TRIALS; t++)
            pruned += first.pruned[t] > 0;
        assert_true(pruned > 3 && pruned < TRIALS);
        for (uint32_t seed = 2; seed < 200; seed++) {
            run_simulated(&other, plan, 1 + (int) (seed % WORKERS), seed);
            assert_memory_equal(other.pruned, first.pruned, sizeof first.pruned);
        }
        sweep_plan_free(plan);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_wait_for_what_they_hang_on),
        cmocka_unit_test(the_epoch_of_a_divergence_counts_for_nobody),
        cmocka_unit_test(a_sweep_always_ends_with_one_outcome),
    };
    return cmocka_run_group_tests(tests, test_enter_folder, test_leave_folder);
}
