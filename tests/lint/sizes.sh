#!/bin/sh
# Functions have 100 lines at most, files 1,000, headers 300.
cd "$SOURCE" || exit 1
find common kernels tbwriter checkpoints trainer sweep tests -name '*.[ch]' | sort | xargs awk '
function end_file() {
    limit = file ~ /\.h$/ ? 300 : 1000
    if (lines > limit) {
        print file ": " lines " lines, at most " limit
        faults++
    }
}
FNR == 1 {
    if (file)
        end_file()
    file = FILENAME
    start = 0
}
{ lines = FNR }
/^{$/ { start = FNR }
/^}/ && start {
    functions++
    if (FNR - start - 1 > 100) {
        print FILENAME ":" start ": function of " FNR - start - 1 " lines, at most 100"
        faults++
    }
    start = 0
}
END {
    end_file()
    print functions + 0 " functions, " faults + 0 " too long (or files)"
    exit faults > 0 || functions < 100
}'
