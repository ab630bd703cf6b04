/*
 * Models: shapes, names and places of parameters, canonical text, initial values element by element, and the
 * refusals with the layer at fault.
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

#include "common/cs_error.h"
#include "kernels/math/philox.h"
#include "trainer/model.h"

static const struct train_shape image = {3, {1, 28, 28}}, row7 = {1, {7}};

static struct train_model *make(const char *text, const struct train_shape *input)
{
    struct train_model *model = NULL;
    struct cs_error err;

    if (train_model_create(&model, text, input, &err) < 0)
        fail_msg("%s: %s", text, err.detail);
    return model;
}

static void becomes(const char *text, const char *canonical)
{
    struct train_model *model = make(text, &row7);
    struct cs_buf out = {0};

    train_model_text(&out, model);
    assert_string_equal(out.data, canonical);
    train_model_free(model);
    model = make(out.data, &row7); /* the canonical text is its own */
    cs_buf_clear(&out);
    train_model_text(&out, model);
    assert_string_equal(out.data, canonical);
    cs_buf_clear(&out);
    train_model_free(model);
}

/* A message that ends in "..." is the beginning of one. */
static void assert_message(const char *detail, const char *message)
{
    const size_t size = strlen(message);

    if (size > 3 && strcmp(message + size - 3, "...") == 0)
        assert_memory_equal(detail, message, size - 3);
    else
        assert_string_equal(detail, message);
}

static void refused(const char *text, const struct train_shape *input, int code,
                    const char *message)
{
    struct train_model *model = NULL;
    struct cs_error err = {0};

    assert_int_equal(train_model_create(&model, text, input, &err), code);
    assert_int_equal(err.code, code);
    assert_message(err.detail, message);
    assert_null(model);
    assert_int_equal(train_model_create(&model, text, input, NULL), code);
}

static void shapes_names_and_nodes(void **state)
{
    struct train_model *m =
        make("flatten > linear 512 > relu > dropout 0.25 > linear 33 > linear 10", &image);
    static const struct {
        const char *name;
        int out, in;
    } segments[] = {{"1.weight", 512, 784}, {"1.bias", 512, 0},   {"4.weight", 33, 512},
                    {"4.bias", 33, 0},      {"5.weight", 10, 33}, {"5.bias", 10, 0}};
    static const struct {
        const char *kind;
        int in, out, node_in, node_out, segment, args;
        bool fused;
    } layers[] = {
        {"flatten", 784, 784, 0, 0, -1, 0, false}, {"linear", 784, 512, 0, 1, 0, 1, false},
        {"relu", 512, 512, 1, 1, -1, 0, true},     {"dropout", 512, 512, 1, 1, -1, 1, false},
        {"linear", 512, 33, 1, 2, 2, 1, false},    {"linear", 33, 10, 2, 3, 4, 1, false},
    };

    (void) state;
    assert_int_equal(m->layer_count, CS_COUNT(layers));
    for (int i = 0; i < m->layer_count; i++) {
        const struct train_layer *l = &m->layers[i];
        assert_string_equal(l->kind->name, layers[i].kind);
        assert_int_equal(l->index, i);
        assert_int_equal(train_shape_size(&l->in), layers[i].in);
        assert_int_equal(train_shape_size(&l->out), layers[i].out);
        assert_int_equal(l->in.ndim, i == 0 ? 3 : 1);
        assert_int_equal(l->out.ndim, 1);
        assert_int_equal(l->node_in, layers[i].node_in);
        assert_int_equal(l->node_out, layers[i].node_out);
        assert_int_equal(l->segment, layers[i].segment);
        assert_int_equal(l->arg_count, layers[i].args);
        assert_int_equal(l->fused, layers[i].fused);
    }
    assert_int_equal(m->node_count, 4);
    assert_int_equal(m->nodes[0].features, 784);
    assert_int_equal(m->nodes[1].features, 512);
    assert_int_equal(m->nodes[2].features, 33);
    assert_int_equal(m->nodes[3].features, 10);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(m->nodes[i].relu, i == 1);
        assert_int_equal(m->nodes[i].in_place, i == 1);
    }
    assert_int_equal(m->outputs, 10);

    size_t at = 0;
    int64_t parameters = 0;
    assert_int_equal(m->segment_count, CS_COUNT(segments));
    for (int i = 0; i < m->segment_count; i++) {
        const struct train_segment *s = &m->segments[i];
        const size_t padded = ((size_t) segments[i].out + 15) / 16 * 16;
        const int64_t rows = segments[i].in ? segments[i].in : 1;
        assert_string_equal(s->name, segments[i].name);
        assert_int_equal(s->out, segments[i].out);
        assert_int_equal(s->in, segments[i].in);
        assert_int_equal(s->offset, at);
        assert_int_equal(s->offset % 16, 0);
        assert_int_equal(s->count, padded * (size_t) rows);
        assert_int_equal(s->elements, segments[i].out * rows);
        at += s->count;
        parameters += s->elements;
    }
    assert_int_equal(m->floats % 64, 0);
    assert_true(m->floats >= at && m->floats < at + 64);
    assert_int_equal(m->parameters, parameters);
    assert_int_equal(m->parameters, 784 * 512 + 512 + 512 * 33 + 33 + 33 * 10 + 10);
    train_model_free(m);
    train_model_free(NULL);
}

