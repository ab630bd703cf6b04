/*
 * spec_keys.c - the table of keys, and what can be chosen for them.
 *
 * A key is a row here or among the rows of the choice that owns it (an optimizer, a scheduler): the table is put
 * together from those, once.
 */
#include <math.h>
#include <string.h>

#include "common/cs_error.h"
#include "kernels/loss.h"
#include "kernels/optim.h"
#include "trainer/data/data.h"
#include "trainer/init.h"
#include "trainer/model.h"
#include "trainer/schedulers/scheduler.h"
#include "trainer/spec_impl.h"

enum { CHOICES_MAX = 64 };

static const char *optimizer_choices[CHOICES_MAX], *scheduler_choices[CHOICES_MAX],
    *init_choices[CHOICES_MAX], *loss_choices[CHOICES_MAX];
static const char *const rngs[] = {"philox", "torch", NULL};
static const char *const biases[] = {"pytorch", "zeros", NULL};
static const char *const averages[] = {"samples", "batches", NULL};

static const struct cs_param data_rows[] = {
    {"dataset", CS_TEXT, "fashion-mnist", 0, 0, 0, NULL,
     "what to train on; see csweep describe dataset"},
    {"path", CS_TEXT, "", 0, 0, 0, NULL,
     "folder of the data set's files; empty: where they are usually found"},
    {"batch_size", CS_INT, "64", 1, 65536, 0, NULL, "examples per step"},
    {"eval_batch_size", CS_INT, "0", 0, 65536, 0, NULL,
     "examples per validation batch; 0: as batch_size"},
    {"shuffle", CS_BOOL, "yes", 0, 1, 0, NULL, "new order of the examples every epoch"},
    {"val_split", CS_FLOAT, "0", 0, 1e9, 0, NULL,
     "cut validation from the training set: a fraction below 1, or a count; 0: the data set's own "
     "test set"},
    {"limit", CS_INT, "0", 0, 1e9, 0, NULL, "keep the first N training examples; 0: all"},
    {"normalize", CS_TEXT, "unit", 0, 0, 0, NULL,
     "unit: pixels / 255; MEAN STD: (pixels / 255 - MEAN) / STD"},
};
static const struct cs_param model_rows[] = {
    {"layers", CS_TEXT, "", 0, 0, 0, NULL,
     "the network: layers joined by >; see csweep describe layer"},
    {"init", CS_NAME, "pytorch", 0, 0, 0, init_choices,
     "initial weights of linear and convolution layers; see csweep describe init"},
    {"init_bias", CS_NAME, "pytorch", 0, 0, 0, biases, "their initial biases"},
};
static const struct cs_param train_rows[] = {
    {"epochs", CS_INT, "10", 1, 1e6, 0, NULL, "passes over the training set"},
    {"loss", CS_NAME, "cross_entropy", 0, 0, 0, loss_choices,
     "what is minimised; see csweep describe loss"},
    {"loss_average", CS_NAME, "samples", 0, 0, 0, averages,
     "Loss/... as mean over samples, or the tutorials' mean of batch means"},
    {"rng", CS_NAME, "philox", 0, 0, 0, rngs,
     "initial weights, order and dropout: by place, or from the stream of torch.manual_seed(seed)"},
    {"clip_norm", CS_FLOAT, "0", 0, INFINITY, 0, NULL,
     "scale the gradient down to this norm; 0: do not"},
    {"clip_value", CS_FLOAT, "0", 0, INFINITY, 0, NULL,
     "cut every number of the gradient to +- this; 0: do not"},
    {"l1", CS_FLOAT, "0", 0, 1e9, 0, NULL, "weight of the penalty on the sum of |w|"},
    {"accumulate", CS_INT, "1", 1, 1e6, 0, NULL,
     "batches whose mean gradient makes one step of the optimizer"},
    {"early_stopping", CS_INT, "0", 0, 1e6, 0, NULL,
     "stop after so many epochs without a better metric; 0: do not"},
    {"min_delta", CS_FLOAT, "0", 0, INFINITY, 0, NULL, "what early stopping calls better"},
    {"restore_best", CS_BOOL, "no", 0, 1, 0, NULL,
     "end with the weights of the epoch whose metric was best"},
    {"lookahead", CS_INT, "0", 0, 1e6, 0, NULL,
     "every so many optimizer steps the slow weights move a part of the way to the trained ones, "
     "which "
     "go on from there (Zhang et al. 2019); slow weights are evaluated and saved; 0: off"},
    {"lookahead_alpha", CS_FLOAT, "0.5", 0, 1, 0, NULL, "which part of the way"},
    {"ema", CS_FLOAT, "0", 0, 1, 0, NULL,
     "decay of a moving average of the weights, after every optimizer step (swa_utils' "
     "get_ema_avg_fn, use_buffers = True); it is evaluated and saved; 0: off"},
    {"swa_start", CS_INT, "0", 0, 1e6, 0, NULL,
     "from the end of this epoch on (the first is 1) the plain mean of the weights at epoch ends "
     "(swa_utils.AveragedModel, use_buffers = True) is evaluated and saved; 0: off"},
    {"checkpoint_every", CS_INT, "0", 0, 1e6, 0, NULL,
     "epochs between checkpoints to resume from; 0: as often as costs at most 1 % of the time"},
    {"histograms", CS_INT, "-1", -1, 1e6, 0, NULL,
     "epochs, equally spaced, whose histograms of weights and gradients are written for "
     "TensorBoard; "
     "0: none; -1: 10, or as many as take 1 % of the time and 1 MiB, and the last epoch's"},
    {"media", CS_BOOL, "yes", 0, 1, 0, NULL,
     "at the end, of classes: confusion matrix, most wrong images, precision-recall curves for "
     "TensorBoard"},
};
static const struct cs_param optimizer_rows[] = {
    {"optimizer", CS_NAME, "sgd", 0, 0, 0, optimizer_choices, "how weights are updated"},
};
static const struct cs_param scheduler_rows[] = {
    {"scheduler", CS_NAME, "none", 0, 0, 0, scheduler_choices,
     "how the learning rate changes over epochs"},
    {"warmup_epochs", CS_INT, "0", 0, 1e9, 0, NULL,
     "epochs in which the rate rises to the schedule's first, before the schedule begins"},
    {"warmup_steps", CS_INT, "0", 0, 1e12, 0, NULL, "the same in steps"},
    {"warmup_start", CS_FLOAT, "0.3333333333333333", 0, 1, 0, NULL,
     "factor of the first rate at which the warm-up begins, as LinearLR's start_factor"},
};
static const char *const intervals[] = {"epoch", "step", NULL};
static const struct cs_param interval_rows[] = {
    {"interval", CS_NAME, "epoch", 0, 0, 0, intervals,
     "the rate changes after every epoch, or after every step: epochs in other keys are steps "
     "then"},
    {"interval", CS_NAME, "step", 0, 0, 0, intervals,
     "the rate changes after every epoch, or after every step"},
};

