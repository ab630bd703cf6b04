#!/usr/bin/env python3
"""stops.py - rules that end a sweep or a trial before its time: target_stops, budget, halt, stop_trial.

What they stop is left as Ctrl-C leaves it: run again without the rule, every trial ends with the objects of a sweep
that nothing stopped. A slow trial is made by stopping its worker's process for a while.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

FILES = ["model.safetensors", "optimizer.safetensors", "curve.csv"]


def grid(folder, name, **changes):
    sections = {
        "sweep": {"metric": "max Accuracy/Val"}, "data": {"dataset": "random 600x20 sum>0", "batch_size": 16},
        "model": {"layers": "linear 16 > relu > linear 2"}, "train": {"epochs": 12},
        "optimizer": {"lr": "0.001, 0.01, 0.03, 0.1, 0.3"},
    }
    for section, keys in changes.items():
        sections[section] = {**sections.get(section, {}), **keys}
    return harness.write_grid(os.path.join(folder, name + ".ini"), **sections)


def trials(sweep):
    out = subprocess.run([harness.program(), "ls", sweep.name, "--json", "--logdir", sweep.logdir], capture_output=True,
                         text=True, check=True).stdout
    return json.loads(out)["trials"]


def objects(sweep):
    found = {}
    for record in trials(sweep):
        names = [f"refs/tags/{sweep.name}/{record['number']:04d}/last:{file}" for file in FILES]
        found[record["name"].partition(",")[2]] = list(artifacts.object_ids(sweep.store, names).values())
    return found


def states(sweep):
    return [record["state"] for record in trials(sweep)]


def ends_like(checks, what, sweep, whole, *arguments):
    harness.must_run(sweep, "--quiet", *arguments)
    checks.equal(f"{what}: in the end", objects(sweep), objects(whole))
    done = subprocess.run([harness.program(), "verify", sweep.name, "--logdir", sweep.logdir, "--checkpoints", sweep.store],
                          capture_output=True, text=True, check=False)
    checks.equal(f"{what}: verify", (done.returncode, done.stderr), (0, ""))


def first_met(sweep, target):
    """{number: first epoch whose Accuracy/Val is that high, 0: none}, from the curves."""
    met = {}
    for record in trials(sweep):
        rows = artifacts.curve(sweep.store, f"refs/tags/{sweep.name}/{record['number']:04d}/last")
        met[record["number"]] = int(next((row["epoch"] for row in rows if row["Accuracy/Val"] >= target), 0))
    return met


def target(checks, folder, whole):
    sweep = harness.Sweep(folder, whole.grid, "target")
    rule = ["target_stops=yes", "target=Accuracy/Val >= 0.9", "--jobs", "1", "--fuse", "off"]
    out, _ = harness.must_run(sweep, *rule)
    met = first_met(whole, 0.9)
    first = next(number for number in sorted(met) if met[number])
    words = f"met by {trials(sweep)[first - 1]['name']} after epoch {met[first]}"
    checks.true("target: says who", f"target = Accuracy/Val >= 0.9: {words}; " in out, out)
    after = states(sweep)
    that = after[first - 1]  # it trained on until the stop reached it
    checks.true("target: that trial", that in ("interrupted", "done") and trials(sweep)[first - 1]["epoch"] >= met[first], that)
    checks.equal("target: the others", after, ["done"] * (first - 1) + [that] + ["queued"] * (5 - first))
    before = artifacts.git(sweep.store, "show-ref")
    out, _ = harness.must_run(sweep, *rule)
    checks.true("target: again", f"{words}, in an earlier run; " in out, out)
    checks.equal("target: again, nothing is trained", (artifacts.git(sweep.store, "show-ref"), states(sweep)), (before, after))
    lines = harness.events(harness.must_run(sweep, *rule, "--json")[0])
    checks.equal("target: --json", [line["event"] for line in lines], ["plan", "stop"])
    # another one that no trial met yet goes on; one that one met long ago does not
    harness.must_run(sweep, "--quiet", "target_stops=yes", "target=Accuracy/Val >= 2", "epochs=12")
    checks.equal("target: raised", states(sweep), ["done"] * 5)
    more = harness.Sweep(folder, whole.grid, "lowered")
    harness.must_run(more, "--quiet", "lr=0.3,0.1")
    met = first_met(more, 0.8)
    out, _ = harness.must_run(more, "lr=0.3,0.1,0.001", "target_stops=yes", "target=Accuracy/Val >= 0.8")
    checks.true("target: met before it was one", "in an earlier run; 1 trial not" in out, out)
    checks.equal("target: found in the curves", {r["number"]: r["target_epoch"] for r in artifacts.journal(more.dir)
                                                  if r["event"] == "target"}, met)
    ends_like(checks, "target", sweep, whole)


def budget(checks, folder):
    made = grid(folder, "budget", data={"dataset": "random 4000x20 sum>0", "batch_size": 4}, train={"epochs": 200},
                optimizer={"optimizer": "sgd, adam", "lr": "0.01"})
    whole = harness.Sweep(folder, made, "budget-whole")
    started = time.monotonic()
    harness.must_run(whole, "--quiet")
    seconds = time.monotonic() - started
    sweep = harness.Sweep(folder, made, "budget")
    _, errors = harness.must_run(sweep, f"budget={max(seconds / 3, 0.2):.2f}s", "--quiet", code=130)
    checks.true("budget: says how to go on", "is used up, " in errors and "run the same command again to go on" in errors, errors)
    checks.true("budget: some trial was left", any(s != "done" for s in states(sweep)), f"{states(sweep)}")
    _, errors = harness.must_run(sweep, "budget=1d", "--quiet")
    checks.equal("budget: enough of it", (errors, states(sweep)), ("", ["done"] * 2))
    ends_like(checks, "budget", sweep, whole)


def halt(checks, folder):
    made = grid(folder, "halt", optimizer={"lr": "0.1"}, scheduler={"scheduler": "none, lambda"},
                when={"scheduler=lambda": {"lr_lambda": "1/(2-epoch), 1/(3-epoch), 1/(4-epoch), 1/(5-epoch)"}})
    for rule, failed, left in (("40% failed", 2, 2), ("3 failed", 3, 1), ("1 failed", 1, 3)):
        sweep = harness.Sweep(folder, made, "halt-" + str(failed))
        _, errors = harness.must_run(sweep, "--jobs", "1", "--fuse", "off", "--quiet", f"halt={rule}", code=1)
        checks.true(f"halt = {rule}: told", f"csweep: halt = {rule}: {failed} of 5 trials failed, {left} "
                    f"trial{'s' * (left > 1)} left; " in errors, errors)
        checks.equal(f"halt = {rule}: what ran", sorted(states(sweep)),
                     sorted(["done"] + ["failed"] * failed + ["queued"] * left))


def slow(checks, folder, whole):
    """The fourth trial's worker sleeps; the third would have been too early for a median of three."""
    sweep = harness.Sweep(folder, whole.grid, "slow")
    process = sweep.start("--json", "--jobs", "1", "--fuse", "off", "stop_trial=300% of median")
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "epoch" and event["epoch"] == 2 and event["number"] in (3, 4):
            for worker in harness.workers_of(process.pid):
                os.kill(worker, signal.SIGSTOP)
                time.sleep(3)
                os.kill(worker, signal.SIGCONT)
    errors = process.stderr.read()
    checks.equal("slow: exit code", process.wait(), 0)
    found = trials(sweep)
    # the stop reaches the worker some epochs later, or after its last
    stopped = [r["number"] for r in found if r["cause"] == "slow"]
    checks.true("slow: never the third", stopped in ([4], []), f"{stopped}")
    if not stopped:
        return False
    checks.true("slow: told", "more than 300% of median" in errors and "csweep rerun slow --slow" in errors.replace(
        sweep.name, "slow"), errors)
    checks.equal("slow: states", [r["state"] for r in found], ["done"] * 3 + ["stopped", "done"])
    out, _ = harness.must_run(sweep, "stop_trial=300% of median")
    checks.true("slow: is over", "nothing to do" in out, out)
    again = subprocess.run([harness.program(), "rerun", sweep.name, "--slow", "--logdir", sweep.logdir], capture_output=True,
                           text=True, check=False)
    checks.equal("slow: rerun", (again.returncode, again.stderr), (0, ""))
    checks.true("slow: rerun says", ": slow, now queued\n1 trial queued;" in again.stdout, again.stdout)
    harness.must_run(sweep, "--quiet", "stop_trial=101% of median")  # it took three seconds, and may
    ends_like(checks, "slow", sweep, whole)
    return True


def main():
    if not shutil.which("git"):
        harness.skip("no git")
    checks, folder = harness.Checks(), harness.scratch()
    whole = harness.Sweep(folder, grid(folder, "stops"), "whole")
    harness.must_run(whole, "--quiet")
    target(checks, folder, whole)
    budget(checks, folder)
    halt(checks, folder)
    large = harness.Sweep(folder, grid(folder, "stops", train={"epochs": 1200}), "large")
    harness.must_run(large, "--quiet")
    for attempt in range(5):
        if slow(checks, folder, large):
            break
        shutil.rmtree(os.path.join(folder, "slow"))
        shutil.rmtree(os.path.join(folder, "slow.git"))
    else:
        checks.true("slow: a trial was stopped", False)
    checks.finish()


if __name__ == "__main__":
    main()
