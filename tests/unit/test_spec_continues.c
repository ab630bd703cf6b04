/*
 * When a longer training passes through the states of a shorter one: rates and settings up to there, and what is said
 * where it does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "trainer/schedulers/scheduler.h"
#include "trainer/spec.h"

#define BASE "dataset=random 100x7 classes=3;layers=linear 5 > relu > linear 3;batch_size=10;"

static struct train_spec *make_seed(const char *text, uint64_t seed)
{
    struct train_setting settings[32];
    char *copy = cs_xasprintf(BASE "%s", text);
    struct train_spec *spec = NULL;
    struct cs_error err;
    size_t count = 0;

    for (char *state = NULL, *word = strtok_r(copy, ";", &state); word;
         word = strtok_r(NULL, ";", &state)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        settings[count++] = (struct train_setting){word, equals + 1, 0};
    }
    if (train_spec_create(&spec, settings, count, seed, &err) < 0)
        fail_msg("%s: %s", text, err.detail);
    free(copy);
    return spec;
}

/* The answer as text: "" for yes. */
static void expect(const char *shorter, const char *longer, int epochs, const char *why)
{
    struct train_spec *a = make_seed(shorter, 0), *b = make_seed(longer, 0);
    struct cs_buf got = {0};

    const bool yes = train_spec_continues(a, b, epochs, &got);
    if (strcmp(got.data ? got.data : "", why) != 0)
        fail_msg("%s to %s: got \"%s\", expected \"%s\"", shorter, longer, got.data, why);
    assert_int_equal(yes, *why == '\0');
    cs_buf_clear(&got);
    train_spec_free(a);
    train_spec_free(b);
}

static void only_epochs_and_checkpoints_may_differ(void **state)
{
    (void) state;
    expect("epochs=3", "epochs=5", 3, "");
    expect("epochs=3;checkpoint_every=1", "epochs=5", 3, "");
    expect("epochs=3", "epochs=5;optimizer=sgd;momentum=0;init=pytorch", 3, "");
    expect("epochs=3", "epochs=5;momentum=0.9", 3, "momentum: it is another one");
    expect("epochs=3;optimizer=adam", "epochs=5", 3, "optimizer: it is another one");
    expect("epochs=3;out.match=2.*;out.lr=0.1", "epochs=5", 3, "out.match: it is another one");
    expect("epochs=3", "epochs=5;restore_best=yes", 3, "restore_best: it is another one");

    struct train_spec *a = make_seed("epochs=3", 1), *b = make_seed("epochs=5", 2);
    struct cs_buf why = {0};
    assert_false(train_spec_continues(a, b, 3, &why));
    assert_string_equal(why.data, "seed: it is another one");
    cs_buf_clear(&why);
    train_spec_free(a);
    train_spec_free(b);
}

/* Every schedule of the registry, as it comes: of equal trainings the answer is yes. */
static void each_schedule_is_like_itself(void **state)
{
    const struct train_scheduler *const *kinds = train_schedulers();

    (void) state;
    for (int i = 0; kinds[i]; i++) {
        const char *more = strcmp(kinds[i]->name, "sequence") == 0 ? ";phases=linear 2 > plateau"
                           : strcmp(kinds[i]->name, "chain") == 0  ? ";chain=step * constant"
                                                                   : "";
        char *text = cs_xasprintf("epochs=4;momentum=0.9;scheduler=%s%s", kinds[i]->name, more);
        expect(text, text, 4, "");
        free(text);
    }
}

