/*
 * Specs: what makes two trials the same, every key's row, refusals with their line, config.ini and back, shape
 * keys, the rules of the data's sizes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "checkpoints/ckpt.h"
#include "common/cs_error.h"
#include "common/cs_str.h"
#include "kernels/loss.h"
#include "kernels/optim.h"
#include "trainer/model.h"
#include "trainer/schedulers/scheduler.h"
#include "trainer/spec.h"

enum { SETTINGS_MAX = 64 };

#define DATA "dataset=random 100x7 classes=3"
#define BASE DATA ";layers=linear 5 > relu > linear 3"

struct list {
    struct train_setting at[SETTINGS_MAX];
    size_t count;
    char *text;
};

/* "key=value;key=value": the i-th setting stands in line 10 + i. */
static struct list parse(const char *text)
{
    struct list list = {.text = cs_xstrdup(text)};

    for (char *state = NULL, *word = strtok_r(list.text, ";", &state); word;
         word = strtok_r(NULL, ";", &state)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        list.at[list.count] = (struct train_setting){word, equals + 1, 10 + (int) list.count};
        list.count++;
    }
    return list;
}

static struct train_spec *make_seed(const char *text, uint64_t seed)
{
    struct list list = parse(text);
    struct train_spec *spec = NULL;
    struct cs_error err;

    if (train_spec_create(&spec, list.at, list.count, seed, &err) < 0)
        fail_msg("%s: %s", text, err.detail);
    free(list.text);
    return spec;
}

static struct train_spec *make(const char *text)
{
    return make_seed(text, 0);
}

static void refused(const char *text, int code, int line, const char *message)
{
    struct list list = parse(text);
    struct train_spec *spec = NULL;
    struct cs_error err = {0};

    const int rc = train_spec_create(&spec, list.at, list.count, 0, &err);
    assert_string_equal(rc < 0 ? err.detail : "accepted", message);
    assert_int_equal(rc, code);
    assert_int_equal(err.code, code);
    assert_int_equal(err.line, line);
    assert_null(spec);
    assert_int_equal(train_spec_create(&spec, list.at, list.count, 0, NULL), code);
    free(list.text);
}

static bool same(const char *a, const char *b)
{
    struct train_spec *x = make(a), *y = make(b);
    const bool equal = strcmp(x->id, y->id) == 0;

    assert_int_equal(strcmp(x->point_id, y->point_id) == 0, equal);
    train_spec_free(x);
    train_spec_free(y);
    return equal;
}

static bool same_shape(const char *a, const char *b)
{
    struct train_spec *x = make(a), *y = make(b);
    const bool equal = strcmp(x->shape_key, y->shape_key) == 0;

    train_spec_free(x);
    train_spec_free(y);
    return equal;
}

/* The canonical text is in the contract: ids are git blob ids of it. */
static void ids_are_hashes_of_the_canonical_text(void **state)
{
    static const char point[] = "dataset = random 100x7 classes=3\n"
                                "layers = linear 5 > relu > linear 3\n"
                                "lr = 0.01\n"
                                "momentum = 0.9\n";
    struct train_spec *spec =
        make_seed("momentum=.90;optimizer=sgd;lr=1e-2;" BASE ";epochs=10", 18446744073709551615u);
    char expected[41], text[512];

    (void) state;
    ckpt_hash(expected, point, strlen(point));
    assert_string_equal(spec->point_id, expected);
    snprintf(text, sizeof text, "%sseed = 18446744073709551615\n", point);
    ckpt_hash(expected, text, strlen(text));
    assert_string_equal(spec->id, expected);
    assert_int_equal(strlen(spec->shape_key), 40);
    train_spec_free(spec);
}

static void spelling_and_order_do_not_matter(void **state)
{
    (void) state;
    assert_true(same(BASE ";lr=0.01;batch_size=32", "batch_size=3.2e1;lr=1e-2;" BASE));
    assert_true(same(BASE, DATA ";layers=linear 5.0>relu   >\tlinear 3"));
    assert_true(same(BASE, "dataset= random  100x7\tclasses=3;layers=linear 5 > relu > linear 3"));
    assert_true(same(BASE ";shuffle=no", BASE ";shuffle=OFF"));
    assert_true(
        same(BASE ";optimizer=adam;betas=0.8 0.99", BASE ";betas=.80   9.9e-1;optimizer=adam"));
    assert_true(same(BASE ";normalize=0.5 0.25", BASE ";normalize=.50   2.5e-1"));
    assert_true(same(BASE ";weight_decay=0", BASE ";weight_decay=-0"));
    assert_true(same(BASE ";limit=50", BASE ";limit=5e1"));
    assert_true(same(BASE, BASE ";checkpoint_every=1")); /* it changes no result */
}

static void what_matters_matters(void **state)
{
    static const char *const others[] = {
        ";lr=0.011",          ";batch_size=65", ";optimizer=adam",       ";normalize=0.5 0.5",
        ";scheduler=step",    ";epochs=11",     ";loss_average=batches", ";shuffle=no",
        ";eval_batch_size=8", ";limit=50",      ";val_split=0.5",        ";path=/x",
        ";momentum=0.5",
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(others); i++) {
        char *text = cs_xasprintf(BASE "%s", others[i]);
        if (same(BASE, text))
            fail_msg("%s changes nothing", others[i]);
        free(text);
    }
    assert_false(same(BASE, "dataset=random 100x7 classes=3;layers=linear 6 > relu > linear 3"));
    assert_false(same(BASE, "dataset=random 101x7 classes=3;layers=linear 5 > relu > linear 3"));
    /* the same rate under another optimizer's defaults is another point */
    assert_false(
        same(BASE ";optimizer=adam;weight_decay=0.01", BASE ";optimizer=adamw;weight_decay=0.01"));
}

