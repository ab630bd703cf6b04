#!/bin/bash
# tbwriter/ beside torch's SummaryWriter and TensorBoard's two readers, in one run, on an idle machine.
#
#   bash tests/bench/tbw.sh BENCH_TBW [VENV_PYTHON]      (build/test/tests/bench_tbw, build/venv/bin/python)
#
# Ours: medians of nine rounds. Theirs: 20,000 scalars written by the writer that torch's SummaryWriter is, of the
# installed tensorboard; the Python reader on that file; the data server's own time for a load of our million scalars.
set -eu
bench=${1:?see the head of this file}
python=${2:-build/venv/bin/python}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
here=$(dirname "$0")
"$bench" "$folder"
exec "$python" "$here/tbw_peers.py" "$folder" "$bench"
