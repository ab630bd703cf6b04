#!/usr/bin/env python3
"""load.py - a log directory as a large sweep leaves it, 300 runs of 1,000 epochs, in front of both readers of real TensorBoard.

Every run is there, with every step of its loss once (a sample of a reader's is all of them: --samples_per_plugin), HParams has
all sessions, and the log holds no complaint. How long loading took is printed.

# limit: 900
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lib"))
import harness

harness.run_under("VENV_PYTHON", sys.executable, "tensorboard")

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import artifacts
import tbw_tensorboard

RUNS, EPOCHS = 300, 1000


def train(folder):
    grid = harness.write_grid(
        os.path.join(folder, "load.ini"), sweep={"metric": "min Loss/Val"},
        data={"dataset": "random 16x2 sum>0", "batch_size": 16}, model={"layers": "linear 2"},
        train={"epochs": EPOCHS, "checkpoint_every": EPOCHS, "histograms": 1, "media": "no"},
        optimizer={"optimizer": "sgd", "lr": f"lin(0.001, 0.1, {RUNS})"},
    )
    sweep = harness.Sweep(folder, grid)
    harness.must_run(sweep, "--quiet", "--jobs", "2")
    return sweep


def check(checks, sweep, records, fast):
    label = "data server" if fast else "Python reader"
    tbw_tensorboard.START_SECONDS = tbw_tensorboard.LOAD_SECONDS = tbw_tensorboard.FETCH_SECONDS = 600
    begin = time.monotonic()
    server = tbw_tensorboard.Server(sweep.dir, fast, "--samples_per_plugin", "scalars=1000000")
    with server:
        tags = server.fetch("plugin/scalars/tags")
        print(f"{label}: loaded after {time.monotonic() - begin:.1f} s")
        runs = {run for run in tags if not run.startswith("_sweep")}
        checks.equal(f"{label}: runs", runs, set(records))
        for number, (name, record) in enumerate(sorted(records.items())):
            if number % 10:
                continue
            points = server.fetch("plugin/scalars/scalars", run=name, tag="Loss/Val")
            checks.equal(f"{label}: steps of {name}", [p[1] for p in points], list(range(1, EPOCHS + 1)))
            rows = artifacts.curve(sweep.store, f"refs/tags/load/{record['number']:04d}/last")
            checks.near(f"{label}: last value of {name}", points[-1][2], float(rows[-1]["Loss/Val"]), 1e-6)
        groups = server.fetch("plugin/hparams/session_groups", {
            "allowedStatuses": ["STATUS_SUCCESS"], "colParams": [], "startIndex": 0, "sliceSize": 2 * RUNS})
        checks.equal(f"{label}: rows of HParams", len(groups["sessionGroups"]), RUNS)
        alarm = tbw_tensorboard.ALARM.search(server.text())
        checks.true(f"{label}: no complaint", not alarm, alarm and alarm.group(0))


def main():
    checks = harness.Checks()
    sweep = train(harness.scratch())
    records = artifacts.trials(sweep.dir)
    checks.equal("trials", len(records), RUNS)
    for fast in (True, False):
        check(checks, sweep, records, fast)
    checks.finish()


if __name__ == "__main__":
    main()
