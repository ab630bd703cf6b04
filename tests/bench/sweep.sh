#!/bin/bash
# sweep.sh CSWEEP [EPOCHS] - a whole sweep, process start to last file: sweeps/optimizers.ini with one seed and EPOCHS (2)
# epochs in csweep, and the same 12 trials with joblib and PyTorch, on two cores each; and how many times faster.
# csweep writes events, checkpoints and a journal besides. The tutorial's DataLoader is so slow that every third
# trial does for one epoch, scaled. Exits 77 where PyTorch, torchvision, joblib or a fast BLAS is missing.
set -eu

csweep=$(realpath "${1:?usage: sweep.sh path/to/csweep [epochs]}")
epochs=${2:-2}
here=$(realpath "$(dirname "$0")")
grid=$(realpath "$here/../../sweeps/optimizers.ini")
fashion=/usr/share/datasets/fashion-mnist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TORCH_DATA=$work/data
mkdir -p data/FashionMNIST/raw
for file in "$fashion"/*.gz; do
    gzip -dc "$file" > "data/FashionMNIST/raw/$(basename "$file" .gz)"
done
plan() {
    "$csweep" plan "$grid" seeds=1 "epochs=$1" --json
}

TIMEFORMAT='%R %U %S'
{ time "$csweep" "$grid" --quiet --jobs 2 --logdir "$work/runs" --checkpoints "$work/store.git" seeds=1 "epochs=$epochs" > ours; } 2> seconds
read -r wall user system < <(tail -n 1 seconds)
echo "csweep $wall s, processor $(awk -v a="$user" -v b="$system" 'BEGIN { print a + b }') s, $(tail -n 1 ours)" | tee -a all
for way in memory foreach; do
    plan "$epochs" | /usr/bin/python3 "$here/torch_sweep.py" $way | tee -a all || exit $?
done
plan 1 | /usr/bin/python3 -c 'import json, sys; p = json.load(sys.stdin); p["trial"] = p["trial"][1::3]; print(json.dumps(p))' > few
/usr/bin/python3 "$here/torch_sweep.py" tutorial < few | tee -a all
awk -v epochs="$epochs" '
    $1 == "csweep" { wall = $2; processor = $5; next }
    {
        scale = $1 == "tutorial" ? 3 * epochs : 1
        printf "%s: %.1f times faster, by processor time %.1f\n", $1, $2 * scale / wall, $5 * scale / processor
    }' all