static void the_seed_is_in_the_id_alone(void **state)
{
    struct train_spec *a = make_seed(BASE, 0), *b = make_seed(BASE, 1), *c = make_seed(BASE, 1);

    (void) state;
    assert_string_not_equal(a->id, b->id);
    assert_string_equal(b->id, c->id);
    assert_string_equal(a->point_id, b->point_id);
    assert_string_not_equal(a->id, a->point_id);
    assert_string_equal(a->shape_key, b->shape_key);
    assert_int_equal(b->seed, 1);
    train_spec_free(a);
    train_spec_free(b);
    train_spec_free(c);
}

/* For every key: its default, written out under its owner, changes no id. */
static void every_default_written_out_changes_nothing(void **state)
{
    size_t count;
    const struct train_key *keys = train_keys(&count);

    (void) state;
    for (size_t i = 0; i < count; i++) {
        const struct train_key *k = &keys[i];
        if (strcmp(k->row->name, "layers") == 0 || strcmp(k->row->name, "dataset") == 0)
            continue; /* given in BASE */
        if (strcmp(k->row->name, "phases") == 0 || strcmp(k->row->name, "chain") == 0)
            continue; /* must be given */
        const bool parts =
            k->owner && (strcmp(k->owner, "sequence") == 0 || strcmp(k->owner, "chain") == 0);
        char *owner = parts      ? cs_xasprintf(";scheduler=%s;%s=step", k->owner,
                                           strcmp(k->owner, "chain") == 0 ? "chain" : "phases")
                      : k->owner ? cs_xasprintf(";%s=%s", k->owner_key, k->owner)
                                 : cs_xstrdup("");
        const bool loss = k->owner && strcmp(k->owner_key, "loss") == 0;
        const char *base = loss ? DATA ";layers=linear 3 > log_softmax" : BASE;
        char *without = cs_xasprintf("%s%s", base, owner);
        char *with = cs_xasprintf("%s%s;%s=%s", base, owner, k->row->name, k->row->def);
        if (!same(without, with))
            fail_msg("%s = %s makes another trial", k->row->name, k->row->def);
        free(owner);
        free(without);
        free(with);
    }
    assert_true(
        same("layers=flatten > linear 10", "dataset=fashion-mnist;layers=flatten > linear 10"));
}

static void every_row_is_sound(void **state)
{
    size_t count, again;
    const struct train_key *keys = train_keys(&count);
    struct cs_arena arena = {0};

    (void) state;
    assert_ptr_equal(train_keys(&again), keys);
    assert_int_equal(again, count);
    assert_true(count > 30 && count < 256);
    for (size_t i = 0; i < count; i++) {
        const struct train_key *k = &keys[i];
        struct cs_value value;
        struct cs_error err;
        if (cs_param_parse(&value, k->row, k->row->def, &arena, &err) < 0)
            fail_msg("default: %s", err.detail);
        assert_true(strlen(k->row->help) > 0);
        assert_null(strchr(k->row->help, '\n'));
        assert_true(k->row->help[strlen(k->row->help) - 1] != '.');
        assert_int_equal(!k->owner, !k->owner_key);
        if (k->owner) { /* what chooses the owner stands in the same section */
            assert_non_null(train_key_find(k->owner_key, NULL));
            assert_string_equal(k->section, train_key_find(k->owner_key, NULL)->section);
        }
        for (size_t j = 0; j < i; j++) {
            const struct train_key *o = &keys[j];
            const bool one_owner = !k->owner ? !o->owner
                                             : o->owner && strcmp(k->owner, o->owner) == 0 &&
                                                   strcmp(k->owner_key, o->owner_key) == 0;
            if (strcmp(k->row->name, o->row->name) == 0) {
                assert_false(one_owner);           /* a name once per owner, */
                assert_true(k->owner && o->owner); /* and not both with and without */
                assert_string_equal(k->section, o->section);
                assert_string_equal(k->owner_key, o->owner_key);
            } else if (one_owner) {
                assert_string_not_equal(k->row->help, o->row->help);
            }
        }
    }
    cs_arena_clear(&arena);
}

static void keys_are_found_by_name_and_owner(void **state)
{
    size_t count, optimizers = 0, rates = 0;
    const struct train_key *keys = train_keys(&count);

    (void) state;
    while (kern_optim_all()[optimizers])
        optimizers++;
    for (const struct train_key *k = NULL; (k = train_key_find("lr", k)); rates++) {
        assert_string_equal(k->row->name, "lr");
        assert_string_equal(k->owner_key, "optimizer");
        assert_string_equal(k->owner, kern_optim_all()[rates]->name);
    }
    assert_int_equal(rates, optimizers);
    assert_ptr_equal(train_key_find("dataset", NULL), &keys[0]);
    assert_null(train_key_find("dataset", &keys[0]));
    assert_null(train_key_find("lr", &keys[count - 1]));
    assert_null(train_key_find("", NULL));
    assert_null(train_key_find("learning_rate", NULL));
}

