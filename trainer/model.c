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

enum { LAYERS_MAX = 256, SEGMENTS_PER_LAYER = 5, ACTIVATIONS_MAX = 32 };

#define X(name) extern const struct train_layer_kind train_layer_##name;
TRAIN_LAYERS(X)
#undef X

static const struct train_layer_kind *const listed[] = {
#define X(name) &train_layer_##name,
    TRAIN_LAYERS(X)
#undef X
};

const struct train_layer_kind *const *train_layer_kinds(void)
{
    static struct train_layer_kind activations[ACTIVATIONS_MAX];
    static const struct train_layer_kind *kinds[CS_COUNT(listed) + ACTIVATIONS_MAX + 1];
    size_t count = 0;

    if (kinds[0])
        return kinds;
    const size_t more = train_layer_activations(activations, ACTIVATIONS_MAX);
    for (size_t i = 0; i < more; i++)
        kinds[CS_COUNT(listed) + i] = &activations[i];
    while (count < CS_COUNT(listed)) {
        kinds[count] = listed[count];
        count++;
    }
    return kinds;
}

int train_shape_size(const struct train_shape *shape)
{
    int size = 1;
    for (int i = 0; i < shape->ndim; i++)
        size *= shape->dim[i];
    return size;
}

size_t train_layer_draws(const struct train_layer *layer)
{
    return layer->kind->draws ? (size_t) layer->kind->draws(layer) : 0;
}

int train_layer_need_probability(const struct train_layer *layer, struct cs_error *err)
{
    if (layer->arg[0] >= 0 && layer->arg[0] < 1)
        return 0;
    return cs_fail(err, CS_ERANGE, "the probability must be a number in [0, 1)");
}

int train_layer_need_image(const struct train_layer *layer, struct cs_error *err)
{
    if (layer->in.ndim == 3)
        return 0;
    return cs_fail(err, CS_ERANGE,
                   "its input is flat, %d numbers; expected channels x height x width",
                   layer->in.dim[0]);
}

static struct train_segment *add_segment(struct train_model *model, const struct train_layer *layer,
                                         const char *name, size_t floats)
{
    struct train_segment *s = &model->segments[model->segment_count++];

    snprintf(s->name, sizeof s->name, "%s.%s", layer->name, name);
    s->offset = model->floats;
    s->count = floats;
    model->floats += floats;
    return s;
}

struct train_segment *train_model_add_matrix(struct train_model *model,
                                             const struct train_layer *layer, const char *name,
                                             int out, int in)
{
    struct train_segment *s = add_segment(model, layer, name, kern_pad((size_t) out) * (size_t) in);

    s->ndim = 2;
    s->dim[0] = s->out = out;
    s->dim[1] = s->in = in;
    s->elements = (int64_t) out * in;
    s->fan_in = in;
    s->fan_out = out;
    return s;
}

struct train_segment *train_model_add_tensor(struct train_model *model,
                                             const struct train_layer *layer, const char *name,
                                             int ndim, const int *dim)
{
    int64_t elements = 1;

    for (int i = 0; i < ndim; i++)
        elements *= dim[i];
    struct train_segment *s = add_segment(model, layer, name, kern_pad((size_t) elements));
    s->ndim = ndim;
    for (int i = 0; i < ndim; i++)
        s->dim[i] = dim[i];
    s->out = (int) elements;
    s->elements = elements;
    return s;
}

static const struct train_layer_kind *find_kind(const char *name, struct cs_error *err)
{
    const struct train_layer_kind *const *kinds = train_layer_kinds();
    const char *names[CS_COUNT(listed) + ACTIVATIONS_MAX];
    size_t count = 0;

    for (; kinds[count]; count++) {
        if (strcmp(kinds[count]->name, name) == 0)
            return kinds[count];
        names[count] = kinds[count]->name;
    }
    cs_fail_unknown(err, "layer", name, names, count);
    return NULL;
}

/* The place of a named number, -1 when the kind has none of that name. */
static int word_place(const struct train_layer_kind *kind, const char *name)
{
    for (int i = 0; i < TRAIN_LAYER_WORDS && kind->words[i].name; i++) {
        if (strcmp(kind->words[i].name, name) == 0)
            return kind->args_max + i;
    }
    return -1;
}

