#!/usr/bin/env python3
"""accuracy.py - two epochs on the whole of Fashion-MNIST learn what PyTorch learns in two epochs.

The tutorial's net (784-512-512-10), batch 64, inputs in [0, 1]. PyTorch 1.13 (Debian 12), seeds 0 to 3, its own
initial values and orders, after two epochs:

    SGD 1e-3    Loss/Train 2.0440 2.0228 2.0355 2.0497   Loss/Val 1.8990 1.8683 1.8854 1.9073
                Accuracy/Val 0.5997 0.5538 0.5954 0.5844
    Adam 1e-3   Loss/Train 0.3592 0.3558 0.3589 0.3589   Loss/Val 0.3739 0.3960 0.3985 0.3788
                Accuracy/Val 0.8618 0.8549 0.8558 0.8644

The bounds are those ranges, widened by about their own width: our seeds are other seeds. (The same seeds and orders,
to rounding, are the business of conformance/run_torch_training.py.)
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

BOUNDS = {
    "sgd": {"Loss/Train": (2.00, 2.08), "Loss/Val": (1.83, 1.95), "Accuracy/Val": (0.51, 0.64)},
    "adam": {"Loss/Train": (0.352, 0.364), "Loss/Val": (0.355, 0.42), "Accuracy/Val": (0.845, 0.873)},
}


def main():
    checks, folder = harness.Checks(), harness.scratch()
    if not os.path.isdir("/usr/share/datasets/fashion-mnist"):
        harness.skip("no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
    grid = harness.write_grid(
        os.path.join(folder, "accuracy.ini"), sweep={"seed": 0}, data={"dataset": "fashion-mnist"},
        model={"layers": "flatten > linear 512 > relu > linear 512 > relu > linear 10"}, train={"epochs": 2},
        optimizer={"optimizer": ", ".join(BOUNDS), "lr": "0.001"},
    )
    sweep = harness.Sweep(folder, grid)
    harness.must_run(sweep, "--quiet")
    records = artifacts.trials(sweep.dir)
    checks.equal("trials", len(records), len(BOUNDS))
    for name, record in records.items():
        row = artifacts.curve(sweep.store, f"refs/tags/accuracy/{record['number']:04d}/last")[-1]
        optimizer = next(p["value"] for p in record["params"] if p["key"] == "optimizer")
        print(name, *(f"{tag} {row[tag]:.4f}" for tag in BOUNDS[optimizer]), flush=True)
        for tag, (low, high) in BOUNDS[optimizer].items():
            checks.true(f"{name}: {tag} after two epochs", low <= row[tag] <= high, f"{row[tag]}, expected {low} to {high}")
    checks.finish()


if __name__ == "__main__":
    main()
