#!/bin/bash
# start.sh PROGRAM [ROUNDS] - milliseconds from a worker's exec to its first step, the first of a sweep, which reads
# the data for all, and another; and the memory of a worker, net A, SGD and Adam, one trial and 16 fused.
# Exits 77 without Fashion-MNIST.
set -eu

program=${1:?usage: start.sh path/to/csweep [rounds]}
[ -d /usr/share/datasets/fashion-mnist ] || { echo "no Fashion-MNIST here (Debian's package dataset-fashion-mnist)"; exit 77; }
exec python3 "$(dirname "$0")/start.py" "$program" "${2:-5}"
