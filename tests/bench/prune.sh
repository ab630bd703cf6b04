#!/bin/bash
# prune.sh CSWEEP [FOLDER]: what the pruners save and what they miss, on 100 recorded curves.
#
# 100 small trials (two optimizers, ten rates, five seeds) are trained to their end once. Then every pruner, with its
# defaults, runs over these curves by trial number: epochs spent of those there are, trials pruned, regret (the best
# value of all curves less the best that was seen). Beside it Optuna's pruner on the same curves in the same order, one
# trial after the other, its pruned trials told as pruned; where there is a Python with optuna: VENV_PYTHON.
set -eu
csweep=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${2:-$(mktemp -d)}
python=${VENV_PYTHON:-$(dirname "$(dirname "$csweep")")/venv/bin/python}
[ -x "$python" ] || python=python3
mkdir -p "$folder"
cd "$folder"
cat > curves.ini << 'END'
[sweep]
metric = min Loss/Val
seeds = 5
[data]
dataset = random 2000x20 sum>0
batch_size = 32
[model]
layers = linear 24 > relu > linear 2
[train]
epochs = 27
[optimizer]
optimizer = sgd, adam
lr = log(1e-4, 1, 10)
END
"$csweep" curves.ini --quiet --logdir runs --checkpoints curves.git
for number in $(seq -f %04g 100); do
    git -C curves.git show "curves/$number/last:curve.csv"
done > curves.csv
"$python" "$here/prune.py" "$(dirname "$csweep")/tests/prune_sample" curves.csv
