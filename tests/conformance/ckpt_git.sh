#!/bin/bash
# The git command line as judge of our repositories.
#
#   ckpt_git.sh CKPT_SAMPLE [KILLS]
#
# CKPT_SAMPLE is the program of ckpt_sample.c; KILLS (default 50) savers are killed at random moments. Prints one
# line per check; exit status 1 at the first that fails.
set -u
sample=$1
kills=${2:-50}
work=$(mktemp -d "${TMPDIR:-/tmp}/csweep-git-XXXXXX")
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
repo=$work/checkpoints.git

fail() {
    echo "not ok - $*"
    exit 1
}

# expect NAME WANTED GOT
expect() {
    [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
    echo "ok - $1"
}

# All that fsck says, but for the notice that a repository of tags alone has no branch.
fsck() {
    git -C "$repo" fsck --strict --full "$@" 2>&1 | grep -v '^notice: '
}

"$sample" make "$repo" || fail "make"
expect "fsck before gc names the replaced tag alone" 1 "$(fsck | grep -c '^dangling tag ')"
"$sample" gc "$repo" > "$work/gc" || fail "gc"
grep -q '^freed [1-9]' "$work/gc" || fail "gc freed nothing"
expect "fsck --strict --full is silent" "" "$(fsck)"

expect "tags" "sweep/0007/best sweep/0007/last sweep/0008/best" "$(git -C "$repo" tag -l | tr '\n' ' ' | sed 's/ $//')"
for tag in $(git -C "$repo" tag -l); do
    git check-ref-format "refs/tags/$tag" || fail "check-ref-format $tag"
    expect "$tag is a tag of a commit without parents" "tag 0" \
        "$(git -C "$repo" cat-file -t "$tag") $(git -C "$repo" log --format=%P "$tag" | wc -w)"
done
expect "tag -l -n9 shows the trailers" 3 "$(git -C "$repo" tag -l -n9 | grep -c '^ *optimizer: adam$')"
expect "interpret-trailers --parse" "optimizer: adam|lr: 0.001|Accuracy-Val: 0.875|layers: flatten > linear 10 with a line end|" \
    "$(git -C "$repo" tag -l --format='%(contents)' sweep/0007/best | git interpret-trailers --parse | tr '\n' '|')"
expect "the commit's trailers" "0.001" "$(git -C "$repo" log -1 --format='%(trailers:key=lr,valueonly,separator=)' sweep/0007/best)"
expect "the commit's author" "csweep <csweep@localhost>" "$(git -C "$repo" log -1 --format='%an <%ae>' sweep/0007/best)"
expect "show TAG:metrics.json" '{"n":7}' "$(git -C "$repo" show sweep/0007/last:metrics.json)"
expect "files" "curve.csv empty.txt metrics.json model.safetensors" \
    "$(git -C "$repo" ls-tree --name-only sweep/0007/best | tr '\n' ' ' | sed 's/ $//')"
expect "equal files are one object" 1 \
    "$(for t in $(git -C "$repo" tag -l); do git -C "$repo" rev-parse "$t:curve.csv"; done | sort -u | wc -l)"
git -C "$repo" show sweep/0008/best:model.safetensors > "$work/model"
expect "hash-object agrees" "$(git hash-object "$work/model")" "$(git -C "$repo" rev-parse sweep/0008/best:model.safetensors)"

git clone -q --bare "$repo" "$work/clone.git" 2> "$work/clone.err" || fail "clone: $(cat "$work/clone.err")"
expect "a clone has the same tags" "$(git -C "$repo" show-ref --tags)" "$(git -C "$work/clone.git" show-ref --tags)"
"$sample" verify "$work/clone.git" || fail "a clone does not verify"
echo "ok - a clone, packed, verifies"

# Plain git packs the repository while savers run: no acknowledged tag may be lost.
"$sample" loop "$repo" packed 0 > "$work/acks" &
saver=$!
round=0
while [ $round -lt 8 ] || { [ $round -lt 300 ] && [ "$(wc -l < "$work/acks")" -lt 20 ]; }; do
    git -C "$repo" pack-refs --all 2> /dev/null
    sleep 0.1
    round=$((round + 1))
done
git -C "$repo" gc -q 2> /dev/null
kill -0 $saver 2> /dev/null || fail "the saver ended beside pack-refs and gc"
kill -9 $saver
wait $saver 2> /dev/null
"$sample" unlock "$repo" packed || fail "unlock"

# present ACKS: the newest acknowledged object of every tag, or one saved later, is what the tag names.
present() {
    awk '{ last[$2] = $3 } END { for (t in last) print t, last[t] }' "$1" | while read -r tag id; do
        now=$(git -C "$repo" rev-parse -q --verify "refs/tags/$tag") || { echo "$tag"; continue; }
        [ "$now" = "$id" ] && continue
        # a save that was killed between its ref and its line: newer by its number, which rises over all savers
        old=$(git -C "$repo" show "$id:metrics.json" 2> /dev/null | tr -dc 0-9)
        new=$(git -C "$repo" show "$tag:metrics.json" 2> /dev/null | tr -dc 0-9)
        [ -n "$new" ] && [ "$new" -gt "${old:-0}" ] || echo "$tag"
    done
}
expect "saves beside git pack-refs and gc: none lost" "" "$(present "$work/acks")"
[ "$(wc -l < "$work/acks")" -ge 20 ] || fail "only $(wc -l < "$work/acks") saves beside git"

# kill -9 at random moments, each time on the same tags; more kills where a busy machine lets few saves end before.
: > "$work/acks"
RANDOM=1
locks=0
i=0
while [ $i -lt "$kills" ] || { [ $i -lt $((8 * kills)) ] && [ "$(wc -l < "$work/acks")" -lt "$kills" ]; }; do
    i=$((i + 1))
    "$sample" loop "$repo" killed $((i * 10000)) >> "$work/acks" &
    saver=$!
    sleep "0.0$((RANDOM % 80 + 10))"
    kill -9 $saver
    wait $saver 2> /dev/null
    found=$(find "$repo/refs" -name '*.lock' | wc -l)
    locks=$((locks + found))
    [ "$found" -gt 0 ] && expect "fsck with a stale lock (kill $i)" "" "$(fsck --no-dangling)"
    "$sample" unlock "$repo" killed || fail "unlock"
done
[ "$(wc -l < "$work/acks")" -ge "$kills" ] || fail "only $(wc -l < "$work/acks") saves in $i runs"
expect "no acknowledged save lost in $kills kills ($(wc -l < "$work/acks") saves, $locks stale locks)" "" "$(present "$work/acks")"
expect "fsck after the kills" "" "$(fsck --no-dangling)"
"$sample" verify "$repo" || fail "verify after the kills"
find "$repo/objects" -name 'tmp_obj_*' -exec touch -d '2 hours ago' {} +
"$sample" gc "$repo" > /dev/null || fail "gc after the kills"
expect "no temporary file is left" "" "$(find "$repo/objects" -name 'tmp_*')"
expect "fsck after gc" "" "$(fsck --no-dangling)"
expect "no lock is left" "" "$(find "$repo" -name '*.lock' ! -path "$repo/csweep.lock")"

# The n-th write, fsync, rename ... of a save fails, once (n) and from then on (n+): what was acknowledged stands.
strace -o /dev/null true 2> /dev/null || { echo "ok - skipped: faults (no strace)"; exit 0; }
"$sample" once "$repo" fault/x || fail "once"
export ASAN_OPTIONS=detect_leaks=0 # its leak check cannot run under strace
before=$(git -C "$repo" rev-parse refs/tags/fault/x)
for fault in write:ENOSPC fsync:EIO renameat:EIO rename:EIO link:ENOSPC mkdirat:ENOSPC; do
    call=${fault%:*} error=${fault#*:} failed=0
    for mode in "" +; do
        for n in $(seq 1 40); do
            tag=fault/$call$n${mode:+on}
            strace -qq -o "$work/trace" -e "trace=$call" -e "inject=$call:error=$error:when=$n$mode" \
                "$sample" once "$repo" "$tag" > /dev/null 2>&1
            status=$?
            grep -q INJECTED "$work/trace" || break
            [ $status -gt 128 ] && fail "$call $n$mode: died of signal $((status - 128))"
            [ $status -eq 0 ] || [ $error != ENOSPC ] || [ $status -eq 3 ] || fail "$call $n$mode: status $status, not 3"
            [ $status -ne 0 ] && failed=$((failed + 1))
            [ $status -eq 0 ] && [ -z "$(git -C "$repo" show "$tag:metrics.json" 2>&1 | grep '^{"n":[0-9]*}$')" ] &&
                fail "$call $n$mode: acknowledged, not there"
        done
    done
    echo "ok - $call fails with $error: $failed saves refused"
    [ $failed -gt 0 ] || [ "$call" = rename ] || [ "$call" = link ] || fail "$call: no fault was seen"
done
expect "the tag before the faults" "$before" "$(git -C "$repo" rev-parse refs/tags/fault/x)"
expect "fsck after the faults" "" "$(fsck --no-dangling)"
"$sample" verify "$repo" || fail "verify after the faults"