static void a_relu_without_linear_is_not_fused(void **state)
{
    struct train_model *m = make("relu > linear 3 > dropout 0 > relu", &row7);

    (void) state;
    assert_false(m->layers[0].fused);
    assert_false(m->layers[3].fused);
    assert_true(m->nodes[0].relu);
    assert_true(m->nodes[1].relu);
    assert_string_equal(m->segments[0].name, "1.weight");
    train_model_free(m);
}

static void canonical_text(void **state)
{
    (void) state;
    becomes("linear 10", "linear 10");
    becomes("  flatten>linear 1e1 >\trelu> dropout .50>linear  3.0 ",
            "flatten > linear 10 > relu > dropout 0.5 > linear 3");
    becomes("dropout -0 > linear 2", "dropout 0 > linear 2");
}

static char *shape_text(const char *text, const struct train_shape *input)
{
    struct train_model *model = make(text, input);
    struct cs_buf out = {0};

    train_model_shape_text(&out, model);
    train_model_free(model);
    return out.data;
}

static void shape_text_ignores_dropout_rates_only(void **state)
{
    static const char *const others[] = {
        "linear 9 > relu > dropout 0.5 > linear 4",
        "linear 8 > dropout 0.5 > relu > linear 3",
        "linear 8 > relu > linear 3",
        "linear 8 > dropout 0.5 > linear 3",
        "linear 8 > relu > dropout 0.5 > linear 3 > relu",
    };
    char *a = shape_text("linear 8 > relu > dropout 0.5 > linear 3", &row7);
    char *b = shape_text("linear 8 > relu > dropout 0 > linear 3", &row7);
    char *wide =
        shape_text("linear 8 > relu > dropout 0.5 > linear 3", &(struct train_shape){1, {8}});

    (void) state;
    assert_string_equal(a, b);
    assert_string_not_equal(a, wide);
    for (size_t i = 0; i < CS_COUNT(others); i++) {
        char *other = shape_text(others[i], &row7);
        assert_string_not_equal(a, other);
        free(other);
    }
    free(a);
    free(b);
    free(wide);
}