static void typed_values(void **state)
{
    struct train_spec *s = make(
        "dataset=random 100x7 classes=3;layers=linear 5 > relu > linear 3;path=/x;batch_size=16;"
        "shuffle=no;val_split=0.25;limit=80;normalize=0.5 0.25;epochs=3;loss_average=batches;"
        "checkpoint_every=2;optimizer=adam;lr=0.02;betas=0.8 0.95;amsgrad=yes;scheduler=plateau;"
        "mode=max;patience=4");

    (void) state;
    assert_string_equal(s->dataset, "random 100x7 classes=3");
    assert_string_equal(s->path, "/x");
    assert_int_equal(s->batch_size, 16);
    assert_int_equal(s->eval_batch_size, 16);
    assert_false(s->shuffle);
    assert_true(s->val_split == 0.25);
    assert_int_equal(s->limit, 80);
    assert_int_equal(s->train_examples, 60);
    assert_true(s->mean == 0.5f && s->std == 0.25f);
    assert_int_equal(s->epochs, 3);
    assert_true(s->loss_average_batches);
    assert_int_equal(s->checkpoint_every, 2);
    assert_ptr_equal(s->optim, kern_optim_find("adam"));
    assert_true(s->optim_args[0] == 0.02); /* lr */
    assert_true(s->optim_args[1] == 0.8 && s->optim_args[2] == 0.95);
    assert_ptr_equal(s->schedule->main.kind, train_scheduler_find("plateau"));
    assert_true(s->schedule->main.args[0] == 1 && s->schedule->main.args[2] == 4);
    assert_int_equal(s->parameters, 7 * 5 + 5 + 5 * 3 + 3);
    assert_int_equal(s->model->outputs, 3);
    assert_string_equal(train_spec_get(s, "lr"), "0.02");
    assert_string_equal(train_spec_get(s, "amsgrad"), "yes");
    assert_string_equal(train_spec_get(s, "factor"), "0.1");
    assert_null(train_spec_get(s, "momentum"));
    assert_null(train_spec_get(s, "step_size"));
    assert_null(train_spec_get(s, "nonsense"));
    assert_string_equal(train_spec_default_metric(s), "max Accuracy/Val");
    train_spec_free(s);

    s = make(BASE ";eval_batch_size=100");
    assert_int_equal(s->eval_batch_size, 100);
    assert_int_equal(s->batch_size, 64);
    assert_true(s->mean == 0 && s->std == 1);
    assert_true(s->optim_args[0] == 1e-3);
    assert_int_equal(s->train_examples, 100);
    train_spec_free(s);
    train_spec_free(NULL);
}

static void refusals_of_keys(void **state)
{
    (void) state;
    refused(BASE ";momentun=0.9", CS_ENONAME, 12, "momentun: no such key; did you mean momentum?");
    refused(BASE ";xyzzy=1;lr=0.1", CS_ENONAME, 12, "xyzzy: no such key");
    refused(BASE ";optimizer=adam;momentum=0.9", CS_ENONAME, 13,
            "momentum: not a key of optimizer = adam");
    refused(BASE ";betas=0.9 0.99", CS_ENONAME, 12, "betas: not a key of optimizer = sgd");
    refused(BASE ";gamma=0.5", CS_ENONAME, 12, "gamma: not a key of scheduler = none");
    refused(BASE ";scheduler=plateau;step_size=3", CS_ENONAME, 13,
            "step_size: not a key of scheduler = plateau");
    refused(BASE ";lr=0.1;lr=0.1", CS_EPARSE, 13, "lr: given twice");
    refused(BASE ";optimizer=sgd;optimizer=adam", CS_EPARSE, 13, "optimizer: given twice");
}

static void refusals_of_values(void **state)
{
    (void) state;
    refused(BASE ";lr=-1", CS_ERANGE, 12, "lr = -1: must be a number >= 0");
    refused(BASE ";lr=fast", CS_EPARSE, 12, "lr = fast: must be a number >= 0");
    refused(BASE ";lr=nan", CS_EPARSE, 12, "lr = nan: must be a number >= 0");
    refused(BASE ";batch_size=0", CS_ERANGE, 12,
            "batch_size = 0: must be a whole number in [1, 65536]");
    refused(BASE ";batch_size=1.5", CS_EPARSE, 12,
            "batch_size = 1.5: must be a whole number in [1, 65536]");
    refused("epochs=0;" BASE, CS_ERANGE, 10, "epochs = 0: must be a whole number in [1, 1000000]");
    refused(BASE ";shuffle=maybe", CS_EPARSE, 12, "shuffle = maybe: must be yes or no");
    refused(BASE ";optimizer=adamm", CS_ENONAME, 12,
            "optimizer = adamm: no such optimizer; did you mean adam?");
    refused(BASE ";scheduler=sawtooth", CS_ENONAME, 12,
            "scheduler = sawtooth: must be one of none, step, multistep, exponential, constant, "
            "linear, polynomial, cosine, cosine_restarts, plateau, one_cycle, cyclic, lambda, "
            "multiplicative, sequence, chain");
    refused(BASE ";loss=mae", CS_ENONAME, 12, "loss = mae: no such loss; did you mean mse?");
    refused(BASE ";optimizer=adam;betas=0.9", CS_EPARSE, 13,
            "betas = 0.9: must be 2 numbers in [0, 0.9999999], separated by blanks");
    refused(BASE ";scheduler=plateau;factor=1", CS_ERANGE, 13,
            "factor = 1: must be a number in [0, 0.9999999]");
    refused(BASE ";momentum=0;nesterov=yes", CS_ERANGE, 13,
            "nesterov = yes: needs momentum > 0 and dampening = 0");
    refused(BASE ";nesterov=yes;momentum=0.9;dampening=0.1", CS_ERANGE, 12,
            "nesterov = yes: needs momentum > 0 and dampening = 0");
}