/* Of a [group NAME]: its keys are written NAME.KEY where one word must do. */
static const struct cs_param group_rows[] = {
    {"match", CS_TEXT, "", 0, 0, 0, NULL,
     "which parameters: a pattern over their names, such as 4.* or *.bias"},
    {"freeze", CS_BOOL, "no", 0, 1, 0, NULL, "leave these parameters as they start"},
};
static const struct train_key group_keys[] = {
    {"group", &group_rows[0], NULL, NULL},
    {"group", &group_rows[1], NULL, NULL},
};

static struct train_key keys[TRAIN_KEYS_MAX];
static struct train_key_facts facts[TRAIN_KEYS_MAX];
static size_t key_total;
static struct cs_table names; /* items: train_key_facts of the first row */
static struct cs_arena defaults;

static void add_keys(const char *section, const struct cs_param *rows, size_t count,
                     const char *owner_key, const char *owner)
{
    for (size_t i = 0; i < count && key_total < TRAIN_KEYS_MAX; i++)
        keys[key_total++] = (struct train_key){section, &rows[i], owner_key, owner};
}

static void build_keys(void)
{
    const struct kern_loss *const *losses = kern_losses();
    const struct kern_optim *const *optims = kern_optim_all();
    const struct train_scheduler *const *schedulers = train_schedulers();
    size_t init_count;
    const struct train_init_scheme *inits = train_init_schemes(&init_count);

    add_keys("data", data_rows, CS_COUNT(data_rows), NULL, NULL);
    add_keys("model", model_rows, CS_COUNT(model_rows), NULL, NULL);
    for (size_t i = 0; i < init_count && i < CHOICES_MAX - 1; i++) {
        init_choices[i] = inits[i].name;
        add_keys("model", inits[i].params, (size_t) inits[i].param_count, "init", inits[i].name);
    }
    add_keys("train", train_rows, CS_COUNT(train_rows), NULL, NULL);
    for (int i = 0; losses[i] && i < CHOICES_MAX - 1; i++) {
        loss_choices[i] = losses[i]->name;
        add_keys("train", losses[i]->params, (size_t) losses[i]->param_count, "loss",
                 losses[i]->name);
    }
    add_keys("optimizer", optimizer_rows, 1, NULL, NULL);
    for (int i = 0; optims[i] && i < CHOICES_MAX - 1; i++) {
        optimizer_choices[i] = optims[i]->name;
        add_keys("optimizer", optims[i]->params, (size_t) optims[i]->param_count, "optimizer",
                 optims[i]->name);
    }
    add_keys("scheduler", scheduler_rows, CS_COUNT(scheduler_rows), NULL, NULL);
    for (int i = 0; schedulers[i] && i < CHOICES_MAX - 1; i++) {
        scheduler_choices[i] = schedulers[i]->name;
        add_keys("scheduler", schedulers[i]->params, (size_t) schedulers[i]->param_count,
                 "scheduler", schedulers[i]->name);
        if (!schedulers[i]->epochs_only)
            add_keys("scheduler", &interval_rows[schedulers[i]->per_step], 1, "scheduler",
                     schedulers[i]->name);
    }
}

