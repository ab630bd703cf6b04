/*
 * fuse.c - which trials are better trained together, and which can share vectors (bundle_lanes.h).
 *
 * A trial fits into a lane when its net is a chain of linear layers with relu and dropout between them, its loss
 * the plain cross-entropy (no other, no weights, no smoothing), and nothing else is asked for: of the sections
 * [data] and [train] only the keys below may differ from their defaults (rng = torch where nothing is dropped), so
 * a key that csweep learns later excludes until it is listed here.
 */
#include <string.h>

#include "common/cs_str.h"
#include "kernels/kernels.h"
#include "kernels/optim.h"
#include "trainer/bundle_lanes.h"
#include "trainer/model.h"

/* They say what is trained on, how long, and what is written, not what a step computes. */
static const char *const free_keys[] = {
    "dataset",   "path",         "batch_size",   "eval_batch_size",  "shuffle",
    "val_split", "limit",        "normalize",    "epochs",           "early_stopping",
    "min_delta", "restore_best", "loss_average", "checkpoint_every", "histograms",
    "media",     "rng",
};

static bool is_free(const char *key)
{
    for (size_t i = 0; i < CS_COUNT(free_keys); i++) {
        if (strcmp(free_keys[i], key) == 0)
            return true;
    }
    return false;
}

/* Do all keys that change what a step computes, the optimizer's and the layers aside, have their defaults? */
static bool is_plain(const struct train_spec *spec)
{
    for (size_t i = 0; i < spec->setting_count; i++) {
        const struct train_setting *s = &spec->settings[i];
        const struct train_key *key = train_key_find(s->key, NULL);
        if (!key || is_free(s->key) ||
            (strcmp(key->section, "data") != 0 && strcmp(key->section, "train") != 0))
            continue;
        struct cs_arena arena = {0};
        struct cs_value standard;
        const bool same = cs_param_parse(&standard, key->row, key->row->def, &arena, NULL) == 0 &&
                          strcmp(standard.text, s->value) == 0;
        cs_arena_clear(&arena);
        if (!same)
            return false;
    }
    return true;
}

/* Add a layer to the net; false: it cannot be part of one. */
static bool add_layer(struct kern_lanes_net *net, const struct train_layer *layer)
{
    struct kern_lanes_node *node = &net->node[net->layers];
    const char *kind = layer->kind->name;

    if (layer->copies)
        return false;
    if (strcmp(kind, "linear") == 0) {
        if (net->layers == KERN_LANES_LAYERS)
            return false;
        net->width[++net->layers] = train_shape_size(&layer->out);
        return true;
    }
    if (strcmp(kind, "relu") == 0) {
        node->relu = true;
        return true;
    }
    if (strcmp(kind, "dropout") == 0) {
        if (node->drops == KERN_LANES_DROPS)
            return false;
        node->drop[node->drops++] = (uint32_t) layer->index;
        return true;
    }
    return strcmp(kind, "flatten") == 0;
}

/* Masks from a stream are not drawn in lanes. */
static bool draws_from_stream(const struct train_spec *spec)
{
    for (int i = 0; i < spec->model->layer_count && spec->torch; i++) {
        if (train_layer_draws(&spec->model->layers[i]) > 0)
            return true;
    }
    return false;
}

/*
 * Numbers of one lane that a step goes through: weights, their state, values and gradients. From LIMIT on the
 * vectors of all lanes fall out of the caches, and trials one after the other are quicker (measured, Zen 4).
 */
static bool is_small(const struct train_spec *spec, const struct kern_lanes_net *net)
{
    enum { LIMIT = 30000 };
    double numbers = (double) spec->model->floats * (1 + train_spec_slots(spec));

    for (int n = 0; n <= net->layers; n++)
        numbers += 2.0 * spec->batch_size * net->width[n];
    return numbers <= LIMIT;
}

bool train_spec_lanes(const struct train_spec *spec, struct kern_lanes_net *net)
{
    const struct train_model *model = spec->model;

    *net = (struct kern_lanes_net){.width = {model->nodes[0].features}};
    for (int i = 0; i < model->layer_count; i++) {
        if (!add_layer(net, &model->layers[i]))
            return false;
    }
    return !spec->optim->by_tensor && !draws_from_stream(spec) && is_plain(spec) &&
           is_small(spec, net);
}

int train_spec_fuse(const struct train_spec *spec)
{
    enum { IN_LANES = 64, IN_TURN = 16, IN_TURN_PARAMETERS = 50000 };
    struct kern_lanes_net net;

    if (train_spec_lanes(spec, &net))
        return IN_LANES;
    return spec->parameters <= IN_TURN_PARAMETERS ? IN_TURN : 1;
}
