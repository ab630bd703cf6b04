"""prune.py SAMPLE CURVES: the table of prune.sh. SAMPLE: the program prune_sample; CURVES: curve.csv of all trials."""

import csv
import subprocess
import sys
import warnings

try:
    import optuna
    from optuna import pruners
except ImportError:
    optuna = None

TAG = "Loss/Val"
KINDS = [
    ("median", {}, lambda: pruners.MedianPruner()),
    ("median", {"n_warmup_steps": 5}, lambda: pruners.MedianPruner(n_warmup_steps=5)),
    ("percentile", {"percentile": 25}, lambda: pruners.PercentilePruner(25)),
    ("asha", {}, lambda: pruners.SuccessiveHalvingPruner(min_resource=1)),
    ("hyperband", {}, lambda: pruners.HyperbandPruner(max_resource=27)),
    ("threshold", {"upper": 0.3, "n_warmup_steps": 5}, lambda: pruners.ThresholdPruner(upper=0.3, n_warmup_steps=5)),
    ("patient", {"prune_patience": 2, "wrapped_pruner": "median"},
     lambda: pruners.PatientPruner(pruners.MedianPruner(), 2)),
]


def read(path):
    curves = []
    with open(path, encoding="utf-8") as file:
        header = next(csv.reader(file))
        for row in csv.reader(file):
            if row == header:
                continue
            if row[0] == "1":
                curves.append([])
            curves[-1].append(float(row[header.index(TAG)]))
    return curves


def by_csweep(sample, name, keys, curves):
    words = [f"{key}={value}" for key, value in {"prune": name, **keys}.items()]
    done = subprocess.run([sample, "curves", "min", str(len(curves)), str(len(curves[0])), "0", *words],
                          input=" ".join(repr(v) for curve in curves for v in curve), capture_output=True, text=True,
                          check=True)
    return [int(word) for word in done.stdout.split()]


def by_optuna(pruner, curves):
    study, out = optuna.create_study(study_name="curves", pruner=pruner), []
    for curve in curves:
        trial, pruned = study.ask(), 0
        for epoch, value in enumerate(curve, 1):
            trial.report(value, epoch)
            if trial.should_prune() and epoch < len(curve):
                pruned = epoch
                break
        study.tell(trial, None if pruned else curve[-1], state=optuna.trial.TrialState.PRUNED if pruned else None)
        out.append(pruned)
    return out


def row(curves, pruned):
    spent = sum(epoch or len(curve) for epoch, curve in zip(pruned, curves))
    seen = min(min(curve[: epoch or len(curve)]) for epoch, curve in zip(pruned, curves))
    regret = seen - min(map(min, curves))
    return f"{100 * spent / sum(map(len, curves)):5.1f} % {sum(e > 0 for e in pruned):6} {regret:9.5f}"


def main():
    sample, curves = sys.argv[1], read(sys.argv[2])
    if optuna:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
    print(f"{len(curves)} trials of {len(curves[0])} epochs, best {TAG} {min(map(min, curves)):.5f}\n")
    print(f"{'pruner':44}   epochs pruned    regret   Optuna: epochs pruned    regret")
    for name, keys, make in KINDS:
        mine = row(curves, by_csweep(sample, name, keys, curves))
        theirs = row(curves, by_optuna(make(), curves)) if optuna else "-"
        print(f"{' '.join([name, *(f'{k}={v}' for k, v in keys.items())]):44}  {mine}           {theirs}")


if __name__ == "__main__":
    main()
