/* A safetensors file: decoded, every number read, encoded again where it can be. */
#include "checkpoints/safetensors.h"
#include "common/cs_error.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct st_view *view;
    struct cs_error err;
    struct cs_buf again = {0};

    if (st_decode(&view, data, size, &err) < 0)
        return 0;
    for (size_t i = 0; i < view->count; i++) {
        const struct st_tensor *t = &view->tensors[i];
        for (size_t k = 0; k < st_length(t); k++)
            fuzz_sum += t->dtype == ST_F32   ? (double) t->data[k]
                        : t->dtype == ST_F64 ? t->f64[k]
                                             : (double) t->i64[k];
        if (st_find(view, t->name) != t)
            abort();
    }
    st_encode(&again, view->tensors, view->count, view->pairs, view->pair_count, &err);
    cs_buf_clear(&again);
    st_free(view);
    return 0;
}
