/*
 * ckpt_sample.c - the checkpoint store driven for judges that are not ours (git, the safetensors
 * package).
 *
 *   ckpt_sample make REPO         three checkpoints with known content
 *   ckpt_sample loop REPO NAME FIRST
 *                                 save NAME/0, NAME/1, ... NAME/19, NAME/0 ... for ever, numbered from FIRST;
 *                                 "ack TAG ID" on stdout after each
 *   ckpt_sample once REPO TAG     one save of files no other has; exit status 0 ok, 3 no space, 4
 *   busy, 1 else
 *   ckpt_sample verify REPO       load all; "bad TAG: WHY" lines; exit status 1 if any
 *   ckpt_sample unlock REPO NAME  remove stale locks under NAME
 *   ckpt_sample gc REPO
 *   ckpt_sample dump FILE         a safetensors file as "NAME DTYPE [SHAPE] VALUES" lines
 *   ckpt_sample bench REPO MB N   N saves of MB megabytes; milliseconds each
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoints/ckpt.h"
#include "checkpoints/safetensors.h"
#include "common/cs_error.h"
#include "common/cs_io.h"
#include "common/cs_str.h"

static int fail(const struct cs_error *err)
{
    fprintf(stderr, "ckpt_sample: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->detail);
    return err->code == CS_ENOSPACE ? 3 : err->code == CS_EBUSY ? 4 : 1;
}

static void encode_model(struct cs_buf *out, float start)
{
    static float weight[6], bias[3], none[1];
    static const double big = 1e300;
    static const int64_t step = INT64_C(9007199254740993); /* 2^53 + 1: no double */
    static const char *const pairs[] = {"format", "pt", "note", "caf\xc3\xa9 \"q\" \\"};
    const struct st_tensor tensors[] = {
        {.name = "0.weight", .ndim = 2, .shape = {3, 2}, .data = weight},
        {.name = "0.bias", .ndim = 1, .shape = {3}, .data = bias},
        {.name = "empty", .ndim = 2, .shape = {0, 4}, .data = none},
        {.name = "scalar", .ndim = 0, .data = bias},
        {.name = "big", .ndim = 0, .f64 = &big, .dtype = ST_F64},
        {.name = "step", .ndim = 0, .i64 = &step, .dtype = ST_I64},
    };
    struct cs_error err;

    for (int i = 0; i < 6; i++)
        weight[i] = start + 0.25f * (float) i;
    for (int i = 0; i < 3; i++)
        bias[i] = -1.0f / (float) (i + 1);
    if (st_encode(out, tensors, CS_COUNT(tensors), pairs, 2, &err) < 0)
        exit(fail(&err));
}

static int save(ckpt_store *store, const char *tag, int n, struct ckpt_saved *saved,
                struct cs_error *err)
{
    struct cs_buf model = {0}, metrics = {0};
    const struct ckpt_trailer trailers[] = {
        {"optimizer", "adam"},
        {"lr", "0.001"},
        {"Accuracy/Val", "0.875"},
        {"layers", "flatten > linear 10\nwith a line end"},
    };

    encode_model(&model, (float) n);
    cs_buf_addf(&metrics, "{\"n\":%d}\n", n);
    const struct ckpt_file files[] = {
        {"model.safetensors", model.data, model.size},
        {"metrics.json", metrics.data, metrics.size},
        {"curve.csv", "epoch,loss\n", 11},
        {"empty.txt", "", 0},
    };
    const int rc = ckpt_save(store, tag, "0007 Accuracy/Val 0.875", trailers, CS_COUNT(trailers),
                             files, CS_COUNT(files), saved, err);
    cs_buf_clear(&model);
    cs_buf_clear(&metrics);
    return rc;
}

static int command_make(ckpt_store *store)
{
    static const char *const tags[] = {"sweep/0007/best", "sweep/0007/last", "sweep/0008/best"};
    struct ckpt_saved saved;
    struct cs_error err;

    for (int i = 0; i < 3; i++)
        if (save(store, tags[i], i, &saved, &err) < 0)
            return fail(&err);
    if (save(store, tags[1], 7, &saved, &err) < 0) /* replaced once */
        return fail(&err);
    return 0;
}

static int command_loop(ckpt_store *store, const char *name, int first)
{
    struct ckpt_saved saved;
    struct cs_error err;

    for (int i = 0;; i++) {
        char *tag = cs_xasprintf("%s/%d", name, i % 20);
        if (save(store, tag, first + i, &saved, &err) < 0)
            return fail(&err);
        printf("ack %s %s\n", tag, saved.tag);
        fflush(stdout);
        free(tag);
    }
}

