#!/bin/sh
# A run from start to end: its JSON lines, its table; run again it does nothing and says so.
. "$SOURCE/tests/lib/cli.sh"
toy_grid

runs 0 toy.ini --json --jobs 2
"$SYSTEM_PYTHON" - "$talk/out" << 'END' || fail "--json"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines[0].pop("backend") in ("avx512", "avx2", "generic"), lines[0]
assert lines[0] == {"event": "plan", "sweep": "toy", "points": 4, "trials": 4, "done": 0}, lines[0]
assert lines[-1]["event"] == "sweep" and [row["choice"] for row in lines[-1]["rows"]] == ["optimizer=sgd", "optimizer=adam"]
for number in range(1, 5):
    own = [line for line in lines if line.get("number") == number and line["event"] != "progress"]
    assert [line["event"] for line in own] == ["start"] + 5 * ["epoch"] + ["end"], own
    assert [line["epoch"] for line in own] == [0, 1, 2, 3, 4, 5, 5], own
    assert own[-1]["state"] == "done" and own[-1]["last"] == own[-2]["metrics"], own
    best = max((line["metrics"]["Accuracy/Val"], -line["epoch"]) for line in own[1:6])
    assert own[-1]["best"]["Accuracy/Val"] == {"value": best[0], "epoch": -best[1]}, own
assert {line["event"] for line in lines} <= {"plan", "start", "progress", "epoch", "end", "sweep"}
END
ls > "$talk/made"
same "$talk/made" "what it made" << 'END'
checkpoints.git
runs
toy.ini
END

# again: nothing is trained, no trial's file is touched
find runs/toy -path '*,*' -type f -printf '%P %s %T@\n' | sort > "$talk/trials"
git -C checkpoints.git show-ref > "$talk/refs"
runs 0 toy.ini
sed -n '1,2p' "$talk/out" > "$talk/head"
same "$talk/head" "the first lines" << 'END'
toy: 4 points x 1 seed = 4 trials, 4 done before, 1 slot; TensorBoard: tensorboard --logdir runs/toy
nothing to do: every trial is done
END
tail -n 1 "$talk/out" > "$talk/tail"
same "$talk/tail" "the last line" << 'END'
4 done of 4 trials
END
grep -Eq '^optimizer=sgd +0\.1 +0\.[0-9]{4} +0\.[0-9]{4} +1$' "$talk/out" || grep -Eq '^optimizer=sgd +0\.1 ' "$talk/out" ||
    fail "the table has no row for sgd"
find runs/toy -path '*,*' -type f -printf '%P %s %T@\n' | sort | diff - "$talk/trials" || fail "a trial's file was touched"
git -C checkpoints.git show-ref | diff - "$talk/refs" || fail "a tag was moved"
runs 0 toy.ini --quiet
says < /dev/null
runs 0 plan toy.ini
tail -n 1 "$talk/out" > "$talk/tail"
same "$talk/tail" "what is left to do" "every trial is done"
runs 0 plan toy.ini lr=0.01,0.1,0.3
tail -n 1 "$talk/out" | grep -q '^4 of 6 trials are done; the others: about .* (from finished trials), ' ||
    fail "what is left to do: $(tail -n 1 "$talk/out")"

# a wider grid trains only what is new
runs 0 toy.ini --json lr=0.01,0.1,0.3
grep '"event":"start"' "$talk/out" | sed 's/.*"name":"\([^"]*\)".*/\1/; s/^[0-9]*,//' | sort > "$talk/new"
same "$talk/new" "the new trials" << 'END'
optimizer=adam,lr=0.3
optimizer=sgd,lr=0.3
END

# other order of keys, sections and values, spelled otherwise, with more of them: the old ones stay as they are
runs 0 ls toy --json
"$SYSTEM_PYTHON" -c 'import json, sys
for t in json.load(sys.stdin)["trials"]: print(t["id"], t["number"], t["name"], t["attempts"])' < "$talk/out" | sort > "$talk/known"
cat > toy.ini << 'END'
; turned round
[optimizer]
lr = .300, 1e-1, 0.010
optimizer = adam, sgd
[train]
epochs = 5
[model]
layers = linear 64>relu>linear 32 > relu > linear 2
[data]
batch_size = 32
dataset = random 1000x20 sum>0
[sweep]
seeds = 2
name = toy
END
runs 0 toy.ini --json
grep '"event":"plan"' "$talk/out" | grep -q '"trials":12,"done":6,' || fail "12 trials, 6 of them done"
grep '"event":"start"' "$talk/out" | sed 's/.*"name":"\([^"]*\)".*/\1/' | sort > "$talk/new"
same "$talk/new" "the new trials" << 'END'
0007,lr=0.3,optimizer=adam,seed=1
0008,lr=0.3,optimizer=sgd,seed=1
0009,lr=0.1,optimizer=adam,seed=1
0010,lr=0.1,optimizer=sgd,seed=1
0011,lr=0.01,optimizer=adam,seed=1
0012,lr=0.01,optimizer=sgd,seed=1
END
runs 0 ls toy --json
"$SYSTEM_PYTHON" -c 'import json, sys
for t in json.load(sys.stdin)["trials"]: print(t["id"], t["number"], t["name"], t["attempts"])' < "$talk/out" | sort > "$talk/all"
[ "$(comm -12 "$talk/known" "$talk/all" | wc -l)" = 6 ] || fail "the old trials are others now"

# other data is another set of points: one line says what became of the old ones
runs 0 toy.ini batch_size=16 seeds=1 lr=0.1
grep -Fxq 'batch_size = 16, was 32: a new set of points; 12 finished trials of the old one stay' "$talk/out" ||
    fail "nothing about the old trials: $(head -n 3 "$talk/out")"
runs 0 toy.ini seeds=1 --json
grep '"event":"plan"' "$talk/out" | grep -q '"done":6,.*"outside":8' || fail "6 done, 8 others"

# a batch file of the same trials finds them done; one more line is one more trial
runs 0 plan toy.ini seeds=1 --csv
cp "$talk/out" trials.csv
runs 0 trials.csv --quiet
sed -n 3p trials.csv | sed 's/,[0-9a-f]\{40\},0,/,,7,/' >> trials.csv
runs 0 trials.csv --json
grep -c '"event":"start"' "$talk/out" > "$talk/starts"
same "$talk/starts" "trials started" 1
grep -q '"event":"plan".*"trials":7,"done":6' "$talk/out" || fail "7 trials, 6 of them done"
rm trials.csv

# and the other commands know them
runs 0 ls
runs 0 ls toy --json
"$SYSTEM_PYTHON" -m json.tool "$talk/out" > "$talk/pretty" || fail "ls --json"
runs 0 show toy/1
runs 0 verify
runs 2 ls nope
warns 'csweep: nope: no such sweep; runs has toy'
