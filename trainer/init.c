/*
 * init.c - the schemes, and their numbers.
 *
 * Formulas: torch/nn/init.py. An orthogonal matrix is Q of the QR decomposition of a matrix of normal numbers, signs
 * chosen so that R's diagonal is positive; Gram-Schmidt (modified, in double) gives just that. The vectors are the
 * columns of a tall matrix and the rows of a wide one.
 */
#include "trainer/init.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/math/mt19937.h"
#include "kernels/math/normal.h"
#include "trainer/model.h"

/* ---- schemes ---- */

static const char *const modes[] = {"fan_in", "fan_out", NULL};
static const char *const nonlinearities[] = {"leaky_relu", "relu",    "tanh", "linear",
                                             "selu",       "sigmoid", NULL};

static const struct cs_param gain_rows[] = {
    {"init_gain", CS_FLOAT, "1", 0, 1e6, 0, NULL,
     "factor of the weights, as nn.init.calculate_gain: relu 1.41421, tanh 1.66667"},
};
static const struct cs_param kaiming_rows[] = {
    {"init_mode", CS_NAME, "fan_in", 0, 0, 0, modes,
     "keep the size of values (fan_in) or of gradients (fan_out)"},
    {"init_nonlinearity", CS_NAME, "leaky_relu", 0, 0, 0, nonlinearities,
     "what follows the weights; it decides the gain"},
    {"init_a", CS_FLOAT, "0", 0, 1e6, 0, NULL, "slope of leaky_relu below 0"},
};
static const struct cs_param normal_rows[] = {
    {"init_std", CS_FLOAT, "1", 0, 1e6, 0, NULL, "standard deviation"},
};

static double gain(double nonlinearity, double a)
{
    switch ((int) nonlinearity) {
    case 0:
        return sqrt(2.0 / (1.0 + a * a));
    case 1:
        return sqrt(2.0);
    case 2:
        return 5.0 / 3.0;
    case 4:
        return 3.0 / 4.0;
    default:
        return 1.0;
    }
}

static double xavier_std(const struct train_segment *s, const double *args)
{
    return args[0] * sqrt(2.0 / (s->fan_in + s->fan_out));
}

static double xavier_bound(const struct train_segment *s, const double *args)
{
    return sqrt(3.0) * xavier_std(s, args);
}

static double kaiming_std(const struct train_segment *s, const double *args)
{
    return gain(args[1], args[2]) / sqrt(args[0] > 0 ? s->fan_out : s->fan_in);
}

static double kaiming_bound(const struct train_segment *s, const double *args)
{
    return sqrt(3.0) * kaiming_std(s, args);
}

static double first(const struct train_segment *s, const double *args)
{
    (void) s;
    return args[0];
}

#define ROWS(rows) rows, CS_COUNT(rows)

static const struct train_init_scheme schemes[] = {
    {"pytorch", "what the layers of torch.nn start with", TRAIN_INIT_DEFAULT, NULL, 0, NULL},
    {"xavier_uniform", "nn.init.xavier_uniform_", TRAIN_INIT_UNIFORM, ROWS(gain_rows),
     xavier_bound},
    {"xavier_normal", "nn.init.xavier_normal_", TRAIN_INIT_NORMAL, ROWS(gain_rows), xavier_std},
    {"kaiming_uniform", "nn.init.kaiming_uniform_", TRAIN_INIT_UNIFORM, ROWS(kaiming_rows),
     kaiming_bound},
    {"kaiming_normal", "nn.init.kaiming_normal_", TRAIN_INIT_NORMAL, ROWS(kaiming_rows),
     kaiming_std},
    {"orthogonal", "nn.init.orthogonal_", TRAIN_INIT_ORTHOGONAL, ROWS(gain_rows), first},
    {"normal", "nn.init.normal_ with mean 0", TRAIN_INIT_NORMAL, ROWS(normal_rows), first},
    {"zeros", "nn.init.zeros_", TRAIN_INIT_ZEROS, NULL, 0, NULL},
};

const struct train_init_scheme *train_init_schemes(size_t *count)
{
    *count = CS_COUNT(schemes);
    return schemes;
}

const struct train_init_scheme *train_init_find(const char *name)
{
    for (size_t i = 0; i < CS_COUNT(schemes); i++) {
        if (strcmp(schemes[i].name, name) == 0)
            return &schemes[i];
    }
    return NULL;
}

bool train_init_follows_torch(const struct train_init_scheme *scheme)
{
    return scheme->draw != TRAIN_INIT_NORMAL && scheme->draw != TRAIN_INIT_ORTHOGONAL;
}

/* ---- numbers ---- */

/* Which parameter of the model, by whose numbers. */
struct source {
    uint64_t seed;
    uint32_t index;
    struct kern_mt19937 *torch;
};

