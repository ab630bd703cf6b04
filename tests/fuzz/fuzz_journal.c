/* A journal: lines of the bytes, given checksums that fit where the first byte is even; read, and folded. */
#include <zlib.h>

#include "common/cs_error.h"
#include "common/cs_str.h"
#include "sweep/journal.h"
#include "tests/fuzz/fuzz.h"

/* {...} -> {...,"crc":"xxxxxxxx"} */
static void add_line(struct cs_buf *out, const char *line, size_t size)
{
    if (size > 0 && line[size - 1] == '}') {
        const uint32_t crc = (uint32_t) crc32(0, (const unsigned char *) line, (unsigned) size - 1);
        cs_buf_add(out, line, size - 1);
        cs_buf_addf(out, ",\"crc\":\"%08x\"}\n", crc);
    } else {
        cs_buf_add(out, line, size);
        cs_buf_adds(out, "\n");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cs_buf text = {0};
    struct sweep_state *state;
    struct cs_error err;

    cs_buf_adds(&text, "");
    if (size > 0 && data[0] % 2 == 0) {
        const char *at = (const char *) data + 1, *end = (const char *) data + size;
        while (at < end) {
            const char *stop = memchr(at, '\n', (size_t) (end - at));
            add_line(&text, at, (size_t) ((stop ? stop : end) - at));
            at = stop ? stop + 1 : end;
        }
    } else {
        cs_buf_add(&text, data, size);
    }
    fuzz_write("journal.jsonl", text.data, text.size);
    cs_buf_clear(&text);
    if (sweep_state_load(&state, fuzz_folder(), &err) == 0) {
        for (size_t i = 0; i < state->count; i++) {
            const struct sweep_record *r = &state->records[i];
            fuzz_sum += r->seconds + (double) json_array_size(sweep_record_params(r));
            if (sweep_state_find(state, r->id) == NULL)
                abort();
        }
        sweep_state_free(state);
    }
    return 0;
}
