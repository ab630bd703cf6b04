#!/usr/bin/env python3
"""endings.py - trials that end before their last epoch: early stopping by its rule, divergence at the step.

The rule is applied here to the curve of the same trial run to its end: the stopped trial must be the first epochs
of that one, bit for bit, must end where the rule says, and with restore_best have the best epoch's weights in `last`.
Interrupted and resumed in between, it must be the same trial.
"""

import math
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

EPOCHS, PATIENCE, MIN_DELTA = 40, 3, 0.002
BASE = {
    "data": {"dataset": "random 1200x20 sum>0", "batch_size": 16},
    "model": {"layers": "linear 32 > relu > linear 2"}, "optimizer": {"optimizer": "adam", "lr": 0.01},
}


def sweep_of(folder, name, metric="min Loss/Val", **train):
    grid = harness.write_grid(os.path.join(folder, name + ".ini"), sweep={"metric": metric, "seeds": 2}, **BASE,
                              train={"epochs": EPOCHS, **train})
    return harness.Sweep(folder, grid, name)


def tag(sweep, number, which="last"):
    return f"refs/tags/{sweep.name}/{number:04d}/{which}"


def curve(sweep, number, which="last"):
    return artifacts.curve(sweep.store, tag(sweep, number, which))


def rule(rows, column, maximize):
    """The epoch at which training stops."""
    best, bad = None, 0
    for row in rows:
        value = row[column] if maximize else -row[column]
        if best is None or value - best > MIN_DELTA:
            best, bad = value, 0
        else:
            bad += 1
        if bad == PATIENCE:
            return int(row["epoch"])
    return len(rows)


def end_of(sweep, number):
    return [r for r in artifacts.journal(sweep.dir) if r["event"] == "end" and r["number"] == number][-1]


def check_stopped(checks, what, sweep, whole, column, maximize):
    for number in (1, 2):
        rows, full = curve(sweep, number), curve(whole, number)
        expected = rule(full, column, maximize)
        checks.true(f"{what}: the rule stops it", PATIENCE < expected < EPOCHS, f"epoch {expected}")
        checks.equal(f"{what}: the curve", rows, full[:expected])
        checks.equal(f"{what}: state", end_of(sweep, number)["state"], "stopped")
        checks.equal(f"{what}: points in the event files", sorted(artifacts.run_curve(os.path.join(
            sweep.dir, end_name(sweep, number)))["Loss/Val"]), list(range(1, expected + 1)))


def end_name(sweep, number):
    return next(r["name"] for r in artifacts.trials(sweep.dir).values() if r["number"] == number)


def early(checks, folder):
    whole = sweep_of(folder, "whole")
    harness.must_run(whole, "--quiet")
    for metric, column in (("min Loss/Val", "Loss/Val"), ("max Accuracy/Val", "Accuracy/Val")):
        for restore in ("no", "yes"):
            name = f"early-{column.split('/')[0]}-{restore}"
            sweep = sweep_of(folder, name, metric, early_stopping=PATIENCE, min_delta=MIN_DELTA, restore_best=restore)
            harness.must_run(sweep, "--quiet")
            check_stopped(checks, name, sweep, whole, column, metric.startswith("max"))
            for number in (1, 2):
                same = [artifacts.object_id(sweep.store, tag(sweep, number, which), "model.safetensors")
                        for which in ("best", "last")]
                checks.equal(f"{name}: `last` has the best weights", same[0] == same[1], restore == "yes")
            harness.must_run(sweep, "--quiet")  # a stopped trial is over
            ends = [r for r in artifacts.journal(sweep.dir) if r["event"] == "end"]
            checks.equal(f"{name}: ends", len(ends), 2)
    return whole


def averages(checks, folder):
    """restore_best where the average that is evaluated began after the best epoch, and with one from the start."""
    for name, train in (("late", {"swa_start": EPOCHS, "lookahead": 4}), ("ema", {"ema": 0.9})):
        sweep = sweep_of(folder, f"restored-{name}", restore_best="yes", **train)
        harness.must_run(sweep, "--quiet")
        for number in (1, 2):
            losses = [row["Loss/Val"] for row in curve(sweep, number)]
            checks.true(f"{name}: the best epoch is not the last", losses.index(min(losses)) < EPOCHS - 1, f"{losses}")
            ids = [artifacts.object_id(sweep.store, tag(sweep, number, which), "model.safetensors")
                   for which in ("best", "last")]
            checks.equal(f"{name}: `last` has the best averages", ids[1], ids[0])


def interrupted(checks, folder, whole):
    """Ctrl-C again and again; the patience used up so far is not forgotten, nor are the best weights."""
    once = sweep_of(folder, "once", early_stopping=PATIENCE, min_delta=MIN_DELTA, restore_best="yes")
    harness.must_run(once, "--quiet")
    for delay in (0.04, 0.02, 0.01, 0.005):  # a busy machine may let the first attempts through
        often = sweep_of(folder, f"often-{delay}", early_stopping=PATIENCE, min_delta=MIN_DELTA, restore_best="yes")
        for attempt in range(60):
            process = often.start("--quiet", "--jobs", "1")
            time.sleep(delay + 0.01 * attempt)
            process.send_signal(signal.SIGINT)
            process.communicate()
            if process.returncode == 0:
                break
        if attempt > 1:
            break
    checks.true("interrupted: more than one attempt", attempt > 1, f"{attempt}")
    check_stopped(checks, "interrupted", often, whole, "Loss/Val", False)
    for number in (1, 2):
        for which in ("best", "last"):
            for file in ("model.safetensors", "optimizer.safetensors", "curve.csv"):
                checks.equal(f"interrupted: {number} {which} {file}",
                             artifacts.object_id(often.store, tag(often, number, which), file),
                             artifacts.object_id(once.store, tag(once, number, which), file))


def diverged(checks, folder):
    """A loss that is not finite ends the trial at that step; the others of its bundle are as they would be alone."""
    sections = {**BASE, "optimizer": {"optimizer": "sgd", "lr": "0.1, 1e20"}, "train": {"epochs": 3}}
    for name, arguments in (("apart", ["--fuse", "off"]), ("together", ["--fuse", "8", "--jobs", "1"])):
        sweep = harness.Sweep(folder, harness.write_grid(os.path.join(folder, name + ".ini"), **sections), name)
        harness.must_run(sweep, "--quiet", *arguments)
        end = end_of(sweep, 2)
        checks.equal(f"{name}: state and epoch", (end["state"], end["epoch"]), ("diverged", 1))
        row = curve(sweep, 2)[0]
        checks.true(f"{name}: its loss is not finite", not math.isfinite(row["Loss/Train"]), f"{row}")
        checks.true(f"{name}: nothing was evaluated", math.isnan(row["Loss/Val"]), f"{row}")
        checks.equal(f"{name}: the other one", end_of(sweep, 1)["state"], "done")
    ids = [artifacts.object_id(harness.Sweep(folder, "", name).store, f"refs/tags/{name}/0001/last", "model.safetensors")
           for name in ("apart", "together")]
    checks.equal("diverged: the neighbour's weights", ids[0], ids[1])


def main():
    checks, folder = harness.Checks(), harness.scratch()
    whole = early(checks, folder)
    interrupted(checks, folder, whole)
    averages(checks, folder)
    diverged(checks, folder)
    checks.finish()


if __name__ == "__main__":
    main()
