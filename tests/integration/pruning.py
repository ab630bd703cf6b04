#!/usr/bin/env python3
"""pruning.py - a sweep that prunes: who, and at which epoch, whatever workers there are and whatever happens to them.

The same grid is trained to its end once; from these curves a program that knows no processes (prune_sample, which is
compared with Optuna) says which trials are to be pruned when. Then every pruner must do so with one worker or several,
fused or not, over workers and controllers that are killed. A pruned trial is the first epochs of the whole one, is
shown as what it is, is left alone by the same command, and ends as the whole one did with prune=none.
"""

import glob
import json
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

EPOCHS, TAG = 8, "Loss/Val"
PRUNERS = {
    "median": {"prune": "median", "n_startup_trials": 3, "n_warmup_steps": 2, "n_min_trials": 2},
    "percentile": {"prune": "percentile", "percentile": 60, "n_startup_trials": 2, "interval_steps": 3},
    "asha": {"prune": "asha", "reduction_factor": 2},
    "hyperband": {"prune": "hyperband", "reduction_factor": 2},
    "threshold": {"prune": "threshold", "upper": 0.6, "n_warmup_steps": 3},
    "patient": {"prune": "patient", "prune_patience": 1, "wrapped_pruner": "median", "n_startup_trials": 3},
}
LAYOUTS = [("1", "auto"), ("2", "auto"), ("4", "off"), ("1", "off"), ("4", "3")]


def sweep_of(folder, place, settings, examples=300, width=8):
    """Shapes change in the middle of the numbers, and with every trial of the second half."""
    grid = os.path.join(folder, "pruned.ini")
    harness.write_grid(
        grid, sweep={"metric": "min " + TAG, **settings},
        data={"dataset": f"random {examples}x10 sum>0", "batch_size": 16},
        train={"epochs": EPOCHS},
        model={"layers": f"linear {width} > relu > linear 2, linear {width} > tanh > linear {width} > relu > linear 2"},
        optimizer={"optimizer": "sgd, adam", "lr": "0.001, 0.01, 0.03, 0.3, 1"},
    )
    copy = os.path.join(folder, place)
    os.makedirs(copy, exist_ok=True)
    os.replace(grid, os.path.join(copy, "pruned.ini"))
    return harness.Sweep(copy, os.path.join(copy, "pruned.ini"))


def reference(tag, number):
    return f"refs/tags/pruned/{number:04d}/{tag}"


def curves(sweep):
    return {r["number"]: artifacts.curve(sweep.store, reference("last", r["number"]))
            for r in artifacts.trials(sweep.dir).values()}


def objects(sweep, *files):
    names = [f"{reference('last', r['number'])}:{file}" for r in artifacts.trials(sweep.dir).values() for file in files]
    return artifacts.object_ids(sweep.store, names)


def expected_of(settings, full):
    """{number: epoch} of those to be pruned, from whole curves."""
    values = " ".join(repr(row[TAG]) for number in sorted(full) for row in full[number])
    sample = os.path.join(os.environ["BUILD"], "tests", "prune_sample")
    done = subprocess.run([sample, "pruned", "min", str(len(full)), str(EPOCHS), "1",
                           *(f"{k}={v}" for k, v in settings.items())],
                          input=values, capture_output=True, text=True, check=True)
    return {number: int(epoch) for number, epoch in enumerate(done.stdout.split(), 1) if epoch != "0"}


def ends(sweep):
    """{number: its last end}"""
    return {r["number"]: r for r in artifacts.journal(sweep.dir) if r["event"] == "end"}


