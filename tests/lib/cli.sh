# cli.sh - sourced by tests/cli/*.sh: the program at a shell, its words compared exactly.
#
#   runs STATUS ARGUMENT...   csweep with these arguments must end with this status, saying nothing else than:
#   says  LINE, or << END     its standard output, exactly (unless asked, anything goes)
#   warns LINE, or << END     its standard error, exactly (unless asked: nothing)
#   unchanged                 nothing was made or changed in the working directory since toy_grid or the last `note`
#
# Runs the sanitized program in an empty folder. The first difference ends the check.
set -u
program=${CSWEEP_DEV:?}
talk=$SCRATCH/talk
mkdir -p "$talk" "$SCRATCH/here"
cd "$SCRATCH/here" || exit 1
ran=

fail() {
    echo "FAILED: $*"
    exit 1
}

# same FILE WHAT [LINE]: the line, else standard input, is what FILE should hold. (Not at the end of a pipe: a difference
# must end the check, not a subshell.)
same() {
    if [ $# = 3 ]; then
        echo "$3" > "$talk/wanted"
    else
        cat > "$talk/wanted"
    fi
    diff -u --label wanted --label got "$talk/wanted" "$1" || fail "$ran: $2"
}

runs() {
    heard
    wanted=$1
    shift
    ran="csweep $*"
    "$program" "$@" > "$talk/out" 2> "$talk/err" < /dev/null
    got=$?
    errors=unread
    [ $got = "$wanted" ] || {
        cat "$talk/out" "$talk/err"
        fail "$ran: exit status $got, wanted $wanted"
    }
}

says() {
    same "$talk/out" "standard output" "$@"
}

warns() {
    errors=read
    same "$talk/err" "standard error" "$@"
}

# What nobody asked for on standard error is a difference too.
heard() {
    [ -z "$ran" ] || [ $errors = read ] || warns < /dev/null
}

listing() {
    find . -type d -printf '%P/\n' -o -printf '%P %y %s %T@\n' | sort
}

note() {
    listing > "$talk/before"
}

unchanged() {
    listing | diff -u --label before --label after "$talk/before" - || fail "$ran: something was made or changed"
}

# A grid of four small trials a seed.
toy_grid() {
    cat > toy.ini << 'END'
[sweep]
name = toy

[data]
dataset = random 1000x20 sum>0
batch_size = 32

[model]
layers = linear 64 > relu > linear 32 > relu > linear 2

[train]
epochs = 5

[optimizer]
optimizer = sgd, adam
lr = 0.01, 0.1
END
    note
}

trap 'status=$?; [ $status != 0 ] || heard; exit $status' EXIT