static void build_facts(void)
{
    for (size_t i = 0; i < key_total; i++) {
        struct cs_table_slot *slot = cs_table_add(&names, keys[i].row->name);
        struct train_key_facts *first = slot->text ? slot->item : &facts[i], *last = first;
        slot->item = first;
        if (!slot->text)
            slot->text = keys[i].row->name;
        facts[i] = (struct train_key_facts){.name = (int) (first - facts), .next = -1};
        facts[i].owner = keys[i].owner_key ? train_key_name(keys[i].owner_key) : -1;
        cs_param_parse(&facts[i].standard, keys[i].row, keys[i].row->def, &defaults, NULL);
        while (last->next >= 0)
            last = &facts[last->next];
        if (last != &facts[i])
            last->next = (int) i;
    }
    for (size_t i = key_total; i-- > 0;) {
        const bool same = i + 1 < key_total && keys[i].owner && keys[i + 1].owner &&
                          strcmp(keys[i].owner, keys[i + 1].owner) == 0 &&
                          facts[i].owner == facts[i + 1].owner;
        facts[i].end = same ? facts[i + 1].end : (int) i + 1;
    }
}

const struct train_key *train_keys(size_t *count)
{
    if (key_total == 0) {
        build_keys();
        build_facts();
    }
    *count = key_total;
    return keys;
}

const struct train_key_facts *train_key_facts(void)
{
    size_t count;

    train_keys(&count);
    return facts;
}

int train_key_name(const char *key)
{
    const struct cs_table_slot *slot = cs_table_find(&names, key);
    return slot ? ((const struct train_key_facts *) slot->item)->name : -1;
}

const struct train_key *train_group_keys(size_t *count)
{
    *count = CS_COUNT(group_keys);
    return group_keys;
}

const char *train_key_group_part(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot && dot > name ? dot + 1 : NULL;
}