static void rates_decide(void **state)
{
    (void) state;
    /* their counts are their own */
    expect("epochs=3;scheduler=step;step_size=2", "epochs=9;scheduler=step;step_size=2", 3, "");
    expect("epochs=3;scheduler=cosine;T_max=4", "epochs=9;scheduler=cosine;T_max=4", 3, "");
    expect("epochs=3;scheduler=plateau", "epochs=9;scheduler=plateau", 3, "");
    expect("epochs=3;scheduler=lambda;lr_lambda=min(1, (epoch+1)/5)",
           "epochs=9;scheduler=lambda;lr_lambda=min(1, (epoch+1)/5)", 3, "");
    /* theirs are those of the training */
    expect("epochs=3;scheduler=lambda", "epochs=9;scheduler=lambda", 3,
           "scheduler = lambda: it follows epochs = 9, was 3: other rates from epoch 2 on");
    expect("epochs=3;scheduler=lambda;lr_lambda=if(step < 15, 1, 1/epochs)",
           "epochs=9;scheduler=lambda;lr_lambda=if(step < 15, 1, 1/epochs)", 3,
           "scheduler = lambda: it follows epochs = 9, was 3: other rates from epoch 3 on");
    expect("epochs=3;scheduler=lambda;interval=step;lr_lambda=if(step < 15, 1, 1/epochs)",
           "epochs=9;scheduler=lambda;interval=step;lr_lambda=if(step < 15, 1, 1/epochs)", 3,
           "scheduler = lambda: it follows epochs = 9, was 3: other rates from epoch 2 on");
    expect("epochs=3;scheduler=one_cycle;cycle_momentum=no",
           "epochs=9;scheduler=one_cycle;cycle_momentum=no", 3,
           "scheduler = one_cycle: it follows epochs = 9, was 3: other rates from epoch 1 on");
    expect("epochs=3;scheduler=one_cycle;cycle_momentum=no;total_steps=50",
           "epochs=9;scheduler=one_cycle;cycle_momentum=no;total_steps=50", 3, "");
    /* other settings, and where they first act */
    expect("epochs=3;scheduler=cosine;T_max=3", "epochs=9;scheduler=cosine;T_max=9", 3,
           "scheduler = cosine: T_max = 9, was 3: other rates from epoch 2 on");
    expect("epochs=3;scheduler=cosine;T_max=3", "epochs=9;scheduler=cosine;T_max=9", 1, "");
    expect("epochs=3;scheduler=multistep;milestones=1",
           "epochs=9;scheduler=multistep;milestones=1 3", 3, "");
    expect("epochs=3;scheduler=multistep;milestones=1",
           "epochs=9;scheduler=multistep;milestones=1 2", 3,
           "scheduler = multistep: milestones = 1 2, was 1: other rates from epoch 3 on");
    expect("epochs=3", "epochs=9;scheduler=step;step_size=3", 3, "");
    expect("epochs=3", "epochs=9;scheduler=step;step_size=2", 3,
           "scheduler = step, was none: other rates from epoch 3 on");
    expect("epochs=3;warmup_steps=25", "epochs=9;warmup_steps=25", 3, "");
    expect("epochs=3", "epochs=9;warmup_steps=1", 3,
           "scheduler = none: warmup_steps = 1, was 0: other rates from epoch 1 on");
    /* accumulated steps are fewer: 5 an epoch */
    expect("epochs=3;accumulate=2;scheduler=multistep;interval=step;milestones=14",
           "epochs=9;accumulate=2;scheduler=multistep;interval=step;milestones=15", 3,
           "scheduler = multistep: milestones = 15, was 14: other rates from epoch 3 on");
    expect("epochs=3;accumulate=2;scheduler=multistep;interval=step;milestones=15",
           "epochs=9;accumulate=2;scheduler=multistep;interval=step;milestones=16", 3, "");
    /* a parameter group with a rate of its own */
    expect(
        "epochs=3;out.match=2.*;out.lr=0.1;scheduler=lambda;lr_lambda=if(lr > 0.05, 1/epochs, 1)",
        "epochs=9;out.match=2.*;out.lr=0.1;scheduler=lambda;lr_lambda=if(lr > 0.05, 1/epochs, 1)",
        3, "scheduler = lambda: it follows epochs = 9, was 3: other rates from epoch 1 on");
    /* what follows the evaluation cannot be computed beforehand */
    expect("epochs=3;scheduler=plateau", "epochs=9;scheduler=plateau;patience=9", 3,
           "scheduler = plateau: patience = 9, was 10");
    expect("epochs=3", "epochs=9;scheduler=sequence;phases=constant 5 > plateau", 3,
           "scheduler = sequence, was none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_epochs_and_checkpoints_may_differ),
        cmocka_unit_test(each_schedule_is_like_itself),
        cmocka_unit_test(rates_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
