#include "trainer/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "trainer/model.h"

/* A histogram's record: 30 bins of three doubles, tag and frame. One for so many training examples. */
enum { RECORD_BYTES = 850, EXAMPLES_EACH = 10000 };

/* A curve's record; confusion matrix and most wrong images of ten classes. */
enum { CURVE_BYTES = 2600, PICTURES_BYTES = 40000 };

/* ---- histograms ---- */

static int least(int64_t a, int64_t b)
{
    return (int) (a < b ? a : b);
}

/* How many epochs have histograms. */
static int epochs_of(const struct train_spec *spec)
{
    int64_t tensors = 0;

    for (int i = 0; i < spec->model->segment_count; i++)
        tensors += train_spec_trains(spec, i);
    if (spec->histograms >= 0 || tensors == 0)
        return tensors ? least(spec->histograms, spec->epochs) : 0;
    const int64_t by_bytes = TRAIN_HISTOGRAM_BYTES / (2 * tensors * RECORD_BYTES);
    const int64_t by_time = spec->epochs * spec->train_examples / EXAMPLES_EACH;
    const int count = least(least(TRAIN_HISTOGRAMS, spec->epochs), least(by_bytes, by_time));
    return count > 0 ? count : 1;
}

double train_media_bytes(const struct train_spec *spec)
{
    double bytes = 2048 + 256.0 * spec->model->layer_count;
    const int classes = spec->targets == KERN_CLASSES ? spec->width : 0;

    for (int i = 0; i < spec->model->segment_count; i++)
        bytes += train_spec_trains(spec, i) ? 2.0 * RECORD_BYTES * epochs_of(spec) : 0;
    if (!spec->media || classes == 0)
        return bytes;
    const bool images = spec->model->layers[0].in.ndim == 3;
    return bytes + CURVE_BYTES * least(classes, TRAIN_CURVES) + (images ? PICTURES_BYTES : 2048);
}

bool train_media_due(const struct train_spec *spec, int epoch)
{
    const int64_t count = epochs_of(spec);
    return epoch * count / spec->epochs != (epoch - 1) * count / spec->epochs;
}

/* Of one tensor of an arena; a panel matrix with padding is unpacked, since padding is no value. */
static int write_histogram(struct train_trial *trial, const char *kind, int step, const char *help,
                           const struct train_segment *s, const float *arena, struct cs_error *err)
{
    float *unpacked = NULL;
    char tag[sizeof s->name + 16];
    struct tbw_histogram h = {
        .values = arena + s->offset, .count = (size_t) s->elements, .description = help};

    if (s->in > 0 && s->out % KERN_PANEL != 0) {
        unpacked = cs_xmalloc((size_t) s->elements * sizeof *unpacked);
        train_segment_unpack(s, unpacked, arena);
        h.values = unpacked;
    }
    snprintf(tag, sizeof tag, "%s/%s", kind, s->name);
    const int rc = tbw_writer_histogram(trial->events, tag, step, &h, NULL, err);
    free(unpacked);
    return rc;
}

static int write_histograms(struct train_trial *trial, const char *kind, int step, const char *help,
                            const float *arena, struct cs_error *err)
{
    const struct train_model *model = trial->spec->model;

    for (int i = 0; i < model->segment_count; i++) {
        if (train_spec_trains(trial->spec, i))
            CS_TRY(write_histogram(trial, kind, step, help, &model->segments[i], arena, err));
    }
    return 0;
}

int train_media_weights(struct train_trial *trial, const float *w, struct cs_error *err)
{
    return write_histograms(trial, "Weights", trial->now.epoch, "after the epoch", w, err);
}

int train_media_gradients(struct train_trial *trial, const float *g, struct cs_error *err)
{
    return write_histograms(trial, "Gradients", trial->now.epoch + 1,
                            "at the epoch's last step, as the optimizer gets it", g, err);
}

/* ---- the graph ---- */

enum { ATTRS_MAX = 8 };

