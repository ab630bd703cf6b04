/*
 * model.c - parse `layers`, infer shapes, lay out parameters.
 *
 * Initial values: torch/nn/modules/linear.py (kaiming_uniform_(a = sqrt(5)), which is U(-b, b) with
 * b = sqrt(3) * sqrt(2 / (1 + 5)) / sqrt(fan_in)), bias U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
 */
#include "trainer/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cs_error.h"
#include "common/cs_param.h"
#include "kernels/contract.h"
#include "kernels/math/philox.h"
#include "trainer/layers/list.h"

enum { LAYERS_MAX = 256, FEATURES_MAX = 1 << 24 };

#define X(name) extern const struct train_layer_kind train_layer_##name;
TRAIN_LAYERS(X)
#undef X

static const struct train_layer_kind *const kinds[] = {
#define X(name) &train_layer_##name,
    TRAIN_LAYERS(X)
#undef X
        NULL};

const struct train_layer_kind *const *train_layer_kinds(void)
{
    return kinds;
}

int train_shape_size(const struct train_shape *shape)
{
    int size = 1;
    for (int i = 0; i < shape->ndim; i++)
        size *= shape->dim[i];
    return size;
}

void train_model_add_segment(struct train_model *model, const struct train_layer *layer,
                             const char *name, int out, int in, double bound)
{
    struct train_segment *s = &model->segments[model->segment_count++];

    snprintf(s->name, sizeof s->name, "%d.%s", layer->index, name);
    s->out = out;
    s->in = in;
    s->bound = bound;
    s->offset = model->floats;
    s->count = kern_pad((size_t) out) * (in ? (size_t) in : 1);
    s->elements = (int64_t) out * (in ? in : 1);
    model->floats += s->count;
    model->parameters += s->elements;
}

static const struct train_layer_kind *find_kind(const char *name, struct cs_error *err)
{
    const char *names[CS_COUNT(kinds)];
    size_t count = 0;

    for (; kinds[count]; count++) {
        if (strcmp(kinds[count]->name, name) == 0)
            return kinds[count];
        names[count] = kinds[count]->name;
    }
    cs_fail_unknown(err, "layer", name, names, count);
    return NULL;
}

/* "linear 512" -> kind and arguments. */
static int parse_layer(struct train_layer *layer, char *text, struct cs_error *err)
{
    char *state = NULL, *name = strtok_r(text, " \t", &state);

    if (!name)
        return cs_fail(err, CS_EPARSE, "empty layer; expected layers joined by >");
    layer->kind = find_kind(name, err);
    if (!layer->kind)
        return CS_ENONAME;
    for (char *word; (word = strtok_r(NULL, " \t", &state));) {
        if (layer->arg_count == TRAIN_LAYER_ARGS || layer->arg_count == layer->kind->args_max)
            return cs_fail(err, CS_EPARSE, "too many arguments; expected `%s`", layer->kind->usage);
        if (!cs_parse_double(&layer->arg[layer->arg_count], word))
            return cs_fail(err, CS_EPARSE, "%s is not a number; expected `%s`", word,
                           layer->kind->usage);
        layer->arg_count++;
    }
    if (layer->arg_count < layer->kind->args_min)
        return cs_fail(err, CS_EPARSE, "too few arguments; expected `%s`", layer->kind->usage);
    return 0;
}

static int add_layer(struct train_model *model, struct train_shape *shape, char *text,
                     struct cs_error *err)
{
    struct train_layer *layer = &model->layers[model->layer_count];
    struct train_node *node = &model->nodes[model->node_count - 1];

    layer->index = model->layer_count;
    layer->in = *shape;
    layer->out = *shape;
    layer->segment = -1;
    layer->node_in = layer->node_out = model->node_count - 1;
    CS_TRY(parse_layer(layer, text, err));
    const int first = model->segment_count;
    CS_TRY(layer->kind->setup(layer, model, err));
    if (model->segment_count > first)
        layer->segment = first;
    if (layer->kind->in_place)
        node->in_place = true;
    else if (train_shape_size(&layer->out) != node->features || layer->segment >= 0) {
        layer->node_out = model->node_count;
        model->nodes[model->node_count++] =
            (struct train_node){.features = train_shape_size(&layer->out)};
    }
    *shape = layer->out;
    model->layer_count++;
    return 0;
}

/* Put `layer 3 (linear 0): ` before the message. */
static int name_layer(int rc, int number, const char *text, struct cs_error *err)
{
    if (rc < 0 && err) {
        char message[sizeof err->detail];
        snprintf(message, sizeof message, "%s", err->detail);
        cs_fail(err, rc, "layer %d (%.60s): %.400s", number, text, message);
    }
    return rc;
}

static int build(struct train_model *model, const char *text, const struct train_shape *input,
                 struct cs_error *err)
{
    struct train_shape shape = *input;
    const char *at = text;

