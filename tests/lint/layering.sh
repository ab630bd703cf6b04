#!/bin/sh
# Who may include whom: the matrix of README.md, "How it is laid out", for our folders and for foreign libraries.
cd "$SOURCE" || exit 1
grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' common kernels tbwriter checkpoints trainer sweep tests |
    awk '
BEGIN {
    own["common"] = "common"
    own["kernels"] = "common|kernels"
    own["tbwriter"] = "common|tbwriter"
    own["checkpoints"] = "common|checkpoints"
    own["trainer"] = "common|kernels|tbwriter|checkpoints|trainer"
    own["sweep"] = "common|tbwriter|checkpoints|sweep"
    own["tests"] = "common|kernels|tbwriter|checkpoints|trainer|sweep|tests"
    single["sweep"] = "^(trainer/spec.h|trainer/worker.h|version.h)$" # beyond the folders above
    single["trainer"] = "^version.h$"
    single["tests"] = "^[a-z0-9_]+.h$" # of the same folder
    # foreign headers: which of our files may
    foreign["jansson.h"] = "^(common/cs_json.h|trainer/trial_impl.h|sweep/(journal|pool|progress).h)$"
    foreign["zlib.h"] = "^(tbwriter/|checkpoints/|trainer/data/|sweep/(journal|prune/hyperband).c$|tests/(unit|fuzz)/)"
    foreign["png.h"] = "^tbwriter/tbw_png.c$"
    foreign["libdeflate.h"] = "^trainer/data/"
    foreign["uv.h"] = "^sweep/(pool.h|run.c)$"
    foreign["cmocka.h"] = "^tests/unit/"
    foreign["malloc.h"] = "^trainer/worker.c$"
    foreign["immintrin.h"] = "^kernels/cpu/"
    foreign["nmmintrin.h"] = "^tbwriter/"
    libc = "^(assert|ctype|dirent|errno|fcntl|fenv|float|ftw|getopt|inttypes|langinfo|limits|locale|math|poll|pthread|" \
        "sched|setjmp|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|termios|time|" \
        "unistd|wchar|sys/[a-z]+)[.]h$"
}
function bad(why) {
    print file ":" line ": " name ": " why
    faults++
}
{
    split($0, part, ":")
    file = part[1]
    line = part[2]
    name = $0
    sub(/^[^"<]*["<]/, "", name)
    sub(/[">].*$/, "", name)
    from = file
    sub(/\/.*/, "", from)
    to = name
    sub(/\/.*/, "", to)
    seen++
    if ($0 ~ /include[[:space:]]*"/) {
        if (name ~ /\.pb-c\.h$/) {
            if (from != "tbwriter" && file !~ /^tests\/unit\/test_tbw_/)
                bad("protobuf-c belongs to tbwriter/")
        } else if (!(index(name, "/") && to ~ "^(" own[from] ")$") && !(from in single && name ~ single[from]))
            bad(from "/ may not include this")
        else if (name ~ /_impl\.h$/ && to != from && file !~ /^tests\/(unit|bench)\//)
            bad("private to " to "/")
    } else if (name ~ /^git2(\.h|\/)/) {
        if (from != "checkpoints")
            bad("libgit2 belongs to checkpoints/")
    } else if (name ~ /^protobuf-c\//) {
        if (from != "tbwriter")
            bad("protobuf-c belongs to tbwriter/")
    } else if (name in foreign) {
        if (file !~ foreign[name])
            bad("not allowed in this file; see tests/lint/layering.sh")
    } else if (name !~ libc)
        bad("neither libc, nor POSIX, nor a library of the matrix")
}
END {
    print seen + 0 " includes, " faults + 0 " against the matrix"
    exit faults > 0 || seen < 100
}'