static const struct train_key *find_plain(const char *name, const struct train_key *after)
{
    size_t count;
    const struct train_key *all = train_keys(&count);
    const int at =
        after >= all && after < all + count ? facts[after - all].next : train_key_name(name);

    return at < 0 ? NULL : &all[at];
}

const struct train_key *train_key_find(const char *name, const struct train_key *after)
{
    const struct train_key *key;
    const char *part = train_key_group_part(name);

    if (!part)
        return find_plain(name, after);
    for (size_t i = 0; i < CS_COUNT(group_keys); i++) {
        if (strcmp(group_keys[i].row->name, part) == 0)
            return after ? NULL : &group_keys[i];
    }
    do
        key = after = find_plain(part, after);
    while (key && (strcmp(key->section, "optimizer") != 0 || !key->owner));
    return key;
}

int train_key_unknown(const char *key, struct cs_error *err)
{
    const char *known[TRAIN_KEYS_MAX];
    size_t count;
    const struct train_key *all = train_keys(&count);

    if (train_key_group_part(key))
        return cs_fail(err, CS_ENONAME,
                       "%s: no such key of a group; expected match, freeze or a setting of the "
                       "optimizer",
                       key);
    for (size_t i = 0; i < count; i++)
        known[i] = all[i].row->name;
    const char *near = cs_nearest(key, known, count);
    return cs_fail(err, CS_ENONAME, "%s: no such key%s%s%s", key, near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

static size_t layer_topics(struct train_topic *out)
{
    const struct train_layer_kind *const *k = train_layer_kinds();
    size_t n = 0;
    for (; k[n] && n < CHOICES_MAX; n++)
        out[n] = (struct train_topic){k[n]->name, k[n]->usage, k[n]->help};
    return n;
}

static size_t dataset_topics(struct train_topic *out)
{
    const struct train_dataset_kind *const *k = train_dataset_kinds();
    size_t n = 0;
    for (; k[n] && n < CHOICES_MAX; n++)
        out[n] = (struct train_topic){k[n]->name, k[n]->usage, k[n]->help};
    return n;
}

static size_t optimizer_topics(struct train_topic *out)
{
    const struct kern_optim *const *k = kern_optim_all();
    size_t n = 0;
    for (; k[n] && n < CHOICES_MAX; n++)
        out[n] = (struct train_topic){k[n]->name, k[n]->name, k[n]->help};
    return n;
}

static size_t scheduler_topics(struct train_topic *out)
{
    const struct train_scheduler *const *k = train_schedulers();
    size_t n = 0;
    for (; k[n] && n < CHOICES_MAX; n++)
        out[n] = (struct train_topic){k[n]->name, k[n]->name, k[n]->help};
    return n;
}

static size_t init_topics(struct train_topic *out)
{
    size_t count;
    const struct train_init_scheme *schemes = train_init_schemes(&count);
    for (size_t i = 0; i < count && i < CHOICES_MAX; i++)
        out[i] = (struct train_topic){schemes[i].name, schemes[i].name, schemes[i].help};
    return count;
}

static size_t loss_topics(struct train_topic *out)
{
    const struct kern_loss *const *k = kern_losses();
    size_t n = 0;
    for (; k[n] && n < CHOICES_MAX; n++)
        out[n] = (struct train_topic){k[n]->name, k[n]->name, k[n]->help};
    return n;
}

const struct train_topic *train_topics(const char *kind, size_t *count)
{
    static const struct {
        const char *kind;
        size_t (*fill)(struct train_topic *out);
    } sources[] = {
        {"layer", layer_topics},         {"dataset", dataset_topics},
        {"optimizer", optimizer_topics}, {"scheduler", scheduler_topics},
        {"loss", loss_topics},           {"init", init_topics},
    };
    static struct train_topic topics[CS_COUNT(sources)][CHOICES_MAX];

    for (size_t i = 0; i < CS_COUNT(sources); i++) {
        if (strcmp(sources[i].kind, kind) == 0) {
            *count = sources[i].fill(topics[i]);
            return topics[i];
        }
    }
    *count = 0;
    return NULL;
}