static int bad_usage(const struct train_layer_kind *kind, const char *what, const char *word,
                     struct cs_error *err)
{
    return cs_fail(err, CS_EPARSE, "%s%s; expected `%s`", word, what, kind->usage);
}

/* "linear 512", "conv 16 5 stride 2" -> kind and arguments. */
static int parse_layer(struct train_layer *layer, char *text, struct cs_error *err)
{
    char *state = NULL, *name = strtok_r(text, " \t", &state);
    bool words = false;

    if (!name)
        return cs_fail(err, CS_EPARSE, "empty layer; expected layers joined by >");
    layer->kind = find_kind(name, err);
    if (!layer->kind)
        return CS_ENONAME;
    for (int i = 0; i < TRAIN_LAYER_WORDS && layer->kind->words[i].name; i++)
        layer->arg[layer->kind->args_max + i] = layer->kind->words[i].def;
    for (char *word; (word = strtok_r(NULL, " \t", &state));) {
        double *arg = &layer->arg[layer->arg_count];
        const int place = word_place(layer->kind, word);
        if (place >= 0) {
            arg = &layer->arg[place];
            words = true;
            word = strtok_r(NULL, " \t", &state);
            if (!word)
                return bad_usage(layer->kind, "a number is missing at the end", "", err);
        } else if (!words) {
            if (layer->arg_count == layer->kind->args_max)
                return bad_usage(layer->kind, "too many arguments", "", err);
            layer->arg_count++;
        } else {
            return bad_usage(layer->kind, " is not one of its words", word, err);
        }
        if (place >= 0 && layer->kind->words[place - layer->kind->args_max].yes_no) {
            *arg = strcmp(word, "yes") == 0;
            if (*arg == 0 && strcmp(word, "no") != 0)
                return bad_usage(layer->kind, " is neither yes nor no", word, err);
        } else if (!cs_parse_double(arg, word))
            return bad_usage(layer->kind, " is not a number", word, err);
    }
    return layer->arg_count < layer->kind->args_min
               ? bad_usage(layer->kind, "too few arguments", "", err)
               : 0;
}

/* A new layer behind the last, on the last node. */
static struct train_layer *next_layer(struct train_model *model, const struct train_shape *shape,
                                      const char *prefix, int position)
{
    struct train_layer *layer = &model->layers[model->layer_count];

    layer->index = model->layer_count;
    snprintf(layer->name, sizeof layer->name, "%s%d", prefix, position);
    layer->in = *shape;
    layer->out = *shape;
    layer->segment = layer->pair = -1;
    layer->node_in = layer->node_out = model->node_count - 1;
    return layer;
}

static bool trains(const struct train_model *model, const struct train_layer *layer)
{
    for (int i = layer->segment; i >= 0 && i < model->segment_count; i++) {
        if (!model->segments[i].buffer)
            return true;
    }
    return false;
}

/* layer->kind is known: shapes, parameters, the node it makes. */
static int add_layer(struct train_model *model, struct train_layer *layer,
                     struct train_shape *shape, struct cs_error *err)
{
    const int first = model->segment_count;
    struct train_node *node = &model->nodes[layer->node_in];

    model->layer_count++;
    if (layer->kind->in_place && (node->kept || (node->relu && layer->kind->moves_zero))) {
        layer->copies = true;
        layer->node_out = model->node_count;
    }
    model->nodes[model->node_count] = (struct train_node){.features = node->features};
    CS_TRY(layer->kind->setup(layer, model, err));
    if (model->segment_count > first)
        layer->segment = first;
    if (layer->kind->in_place && !layer->copies)
        node->in_place = true;
    else if (layer->copies || layer->kind->forward) {
        struct train_node *made = &model->nodes[model->node_count];
        layer->node_out = model->node_count++;
        made->features = train_shape_size(&layer->out);
        made->kept = layer->kind->needs_output;
        made->in_place = layer->copies;
        made->gradient = node->gradient || trains(model, layer);
    }
    *shape = layer->out;
    return 0;
}

/* Put `layer 3 (linear 0): ` before the message, unless an inner layer was named. */
static int name_layer(int rc, int number, const char *text, struct cs_error *err)
{
    if (rc < 0 && err && strncmp(err->detail, "layer ", 6) != 0) {
        char message[sizeof err->detail];
        snprintf(message, sizeof message, "%s", err->detail);
        cs_fail(err, rc, "layer %d (%.60s): %.400s", number, text, message);
    }
    return rc;
}

