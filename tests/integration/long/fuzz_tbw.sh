#!/bin/bash
# The reader of event files under libFuzzer, ten minutes a target (FUZZ_SECONDS to say otherwise): no crash, no leak, no
# input that takes more than five seconds or a gigabyte. Begins with the files of the samples, and with their records.
# limit: 3000
set -eu
command -v clang > /dev/null || { echo "skipped: no clang"; exit 77; }
echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n); int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n == 0; }' > try.c
clang -fsanitize=fuzzer try.c -o try 2> /dev/null || { echo "skipped: clang has no libFuzzer"; exit 77; }

sources="$(ls "$SOURCE"/tbwriter/*.c "$BUILD"/tbwriter/*.pb-c.c) $SOURCE/common/cs_error.c $SOURCE/common/cs_str.c $SOURCE/common/cs_io.c"
flags="-g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -w -I$SOURCE -I$BUILD"
mkdir -p file decode
"$BUILD/tests/tbw_media_sample" sample
"$BUILD/tests/tbw_sample" sample
find sample -name '*tfevents*' | while read -r path; do cp "$path" "file/$(echo "$path" | tr -c 'a-z0-9\n' _)"; done
"$SYSTEM_PYTHON" - << 'END'
import glob, struct
for number, path in enumerate(sorted(glob.glob("file/*"))):
    data, at, records = open(path, "rb").read(), 0, []
    while at + 16 <= len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        records.append(data[at + 12 : at + 12 + size])
        at += size + 16
    for i in range(0, len(records), 4):
        open(f"decode/{number}_{i}", "wb").write(b"\xfe".join(records[i : i + 4]))
END
for target in decode file; do
    clang $flags "$SOURCE/tests/fuzz/fuzz_tbw_$target.c" $sources $(pkg-config --cflags --libs libprotobuf-c libpng) -lm -lpthread -o "fuzz_$target"
    mkdir -p "new_$target"
    "./fuzz_$target" -max_total_time="${FUZZ_SECONDS:-600}" -timeout=5 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
        "new_$target" "$target" > "$target.log" 2>&1 || { tail -n 40 "$target.log"; exit 1; }
    grep -E 'number_of_executed_units|peak_rss_mb' "$target.log"
done
