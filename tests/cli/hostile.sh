#!/bin/bash
# Grid files made to hang or to take all memory end soon, in bounded memory, with words of bounded length; nothing is made.
# They take a second of processor time at most; what is asked here is generous. The release program: under a sanitizer
# neither time nor memory says anything.
set -u
program=${CSWEEP:?}
folder=$SCRATCH/grids talk=$SCRATCH/talk
mkdir -p "$folder" "$talk"
names=$("$SYSTEM_PYTHON" "$SOURCE/tests/lib/hostile.py" "$folder") || exit 1
cd "$folder" || exit 1
faults=0

complain() {
    echo "FAILED: $name: $*"
    head -c 2000 "$talk/err"
    faults=$((faults + 1))
}

listing() {
    find . -printf '%P %y %s %T@\n' | sort
}

listing > "$talk/before"
count=0
for name in $names; do
    count=$((count + 1))
    (
        ulimit -v 1000000 # KiB
        ulimit -t 8       # seconds
        exec timeout -k 1 60 "$program" plan "$name.ini" > "$talk/out" 2> "$talk/err" < /dev/null
    )
    status=$?
    case $status in
    0 | 3) ;;
    *) complain "exit status $status" ;;
    esac
    [ $status = 0 ] || [ -s "$talk/err" ] || complain "no word"
    [ "$(wc -l < "$talk/err")" -le 202 ] || complain "more than 200 faults"
    awk 'length > 1500 { exit 1 }' "$talk/err" || complain "a line of more than 1500 characters"
    LC_ALL=C grep -q '[^[:print:][:space:]]' "$talk/err" && complain "control bytes in a message"
done
listing | diff "$talk/before" - || complain "something was made or changed"
[ $count -ge 50 ] || complain "only $count grids"
[ $faults = 0 ]
