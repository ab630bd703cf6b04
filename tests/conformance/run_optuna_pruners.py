#!/usr/bin/env python3
"""run_optuna_pruners.py - the pruners beside Optuna's: hundreds of sets of random curves, the same trials pruned at the
same epochs.

Trials run one after the other. Of median and percentile Optuna compares with complete trials only, so a trial that was
pruned is told to it as complete with the epochs it had; its halving pruners keep their rungs whatever a trial's end.
"""

import math
import os
import random
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("VENV_PYTHON", None, "optuna")
import optuna
from optuna import pruners

TRIALS, EPOCHS, ROUNDS = 24, 13, 40


def curves(rng):
    """Noisy ones that rise or fall, with ties, and some values that are none."""
    digits, holes = rng.choice([1, 2, 9]), rng.choice([0, 0, 0.1])
    out = []
    for _ in range(TRIALS):
        end, rate = rng.random(), rng.random()
        out.append([math.nan if rng.random() < holes else round(end * (1 - math.exp(-rate * e)) + 0.1 * rng.random(), digits)
                    for e in range(EPOCHS)])
    return out


def interval(rng):
    return {"n_warmup_steps": rng.randrange(4), "interval_steps": rng.randrange(1, 4)}


def startup(rng):
    return {"n_startup_trials": rng.randrange(8), "n_min_trials": rng.randrange(1, 5), **interval(rng)}


def halving(rng):
    return {"reduction_factor": rng.randrange(2, 5), "bootstrap_count": rng.choice([0, 0, 1, 3]),
            "min_resource": rng.randrange(1, 4)}


def median(rng):
    keys = startup(rng)
    return pruners.MedianPruner(**keys), {"prune": "median", **keys}


def percentile(rng):
    keys = {"percentile": rng.choice([0, 10, 25.0, 33.3, 75, 100]), **startup(rng)}
    return pruners.PercentilePruner(**keys), {"prune": "percentile", **keys}


def asha(rng):
    keys = {"min_early_stopping_rate": rng.randrange(2), **halving(rng)}
    return pruners.SuccessiveHalvingPruner(**keys), {"prune": "asha", **keys}


def hyperband(rng):
    keys = {"max_resource": rng.choice([EPOCHS, 20, 11]), **halving(rng)}
    return pruners.HyperbandPruner(**keys), {"prune": "hyperband", **keys}


def threshold(rng):
    keys = {"lower": 0.1, "upper": 0.9, **interval(rng)}
    keys.pop(rng.choice(["lower", "upper", "none"]), None)
    return pruners.ThresholdPruner(**keys), {"prune": "threshold", **keys}


def patient(rng):
    inner, keys = rng.choice([median, percentile, threshold, None] if rng.random() < 0.8 else [None]), {}
    wrapped = None
    if inner:
        wrapped, keys = inner(rng)
        keys["wrapped_pruner"] = keys.pop("prune")
    patience, delta = rng.randrange(4), rng.choice([0, 0.05])
    return pruners.PatientPruner(wrapped, patience, delta), {
        "prune": "patient", "prune_patience": patience, "prune_min_delta": delta, **keys}


def by_optuna(pruner, values, maximize):
    study = optuna.create_study(study_name="x", pruner=pruner, direction="maximize" if maximize else "minimize",
                                sampler=optuna.samplers.RandomSampler(seed=0))
    out = []
    for curve in values:
        trial, pruned = study.ask(), 0
        for epoch, value in enumerate(curve, 1):
            trial.report(value, epoch)
            if trial.should_prune() and epoch < EPOCHS:
                pruned = epoch
                break
        study.tell(trial, 0.0)
        out.append(pruned)
    return out


def by_csweep(keys, values, maximize):
    sample = os.path.join(os.environ["BUILD"], "tests", "prune_sample")
    done = subprocess.run(
        [sample, "x", "max" if maximize else "min", str(TRIALS), str(EPOCHS), "0", *(f"{k}={v}" for k, v in keys.items())],
        input=" ".join(repr(v) for curve in values for v in curve), capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def main():
    checks = harness.Checks()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    kinds = (median, percentile, asha, hyperband, threshold, patient)
    checks.equal("pruners", harness.registry("pruner"), [kind.__name__ for kind in kinds])
    for kind in kinds:
        rng, pruned = random.Random(kind.__name__), 0
        for count in range(ROUNDS):
            values, maximize = curves(rng), rng.random() < 0.5
            pruner, keys = kind(rng)
            expected = by_optuna(pruner, values, maximize)
            pruned += sum(epoch > 0 for epoch in expected)
            checks.equal(f"{kind.__name__} {count} {'max' if maximize else 'min'} {keys}",
                         by_csweep(keys, values, maximize), expected)
        checks.true(f"{kind.__name__}: some are pruned and some are not", 0 < pruned < ROUNDS * TRIALS, str(pruned))
    checks.finish()


if __name__ == "__main__":
    main()
