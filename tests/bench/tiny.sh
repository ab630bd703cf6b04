#!/bin/sh
# tiny.sh BENCH [VENV] - training steps of a small net, 64 trials at once in csweep, one in PyTorch, 64 in JAX: three
# rounds in turn, and how many times faster a trial's step is.
# BENCH is the program built from tests/bench/bench_tiny.c; VENV (build/bench) is where JAX is put from PyPI; without it
# that column is left out. Exits 77 where PyTorch or a fast BLAS for it is missing.
set -eu

bench=${1:?usage: tiny.sh path/to/bench_tiny [venv]}
here=$(dirname "$0")
venv=${2:-$here/../../build/bench}
out=$(mktemp)
trap 'rm -f "$out" "$out.one"' EXIT

if ! "$venv/bin/python" -c 'import jax' 2>/dev/null; then
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'jax[cpu]'; } ||
        echo "tiny.sh: no JAX: PyPI cannot be reached, or has no jax for this machine" >&2
fi

run() {
    side=$1
    shift
    "$@" >"$out.one" || return $?
    cat "$out.one"
    sed "s/^/$side /" "$out.one" >>"$out"
}

for round in 1 2 3; do
    echo "round $round"
    run csweep "$bench"
    run torch /usr/bin/python3 "$here/torch_step.py" tiny || exit $?
    run jax "$venv/bin/python" "$here/jax_tiny.py" || true
done

# The best p5 and the best median of the rounds; of csweep, with 64 trials.
awk '
    $2 == "tiny" && ($1 != "csweep" || $4 == 64) {
        for (i = 4; i < NF; i++)
            if ($i == "p5" || $i == "median")
                keep($1 " " $3 " " $i, $(i + 1))
    }
    END {
        for (i = 1; i <= split("sgd adam", optim, " "); i++)
            for (j = 1; j <= split("torch jax", side, " "); j++)
                if ((side[j] " " optim[i] " p5") in best)
                    printf "%-4s csweep %.2f us, %-5s %.2f us: %.1f times faster (p5); %.1f (median)\n",
                        optim[i], best["csweep " optim[i] " p5"], side[j], best[side[j] " " optim[i] " p5"],
                        best[side[j] " " optim[i] " p5"] / best["csweep " optim[i] " p5"],
                        best[side[j] " " optim[i] " median"] / best["csweep " optim[i] " median"]
    }
    function keep(key, value) {
        if (!(key in best) || value + 0 < best[key])
            best[key] = value + 0
    }
' "$out"
