#!/bin/sh
# search.sh BENCH [SEEDS [VENV]] - searches of csweep beside Optuna's TPE on functions whose minimum is known: medians of
# the best value's distance from it after 50 and 100 points, and a sign test over the seeds (tpe against optuna).
# BENCH is the program built from tests/bench/bench_search.c; VENV (build/bench) is where Optuna is put from PyPI.
set -eu

bench=${1:?usage: search.sh path/to/bench_search [seeds [venv]]}
seeds=${2:-24}
here=$(dirname "$0")
venv=${3:-$here/../../build/bench}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

if ! "$venv/bin/python" -c 'import optuna' 2>/dev/null; then
    { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet optuna; } || {
        echo "search.sh: no Optuna: PyPI cannot be reached" >&2
        exit 77
    }
fi
"$bench" "$seeds" >"$out"
"$venv/bin/python" "$here/optuna_search.py" "$seeds" >>"$out"
"$venv/bin/python" - "$out" <<'PYTHON'
import math, statistics, sys

rows = [line.split() for line in open(sys.argv[1])]
value = {(r[0], r[1], int(r[2])): (float(r[3]), float(r[4])) for r in rows}
functions = list(dict.fromkeys(r[0] for r in rows))
methods = list(dict.fromkeys(r[1] for r in rows))
seeds = sorted({key[2] for key in value})


def sign_test(wins, losses):
    n, k = wins + losses, min(wins, losses)
    return min(1, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


for after in (0, 1):
    print("median regret after", (50, 100)[after], "points,", len(seeds), "seeds")
    print("  %-10s" % "", *("%-12s" % m for m in methods))
    for f in functions:
        medians = ["%-12.4g" % statistics.median(value[f, m, s][after] for s in seeds) for m in methods]
        print("  %-10s" % f, *medians)
for method in ("tpe", "tpe-batch-8"):
    for after in (0, 1):
        for f in functions:
            pairs = [(value[f, method, s][after], value[f, "optuna", s][after]) for s in seeds]
            wins, losses = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
            print("%s against optuna, %s, %d points: better %d, worse %d, sign test p = %.3f"
                  % (method, f, (50, 100)[after], wins, losses, sign_test(wins, losses)))
PYTHON