def check_pruned(checks, what, sweep, expected, full):
    last = ends(sweep)
    found = {n: end["epoch"] for n, end in last.items() if end["state"] == "pruned"}
    checks.equal(f"{what}: who is pruned when", found, expected)
    checks.equal(f"{what}: the others", {end["state"] for n, end in last.items() if n not in expected}, {"done"})
    checks.equal(f"{what}: curves", curves(sweep), {n: rows[: expected.get(n, EPOCHS)] for n, rows in full.items()})
    once = [r["number"] for r in artifacts.journal(sweep.dir) if r["event"] == "end" and r["state"] in ("done", "pruned")]
    checks.equal(f"{what}: each ended once", sorted(once), sorted(full))


def verified(sweep):
    done = subprocess.run([harness.program(), "verify", "--logdir", sweep.logdir, "--checkpoints", sweep.store],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def layouts(checks, folder, full):
    """The first pruner in all layouts, the others in one each."""
    for count, (name, settings) in enumerate(PRUNERS.items()):
        expected = expected_of(settings, full)
        checks.true(f"{name}: some are pruned and some are not", 1 < len(expected) < len(full) - 2, str(expected))
        for jobs, fuse in LAYOUTS if count == 0 else [LAYOUTS[count % 5]]:
            sweep = sweep_of(folder, f"{name}-{jobs}-{fuse}", settings)
            harness.must_run(sweep, "--quiet", "--jobs", jobs, "--fuse", fuse)
            check_pruned(checks, f"{name}, {jobs} workers, fuse {fuse}", sweep, expected, full)


def bytes_of(sweep, number):
    """Of the trial's event files."""
    name = next(r["name"] for r in artifacts.trials(sweep.dir).values() if r["number"] == number)
    out = b""
    for path in glob.glob(os.path.join(glob.escape(os.path.join(sweep.dir, name)), "*tfevents*")):
        with open(path, "rb") as file:
            out += file.read()
    return out


def longer(checks, folder, full):
    """Fewer epochs first: the new trials go on from the old ones, pruned or not, to the same end as at once."""
    settings = PRUNERS["asha"]
    sweep, expected = sweep_of(folder, "longer", settings), expected_of(settings, full)
    harness.must_run(sweep, "--quiet", f"epochs={EPOCHS - 3}")
    harness.must_run(sweep, "--quiet")
    last, count = ends(sweep), len(full)
    checks.equal("longer: trials", sorted(last), list(range(1, 2 * count + 1)))
    checks.equal("longer: who is pruned when", {n - count: e["epoch"] for n, e in last.items() if n > count and
                 e["state"] == "pruned"}, expected)
    found = curves(sweep)
    checks.equal("longer: curves", {n: found[count + n] for n in full}, {n: rows[: expected.get(n, EPOCHS)]
                 for n, rows in full.items()})


def shown(checks, folder, full):
    """In a sweep that another part has left: ls, show, compare, verify, TensorBoard's files; run again; prune=none."""
    name, settings = "median", PRUNERS["median"]
    sweep, expected = sweep_of(folder, "median-1-auto", settings), expected_of(settings, full)
    number = min(expected)
    out, _ = harness.must_run(sweep)
    checks.true("run again: nothing to do", "nothing to do" in out, out)
    checks.true("run again: the comparison counts them", f"{len(full) - len(expected)} done, {len(expected)} pruned of" in out, out)
    check_pruned(checks, "run again", sweep, expected, full)
    checks.equal("verify", verified(sweep)[0], 0)
    listed = subprocess.run([harness.program(), "ls", "pruned", "--logdir", sweep.logdir, "--json"], capture_output=True,
                            text=True, check=True)
    states = {t["number"]: (t["state"], t["epoch"]) for t in json.loads(listed.stdout)["trials"]}
    checks.equal("ls", {n: e for n, (s, e) in states.items() if s == "pruned"}, expected)
    listed = subprocess.run([harness.program(), "ls", "--logdir", sweep.logdir, "--json"], capture_output=True, text=True,
                            check=True)
    checks.equal("ls of sweeps", json.loads(listed.stdout)["sweeps"][0]["pruned"], len(expected))
    text = subprocess.run([harness.program(), "show", str(number), "--logdir", sweep.logdir, "--checkpoints", sweep.store],
                          capture_output=True, text=True, check=True).stdout
    checks.true("show", f"pruned after epoch {expected[number]} of {EPOCHS}" in text and "median: best" in text, text)
    written = bytes_of(sweep, number)
    checks.true("TensorBoard: a text and no end", b"pruned after epoch" in written and b"session_end_info" not in written)
    subprocess.run([harness.program(), "rerun", "pruned", str(number), "--logdir", sweep.logdir], check=True,
                   capture_output=True)
    harness.must_run(sweep, "--quiet")
    checks.equal("rerun: it goes on to its end, nobody else", {n: e["epoch"] for n, e in ends(sweep).items() if
                 e["state"] == "pruned"}, {n: e for n, e in expected.items() if n != number})
    checks.equal("rerun: its curve", curves(sweep)[number], full[number])
    written = bytes_of(sweep, number)
    checks.true("TensorBoard: a session that ended, once it was gone on with", b"session_end_info" in written)
    harness.must_run(sweep, "prune=none", "--quiet")
    checks.equal("prune=none: all are done", {end["state"] for end in ends(sweep).values()}, {"done"})
    checks.equal("prune=none: curves", curves(sweep), full)
    checks.equal("prune=none: verify", verified(sweep)[0], 0)
    out, _ = harness.must_run(sweep)
    checks.true("after prune=none: nothing to do", "nothing to do" in out, out)


def kills(checks, folder):
    """Larger ones, so that there is time. Workers and controllers die, and Ctrl-C comes, in the middle of everything."""
    whole = sweep_of(folder, "kills-whole", {}, examples=2000, width=16)
    harness.must_run(whole, "--quiet")
    full, models = curves(whole), objects(whole, "model.safetensors", "optimizer.safetensors")
    rng = random.Random(7)
    for name in ("asha", "median"):
        settings = PRUNERS[name]
        expected = expected_of(settings, full)
        sweep = sweep_of(folder, f"kills-{name}", settings, examples=2000, width=16)
        lost, code = 0, None
        while code != 0 and lost < 6:
            jobs, fuse = LAYOUTS[lost % 5]
            process = sweep.start("--json", "--jobs", jobs, "--fuse", fuse)
            for _ in range(rng.randrange(4, 40)):
                process.stdout.readline()
            if lost % 3 == 0:
                for pid in harness.workers_of(process.pid)[:1]:
                    harness.kill(pid, signal.SIGKILL)
                for _ in range(30):
                    process.stdout.readline()
            lost += 1
            harness.kill(process.pid, signal.SIGINT if lost % 3 == 1 else signal.SIGKILL)
            process.stdout.read()
            code = process.wait(timeout=60)
            time.sleep(0.05)
        checks.true(f"{name}: stopped in between", lost > 2, str(lost))
        harness.must_run(sweep, "--quiet")
        check_pruned(checks, f"{name}, killed {lost} times", sweep, expected, full)
        checks.equal(f"{name}, killed: verify", verified(sweep)[0], 0)
        ended = [n for n in full if n not in expected]
        found = objects(sweep, "model.safetensors", "optimizer.safetensors")
        same = {key: value for key, value in found.items() if int(key.split("/")[3]) in ended}
        checks.equal(f"{name}, killed: weights of those that ended", same, {key: models[key] for key in same})
    harness.must_run(sweep, "--quiet", "prune=none")
    checks.equal("prune=none after kills: weights", objects(sweep, "model.safetensors", "optimizer.safetensors"), models)


def main():
    checks, folder = harness.Checks(), harness.scratch()
    whole = sweep_of(folder, "whole", {})
    harness.must_run(whole, "--quiet")
    full = curves(whole)
    layouts(checks, folder, full)
    shown(checks, folder, full)
    longer(checks, folder, full)
    kills(checks, folder)
    checks.finish()


if __name__ == "__main__":
    main()