static void draw_uniform(float *tensor, int64_t count, double bound, const struct source *from)
{
    const float lo = (float) -bound, hi = (float) bound;
    struct kern_philox r = {{0}};

    for (int64_t i = 0; i < count; i++) {
        if (!from->torch && i % 4 == 0)
            r = kern_philox(from->seed, (uint32_t) (i / 4), from->index, (uint32_t) (i >> 34),
                            (uint32_t) KERN_PURPOSE_INIT << 16);
        const float u = from->torch ? kern_mt_uniform(from->torch) : kern_uniform(r.v[i % 4]);
        tensor[i] = fmaf(u, hi - lo, lo);
    }
}

/* Of place i, by as many attempts as it takes. */
static float normal(const struct source *from, int64_t i)
{
    for (uint32_t attempt = 0;; attempt++) {
        const struct kern_philox r = kern_philox(from->seed, (uint32_t) i, from->index, attempt,
                                                 (uint32_t) KERN_PURPOSE_INIT << 16 | 1);
        float z;
        if (kern_normal(&z, r.v[0], r.v[1]))
            return z;
    }
}

static void draw_normal(float *tensor, int64_t count, double std, const struct source *from)
{
    for (int64_t i = 0; i < count; i++)
        tensor[i] = (float) std * normal(from, i);
}

/* v[count][size] become orthonormal, in order. A vector of zeros stays. */
static void orthonormalize(double *v, size_t count, size_t size)
{
    for (size_t k = 0; k < count; k++) {
        double *q = v + k * size, squares = 0;
        for (size_t i = 0; i < size; i++)
            squares += q[i] * q[i];
        const double norm = sqrt(squares);
        for (size_t i = 0; i < size && norm > 0; i++)
            q[i] /= norm;
        for (size_t later = k + 1; later < count; later++) {
            double *u = v + later * size, dot = 0;
            for (size_t i = 0; i < size; i++)
                dot += q[i] * u[i];
            for (size_t i = 0; i < size; i++)
                u[i] -= dot * q[i];
        }
    }
}

static void draw_orthogonal(float *tensor, const struct train_segment *s, double factor,
                            const struct source *from)
{
    const size_t rows = (size_t) s->dim[0], cols = (size_t) s->elements / rows;
    const bool tall = rows >= cols;
    const size_t count = tall ? cols : rows, size = tall ? rows : cols;
    double *v = cs_xmalloc(count * size * sizeof *v);

    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            v[tall ? c * size + r : r * size + c] = (double) normal(from, (int64_t) (r * cols + c));
    orthonormalize(v, count, size);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            tensor[r * cols + c] = (float) (factor * v[tall ? c * size + r : r * size + c]);
    free(v);
}

static void draw_weight(float *tensor, const struct train_segment *s, const struct train_init *init,
                        const struct source *from)
{
    const struct train_init_scheme *scheme = init->scheme;

    switch (scheme->draw) {
    case TRAIN_INIT_DEFAULT:
        break;
    case TRAIN_INIT_UNIFORM:
        draw_uniform(tensor, s->elements, scheme->size(s, init->args), from);
        break;
    case TRAIN_INIT_NORMAL:
        draw_normal(tensor, s->elements, scheme->size(s, init->args), from);
        break;
    case TRAIN_INIT_ORTHOGONAL:
        draw_orthogonal(tensor, s, scheme->size(s, init->args), from);
        break;
    case TRAIN_INIT_ZEROS:
        memset(tensor, 0, (size_t) s->elements * sizeof *tensor);
        break;
    }
}

/* The defaults of every layer, from PyTorch's stream: constants draw nothing. */
static void draw_defaults(float *w, const struct train_model *model, struct kern_mt19937 *torch)
{
    for (int i = 0; i < model->segment_count; i++) {
        const struct train_segment *s = &model->segments[i];
        if (s->constant)
            continue;
        float *tensor = cs_xmalloc((size_t) s->elements * sizeof *tensor);
        draw_uniform(tensor, s->elements, s->bound, &(struct source){.torch = torch});
        train_segment_pack(s, w, tensor);
        free(tensor);
    }
}

void train_init_weights(float *w, const struct train_model *model, const struct train_init *init,
                        uint64_t seed, struct kern_mt19937 *torch)
{
    train_model_init(model, seed, w);
    if (torch)
        draw_defaults(w, model, torch);
    for (int i = 0; i < model->segment_count; i++) {
        const struct train_segment *s = &model->segments[i];
        const struct source from = {seed, (uint32_t) i, torch};
        if (s->constant || s->role == TRAIN_SCALE ||
            (s->role == TRAIN_BIAS ? !init->zero_bias : init->scheme->draw == TRAIN_INIT_DEFAULT))
            continue;
        float *tensor = cs_xcalloc((size_t) s->elements, sizeof *tensor);
        if (s->role == TRAIN_WEIGHT)
            draw_weight(tensor, s, init, &from);
        train_segment_pack(s, w, tensor);
        free(tensor);
    }
}