static void refusals_of_normalize(void **state)
{
    static const char *const bad[] = {"0.5",   "0.5 0", "0.5 -1",  "0.5 0.5 0.5", "a b",
                                      "inf 1", "0 inf", "0 1e-60", "1e60 1",      "Unit"};

    (void) state;
    for (size_t i = 0; i < CS_COUNT(bad); i++) {
        char *text = cs_xasprintf(BASE ";normalize=%s", bad[i]);
        char *message =
            cs_xasprintf("normalize = %s: must be unit, or MEAN STD with STD > 0", bad[i]);
        refused(text, CS_EPARSE, 12, message);
        free(text);
        free(message);
    }
    struct train_spec *s = make(BASE ";normalize=-0.5 1e-3");
    assert_true(s->mean == -0.5f && s->std == 0.001f);
    assert_string_equal(train_spec_get(s, "normalize"), "-0.5 0.001");
    train_spec_free(s);
}

static void split_and_limit(void **state)
{
    static const struct {
        const char *settings;
        int64_t train;
    } good[] = {
        {";limit=0", 100},
        {";limit=40", 40},
        {";limit=1", 1},
        {";limit=1000", 100},
        {";val_split=0.2", 80},
        {";val_split=1", 99},
        {";val_split=99", 1},
        {";val_split=0.005", 99},
        {";limit=10;val_split=0.5", 5},
        {";limit=3;val_split=0.5", 1},
        {";limit=10;val_split=4", 6},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(good); i++) {
        char *text = cs_xasprintf(BASE "%s", good[i].settings);
        struct train_spec *s = make(text);
        assert_int_equal(s->train_examples, good[i].train);
        train_spec_free(s);
        free(text);
    }
    refused(BASE ";val_split=1.5", CS_ERANGE, 12,
            "val_split = 1.5: must be a fraction below 1 or a whole count");
    refused(BASE ";val_split=-0.1", CS_ERANGE, 12,
            "val_split = -0.1: must be a number in [0, 1000000000]");
    refused(BASE ";val_split=100", CS_ERANGE, 12,
            "val_split = 100, limit = 0: leaves 0 training and 100 validation examples; expected "
            "at least 1 of each");
    refused(BASE ";limit=10;val_split=11", CS_ERANGE, 13,
            "val_split = 11, limit = 10: leaves -1 training and 11 validation examples; expected "
            "at least 1 of each");
    refused(BASE ";val_split=0.001", CS_ERANGE, 12,
            "val_split = 0.001, limit = 0: leaves 100 training and 0 validation examples; expected "
            "at least 1 of each");
    refused(BASE ";val_split=0.999", CS_ERANGE, 12,
            "val_split = 0.999, limit = 0: leaves 0 training and 100 validation examples; expected "
            "at least 1 of each");
}

static void refusals_of_model_and_data(void **state)
{
    (void) state;
    refused(DATA, CS_EPARSE, 0,
            "layers: missing; expected for example flatten > linear 512 > relu > linear 10");
    refused(DATA ";layers=linear 5 > relu > linear 0", CS_ERANGE, 11,
            "layers = linear 5 > relu > linear 0: layer 3 (linear 0): the number of outputs must "
            "be a whole number in [1, 1048576]");
    refused(DATA ";layers=linear 2", CS_ERANGE, 11,
            "layers = linear 2: gives 2 outputs; random 100x7 classes=3 has 3 classes");
    refused("layers=linear 10", CS_ERANGE, 10,
            "layers = linear 10: layer 1 (linear 10): its input is 1 x 28 x 28; put flatten before "
            "it");
    refused(DATA ";layers=relu > batchnorm > linear 3;batch_size=33", CS_ERANGE, 12,
            "batch_size = 33: layer 2 (batchnorm): one value per channel has no variance, and of "
            "100 examples the last batch of an epoch has 1; expected another batch_size or limit");
    refused("layers=linear 3;dataset=fashionmnist", CS_ENONAME, 11,
            "dataset = fashionmnist: no such dataset; did you mean fashion-mnist?");
    refused(
        "layers=linear 3;dataset=imagenet", CS_ENONAME, 11,
        "dataset = imagenet: no such dataset; datasets are fashion-mnist, mnist, kmnist, random, "
        "regression, moons, spirals, xor, idx, npy, csv");
    refused("layers=linear 3;dataset=random 5", CS_EPARSE, 11,
            "dataset = random 5: expected `random NxD sum>0`, `random NxD classes=C` or `random "
            "NxD labels=L` with N x D <= 10^8");
    refused("dataset=fashion-mnist small;layers=flatten > linear 10", CS_EPARSE, 10,
            "dataset = fashion-mnist small: unexpected small after fashion-mnist");
}

