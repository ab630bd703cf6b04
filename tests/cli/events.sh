#!/bin/bash
# `csweep events`: what a sweep wrote, read back in every form; damage is told and stepped over.
. "$SOURCE/tests/lib/cli.sh"

toy_grid
runs 0 toy.ini optimizer=sgd lr=0.1 epochs=3 --quiet
run=$(ls -d runs/toy/0001*)
file=$(ls "$run"/*tfevents*)

runs 0 events "$run" --tag Loss/Val --csv
cut -d, -f1-4 "$talk/out" > "$talk/part" && mv "$talk/part" "$talk/out"
says << 'END'
run,tag,kind,step
.,Loss/Val,scalar,1
.,Loss/Val,scalar,2
.,Loss/Val,scalar,3
END
runs 0 events runs/toy --tag Accuracy/Val --tail 1 --json
grep -q '"tag":"Accuracy/Val","kind":"scalar","step":3,' "$talk/out" || fail "the last point: $(cat "$talk/out")"
[ "$(wc -l < "$talk/out")" = 1 ] || fail "one line was wanted"
runs 0 events runs/toy --tags
grep -qE '^  scalar +3 points +steps 1 to 3  Loss/Train  [0-9.]+$' "$talk/out" || fail "no Loss/Train among the tags"
grep -qE 'session_end_info +ended: success$' "$talk/out" || fail "no end among the tags"
runs 0 events runs/toy --check
grep -qE '^[0-9]+ files, [0-9]+ events: 0 faults$' "$talk/out" || fail "faults in what csweep wrote: $(cat "$talk/out")"

# following: what is there, and what comes
timeout 3 "$program" events "$run" --tag Loss/Val --csv -f > "$talk/followed" &
sleep 1
cp "$file" "$run/events.out.tfevents.9999999999.copy"
wait
[ "$(wc -l < "$talk/followed")" = 7 ] || fail "followed: $(cat "$talk/followed")"
rm "$run/events.out.tfevents.9999999999.copy"

printf 'x' | dd of="$file" bs=1 seek=100 conv=notrunc status=none
runs 1 events "$run" --check
grep -qE ': byte [0-9]+: record at byte [0-9]+: checksum of the (data|length) does not match; the next' "$talk/out" || fail "damage not found"
runs 1 events "$run" --tag Loss/Val --tags
grep -q 'does not match; skipped' "$talk/err" || fail "damage not told"
errors=read
grep -q 'Loss/Val' "$talk/out" || fail "what follows the damage was not read"

runs 4 events nowhere
warns 'csweep: nowhere: cannot open: No such file or directory'
runs 2 events
warns 'csweep events: one path, of a log directory, run or file; see csweep events --help'
runs 2 events . --tail 0
warns 'csweep events: --tail 0: a whole number from 1; see csweep events --help'
runs 2 events . --check --tags
warns 'csweep events: --check goes with --json only; see csweep events --help'