/* Everything that is not in a tensor stays as it was: for a zeroed arena, zero. */
static void pack_and_unpack(void **state)
{
    static const int sizes[][2] = {{1, 1},  {15, 3}, {16, 5}, {17, 2},
                                   {33, 7}, {48, 1}, {10, 0}, {16, 0}};

    (void) state;
    for (size_t c = 0; c < CS_COUNT(sizes); c++) {
        const int out = sizes[c][0], in = sizes[c][1];
        const size_t elements = (size_t) out * (in ? (size_t) in : 1);
        const size_t count = ((size_t) out + 15) / 16 * 16 * (in ? (size_t) in : 1);
        const struct train_segment s = {
            .out = out, .in = in, .offset = 32, .count = count, .elements = (int64_t) elements};
        float *arena = calloc(count + 64, sizeof *arena),
              *tensor = malloc(elements * sizeof *tensor), *back = malloc(elements * sizeof *back);
        size_t zeros = 0;
        for (size_t i = 0; i < elements; i++)
            tensor[i] = (float) i + 1;
        train_segment_pack(&s, arena, tensor);
        /* element (o, i) of PyTorch is (row i, column o) of 16-column panels */
        for (int o = 0; o < out; o++) {
            for (int i = 0; i < (in ? in : 1); i++) {
                const size_t panel = (size_t) o / 16, rows = in ? (size_t) in : 1;
                const size_t at =
                    in ? panel * rows * 16 + (size_t) i * 16 + (size_t) o % 16 : (size_t) o;
                assert_true(arena[32 + at] == tensor[(size_t) o * rows + (size_t) i]);
            }
        }
        for (size_t i = 0; i < count + 64; i++)
            zeros += arena[i] == 0 && !signbit(arena[i]);
        assert_int_equal(zeros, count + 64 - elements);
        train_segment_unpack(&s, back, arena);
        assert_memory_equal(back, tensor, elements * sizeof *tensor);
        free(arena);
        free(tensor);
        free(back);
    }
}

/* uniform in [-bound, bound) as PyTorch does it: fma(u, hi - lo, lo), u from Philox's place of the element. */
static float expected_init(uint64_t seed, uint32_t parameter, uint32_t element, double bound)
{
    const struct kern_philox r = kern_philox(seed, element / 4, parameter, 0, 1u << 16);
    const float u = (float) (r.v[element % 4] >> 8) / 16777216.0f;
    const float lo = (float) -bound, hi = (float) bound;
    return fmaf(u, hi - lo, lo);
}