static void shape_keys(void **state)
{
    static const char model[] = DATA ";layers=linear 5 > relu > dropout 0.1 > linear 3";
    static const char *const equal[] = {
        ";lr=0.5",
        ";optimizer=adam",
        ";optimizer=rmsprop;momentum=0.5",
        ";scheduler=step",
        ";epochs=3",
        ";loss_average=batches",
        ";batch_size=64",
        ";momentum=0.9",
        ";checkpoint_every=3",
        ";eval_batch_size=64",
        ";label_smoothing=0.1",
        ";class_weights=1 2 3",
        ";ignore_index=1",
    };
    static const char *const other[] = {
        ";batch_size=32", ";eval_batch_size=32", ";shuffle=no",  ";limit=50",
        ";val_split=0.2", ";normalize=0.5 0.5",  ";path=/other", ";loss=hinge",
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(equal); i++) {
        char *text = cs_xasprintf("%s%s", model, equal[i]);
        assert_true(same_shape(model, text));
        free(text);
    }
    for (size_t i = 0; i < CS_COUNT(other); i++) {
        char *text = cs_xasprintf("%s%s", model, other[i]);
        assert_false(same_shape(model, text));
        free(text);
    }
    assert_true(same_shape(model, DATA ";layers=linear 5 > relu > dropout 0.7 > linear 3"));
    assert_false(same_shape(model, DATA ";layers=linear 6 > relu > dropout 0.1 > linear 3"));
    assert_false(same_shape(model, DATA ";layers=linear 5 > relu > linear 3"));
    assert_false(same_shape(model, "dataset=random 101x7 classes=3;"
                                   "layers=linear 5 > relu > dropout 0.1 > linear 3"));
}

static void config_and_back(void **state)
{
    static const struct {
        const char *text;
        uint64_t seed;
    } rows[] = {
        {BASE, 0},
        {BASE ";optimizer=adam;betas=0.8 0.95;amsgrad=yes;lr=1e-7", 3},
        {BASE ";optimizer=rmsprop;centered=yes;scheduler=plateau;mode=max;factor=0.3",
         9007199254740993u},
        {BASE ";scheduler=step;step_size=3;gamma=0.1;val_split=0.3;limit=77",
         18446744073709551615u},
        {BASE ";scheduler=sequence;warmup_epochs=2;interval=step;phases=linear 5 > lambda 7 "
              "lr_lambda=(1 - 2 * epoch/epochs) > multistep gamma=0.50 milestones=3 06",
         4},
        {BASE ";path=/a b/c#d;normalize=0.1307 0.3081;shuffle=no", 1},
        {"layers=flatten > linear 12 > relu > dropout .30 > linear 10", 2},
        {BASE ";class_weights=1 2.50 3;label_smoothing=1e-1;ignore_index=2", 5},
        {"dataset=regression 9x2 outputs=2;layers=linear 2;loss=smooth_l1;beta=0.5", 6},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct train_spec *a = make_seed(rows[i].text, rows[i].seed), *b = NULL;
        struct cs_buf text = {0}, again = {0};
        struct cs_error err;
        train_spec_config(&text, a);
        if (train_spec_load(&b, "config.ini", text.data, text.size, &err) < 0)
            fail_msg("%s:%d: %s\n%s", err.where, err.line, err.detail, text.data);
        assert_string_equal(a->id, b->id);
        assert_string_equal(a->shape_key, b->shape_key);
        assert_true(a->seed == b->seed);
        assert_int_equal(a->setting_count, b->setting_count);
        for (size_t k = 0; k < a->setting_count; k++) {
            assert_string_equal(a->settings[k].key, b->settings[k].key);
            assert_string_equal(a->settings[k].value, b->settings[k].value);
        }
        train_spec_config(&again, b);
        assert_string_equal(text.data, again.data);
        cs_buf_clear(&text);
        cs_buf_clear(&again);
        train_spec_free(a);
        train_spec_free(b);
    }
}

static void config_writes_everything_out(void **state)
{
    struct train_spec *s = make_seed(BASE ";lr=0.5", 7);
    struct cs_buf text = {0};

    (void) state;
    train_spec_config(&text, s);
    assert_int_equal(strncmp(text.data,
                             "[sweep]\nseed = 7\n"
                             "\n[data]\ndataset = random 100x7 classes=3\nbatch_size = 64\n"
                             "eval_batch_size = 0\nshuffle = yes\n",
                             108),
                     0);
    assert_non_null(strstr(text.data, "\n[model]\nlayers = linear 5 > relu > linear 3\n"));
    assert_non_null(strstr(text.data, "\n[optimizer]\noptimizer = sgd\nlr = 0.5\nmomentum = 0\n"
                                      "dampening = 0\nweight_decay = 0\nnesterov = no\n"));
    for (size_t i = 0; i < s->setting_count; i++) {
        char *line = cs_xasprintf("\n%s = %s\n", s->settings[i].key, s->settings[i].value);
        assert_true(!*s->settings[i].value || strstr(text.data, line));
        free(line);
    }
    cs_buf_clear(&text);
    train_spec_free(s);
}

