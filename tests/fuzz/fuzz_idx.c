/* IDX files: up to four, one behind another; the parts follow the word ~~~~. Described, and loaded. */
#include "tests/fuzz/fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", NULL};

    fuzz_dataset("idx", names, data, size);
    return 0;
}
