#!/bin/bash
# Installs what the tests need (Debian 12), builds, runs all checks, ends with one line of counts.
#
#   bash tests/run.sh [long] [SUITE | SUITE/CHECK ...]        nothing named: all
#
#   unit         each program tests/unit/test_*.c, with ASan and UBSan, warnings as errors
#   release      the same programs as users get them: -O3
#   lint         tests/lint/*.sh              cli          tests/cli/*.sh
#   conformance  tests/conformance/run_*      integration  tests/integration/*.{sh,py}
#   long         adds tests/*/long/*.{sh,py}, and time to all
#
# A check is an executable file: exit status 0 passes, 77 skips (its last line is the reason), all else fails. It finds
# in its environment: CSWEEP and BUILD (program and build folder, release), CSWEEP_DEV and BUILD_DEV (sanitized),
# SOURCE, SYSTEM_PYTHON (has Debian's torch), VENV_PYTHON (has tensorboard, safetensors and optuna), SCRATCH (an empty folder,
# its working directory, removed afterwards), CSWEEP_LONG=1 in a long run. A line "# limit: SECONDS" in its first 40
# replaces the limit of 300 seconds. Two checks run at a time; what one prints is shown when it fails.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
set -u

debian="git g++ clang valgrind strace libcmocka-dev clang-format python3-venv python3-numpy python3-torch libopenblas0-pthread" # or torch gets the reference BLAS
pypi="tensorboard==2.20.0 safetensors==0.8.0 numpy==2.2.6 optuna==5.0.0 setuptools==79.0.1 tensorboardX==2.6.5" # tensorboard wants pkg_resources

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$SOURCE/build/test
BUILD_DEV=$SOURCE/build/dev
CSWEEP=$BUILD/csweep
CSWEEP_DEV=$BUILD_DEV/csweep
SYSTEM_PYTHON=/usr/bin/python3
VENV_PYTHON=$SOURCE/build/venv/bin/python
export SOURCE BUILD BUILD_DEV CSWEEP CSWEEP_DEV SYSTEM_PYTHON VENV_PYTHON
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
unset CSWEEP_CPU CSWEEP_LONG

started=$SECONDS
work=$(mktemp -d "${TMPDIR:-/tmp}/csweep-tests-XXXXXX")
: > "$work/results"

# Ended early: the checks in hand go too (`timeout` passes the signal on).
leave() {
    local pids
    pids=$(jobs -p)
    [ -z "$pids" ] || { kill $pids; wait; } 2> /dev/null
    rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

counts() {
    grep '^skip ' "$work/results"
    echo "$((SECONDS - started)) seconds"
    echo "$(grep -c '^ok ' "$work/results") passed, $(grep -c '^not ok ' "$work/results") failed," \
        "$(grep -c '^skip ' "$work/results") skipped"
    ! grep -q '^not ok ' "$work/results"
}

# report NAME STATUS SECONDS OUTPUT: one line, and why not.
report() {
    local line
    case $2 in
    0) line="ok $1 ($3 s)" ;;
    77) line="skip $1: $(tail -n 1 "$4" | sed 's/^skipped: //')" ;;
    124 | 137) line="not ok $1: took more than its limit, $3 s" ;;
    *) line="not ok $1 (exit status $2, $3 s)" ;;
    esac
    {
        flock 8
        echo "$line" >> "$work/results"
        echo "$line"
        case $line in "not ok "*) tail -n 40 "$4" | sed 's/^/    /' ;; esac
    } 8> "$work/lock"
}

# step NAME COMMAND...: a part of the preparation; the run ends where it fails.
step() {
    local name=$1 from=$SECONDS status
    shift
    "$@" > "$work/step" 2>&1 < /dev/null
    status=$?
    report "$name" $status $((SECONDS - from)) "$work/step"
    [ $status = 0 ] || { counts; exit 1; }
}

make_venv() {
    local stamp=$SOURCE/build/venv/packages
    [ "$(cat "$stamp" 2> /dev/null)" = "$pypi" ] && return
    rm -rf "$SOURCE/build/venv"
    "$SYSTEM_PYTHON" -m venv "$SOURCE/build/venv" &&
        "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check $pypi &&
        echo "$pypi" > "$stamp"
}

build() {
    (cd "$SOURCE" && cmake --preset "$1" && cmake --build --preset "$1")
}

# run_check NAME LIMIT COMMAND...
run_check() {
    local name=$1 limit=$2 from=$SECONDS out pid
    shift 2
    out=$work/${name//\//_}
    export SCRATCH=$out.scratch
    mkdir "$SCRATCH"
    cd "$SCRATCH" || return
    timeout -k 10 "$limit" "$@" > "$out.out" 2>&1 < /dev/null &
    pid=$!
    trap 'kill $pid; wait; exit' TERM
    wait $pid
    report "$name" $? $((SECONDS - from)) "$out.out"
    cd / && rm -rf "$SCRATCH"
}

# Names and commands of all checks: "NAME FILE" lines, the suites with long checks first.
list_checks() {
    local file
    for file in "$SOURCE"/tests/{integration,conformance,cli,lint}/*; do
        case $file in
        */conformance/run_*.sh | */conformance/run_*.py | */lint/*.sh | */cli/*.sh | */integration/*.sh | \
            */integration/*.py) list_file "$file" ;;
        esac
    done
    [ -z "${CSWEEP_LONG:-}" ] || for file in "$SOURCE"/tests/*/long/*.{sh,py}; do
        list_file "$file"
    done
    for file in "$SOURCE"/tests/unit/test_*.c; do
        file=$(basename "$file" .c)
        echo "unit/$file $BUILD_DEV/tests/$file"
        echo "release/$file $BUILD/tests/$file"
    done
}

list_file() {
    local name=${1#"$SOURCE/tests/"}
    [ -f "$1" ] && echo "${name%.*} $1" # one that cannot be executed fails
}

wanted() {
    local word
    [ ${#words[@]} = 0 ] && return
    for word in "${words[@]}"; do
        case $1 in "$word" | "$word"/*) return 0 ;; esac
    done
    return 1
}

limit_of() {
    local limit
    limit=$(head -n 40 "$1" 2> /dev/null | grep -a -m 1 -o '^# limit: [0-9]*' | grep -o '[0-9]*$')
    limit=${limit:-300}
    echo $((${CSWEEP_LONG:-0} ? 10 * limit : limit))
}

words=()
for word in "$@"; do
    case $word in
    long) export CSWEEP_LONG=1 ;;
    -*) echo "usage: tests/run.sh [long] [SUITE | SUITE/CHECK ...]" >&2; exit 2 ;;
    *) words+=("$word") ;;
    esac
done

step prepare/install env CSWEEP_ALSO_INSTALL="$debian" sh "$SOURCE/sweeps/run.sh" --version
step prepare/venv make_venv
step prepare/build-dev build dev
step prepare/build-test build test

ran=0
while read -r name file; do
    wanted "$name" || continue
    ran=$((ran + 1))
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
        wait -n
    done
    run_check "$name" "$(limit_of "$file")" "$file" &
done < <(list_checks)
wait
if [ $ran = 0 ]; then
    echo "no such suite or check: ${words[*]}; see the head of tests/run.sh" >&2
    exit 2
fi
counts