static void config_faults(void **state)
{
    static const struct {
        const char *text, *message;
        int code, line;
    } rows[] = {
        {"[data]\ndataset = random 9x2 sum>0\n",
         "layers: missing; expected for example flatten > linear 512 > relu > linear 10", CS_EPARSE,
         0},
        {"[sweep]\nseed = -1\n", "seed = -1: expected seed = N", CS_EPARSE, 2},
        {"[sweep]\nseed = 1.5\n", "seed = 1.5: expected seed = N", CS_EPARSE, 2},
        {"[sweep]\nseed = inf\n", "seed = inf: expected seed = N", CS_EPARSE, 2},
        {"[sweep]\nseed =\n", "seed = : expected seed = N", CS_EPARSE, 2},
        {"[sweep]\nseed = 18446744073709551616\n", "seed = 18446744073709551616: expected seed = N",
         CS_EPARSE, 2},
        {"[sweep]\nseed = 1\nname = x\n", "name = x: expected seed = N", CS_EPARSE, 3},
        {"[data]\n\nbatch_size = 0\n", "batch_size = 0: must be a whole number in [1, 65536]",
         CS_ERANGE, 3},
        {"[data]\nbatchsize = 1\n", "batchsize: no such key; did you mean batch_size?", CS_ENONAME,
         2},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        struct train_spec *s = NULL;
        struct cs_error err = {0};
        const int rc = train_spec_load(&s, "c.ini", rows[i].text, strlen(rows[i].text), &err);
        assert_string_equal(err.detail, rows[i].message);
        assert_int_equal(rc, rows[i].code);
        assert_string_equal(err.where, "c.ini");
        assert_int_equal(err.line, rows[i].line);
        assert_null(s);
        assert_int_equal(train_spec_load(&s, "c.ini", rows[i].text, strlen(rows[i].text), NULL),
                         rc);
    }
    struct train_spec *s = NULL;
    struct cs_error err = {0};
    assert_int_equal(train_spec_load(&s, "c.ini", "[data]\nword\n", 12, &err), CS_EPARSE);
    assert_string_equal(err.where, "c.ini");
    assert_int_equal(err.line, 2);
}

/* Running statistics are no parameters: no group takes them. */
static void groups_leave_buffers(void **state)
{
    (void) state;
    refused(DATA ";layers=batchnorm > linear 3;stats.match=*.running_*;stats.lr=1", CS_ENONAME, 12,
            "stats.match = *.running_*: matches no parameter; there are 0.weight ... 1.bias");
}

static void groups_take_parameters_and_settings(void **state)
{
    struct train_spec *s = make(BASE ";optimizer=adam;lr=0.1;tail.match=2.*;tail.lr=1e-2;"
                                     "bias.match=0.bias;bias.betas=0.5 0.6;bias.amsgrad=yes");
    struct cs_buf text = {0};
    struct train_spec *again = NULL;

    (void) state;
    assert_int_equal(s->group_count, 3); /* sorted: bias, tail */
    assert_string_equal(s->groups[1].name, "bias");
    assert_string_equal(s->groups[2].name, "tail");
    const int expected[] = {0, 1, 2, 2};
    for (int i = 0; i < 4; i++)
        assert_int_equal(s->segment_group[i], expected[i]);
    assert_true(s->groups[0].args[0] == 0.1 && s->groups[1].args[0] == 0.1);
    assert_true(s->groups[2].args[0] == 0.01);
    assert_true(s->groups[1].args[1] == 0.5 && s->groups[2].args[1] == 0.9);
    assert_int_equal(train_spec_segment_slots(s, 0), 2);
    assert_int_equal(train_spec_segment_slots(s, 1), 3);
    assert_int_equal(train_spec_slots(s), 3);
    train_spec_config(&text, s);
    assert_int_equal(train_spec_load(&again, "c", text.data, text.size, NULL), 0);
    assert_string_equal(again->id, s->id);
    train_spec_free(again);
    cs_buf_clear(&text);
    train_spec_free(s);

    s = make(BASE ";tail.match=2.*;tail.freeze=yes");
    assert_true(train_spec_trains(s, 0) && train_spec_trains(s, 1));
    assert_false(train_spec_trains(s, 2) || train_spec_trains(s, 3));
    again = make(BASE);
    assert_string_not_equal(s->shape_key, again->shape_key);
    train_spec_free(again);
    train_spec_free(s);
    assert_true(same(BASE ";a.match=0.*;a.lr=1;b.match=2.*;b.lr=2",
                     BASE ";b.lr=2.0;b.match=2.*;a.match=0.*;a.lr=1e0"));
    assert_false(same(BASE ";a.match=0.*;a.lr=1", BASE ";a.match=0.*"));

    refused(BASE ";a.lr=1", CS_EPARSE, 12, "a.match: missing; expected a pattern such as 4.*");
    refused(BASE ";a.match=7.*", CS_ENONAME, 12,
            "a.match = 7.*: matches no parameter; there are 0.weight ... 2.bias");
    refused(BASE ";a.match=0.*;b.match=*.bias", CS_ERANGE, 13,
            "b.match = *.bias: parameter 0.bias is in group a already");
    refused(BASE ";a.match=*;a.freeze=yes", CS_ERANGE, 13, "a.freeze: nothing is left to train");
    refused(BASE ";a.match=0.*;a.betas=0 0", CS_ENONAME, 13,
            "a.betas: not a key of optimizer = sgd");
    refused(
        BASE ";a.match=0.*;a.epochs=3", CS_ENONAME, 13,
        "a.epochs: no such key of a group; expected match, freeze or a setting of the optimizer");
    refused(BASE ";a.match=0.*;a.nesterov=yes", CS_ERANGE, 0,
            "nesterov = yes: needs momentum > 0 and dampening = 0");
}

