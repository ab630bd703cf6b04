/* An event file: the bytes as they are, or, behind an even first byte, as one record with checksums that fit. */
#include "common/cs_error.h"
#include "tbwriter/tbw_crc.h"
#include "tbwriter/tbw_read.h"
#include "tests/fuzz/fuzz.h"

static void read_all(const char *path)
{
    tbw_reader *reader;
    struct tbw_event event;
    struct cs_error err;

    if (tbw_reader_open(&reader, path, &err) < 0)
        return;
    while (tbw_reader_next(&event, reader, &err) > 0) {
        for (size_t i = 0; i < event.count; i++)
            fuzz_sum += (double) strlen(event.points[i].tag) + event.points[i].value;
    }
    fuzz_sum += (double) tbw_reader_torn_bytes(reader);
    tbw_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[128];

    if (size > 0 && data[0] % 2 == 0) {
        const uint64_t length = size - 1;
        uint8_t *framed = malloc(16 + length);
        memcpy(framed, &length, 8);
        const uint32_t head = tbw_crc32c_masked(framed, 8),
                       body = tbw_crc32c_masked(data + 1, length);
        memcpy(framed + 8, &head, 4);
        memcpy(framed + 12, data + 1, length);
        memcpy(framed + 12 + length, &body, 4);
        fuzz_write("events.out.tfevents.1.x", framed, 16 + length);
        free(framed);
    } else {
        fuzz_write("events.out.tfevents.1.x", data, size);
    }
    snprintf(path, sizeof path, "%s/events.out.tfevents.1.x", fuzz_folder());
    read_all(path);
    return 0;
}
