#!/bin/bash
# fuzz.sh [SECONDS] [TARGET ...] - every parser of files fed by libFuzzer, SECONDS (600) each, two at a time, under ASan
# and UBSan, with limits of time and memory. What one run found interesting is where the next one starts: build/fuzz/corpus.
# limit: 1200
set -u

seconds=${1:-600}
shift
cd "$SOURCE" || exit 1
command -v clang > /dev/null || { echo "skipped: no clang"; exit 77; }
{ cmake --preset fuzz && cmake --build --preset fuzz; } > "$SCRATCH/build" 2>&1 || { tail -n 30 "$SCRATCH/build"; exit 1; }
corpus=$SOURCE/build/fuzz/corpus
"$SYSTEM_PYTHON" tests/fuzz/seeds.py "$corpus" || exit 1
for sample in tbw_sample tbw_media_sample; do # whole event files, of every kind of summary
    "$BUILD/tests/$sample" "$SCRATCH/$sample" || exit 1
done
find "$SCRATCH" -name '*tfevents*' -exec cp --backup=numbered -t "$corpus/tbw_file" {} +
[ $# -gt 0 ] || set -- $(ls tests/fuzz/fuzz_*.c | sed 's/.*fuzz_//; s/[.]c$//')

# one TARGET: its log, and the input that is at fault, stay in build/fuzz
one() {
    local log=build/fuzz/$1.log
    build/fuzz/tests/fuzz_"$1" "$corpus/$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/$1-" > "$log" 2>&1
    local status=$?
    echo "$1: exit status $status, $(grep -o 'number_of_executed_units: *[0-9]*' "$log" | grep -o '[0-9]*$') inputs," \
        "coverage $(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | grep -o '[0-9]*$')"
    [ $status = 0 ] || { tail -n 25 "$log"; touch "$SCRATCH/failed"; }
}
for target in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
        wait -n
    done
    one "$target" &
done
wait
[ ! -e "$SCRATCH/failed" ]