/* The end of the layer at `at`: its >, or the end of the text; NULL when parentheses do not match. */
static const char *layer_end(const char *at)
{
    int depth = 0;

    for (; *at && (*at != '>' || depth > 0); at++) {
        depth += (*at == '(') - (*at == ')');
        if (depth < 0)
            return NULL;
    }
    return depth == 0 ? at : NULL;
}

struct builder {
    struct train_model *model;
    struct train_shape shape;
    int number; /* of the layer in the text, from 1, blocks not counted */
};

static int build_layers(struct builder *b, const char *text, const char *prefix,
                        struct cs_error *err);

/* "res( ... )": the block's first layer, what is inside, its end. */
static int build_block(struct builder *b, char *one, const char *prefix, int position,
                       struct cs_error *err)
{
    struct train_model *model = b->model;
    struct train_layer *layer = next_layer(model, &b->shape, prefix, position), *end;
    char *open = strchr(one, '('), inner[TRAIN_NAME];
    const size_t size = strlen(one);

    if (one[size - 1] != ')')
        return cs_fail(err, CS_EPARSE, "expected > after the block");
    one[size - 1] = *open = '\0';
    CS_TRY(parse_layer(layer, one, err));
    if (!layer->kind->end)
        return cs_fail(err, CS_EPARSE, "takes no layers in parentheses; expected `%s`",
                       layer->kind->usage);
    if (strlen(layer->name) + 8 > TRAIN_NAME / 2)
        return cs_fail(err, CS_ERANGE, "blocks lie too deep in one another");
    CS_TRY(add_layer(model, layer, &b->shape, err));
    snprintf(inner, sizeof inner, "%s.body.", layer->name);
    CS_TRY(build_layers(b, open + 1, inner, err));
    end = next_layer(model, &b->shape, prefix, position);
    end->kind = layer->kind->end;
    end->pair = layer->index;
    layer->pair = end->index;
    return add_layer(model, end, &b->shape, err);
}

/* Layers joined by >, named prefix0, prefix1 ... */
static int build_layers(struct builder *b, const char *text, const char *prefix,
                        struct cs_error *err)
{
    const char *at = text;

    for (int position = 0;; position++) {
        const char *end = layer_end(at);
        if (!end)
            return cs_fail(err, CS_EPARSE, "parentheses do not match");
        char *one = cs_arena_strndup(&b->model->arena, at, (size_t) (end - at));
        one = cs_trim(one);
        char *copy = cs_arena_strdup(&b->model->arena, one);
        const bool block = strchr(one, '(') != NULL;
        const int number = block ? b->number + 1 : ++b->number;
        int rc = 0;
        if (b->model->layer_count >= LAYERS_MAX)
            return cs_fail(err, CS_ERANGE, "more than %d layers", LAYERS_MAX);
        if (block) {
            rc = build_block(b, copy, prefix, position, err);
        } else {
            struct train_layer *layer = next_layer(b->model, &b->shape, prefix, position);
            rc = parse_layer(layer, copy, err);
            if (rc == 0 && layer->kind->end)
                rc = cs_fail(err, CS_EPARSE, "expected `%s`", layer->kind->usage);
            if (rc == 0)
                rc = add_layer(b->model, layer, &b->shape, err);
        }
        CS_TRY(name_layer(rc, number, one, err));
        if (!*end)
            return 0;
        at = end + 1;
    }
}

int train_model_check_batch(const struct train_model *model, int samples, struct cs_error *err)
{
    int number = 0; /* of the layer in the text, as in builder */

    for (int i = 0; i < model->layer_count; i++) {
        const struct train_layer *layer = &model->layers[i];
        struct cs_error inner;
        const int rc =
            layer->kind->check_batch ? layer->kind->check_batch(layer, samples, &inner) : 0;
        number += layer->pair < 0;
        if (rc < 0)
            return cs_fail(err, rc, "layer %d (%s): %s", number, layer->kind->name, inner.detail);
    }
    return 0;
}

static int build(struct train_model *model, const char *text, const struct train_shape *input,
                 struct cs_error *err)
{
    struct builder b = {.model = model, .shape = *input};

