/* NumPy's arrays: up to four files, one behind another; the parts follow the word ~~~~. Described, and loaded. */
#include "tests/fuzz/fuzz_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"x_train.npy", "y_train.npy", "x_val.npy", "y_val.npy",
                                        NULL};

    fuzz_dataset("npy", names, data, size);
    return 0;
}