static void print_damage(void *context, const char *tag, const struct cs_error *damage)
{
    (void) context;
    printf("bad %s: %s\n", tag, damage->detail);
}

static int command_verify(ckpt_store *store)
{
    struct cs_error err;
    const int bad = ckpt_verify(store, "", print_damage, NULL, &err);
    return bad < 0 ? fail(&err) : bad > 0;
}

static int command_gc(ckpt_store *store)
{
    struct cs_error err;
    uint64_t freed;

    if (ckpt_gc(store, &freed, &err) < 0)
        return fail(&err);
    printf("freed %llu\n", (unsigned long long) freed);
    return 0;
}

static void print_tensor(const struct st_tensor *tensor)
{
    printf("%s %s [", tensor->name,
           tensor->dtype == ST_F32   ? "F32"
           : tensor->dtype == ST_F64 ? "F64"
                                     : "I64");
    for (int i = 0; i < tensor->ndim; i++)
        printf("%s%lld", i ? "," : "", (long long) tensor->shape[i]);
    printf("]");
    for (size_t i = 0; i < st_length(tensor); i++) {
        if (tensor->dtype == ST_F32)
            printf(" %.9g", (double) tensor->data[i]);
        else if (tensor->dtype == ST_F64)
            printf(" %.17g", tensor->f64[i]);
        else
            printf(" %lld", (long long) tensor->i64[i]);
    }
    printf("\n");
}

static int command_dump(const char *path)
{
    struct cs_buf file = {0};
    struct st_view *view = NULL;
    struct cs_error err;

    if (cs_read_file(&file, path, 1 << 30, &err) < 0 ||
        st_decode(&view, file.data, file.size, &err) < 0)
        return fail(&err);
    for (size_t i = 0; i < view->pair_count; i++)
        printf("# %s=%s\n", view->pairs[2 * i], view->pairs[2 * i + 1]);
    for (size_t i = 0; i < view->count; i++)
        print_tensor(&view->tensors[i]);
    st_free(view);
    cs_buf_clear(&file);
    return 0;
}

static int command_bench(ckpt_store *store, size_t bytes, int count)
{
    unsigned char *data = malloc(bytes);
    uint64_t state = 1;
    struct cs_error err;

    for (int n = 0; n < count; n++) {
        for (size_t i = 0; i < bytes;
             i += 4) { /* floats in [1, 2): as hard to compress as weights */
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            const uint32_t bits = 0x3f800000u | (uint32_t) (state >> 41);
            memcpy(data + i, &bits, 4);
        }
        const struct ckpt_file files[] = {{"model.safetensors", data, bytes},
                                          {"metrics.json", "{}\n", 3}};
        const double start = cs_mono_seconds();
        if (ckpt_save(store, "bench/0/last", "bench", NULL, 0, files, 2, NULL, &err) < 0)
            return fail(&err);
        printf("%.1f\n", 1e3 * (cs_mono_seconds() - start));
    }
    free(data);
    return 0;
}

static int run(ckpt_store *store, int argc, char **argv)
{
    const char *command = argv[1];
    struct ckpt_saved saved;
    struct cs_error err;

    if (strcmp(command, "make") == 0)
        return command_make(store);
    if (strcmp(command, "verify") == 0)
        return command_verify(store);
    if (strcmp(command, "gc") == 0)
        return command_gc(store);
    if (strcmp(command, "loop") == 0 && argc == 5)
        return command_loop(store, argv[3], atoi(argv[4]));
    if (strcmp(command, "once") == 0 && argc == 4)
        return save(store, argv[3], (int) getpid(), &saved, &err) < 0 ? fail(&err) : 0;
    if (strcmp(command, "unlock") == 0 && argc == 4)
        return ckpt_remove_stale_locks(store, argv[3], NULL, &err) < 0 ? fail(&err) : 0;
    if (strcmp(command, "bench") == 0 && argc == 5)
        return command_bench(store, (size_t) atoi(argv[3]) << 20, atoi(argv[4]));
    return 2;
}

int main(int argc, char **argv)
{
    ckpt_store *store = NULL;
    struct cs_error err;

    if (argc < 3)
        return 2;
    if (strcmp(argv[1], "dump") == 0)
        return command_dump(argv[2]);
    if (ckpt_store_open(&store, argv[2], true, &err) < 0)
        return fail(&err);
    const int rc = run(store, argc, argv);
    ckpt_store_close(store);
    return rc;
}
