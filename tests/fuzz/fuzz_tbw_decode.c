/*
 * fuzz_tbw_decode.c - libFuzzer target: any bytes as the data of records. The input is cut into events at a byte that
 * seldom occurs in text; one decoder takes them one after another, as a file's reader does, and each point is summed up.
 */
#include <string.h>

#include "tbwriter/tbw_decode.h"

enum { CUT = 0xfe };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tbw_decoder decoder = {0};
    struct cs_buf text = {0};

    while (size > 0) {
        const uint8_t *cut = memchr(data, CUT, size);
        const size_t length = cut ? (size_t) (cut - data) : size;
        struct tbw_event event;
        if (!tbw_decode_event(&event, &decoder, data, length)) {
            for (size_t i = 0; event.kind == TBW_EVENT_SUMMARY && i < event.count; i++)
                tbw_point_summary(&text, &event.points[i]);
        }
        text.size = 0;
        data += length + (cut != NULL);
        size -= length + (cut != NULL);
    }
    cs_buf_clear(&text);
    tbw_decoder_clear(&decoder);
    return 0;
}