#define TAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_tags(const char *text, const char *metric, const char *const *tags)
{
    struct train_spec *s = make(text);
    size_t i = 0;

    assert_string_equal(train_spec_default_metric(s), metric);
    for (; tags[i]; i++)
        assert_string_equal(train_spec_tags(s)[i], tags[i]);
    assert_null(train_spec_tags(s)[i]);
    assert_int_equal(s->metric_count, i);
    train_spec_free(s);
}

static void tags_follow_the_targets(void **state)
{
    (void) state;
    check_tags("layers=flatten > linear 10", "max Accuracy/Val",
               TAGS("Loss/Train", "Accuracy/Train", "Loss/Val", "Accuracy/Val", "Learning_Rate",
                    "Grad/Norm", "Accuracy_Top5/Train", "Accuracy_Top5/Val", "F1/Val"));
    check_tags("dataset=random 9x3 sum>0;layers=linear 1;loss=bce_with_logits", "max Accuracy/Val",
               TAGS("Loss/Train", "Accuracy/Train", "Loss/Val", "Accuracy/Val", "Learning_Rate",
                    "Grad/Norm", "F1/Val"));
    check_tags("dataset=random 9x3 labels=7;layers=linear 7;loss=bce_with_logits", "min Loss/Val",
               TAGS("Loss/Train", "Accuracy/Train", "Loss/Val", "Accuracy/Val", "Learning_Rate",
                    "Grad/Norm", "F1/Train", "F1/Val"));
    check_tags("dataset=regression 9x3;layers=linear 1;loss=huber", "min Loss/Val",
               TAGS("Loss/Train", "Loss/Val", "Learning_Rate", "Grad/Norm", "MAE/Train", "MAE/Val",
                    "R2/Train", "R2/Val"));
    assert_int_equal(train_tag_better("Loss/Val"), -1);
    assert_int_equal(train_tag_better("MAE/Train"), -1);
    assert_int_equal(train_tag_better("R2/Val"), 1);
    assert_int_equal(train_tag_better("F1/Val"), 1);
    assert_int_equal(train_tag_better("Accuracy_Top5/Val"), 1);
    assert_int_equal(train_tag_better("Grad/Norm"), 0);
    assert_int_equal(train_tag_better("nonsense"), 0);
}

/* Every loss with every kind of target: made, or refused in one line. */
static void losses_and_targets(void **state)
{
    static const char *const data[] = {"random 9x3 classes=4", "random 9x3 labels=4",
                                       "regression 9x3 outputs=4"};

    (void) state;
    for (const struct kern_loss *const *k = kern_losses(); *k; k++)
        for (size_t t = 0; t < CS_COUNT(data); t++) {
            const char *end = (*k)->outputs == KERN_PROBABILITIES       ? " > sigmoid"
                              : (*k)->outputs == KERN_LOG_PROBABILITIES ? " > log_softmax"
                                                                        : "";
            char *text =
                cs_xasprintf("dataset=%s;layers=linear 4%s;loss=%s", data[t], end, (*k)->name);
            struct list list = parse(text);
            struct train_spec *spec = NULL;
            struct cs_error err;
            const int rc = train_spec_create(&spec, list.at, list.count, 0, &err);
            assert_int_equal(rc, (*k)->takes[t] ? 0 : CS_ERANGE);
            if (rc < 0)
                assert_non_null(strstr(err.detail, ": not for "));
            free(list.text);
            free(text);
            train_spec_free(spec);
        }
}

static void refusals_of_losses(void **state)
{
    (void) state;
    refused("dataset=regression 9x3;layers=linear 1", CS_ERANGE, 0,
            "loss = cross_entropy: not for regression 9x3, which has values as targets; expected "
            "one of mse, l1, smooth_l1, huber");
    refused("dataset=random 9x3 labels=2;layers=linear 2;loss=nll", CS_ERANGE, 12,
            "loss = nll: not for random 9x3 labels=2, which has labels that are set or not as "
            "targets; expected one of bce, bce_with_logits, mse, l1, smooth_l1, huber, kl_div");
    refused("dataset=regression 9x3;layers=linear 2;loss=mse", CS_ERANGE, 11,
            "layers = linear 2: gives 2 outputs; regression 9x3 has 1 targets");
    refused("dataset=random 9x3 labels=2;layers=linear 3;loss=mse", CS_ERANGE, 11,
            "layers = linear 3: gives 3 outputs; random 9x3 labels=2 has 2 targets");
    refused(DATA ";layers=linear 1;loss=bce_with_logits", CS_ERANGE, 11,
            "layers = linear 1: gives 1 outputs; random 100x7 classes=3 has 3 classes");
    refused("dataset=random 9x3 sum>0;layers=linear 1;loss=hinge", CS_ERANGE, 11,
            "layers = linear 1: gives 1 outputs; random 9x3 sum>0 has 2 classes");
    refused("dataset=random 9x3 sum>0;layers=linear 1;loss=bce", CS_ERANGE, 12,
            "loss = bce: takes probabilities; expected layers that end in sigmoid, or loss = "
            "bce_with_logits");
    refused(BASE ";loss=nll", CS_ERANGE, 12,
            "loss = nll: takes log-probabilities; expected layers that end in log_softmax");
    refused(BASE ";class_weights=1 2", CS_ERANGE, 12,
            "class_weights = 1 2: has 2 numbers; expected 1 or 3, the outputs");
    refused(BASE ";class_weights=1 2 -1", CS_ERANGE, 12,
            "class_weights = 1 2 -1: must be numbers in [0, 1e30], separated by blanks");
    refused(BASE ";label_smoothing=1.5", CS_ERANGE, 12,
            "label_smoothing = 1.5: must be a number in [0, 1]");
    refused(BASE ";loss=hinge;label_smoothing=0.1", CS_ENONAME, 13,
            "label_smoothing: not a key of loss = hinge");
    refused(BASE ";loss=huber;delta=0", CS_ERANGE, 13,
            "delta = 0: must be a number in [1e-30, 1e30]");
}

