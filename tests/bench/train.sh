#!/bin/bash
# train.sh BENCH [ROUNDS] - the tutorials' nets on Fashion-MNIST, csweep and PyTorch in turn, and how many times faster.
# BENCH is the program built from tests/bench/bench_train.c. csweep: mean step of epochs 2 to 10 (2 to 5 with dropout):
# its steps get quicker as activations turn to zero, PyTorch's do not, so 300 of those do. Medians of 3 rounds.
# Exits 77 where PyTorch or a fast BLAS for it is missing.
set -eu

bench=${1:?usage: train.sh path/to/bench_train [rounds]}
rounds=${2:-3}
here=$(dirname "$0")
out=$(mktemp)
trap 'rm -f "$out" "$out.one"' EXIT
A="flatten > linear 512 > relu > linear 512 > relu > linear 10"
B="flatten > linear 512 > relu > dropout 0.2 > linear 256 > relu > dropout 0.2 > linear 10"
L="conv 6 5 pad 2 > relu > maxpool 2 > conv 16 5 > relu > maxpool 2 > flatten > linear 120 > relu > linear 84 > relu > linear 10"
N="flatten > linear 256 > batchnorm > relu > linear 128 > batchnorm > relu > linear 10"
M="conv 6 5 pad 2 > batchnorm > relu > maxpool 2 > conv 16 5 > batchnorm > relu > maxpool 2 > flatten > linear 120 > relu > linear 10"

# run NAME OPTIMIZER LR EPOCHS LAYERS
run() {
    "$bench" dataset=fashion-mnist batch_size=64 "layers=$5" "optimizer=$2" "lr=$3" "epochs=$4" >"$out.one"
    awk -v name="$1" '$1 == "epoch" && $2 + 0 > 1 { sum += $4; n++ } END { print name, "csweep", sum / n }' "$out.one" >>"$out"
    /usr/bin/python3 "$here/torch_train.py" "$2" "$3" "$5" >"$out.one" || exit $?
    awk -v name="$1" '{ print name, "torch", $4 }' "$out.one" >>"$out"
    tail -n 2 "$out"
}

for ((round = 1; round <= rounds; round++)); do
    run A-sgd sgd 0.1 10 "$A"
    run A-adam adam 0.001 10 "$A"
    run B-adam adam 0.001 5 "$B"
    run LeNet-sgd sgd 0.1 5 "$L"
    run Norm-adam adam 0.001 5 "$N"
    run NormConv-adam adam 0.001 5 "$M"
    run LeNet-adam adam 0.001 5 "$L"
done
sort -k1,2 -k3n "$out" | awk '
    { value[$1 " " $2, ++count[$1 " " $2]] = $3; names[$1] }
    END {
        for (name in names) {
            ours = value[name " csweep", int((count[name " csweep"] + 1) / 2)]
            theirs = value[name " torch", int((count[name " torch"] + 1) / 2)]
            printf "%-10s csweep %7.0f us, torch %7.0f us: %.1f times faster\n", name, ours, theirs, theirs / ours
        }
    }' | sort