/* Random123's known answers: the table's Philox is the published one. */
static void philox_is_the_published_one(void **state)
{
    static const struct {
        uint32_t c[4];
        uint64_t key;
        uint32_t v[4];
    } rows[] = {
        {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         0xffffffffffffffff,
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         0x299f31d0a4093822,
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    (void) state;
    for (size_t i = 0; i < CS_COUNT(rows); i++) {
        const uint32_t *c = rows[i].c;
        const struct kern_philox r = kern_philox(rows[i].key, c[0], c[1], c[2], c[3]);
        assert_memory_equal(r.v, rows[i].v, sizeof r.v);
    }
}

static void initial_values_by_their_place(void **state)
{
    static const uint64_t seeds[] = {0, 1, 7, 0xfedcba9876543210};
    struct train_model *m = make("linear 33 > relu > linear 18 > linear 3", &row7);
    float *w = malloc(m->floats * sizeof *w);

    (void) state;
    for (size_t k = 0; k < CS_COUNT(seeds); k++) {
        memset(w, 0xff, m->floats * sizeof *w);
        train_model_init(m, seeds[k], w);
        size_t nonzero = 0;
        for (size_t i = 0; i < m->floats; i++)
            nonzero += w[i] != 0;
        assert_true(nonzero <= (size_t) m->parameters && nonzero + 2 > (size_t) m->parameters);
        for (int p = 0; p < m->segment_count; p++) {
            const struct train_segment *s = &m->segments[p];
            const int fan_in = p < 2 ? 7 : p < 4 ? 33 : 18;
            const double bound =
                p % 2 ? 1 / sqrt(fan_in) : sqrt(3.0) * sqrt(2.0 / 6.0) / sqrt(fan_in);
            float tensor[33 * 18], largest = 0, sum = 0;
            assert_true(s->bound == bound);
            train_segment_unpack(s, tensor, w);
            for (uint32_t e = 0; e < (uint32_t) s->elements; e++) {
                const float value = expected_init(seeds[k], (uint32_t) p, e, bound);
                assert_memory_equal(&tensor[e], &value, sizeof value);
                assert_true(tensor[e] >= -(float) bound && tensor[e] <= (float) bound);
                largest = fmaxf(largest, fabsf(tensor[e]));
                sum += tensor[e];
            }
            if (s->elements > 100) { /* fills its range, about evenly */
                assert_true(largest > 0.9f * (float) bound);
                assert_true(fabsf(sum) / (float) s->elements < 0.15f * (float) bound);
            }
        }
    }
    free(w);
    train_model_free(m);
}

static void initial_values_depend_on_the_seed_alone(void **state)
{
    struct train_model *m = make("linear 17 > linear 3", &row7);
    struct train_model *longer = make("linear 17 > relu > dropout 0.5 > linear 3", &row7);
    float *a = malloc(m->floats * sizeof *a), *b = malloc(m->floats * sizeof *b);

    (void) state;
    assert_int_equal(m->floats, longer->floats);
    train_model_init(m, 3, a);
    train_model_init(m, 3, b);
    assert_memory_equal(a, b, m->floats * sizeof *a);
    train_model_init(longer, 3, b); /* the place is the parameter's, not the layer's */
    assert_memory_equal(a, b, m->floats * sizeof *a);
    train_model_init(m, 4, b);
    assert_memory_not_equal(a, b, m->floats * sizeof *a);
    train_model_init(m, 3 | (uint64_t) 1 << 32, b);
    assert_memory_not_equal(a, b, m->floats * sizeof *a);
    free(a);
    free(b);
    train_model_free(m);
    train_model_free(longer);
}

static void refusals_name_the_layer(void **state)
{
    (void) state;
    refused("flatten > relu > linear 0", &image, CS_ERANGE,
            "layer 3 (linear 0): the number of outputs must be a whole number in [1, 1048576]");
    refused("linear 2.5", &row7, CS_ERANGE,
            "layer 1 (linear 2.5): the number of outputs must be a whole number in [1, 1048576]");
    refused("linear -1", &row7, CS_ERANGE,
            "layer 1 (linear -1): the number of outputs must be a whole number in [1, 1048576]");
    refused("linear inf", &row7, CS_ERANGE,
            "layer 1 (linear inf): the number of outputs must be a whole number in [1, 1048576]");
    refused("linear 1048577", &row7, CS_ERANGE,
            "layer 1 (linear 1048577): the number of outputs must be a whole number in [1, "
            "1048576]");
    refused("linear 1048576 > linear 1000", &row7, CS_ERANGE,
            "layer 2 (linear 1000): 1048576 x 1000 weights are more than 10^9");
    refused("linear 4 > dropout 1", &row7, CS_ERANGE,
            "layer 2 (dropout 1): the probability must be a number in [0, 1)");
    refused("dropout -0.1 > linear 4", &row7, CS_ERANGE,
            "layer 1 (dropout -0.1): the probability must be a number in [0, 1)");
    refused("linear 4 > dropout nan", &row7, CS_EPARSE,
            "layer 2 (dropout nan): nan is not a number; expected `dropout P`");
    refused("linear 4 > batchnorm eps 0", &row7, CS_ERANGE,
            "layer 2 (batchnorm eps 0): eps must be a number above 0, at most 1");
    refused("batchnorm momentum 1.5 > linear 4", &row7, CS_ERANGE,
            "layer 1 (batchnorm momentum 1.5): momentum must be a number in [0, 1]");
    refused("layernorm affine 1 > linear 4", &row7, CS_EPARSE,
            "layer 1 (layernorm affine 1): 1 is neither yes nor no; expected `layernorm [eps E] "
            "[affine yes|no]`");
    refused("layernorm eps nan > linear 4", &row7, CS_EPARSE,
            "layer 1 (layernorm eps nan): nan is not a number; expected `layernorm [eps E] "
            "[affine yes|no]`");
    refused("layernorm eps 2 > linear 4", &row7, CS_ERANGE,
            "layer 1 (layernorm eps 2): eps must be a number above 0, at most 1");
    refused("dropout2d 0.5 > linear 4", &row7, CS_ERANGE,
            "layer 1 (dropout2d 0.5): its input is flat, 7 numbers; expected channels x height x "
            "width");
    refused("dropout2d 1 > flatten > linear 4", &image, CS_ERANGE,
            "layer 1 (dropout2d 1): the probability must be a number in [0, 1)");
    refused("noise -1 > linear 4", &row7, CS_ERANGE,
            "layer 1 (noise -1): the standard deviation must be a finite number >= 0");
    refused("linear 512 > relu > linear 10", &image, CS_ERANGE,
            "layer 1 (linear 512): its input is 1 x 28 x 28; put flatten before it");
    refused("relu > dropout 0.5 > linear 10", &image, CS_ERANGE,
            "layer 3 (linear 10): its input is 1 x 28 x 28; put flatten before it");
}

static void norms_have_buffers(void **state)
{
    static const struct {
        const char *name;
        int ndim;
        bool buffer, counter;
        float value;
    } segments[] = {
        {"1.weight", 1, false, false, 1},
        {"1.bias", 1, false, false, 0},
        {"1.running_mean", 1, true, false, 0},
        {"1.running_var", 1, true, false, 1},
        {"1.num_batches_tracked", 0, true, true, 0},
        {"2.running_mean", 1, true, false, 0},
        {"2.running_var", 1, true, false, 1},
        {"2.num_batches_tracked", 0, true, true, 0},
        {"3.weight", 3, false, false, 1},
        {"3.bias", 3, false, false, 0},
    };
    struct train_model *m =
        make("relu > batchnorm > batchnorm affine no > layernorm > flatten > linear 3", &image);
    float *w = malloc(m->floats * sizeof *w), value;

    (void) state;
    train_model_init(m, 3, w);
    assert_int_equal(m->segment_count, CS_COUNT(segments) + 2);
    for (size_t i = 0; i < CS_COUNT(segments); i++) {
        const struct train_segment *s = &m->segments[i];
        assert_string_equal(s->name, segments[i].name);
        assert_int_equal(s->ndim, segments[i].ndim);
        assert_int_equal(s->buffer, segments[i].buffer);
        assert_int_equal(s->counter, segments[i].counter);
        assert_int_equal(s->elements, s->ndim == 3 ? 784 : 1);
        assert_true(s->constant);
        value = w[s->offset];
        assert_true(value == segments[i].value);
    }
    assert_int_equal(m->parameters, 2 + 2 * 784 + 784 * 3 + 3);
    free(w);
    train_model_free(m);
    becomes("batchnorm affine yes eps 1e-5 momentum .1>linear 2", "batchnorm > linear 2");
    becomes("batchnorm affine no momentum 0.2>layernorm affine no eps 1>noise .1>linear 2",
            "batchnorm momentum 0.2 affine no > layernorm eps 1 affine no > noise 0.1 > linear 2");
}

/* On a relu's node, and on one that is read again, noise makes a node of its own. */
static void noise_does_not_hide_a_relu(void **state)
{
    struct train_model *m =
        make("noise 1 > linear 3 > relu > dropout 0.5 > noise 0.1 > noise 0.2 > "
             "relu > noise 0.3 > tanh > noise 0.4 > linear 2",
             &row7);
    static const bool copies[] = {false, false, false, false, true, false,
                                  false, true,  false, true,  false};

    (void) state;
    for (int i = 0; i < m->layer_count; i++)
        assert_int_equal(m->layers[i].copies, copies[i]);
    train_model_free(m);
}

static void images_through_convolution(void **state)
{
    struct train_model *m = NULL;
    struct cs_error err;
    struct cs_buf out = {0};

    (void) state;
    assert_int_equal(
        train_model_create(&m,
                           "conv 6 5 pad 2 stride 1 > relu > maxpool 2 stride 2 > "
                           "conv 16 3 groups 2 dilation 2 stride 3 > avgpool 2 stride 1 > "
                           "globalavgpool > flatten > linear 3",
                           &image, &err),
        0);
    train_model_text(&out, m);
    assert_string_equal(
        out.data, "conv 6 5 pad 2 > relu > maxpool 2 > conv 16 3 stride 3 dilation 2 groups 2 "
                  "> avgpool 2 stride 1 > globalavgpool > flatten > linear 3");
    static const int shapes[][3] = {{6, 28, 28}, {6, 28, 28}, {6, 14, 14},
                                    {16, 4, 4},  {16, 3, 3},  {16, 1, 1}};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(m->layers[i].out.ndim, 3);
        assert_memory_equal(m->layers[i].out.dim, shapes[i], sizeof shapes[i]);
    }
    const struct train_segment *w = &m->segments[2];
    assert_string_equal(w->name, "3.weight");
    assert_int_equal(w->ndim, 4);
    assert_memory_equal(w->dim, ((int[]){16, 3, 3, 3}), 4 * sizeof(int));
    assert_true(fabs(w->bound - 1 / sqrt(27)) < 1e-12);
    assert_true(fabs(m->segments[3].bound - 1 / sqrt(27)) < 1e-12);
    assert_int_equal(m->parameters, 6 * 25 + 6 + 16 * 27 + 16 + 16 * 3 + 3);
    cs_buf_clear(&out);
    train_model_free(m);
}

static void refusals_of_images(void **state)
{
    (void) state;
    refused("conv 6 5 > linear 2", &row7, CS_ERANGE,
            "layer 1 (conv 6 5): its input is flat, 7 numbers; expected channels x height x width");
    refused("conv 6 > flatten > linear 2", &image, CS_EPARSE,
            "layer 1 (conv 6): too few arguments; expected "
            "`conv FILTERS KERNEL [stride S] [pad P] [dilation D] [groups G]`");
    refused("conv 6 29 > flatten > linear 2", &image, CS_ERANGE,
            "layer 1 (conv 6 29): its kernel does not fit into 28 x 28");
    refused("conv 6 5 groups 3 > flatten > linear 2", &image, CS_ERANGE,
            "layer 1 (conv 6 5 groups 3): groups must divide the 1 channels and the 6 filters");
    refused("conv 6 5 stride 0 > flatten > linear 2", &image, CS_ERANGE,
            "layer 1 (conv 6 5 stride 0): stride must be a whole number in [1, 1024]");
    refused("conv 6 65 > flatten > linear 2", &image, CS_ERANGE,
            "layer 1 (conv 6 65): kernel must be a whole number in [1, 64]");
    refused("maxpool 29 > flatten > linear 2", &image, CS_ERANGE,
            "layer 1 (maxpool 29): its window does not fit into 28 x 28");
    refused("avgpool 1.5 > flatten > linear 2", &image, CS_ERANGE,
            "layer 1 (avgpool 1.5): the window must be a whole number in [1, 1024]");
    refused("linear 4 > globalavgpool", &row7, CS_ERANGE,
            "layer 2 (globalavgpool): its input is flat, 4 numbers; expected channels x height x "
            "width");
    refused("conv 2 3 > linear 2", &image, CS_ERANGE,
            "layer 2 (linear 2): its input is 2 x 26 x 26; put flatten before it");
}

static void refusals_of_the_text(void **state)
{
    (void) state;
    refused("linaer 10", &row7, CS_ENONAME,
            "layer 1 (linaer 10): no such layer; did you mean linear?");
    refused("linear 4 > Relu", &row7, CS_ENONAME,
            "layer 2 (Relu): no such layer; did you mean relu?");
    refused("convolution 3", &row7, CS_ENONAME,
            "layer 1 (convolution 3): no such layer; layers are flatten, linear, ...");
    refused("linear", &row7, CS_EPARSE, "layer 1 (linear): too few arguments; expected `linear N`");
    refused("linear 1 2", &row7, CS_EPARSE,
            "layer 1 (linear 1 2): too many arguments; expected `linear N`");
    refused("linear 4 > relu 1", &row7, CS_EPARSE,
            "layer 2 (relu 1): too many arguments; expected `relu`");
    refused("linear ten", &row7, CS_EPARSE,
            "layer 1 (linear ten): ten is not a number; expected `linear N`");
    refused("linear 0x10", &row7, CS_EPARSE,
            "layer 1 (linear 0x10): 0x10 is not a number; expected `linear N`");
    refused("", &row7, CS_EPARSE, "layer 1 (): empty layer; expected layers joined by >");
    refused("linear 4 >", &row7, CS_EPARSE, "layer 2 (): empty layer; expected layers joined by >");
    refused("linear 4 > > relu", &row7, CS_EPARSE,
            "layer 2 (): empty layer; expected layers joined by >");
    refused("> linear 4", &row7, CS_EPARSE, "layer 1 (): empty layer; expected layers joined by >");
    refused("relu", &row7, CS_ERANGE, "no layer has parameters to train");
    refused("relu", &image, CS_ERANGE, "the last layer gives 1 x 28 x 28; expected a flat output");
}

static char *repeat(const char *text, int count)
{
    struct cs_buf out = {0};
    for (int i = 0; i < count; i++)
        cs_buf_addf(&out, "%s%s", i ? " > " : "", text);
    return out.data;
}

static void a_model_has_at_most_256_layers(void **state)
{
    char *most = repeat("linear 2", 256), *more = repeat("linear 2", 257),
         *many = repeat("relu", 5000);
    struct train_model *m = make(most, &row7);

    (void) state;
    assert_int_equal(m->layer_count, 256);
    assert_string_equal(m->segments[511].name, "255.bias");
    train_model_free(m);
    refused(more, &row7, CS_ERANGE, "more than 256 layers");
    refused(many, &row7, CS_ERANGE, "more than 256 layers");
    free(most);
    free(more);
    free(many);
}

static void blocks(void **state)
{
    struct train_model *m =
        make("flatten>res( relu > linear 784 > res(dropout 0.5 )) > relu > linear 2", &image);
    static const struct {
        const char *kind, *name;
        int node_in, node_out, pair;
    } layers[] = {
        {"flatten", "0", 0, 0, -1},     {"res", "1", 0, 1, 6},
        {"relu", "1.body.0", 1, 1, -1}, {"linear", "1.body.1", 1, 2, -1},
        {"res", "1.body.2", 2, 3, 5},   {"end", "1.body.2", 3, 4, 4},
        {"end", "1", 4, 5, 1},
    };
    (void) state;
    /* the inner block's inside is a dropout, which lies between its two layers */
    assert_int_equal(m->layer_count, 10);
    for (int i = 0, k = 0; k < (int) CS_COUNT(layers); i++) {
        const struct train_layer *l = &m->layers[i];
        if (strcmp(l->kind->name, "dropout") == 0)
            continue;
        assert_string_equal(l->kind->name, layers[k].kind);
        assert_string_equal(l->name, layers[k].name);
        assert_int_equal(l->node_in, layers[k].node_in);
        assert_int_equal(l->node_out, layers[k].node_out);
        if (layers[k].pair < 0)
            assert_int_equal(l->pair, -1);
        else
            assert_ptr_equal(&m->layers[m->layers[l->pair].pair], l);
        k++;
    }
    assert_string_equal(m->segments[0].name, "1.body.1.weight");
    assert_false(m->nodes[1].gradient); /* nothing trained lies below it */
    assert_true(m->nodes[2].gradient);
    assert_true(m->nodes[5].gradient);
    train_model_free(m);
    becomes("res(linear 7>relu)>linear 1", "res(linear 7 > relu) > linear 1");
    becomes("res( res( linear 7 ) > linear 7)  > linear 1",
            "res(res(linear 7) > linear 7) > linear 1");
    refused("res(linear 6) > linear 2", &row7, CS_ERANGE,
            "layer 1 (res(linear 6)): its inside turns 7 numbers into 6; shapes must agree");
    refused("linear 7 > res(linear 7", &row7, CS_EPARSE, "parentheses do not match");
    refused("linear 7) > linear 2", &row7, CS_EPARSE, "parentheses do not match");
    refused("res > linear 2", &row7, CS_EPARSE, "layer 1 (res): expected `res( LAYER > ... )`");
    refused("relu(linear 7) > linear 2", &row7, CS_EPARSE,
            "layer 1 (relu(linear 7)): takes no layers in parentheses; expected `relu`");
    refused("res(linear 7) relu > linear 2", &row7, CS_EPARSE,
            "layer 1 (res(linear 7) relu): expected > after the block");
    refused("res() > linear 2", &row7, CS_EPARSE,
            "layer 1 (): empty layer; expected layers joined by >");
    refused("res(linear 7 > linear x) > linear 2", &row7, CS_EPARSE,
            "layer 2 (linear x): x is not a number; expected `linear N`");
}

/* A message stays one line of bounded length however long the layer. */
static void long_layers_are_cut_in_messages(void **state)
{
    char text[3000], *expected;
    struct train_model *m = NULL;
    struct cs_error err;

    (void) state;
    memset(text, 'q', sizeof text);
    text[sizeof text - 1] = '\0';
    expected =
        cs_xasprintf("layer 1 (%.60s): no such layer; layers are flatten, linear, ...", text);
    assert_int_equal(train_model_create(&m, text, &row7, &err), CS_ENONAME);
    assert_message(err.detail, expected);
    free(expected);
}

static void registry(void **state)
{
    const struct train_layer_kind *const *kinds = train_layer_kinds();

    (void) state;
    for (size_t i = 0; kinds[i]; i++) {
        assert_true(strncmp(kinds[i]->usage, kinds[i]->name, strlen(kinds[i]->name)) == 0);
        assert_true(strlen(kinds[i]->help) > 0);
        assert_true(kinds[i]->args_min <= kinds[i]->args_max);
        assert_true(kinds[i]->args_max <= TRAIN_LAYER_ARGS);
        assert_non_null(kinds[i]->setup);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(kinds[i]->name, kinds[k]->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_names_and_nodes),
        cmocka_unit_test(a_relu_without_linear_is_not_fused),
        cmocka_unit_test(canonical_text),
        cmocka_unit_test(shape_text_ignores_dropout_rates_only),
        cmocka_unit_test(pack_and_unpack),
        cmocka_unit_test(philox_is_the_published_one),
        cmocka_unit_test(initial_values_by_their_place),
        cmocka_unit_test(initial_values_depend_on_the_seed_alone),
        cmocka_unit_test(refusals_name_the_layer),
        cmocka_unit_test(norms_have_buffers),
        cmocka_unit_test(noise_does_not_hide_a_relu),
        cmocka_unit_test(images_through_convolution),
        cmocka_unit_test(refusals_of_images),
        cmocka_unit_test(refusals_of_the_text),
        cmocka_unit_test(a_model_has_at_most_256_layers),
        cmocka_unit_test(long_layers_are_cut_in_messages),
        cmocka_unit_test(blocks),
        cmocka_unit_test(registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