static void topics_and_tags(void **state)
{
    static const char *const kinds[] = {"optimizer", "scheduler", "loss",
                                        "layer",     "init",      "dataset"};
    static const size_t least[] = {9, 10, 10, 4, 8, 3};
    size_t count = 99;

    (void) state;
    for (size_t i = 0; i < CS_COUNT(kinds); i++) {
        const struct train_topic *topics = train_topics(kinds[i], &count);
        assert_true(count >= least[i]);
        for (size_t k = 0; k < count; k++) {
            assert_true(strlen(topics[k].help) > 0);
            assert_true(strncmp(topics[k].usage, topics[k].name, strlen(topics[k].name)) == 0);
        }
    }
    assert_null(train_topics("metric", &count));
    assert_int_equal(count, 0);
}

/* Specs made from one memory are those made alone, in any order, and outlive it. */
static void shared_specs_are_the_same(void **state)
{
    static const char *const texts[] = {
        BASE ";lr=0.1",
        DATA ";layers=linear 5>relu>linear 3;lr=.10;scheduler=step",
        BASE ";scheduler=lambda;lr_lambda=min(1, epoch/5)",
        BASE ";optimizer=adam;head.match=2.*;head.lr=0.5",
        DATA ";layers=linear 3 > log_softmax;loss=nll;scheduler=lambda;lr_lambda=min(1, epoch/5)",
        BASE ";normalize=.5 0.50;lr=0.1;limit=50;eval_batch_size=8",
    };
    enum { COUNT = sizeof texts / sizeof *texts };
    struct train_shared *shared = train_shared_create();
    struct train_spec *made[3 * COUNT];

    (void) state;
    for (size_t i = 0; i < CS_COUNT(made); i++) {
        struct list list = parse(texts[i * 5 % COUNT]);
        assert_int_equal(train_spec_create_shared(&made[i], shared, list.at, list.count, i, NULL),
                         0);
        free(list.text);
    }
    assert_ptr_equal(made[0]->model, made[COUNT]->model);
    assert_ptr_equal(made[0]->schedule, made[COUNT]->schedule);
    for (size_t i = 0; i < COUNT; i++) { /* none, step and lambda are three schedules */
        for (size_t k = 0; k < COUNT; k++) {
            const char *x = train_spec_get(made[i], "scheduler"),
                       *y = train_spec_get(made[k], "scheduler");
            assert_int_equal(made[i]->schedule == made[k]->schedule, strcmp(x, y) == 0);
        }
    }
    train_shared_free(shared);
    for (size_t i = 0; i < CS_COUNT(made); i++) {
        struct train_spec *alone = make_seed(texts[i * 5 % COUNT], 7);
        struct cs_buf x = {0}, y = {0};
        train_spec_reseed(made[i], 7);
        train_spec_config(&x, alone);
        train_spec_config(&y, made[i]);
        assert_string_equal(x.data, y.data);
        assert_string_equal(alone->id, made[i]->id);
        assert_string_equal(alone->point_id, made[i]->point_id);
        assert_string_equal(alone->shape_key, made[i]->shape_key);
        cs_buf_clear(&x);
        cs_buf_clear(&y);
        train_spec_free(alone);
        train_spec_free(made[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_specs_are_the_same),
        cmocka_unit_test(ids_are_hashes_of_the_canonical_text),
        cmocka_unit_test(spelling_and_order_do_not_matter),
        cmocka_unit_test(what_matters_matters),
        cmocka_unit_test(the_seed_is_in_the_id_alone),
        cmocka_unit_test(every_default_written_out_changes_nothing),
        cmocka_unit_test(every_row_is_sound),
        cmocka_unit_test(keys_are_found_by_name_and_owner),
        cmocka_unit_test(typed_values),
        cmocka_unit_test(refusals_of_keys),
        cmocka_unit_test(refusals_of_values),
        cmocka_unit_test(refusals_of_normalize),
        cmocka_unit_test(split_and_limit),
        cmocka_unit_test(refusals_of_model_and_data),
        cmocka_unit_test(shape_keys),
        cmocka_unit_test(config_and_back),
        cmocka_unit_test(config_writes_everything_out),
        cmocka_unit_test(config_faults),
        cmocka_unit_test(groups_leave_buffers),
        cmocka_unit_test(groups_take_parameters_and_settings),
        cmocka_unit_test(tags_follow_the_targets),
        cmocka_unit_test(losses_and_targets),
        cmocka_unit_test(refusals_of_losses),
        cmocka_unit_test(topics_and_tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
