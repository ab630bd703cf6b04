#!/usr/bin/env python3
"""losses.py [SEED] - grids over losses, on classes, labels and values: the same bits however they are run, and all told.

Every loss of the registry, with its settings as axes. A reference sweep by the reference backend, a trial at a time; then
by each instruction set, fused and not, and stopped by Ctrl-C inside epochs: weights, state and curves are the same git
objects. What is written is what the targets ask for: columns, events, `ls --json`, the comparison.

The moments of the stops come from SEED, which is printed.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness
from invariants import check_whole

FILES = ["model.safetensors", "optimizer.safetensors", "curve.csv"]
COMMON = ["epoch", "Loss/Train", "Loss/Val", "Learning_Rate", "Grad/Norm"]
CLASSES = ["Accuracy/Train", "Accuracy/Val", "F1/Val"]
# name: (data set, layers, sections, further columns, the metric)
GRIDS = {
    "classes": ("random 3000x20 classes=7", "linear 24 > tanh > linear 7", {
        "train": {"loss": "cross_entropy, hinge, mse, bce_with_logits, huber"},
        "when": {"loss=cross_entropy": {"label_smoothing": "0, 0.1", "class_weights": "1, 1 2 0.5 1 3 0 1", "ignore_index": "-100, 2"},
                 "loss=hinge": {"margin": "1, 0.5"}, "loss=bce_with_logits": {"pos_weight": 3}}},
                [*CLASSES, "Accuracy_Top5/Train", "Accuracy_Top5/Val"], "Accuracy/Val"),
    "logs": ("random 3000x20 classes=3", "linear 24 > relu > linear 3 > log_softmax", {
        "train": {"loss": "nll, kl_div"},
        "when": {"loss=nll": {"class_weights": "1, 1 2 3", "ignore_index": 1}, "loss=kl_div": {"label_smoothing": "0, 0.2"}}},
             CLASSES, "Accuracy/Val"),
    "binary": ("random 3000x20 sum>0", "linear 9 > relu > linear 1 > sigmoid", {"train": {"loss": "bce, mse, l1"}}, CLASSES,
               "Accuracy/Val"),
    "labels": ("random 3000x20 labels=5", "linear 24 > relu > linear 5", {
        "train": {"loss": "bce_with_logits, smooth_l1", "loss_average": "batches"},
        "when": {"loss=bce_with_logits": {"pos_weight": "1, 3, 1 2 3 4 5"}, "loss=smooth_l1": {"beta": "0, 0.5"}}},
               ["Accuracy/Train", "Accuracy/Val", "F1/Train", "F1/Val"], "Loss/Val"),
    "values": ("regression 3000x20 outputs=3 noise=0.2", "linear 16 > softmax > linear 3", {
        "train": {"loss": "mse, l1, smooth_l1, huber"}, "when": {"loss=huber": {"delta": "1, 3"}, "loss=smooth_l1": {"beta": 0.5}},
        "scheduler": {"scheduler": "plateau", "mode": "max", "patience": 0}},
               ["MAE/Train", "MAE/Val", "R2/Train", "R2/Val"], "Loss/Val"),
}


def make_grid(folder, name):
    data, layers, more, *_ = GRIDS[name]
    return harness.write_grid(
        os.path.join(folder, name + ".ini"), sweep={"seeds": 2}, data={"dataset": data, "batch_size": 7}, model={"layers": layers},
        train={"epochs": 3, "checkpoint_every": 3, **more["train"]}, optimizer={"optimizer": "adam", "lr": 0.01},
        **{section: keys for section, keys in more.items() if section != "train"})


def ids(sweep):
    names = {(record["number"], file): f"refs/tags/{sweep.name}/{record['number']:04d}/last:{file}"
             for record in artifacts.trials(sweep.dir).values() for file in FILES}
    found = artifacts.object_ids(sweep.store, list(names.values()))
    return {key: found[name] for key, name in names.items()}


def check_told(checks, name, sweep, out):
    """Columns, the controller's table, ls; check_whole compares the events with the curves."""
    columns, metric = {*COMMON, *GRIDS[name][3]}, GRIDS[name][4]
    for record in artifacts.trials(sweep.dir).values():
        rows = artifacts.curve(sweep.store, f"refs/tags/{sweep.name}/{record['number']:04d}/last")
        checks.equal(f"{name}: columns", set(rows[0]), columns)
    checks.true(f"{name}: comparison", f"final {metric}" in out and "of " in out.splitlines()[-1], out)
    listed = subprocess.run([harness.program(), "ls", name, "--logdir", sweep.logdir, "--json"], capture_output=True, text=True,
                            check=True).stdout
    listed = json.loads(listed)
    checks.equal(f"{name}: metric", listed["metric"], metric)
    for trial in listed["trials"]:
        checks.equal(f"{name}: last values", set(trial["last"]), columns - {"epoch"})
        checks.equal(f"{name}: best values", set(trial["best"]), columns - {"epoch", "Learning_Rate", "Grad/Norm"})
    check_whole(checks, name, sweep)


