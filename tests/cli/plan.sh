#!/bin/sh
# plan: table, JSON and CSV of the same trials; nothing made.
. "$SOURCE/tests/lib/cli.sh"
toy_grid

runs 0 plan toy.ini --no-estimate
cp "$talk/out" "$talk/plan"
says << 'END'
 trial  optimizer  lr
     1  sgd        0.01
     2  sgd        0.1
     3  adam       0.01
     4  adam       0.1

toy: 4 points x 1 seed = 4 trials; max Accuracy/Val
END
runs 0 toy.ini --dry-run
sed '$d' "$talk/out" > "$talk/most"
same "$talk/most" "all but the estimate" < "$talk/plan"
about='about (a second|[0-9]+ (s|min)) on [0-9]+ slots? \(from a few steps on random data\), about [0-9.]+ [kM]B of checkpoints and event files'
tail -n 1 "$talk/out" | grep -Exq "$about" || fail "the estimate is: $(tail -n 1 "$talk/out")"
runs 2 plan toy.ini --jobs 0
warns 'csweep plan: --jobs 0: expected N, N% or -N; see csweep plan --help'

runs 0 plan toy.ini optimizer=sgd seeds=2 --csv
sed 's/,[0-9a-f]\{40\},/,ID,/' "$talk/out" > "$talk/csv"
same "$talk/csv" "its lines" << 'END'
# sweep: name = toy
number,name,id,seed,dataset,batch_size,layers,epochs,optimizer,lr
1,"0001,lr=0.01,seed=0",ID,0,random 1000x20 sum>0,32,linear 64 > relu > linear 32 > relu > linear 2,5,sgd,0.01
2,"0002,lr=0.01,seed=1",ID,1,random 1000x20 sum>0,32,linear 64 > relu > linear 32 > relu > linear 2,5,sgd,0.01
3,"0003,lr=0.1,seed=0",ID,0,random 1000x20 sum>0,32,linear 64 > relu > linear 32 > relu > linear 2,5,sgd,0.1
4,"0004,lr=0.1,seed=1",ID,1,random 1000x20 sum>0,32,linear 64 > relu > linear 32 > relu > linear 2,5,sgd,0.1
END

# they read back as the same plan
cp "$talk/out" "$talk/trials.csv"
runs 0 plan "$talk/trials.csv" --csv
says < "$talk/trials.csv"
runs 2 plan "$talk/trials.csv" --explain lr
warns 'csweep plan: --explain is about grids; in a batch file every line says its values; see csweep plan --help'
unchanged

runs 0 plan toy.ini seeds=2 --json
"$SYSTEM_PYTHON" - "$talk/out" << 'END' || fail "plan --json"
import json, sys
plan = json.load(open(sys.argv[1]))
assert (plan["sweep"], plan["points"], plan["trials"]) == ("toy", 4, 8), plan
assert plan["axes"] == [{"key": "optimizer", "values": ["sgd", "adam"]}, {"key": "lr", "values": [0.01, 0.1]}], plan["axes"]
trials, estimate = plan["trial"], plan["estimate"]
assert set(estimate) == {"seconds", "bytes", "basis", "trials", "slots"} and estimate["basis"] == "measured", estimate
assert estimate["seconds"] > 0 and 1e5 < estimate["bytes"] < 1e7 and estimate["trials"] == 8, estimate
assert [t["number"] for t in trials] == list(range(1, 9))
assert [t["seed"] for t in trials] == [0, 1] * 4
assert len({t["id"] for t in trials}) == 8 and all(len(t["id"]) == 40 for t in trials)
assert trials[7]["params"] == {"dataset": "random 1000x20 sum>0", "batch_size": 32, "layers":
    "linear 64 > relu > linear 32 > relu > linear 2", "epochs": 5, "optimizer": "adam", "lr": 0.1}, trials[7]
END
unchanged

# the grids that csweep ships
for grid in "$SOURCE"/sweeps/*.ini; do
    runs 0 plan "$grid"
done
unchanged