    model->nodes[0].features = train_shape_size(input);
    model->node_count = 1;
    for (int number = 1;; number++) {
        const char *end = strchr(at, '>');
        char *one = cs_arena_strndup(&model->arena, at, end ? (size_t) (end - at) : strlen(at));
        one = cs_trim(one);
        if (number > LAYERS_MAX)
            return cs_fail(err, CS_ERANGE, "more than %d layers", LAYERS_MAX);
        CS_TRY(name_layer(add_layer(model, &shape, cs_arena_strdup(&model->arena, one), err),
                          number, one, err));
        if (!end)
            break;
        at = end + 1;
    }
    if (shape.ndim != 1)
        return cs_fail(err, CS_ERANGE, "the last layer gives %d x %d x %d; expected a flat output",
                       shape.dim[0], shape.dim[1], shape.dim[2]);
    if (model->segment_count == 0)
        return cs_fail(err, CS_ERANGE, "no layer has parameters to train");
    model->outputs = shape.dim[0];
    model->floats = (model->floats + 63) / 64 * 64;
    return 0;
}

int train_model_create(struct train_model **out, const char *text, const struct train_shape *input,
                       struct cs_error *err)
{
    struct train_model *model = cs_xcalloc(1, sizeof *model);
    size_t count = 1; /* layers, at most; each has at most two parameters */

    for (const char *p = text; (p = strchr(p, '>')) && count <= LAYERS_MAX; p++)
        count++;
    model->layers = cs_arena_alloc(&model->arena, count * sizeof *model->layers);
    model->segments = cs_arena_alloc(&model->arena, 2 * count * sizeof *model->segments);
    model->nodes = cs_arena_alloc(&model->arena, (count + 1) * sizeof *model->nodes);
    const int rc = build(model, text, input, err);
    if (rc < 0)
        train_model_free(model);
    else
        *out = model;
    return rc;
}

void train_model_free(struct train_model *model)
{
    if (!model)
        return;
    struct cs_arena arena = model->arena;
    cs_arena_clear(&arena);
    free(model);
}

void train_model_text(struct cs_buf *out, const struct train_model *model)
{
    char number[CS_DOUBLE_MAX];

    for (int i = 0; i < model->layer_count; i++) {
        const struct train_layer *layer = &model->layers[i];
        cs_buf_addf(out, "%s%s", i ? " > " : "", layer->kind->name);
        for (int a = 0; a < layer->arg_count; a++)
            cs_buf_addf(out, " %s", cs_format_double(number, layer->arg[a]));
    }
}

void train_model_shape_text(struct cs_buf *out, const struct train_model *model)
{
    for (int i = 0; i < model->layer_count; i++) {
        const struct train_layer *layer = &model->layers[i];
        cs_buf_addf(out, "%s %d:%d >", layer->kind->name, train_shape_size(&layer->in),
                    train_shape_size(&layer->out));
    }
}

static void init_segment(const struct train_segment *s, uint32_t index, uint64_t seed,
                         float *tensor)
{
    const float lo = (float) -s->bound, hi = (float) s->bound;

    for (int64_t i = 0; i < s->elements; i += 4) {
        const struct kern_philox r =
            kern_philox(seed, (uint32_t) (i / 4), index, (uint32_t) (i >> 34),
                        (uint32_t) KERN_PURPOSE_INIT << 16);
        for (int64_t k = i; k < i + 4 && k < s->elements; k++)
            tensor[k] = fmaf(kern_uniform(r.v[k % 4]), hi - lo, lo);
    }
}

void train_model_init(const struct train_model *model, uint64_t seed, float *w)
{
    memset(w, 0, model->floats * sizeof *w);
    for (int i = 0; i < model->segment_count; i++) {
        const struct train_segment *s = &model->segments[i];
        float *tensor = cs_xmalloc((size_t) s->elements * sizeof *tensor);
        init_segment(s, (uint32_t) i, seed, tensor);
        train_segment_pack(s, w, tensor);
        free(tensor);
    }
}

void train_segment_pack(const struct train_segment *s, float *arena, const float *tensor)
{
    float *w = arena + s->offset;

    if (s->in == 0) {
        memcpy(w, tensor, (size_t) s->out * sizeof *w);
        return;
    }
    for (int o = 0; o < s->out; o++) {
        for (int i = 0; i < s->in; i++)
            w[kern_at((size_t) s->in, (size_t) i, (size_t) o)] =
                tensor[(size_t) o * (size_t) s->in + (size_t) i];
    }
}

void train_segment_unpack(const struct train_segment *s, float *tensor, const float *arena)
{
    const float *w = arena + s->offset;

    if (s->in == 0) {
        memcpy(tensor, w, (size_t) s->out * sizeof *w);
        return;
    }
    for (int o = 0; o < s->out; o++) {
        for (int i = 0; i < s->in; i++)
            tensor[(size_t) o * (size_t) s->in + (size_t) i] =
                w[kern_at((size_t) s->in, (size_t) i, (size_t) o)];
    }
}
