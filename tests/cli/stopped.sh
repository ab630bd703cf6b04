#!/bin/sh
# One controller per sweep: a second is refused. Ctrl-C: exit status 130, and the same command goes on.
. "$SOURCE/tests/lib/cli.sh"
toy_grid

# until N COMMAND...: try for N seconds
await() {
    tries=$(($1 * 20))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.05
    done
}

gone() {
    ! kill -0 "$1" 2> /dev/null
}

for signal in INT TERM; do
    : > "$talk/first" # what the last round left there is no epoch of this one
    # a shell's background job ignores SIGINT unless told otherwise
    "$SYSTEM_PYTHON" -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$program" toy.ini name=$signal epochs=200 --jobs 1 --fuse off --json \
        > "$talk/first" 2> "$talk/first.err" < /dev/null &
    first=$!
    await 60 grep -q '"event":"epoch"' "$talk/first" || fail "the first made no epoch: $(cat "$talk/first.err")"

    runs 4 toy.ini name=$signal epochs=200
    says < /dev/null
    warns "csweep: runs/$signal/journal.jsonl: another csweep works on this sweep"

    kill -s $signal $first
    wait $first
    got=$?
    [ $got = 130 ] || fail "after SIG$signal: exit status $got: $(cat "$talk/first.err")"
    grep -q '"state":"interrupted"' "$talk/first" || fail "no trial was reported interrupted"
    ! grep -q '"event":"sweep"' "$talk/first" || fail "an interrupted sweep was compared"
    tail -n 1 "$talk/first.err" > "$talk/last"
    same "$talk/last" "last words" 'csweep: interrupted; run the same command again to go on'

    runs 0 toy.ini name=$signal epochs=200 --json
    "$SYSTEM_PYTHON" - "$talk/first" "$talk/out" << 'END' || fail "it did not go on where it stopped"
import json, sys
first, second = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
stopped = [line for line in first if line.get("state") == "interrupted"]
assert len(stopped) == 1, stopped
again = [line for line in second if line["event"] == "start" and line["number"] == stopped[0]["number"]]
assert len(again) == 1 and (again[0]["epoch"], again[0]["step"]) != (0, 0), again
ends = [line["number"] for line in first + second if line["event"] == "end" and line["state"] == "done"]
assert sorted(ends) == [1, 2, 3, 4], ends
for number in range(1, 5):
    epochs = [line["epoch"] for line in first + second if line["event"] == "epoch" and line["number"] == number]
    assert epochs == list(range(1, 201)), (number, epochs)
END
done
errors=read
