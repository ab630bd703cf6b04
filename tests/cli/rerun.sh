#!/bin/sh
# Trials that are queued again: what is said, what goes on and what begins anew, and that nothing else is touched.
. "$SOURCE/tests/lib/cli.sh"
cat > toy.ini << 'END2'
[sweep]
name = toy

[data]
dataset = random 1000x20 sum>0
batch_size = 32

[model]
layers = linear 64 > relu > linear 2

[train]
epochs = 3
checkpoint_every = 1

[optimizer]
lr = 0.1, 1e30

[scheduler]
scheduler = none, lambda

[when scheduler=lambda]
lr_lambda = 1/(2-epoch)
END2
note

runs 2 rerun
warns 'csweep rerun: which sweep?; see csweep rerun --help'
runs 2 rerun toy --all
warns 'csweep rerun: --all: unknown option or missing value; see csweep rerun --help'
runs 2 rerun toy 1
warns 'csweep: runs: no such log directory'
unchanged

runs 1 toy.ini --json
errors=read
git -C checkpoints.git show-ref -s toy/0001/last > "$talk/first"
tree=$(git -C checkpoints.git rev-parse 'toy/0001/last^{tree}:model.safetensors' 'toy/0001/best^{tree}:model.safetensors')

# refused as a whole: the journal stays as it is
note
runs 2 rerun toy
warns 'csweep rerun: which trials? give them, or --failed, --interrupted, --pruned, --slow or --diverged; see csweep rerun --help'
runs 2 rerun toy 2 9
warns 'csweep: 9: no such trial; give its number or the start of its name'
runs 2 rerun toy 2 1
warns 'csweep: 0001,lr=0.1,scheduler=none is done: there is nothing to go on to; --anew trains it from epoch 0'
runs 2 rerun toy --failed --diverged
warns 'csweep: 0003,lr=1e30,scheduler=none is diverged: there is nothing to go on to; --anew trains it from epoch 0'
runs 0 rerun toy --interrupted --pruned
says 'toy: no such trials'
unchanged

# a failed trial goes on where it failed, again
runs 0 rerun toy --failed
says << 'END2'
0002,lr=0.1,scheduler=lambda: failed, now queued
1 trial queued; csweep toy.ini trains it
END2
runs 0 ls toy --json --where 'state = queued'
grep -q '"number": *2' "$talk/out" || fail "trial 2 is not queued"
runs 1 toy.ini --json
errors=read
grep '"event":"start"' "$talk/out" | grep -o '"number":[0-9]*,"epoch":[0-9]*' > "$talk/started"
same "$talk/started" "where it went on" '"number":2,"epoch":1'

# anew: done and diverged ones from epoch 0, to the same weights
runs 0 rerun toy 1 --diverged --anew
says << 'END2'
0001,lr=0.1,scheduler=none: done, now queued from epoch 0
0003,lr=1e30,scheduler=none: diverged, now queued from epoch 0
0004,lr=1e30,scheduler=lambda: diverged, now queued from epoch 0
3 trials queued; csweep toy.ini trains them
END2
runs 1 toy.ini --json
errors=read
grep '"event":"start"' "$talk/out" | grep -o '"number":[0-9]*,"epoch":[0-9]*' | sort > "$talk/started"
same "$talk/started" "where they began" << 'END2'
"number":1,"epoch":0
"number":2,"epoch":1
"number":3,"epoch":0
"number":4,"epoch":0
END2
git -C checkpoints.git show-ref -s toy/0001/last | diff - "$talk/first" > /dev/null && fail "trial 1 was not trained again"
[ "$tree" = "$(git -C checkpoints.git rev-parse 'toy/0001/last^{tree}:model.safetensors' 'toy/0001/best^{tree}:model.safetensors')" ] ||
    fail "trial 1 has other weights than before"
runs 0 verify toy

# begun anew and left: it goes on, and does not begin once more
runs 0 rerun toy 1 --anew
"$SYSTEM_PYTHON" - "$program" << 'END2' || fail "begun anew, then killed"
import json, subprocess, sys, time
command = [sys.argv[1], "toy.ini", "--json", "--jobs", "1", "--fuse", "off", "epochs=3"]
run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
for line in run.stdout:
    event = json.loads(line)
    if event["event"] == "epoch" and event["number"] == 1 and event["epoch"] == 2:
        run.kill()
        break
run.wait()
time.sleep(0.2)
done = subprocess.run(command, capture_output=True, text=True, check=False)
starts = [e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "start" and e["number"] == 1]
assert all(e["epoch"] > 0 for e in starts), starts
END2
runs 0 verify toy

# not while another process works on it
"$SYSTEM_PYTHON" - << 'END2' &
import fcntl, struct, time
file = open("runs/toy/journal.jsonl", "ab")
fcntl.fcntl(file, 37, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
open("held", "w").close()
time.sleep(60)
END2
holder=$!
while [ ! -e held ]; do sleep 0.05; done
runs 4 rerun toy 1 --anew
warns 'csweep: runs/toy/journal.jsonl: another csweep works on this sweep'
kill $holder