    model->nodes[0].features = train_shape_size(input);
    model->node_count = 1;
    CS_TRY(build_layers(&b, text, "", err));
    for (int i = 0; i < model->segment_count; i++)
        model->parameters += model->segments[i].buffer ? 0 : model->segments[i].elements;
    if (b.shape.ndim != 1)
        return cs_fail(err, CS_ERANGE, "the last layer gives %d x %d x %d; expected a flat output",
                       b.shape.dim[0], b.shape.dim[1], b.shape.dim[2]);
    if (model->parameters == 0)
        return cs_fail(err, CS_ERANGE, "no layer has parameters to train");
    model->outputs = b.shape.dim[0];
    model->floats = (model->floats + 63) / 64 * 64;
    return 0;
}

int train_model_create(struct train_model **out, const char *text, const struct train_shape *input,
                       struct cs_error *err)
{
    struct train_model *model = cs_xcalloc(1, sizeof *model);
    size_t count = 2; /* layers, at most: a block has its end besides */

    for (const char *p = text; *p && count <= LAYERS_MAX; p++)
        count += *p == '>' ? 1 : *p == '(' ? 2 : 0;
    count += LAYERS_MAX / 8;
    model->layers = cs_arena_alloc(&model->arena, count * sizeof *model->layers);
    model->segments =
        cs_arena_alloc(&model->arena, SEGMENTS_PER_LAYER * count * sizeof *model->segments);
    model->nodes = cs_arena_alloc(&model->arena, (count + 2) * sizeof *model->nodes);
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

void train_layer_text(struct cs_buf *out, const struct train_layer *layer)
{
    const struct train_layer_kind *kind = layer->kind;
    char number[CS_DOUBLE_MAX];

    cs_buf_adds(out, kind->name);
    for (int a = 0; a < layer->arg_count; a++)
        cs_buf_addf(out, " %s", cs_format_double(number, layer->arg[a]));
    for (int i = 0; i < TRAIN_LAYER_WORDS && kind->words[i].name; i++) {
        const double value = layer->arg[kind->args_max + i];
        if (value < kind->words[i].def || value > kind->words[i].def)
            cs_buf_addf(out, " %s %s", kind->words[i].name,
                        !kind->words[i].yes_no ? cs_format_double(number, value)
                        : value > 0            ? "yes"
                                               : "no");
    }
}

void train_model_text(struct cs_buf *out, const struct train_model *model)
{
    bool first = true;

    cs_buf_adds(out, "");
    for (int i = 0; i < model->layer_count; i++) {
        const struct train_layer *layer = &model->layers[i];
        if (layer->pair >= 0 && layer->pair < i) {
            cs_buf_adds(out, ")");
            first = false;
            continue;
        }
        cs_buf_adds(out, first ? "" : " > ");
        train_layer_text(out, layer);
        first = layer->pair >= 0;
        cs_buf_adds(out, first ? "(" : "");
    }
}

void train_model_shape_text(struct cs_buf *out, const struct train_model *model)
{
    for (int i = 0; i < model->layer_count; i++) {
        const struct train_layer *layer = &model->layers[i];
        if (layer->kind->args_per_trial)
            cs_buf_adds(out, layer->kind->name);
        else
            train_layer_text(out, layer);
        cs_buf_addf(out, " %d:%d >", train_shape_size(&layer->in), train_shape_size(&layer->out));
    }
}

static void init_segment(const struct train_segment *s, uint32_t index, uint64_t seed,
                         float *tensor)
{
    const float lo = (float) -s->bound, hi = (float) s->bound;

    for (int64_t i = 0; s->constant && i < s->elements; i++)
        tensor[i] = hi;
    if (s->constant)
        return;
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
        memcpy(w, tensor, (size_t) s->elements * sizeof *w);
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
        memcpy(tensor, w, (size_t) s->elements * sizeof *w);
        return;
    }
    for (int o = 0; o < s->out; o++) {
        for (int i = 0; i < s->in; i++)
            tensor[(size_t) o * (size_t) s->in + (size_t) i] =
                w[kern_at((size_t) s->in, (size_t) i, (size_t) o)];
    }
}

/* Low and high part: below 2^24, and what is above. */
int64_t train_segment_count(const struct train_segment *s, const float *arena)
{
    return (int64_t) ((double) arena[s->offset] + (double) arena[s->offset + 1] * 0x1p24);
}

void train_segment_set_count(const struct train_segment *s, float *arena, int64_t count)
{
    arena[s->offset] = (float) (count & 0xffffff);
    arena[s->offset + 1] = (float) (count >> 24);
}
