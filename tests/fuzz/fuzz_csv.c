/* A table: train.csv, and val.csv; the parts follow the word ~~~~. Described, and loaded. */
#include "tests/fuzz/fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"train.csv", "val.csv", NULL};

    fuzz_dataset("csv", names, data, size);
    return 0;
}