def step_of(sweep, record):
    reference = f"refs/tags/{sweep.name}/{record['number']:04d}/last"
    try:
        return json.loads(artifacts.blob(sweep.store, reference, "state.json"))["step"]
    except subprocess.CalledProcessError:
        return 0  # no checkpoint yet


def stopped(folder, grid, name, moments):
    """Stopped five times or until it ends, then run to its end: (sweep, stops of trials inside an epoch)."""
    sweep, inside = harness.Sweep(folder, grid, name), 0
    for _ in range(5):
        process = sweep.start("--json", "--jobs", "1", "--fuse", moments.choice(["auto", "off"]), start_new_session=True)
        for line in process.stdout:
            if json.loads(line)["event"] == "start":
                break
        time.sleep(moments.uniform(0, 0.02))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        if process.returncode != 130:
            break
        inside += sum(step_of(sweep, record) > 0 for record in artifacts.trials(sweep.dir).values())
    harness.must_run(sweep, "--quiet")
    return sweep, inside


def main():
    if not shutil.which("git"):
        harness.skip("no git")
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    checks, folder, moments, inside = harness.Checks(), harness.scratch(), random.Random(seed), 0
    losses = {word for *_, more, _, _ in GRIDS.values() for word in more["train"]["loss"].split(", ")}
    checks.equal("losses of the registry", sorted(losses), sorted(harness.registry("loss")))
    ways = [*((f"cpu {name}", ["--jobs", "2"], {"CSWEEP_CPU": name}) for name in harness.instances()),
            *((f"fuse {k}", ["--jobs", "1", "--fuse", k], {}) for k in ("off", "3", "16"))]
    for name in GRIDS:
        grid = make_grid(folder, name)
        reference = harness.Sweep(folder, grid, name + "-ref")
        out, _ = harness.must_run(reference, "--jobs", "2", "--fuse", "off", environment={"CSWEEP_CPU": "ref"})
        check_told(checks, name, reference, out)
        expected = ids(reference)
        weights = {value for (_, file), value in expected.items() if file == "model.safetensors"}
        checks.equal(f"{name}: different trials", len(weights), len(expected) // len(FILES))
        for number, (what, arguments, environment) in enumerate(ways):
            sweep = harness.Sweep(folder, grid, f"{name}-{number}")
            harness.must_run(sweep, "--quiet", *arguments, environment=environment)
            checks.equal(f"{name}, {what}", ids(sweep), expected)
        for number in range(2):
            sweep, count = stopped(folder, grid, f"{name}-stopped{number}", moments)
            inside += count
            checks.equal(f"{name}, stopped", ids(sweep), expected)
        print(f"{name}: {len(weights)} trials", flush=True)
    for number in range(20):  # another try where every stop came too late
        if inside == 0:
            sweep, inside = stopped(folder, make_grid(folder, "values"), f"values-again{number}", moments)
            checks.equal("values, stopped again", ids(sweep), expected)
    checks.true("stops inside epochs", inside > 0, f"{inside}")
    print(f"{inside} stops inside epochs")
    checks.finish()


if __name__ == "__main__":
    main()
