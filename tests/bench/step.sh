#!/bin/sh
# step.sh BENCH - one training step in csweep and in PyTorch, three rounds in turn, and how many times faster.
# BENCH is the program built from tests/bench/bench_kernels.c. Exits 77 where PyTorch or a fast BLAS for it is missing.
set -eu

bench=${1:?usage: step.sh path/to/bench_kernels}
here=$(dirname "$0")
out=$(mktemp)
trap 'rm -f "$out" "$out.torch"' EXIT

for round in 1 2 3; do
    echo "round $round"
    "$bench" step | tee -a "$out"
    /usr/bin/python3 "$here/torch_step.py" >"$out.torch" || exit $?
    cat "$out.torch"
    { echo torch; cat "$out.torch"; echo csweep; } >>"$out"
done

# Lines after "torch" are PyTorch's: the best p5 and the best median of the rounds.
awk '
    $1 == "torch" { who = "torch" }
    $1 == "csweep" { who = "csweep" }
    $1 == "step" && $3 == "p5" {
        side = who == "torch" ? "torch" : "csweep"
        keep(side " " $2 " p5", $4)
        keep(side " " $2 " median", $6)
    }
    END {
        for (i = split("sgd adam", optim, " "); i > 0; i--)
            printf "%-4s csweep %.0f us, torch %.0f us: %.2f times faster (p5); %.2f (median)\n", optim[i],
                best["csweep " optim[i] " p5"], best["torch " optim[i] " p5"],
                best["torch " optim[i] " p5"] / best["csweep " optim[i] " p5"],
                best["torch " optim[i] " median"] / best["csweep " optim[i] " median"]
    }
    function keep(key, value) {
        if (!(key in best) || value + 0 < best[key])
            best[key] = value + 0
    }
' "$out"