/* "3.body.0" of a linear layer -> "3/body/0_linear"; a block's ends -> "3/in", "3/out". */
static const char *node_name(struct cs_arena *arena, const struct train_layer *layer)
{
    const bool opens = layer->pair > layer->index, closes = layer->pair >= 0 && !opens;
    char *name = opens    ? cs_arena_printf(arena, "%s/in", layer->name)
                 : closes ? cs_arena_printf(arena, "%s/out", layer->name)
                          : cs_arena_printf(arena, "%s_%s", layer->name, layer->kind->name);

    for (char *c = name; *c; c++)
        *c = *c == '.' ? '/' : *c;
    return name;
}

static void set_shape(struct tbw_node *node, struct cs_arena *arena,
                      const struct train_shape *shape)
{
    int64_t *dims = cs_arena_alloc(arena, (size_t) (shape->ndim + 1) * sizeof *dims);

    dims[0] = -1; /* the batch */
    for (int i = 0; i < shape->ndim; i++)
        dims[i + 1] = shape->dim[i];
    node->shape = dims;
    node->rank = (size_t) shape->ndim + 1;
}

static void set_inputs(struct tbw_node *node, struct cs_arena *arena, const char *a, const char *b)
{
    const char **inputs = cs_arena_alloc(arena, 2 * sizeof *inputs);

    inputs[0] = a;
    inputs[1] = b;
    node->inputs = inputs;
    node->input_count = b ? 2 : 1;
}

static void add_attr(struct tbw_node *node, struct tbw_attr *attrs, const char *name,
                     const char *text)
{
    if (node->attr_count < ATTRS_MAX)
        attrs[node->attr_count++] = (struct tbw_attr){name, text};
}

/* Its numbers, and the shapes of its parameters. */
static void set_attrs(struct tbw_node *node, struct cs_arena *arena,
                      const struct train_layer *layer, const struct train_model *model)
{
    struct tbw_attr *attrs = cs_arena_alloc(arena, ATTRS_MAX * sizeof *attrs);
    const size_t prefix = strlen(layer->name);

    node->attrs = attrs;
    if (layer->pair < 0) {
        struct cs_buf text = {0};
        train_layer_text(&text, layer);
        add_attr(node, attrs, "layer", cs_arena_strdup(arena, text.data));
        cs_buf_clear(&text);
    }
    for (int i = layer->segment; i >= 0 && i < model->segment_count; i++) {
        const struct train_segment *s = &model->segments[i];
        const char *dims = "";
        if (strncmp(s->name, layer->name, prefix) != 0 || s->name[prefix] != '.')
            break;
        for (int d = 0; d < s->ndim; d++)
            dims = cs_arena_printf(arena, "%s%s%d", dims, d ? " x " : "", s->dim[d]);
        add_attr(node, attrs, s->name + prefix + 1, dims);
    }
}

int train_media_graph(struct train_trial *trial, struct cs_error *err)
{
    const struct train_model *model = trial->spec->model;
    struct cs_arena arena = {0};
    const size_t count = (size_t) model->layer_count;
    struct tbw_node *nodes = cs_arena_alloc(&arena, (count + 3) * sizeof *nodes);
    const char *before = "input";

    memset(nodes, 0, (count + 3) * sizeof *nodes);
    nodes[0] = (struct tbw_node){.name = "input", .op = "Input"};
    set_shape(&nodes[0], &arena, &model->layers[0].in);
    for (size_t i = 0; i < count; i++) {
        const struct train_layer *layer = &model->layers[i];
        const bool closes = layer->pair >= 0 && layer->pair < layer->index;
        struct tbw_node *node = &nodes[i + 1];
        node->name = node_name(&arena, layer);
        node->op = closes ? "add" : layer->pair >= 0 ? "identity" : layer->kind->name;
        set_shape(node, &arena, &layer->out);
        set_inputs(node, &arena, before, closes ? nodes[layer->pair + 1].name : NULL);
        set_attrs(node, &arena, layer, model);
        before = node->name;
    }
    nodes[count + 1] = (struct tbw_node){.name = "target", .op = "Target"};
    nodes[count + 2] = (struct tbw_node){.name = "loss", .op = trial->spec->loss->name};
    set_inputs(&nodes[count + 2], &arena, before, "target");
    const int rc = tbw_writer_graph(trial->events, nodes, count + 3, err);
    cs_arena_clear(&arena);
    return rc;
}
