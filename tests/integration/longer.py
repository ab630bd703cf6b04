#!/usr/bin/env python3
"""longer.py [SEED] - a trial with more epochs goes on from a shorter one, and equals training that long at once.

Sweeps are run short, then with `epochs` raised; the same long sweep is run at once elsewhere. Weights, optimizer, curve,
metrics and state of `last` and `best` must be the same objects (state but for its seconds), events equal to curves.
Nets with dropout, noise and batch norm, averages, PyTorch's stream; schedules that are the same up to there, and others,
which must start anew and say why; early stopping before, at and after the shorter end; restore_best; trials that were
interrupted inside an epoch; checkpoints that are gone or damaged; kill -9 at random moments. Moments come from SEED,
which is printed.
"""

import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness
from invariants import check_whole

FILES = ["model.safetensors", "optimizer.safetensors", "curve.csv", "metrics.json"]
NET = "linear 24 > batchnorm > relu > dropout 0.2 > noise 0.1 > linear 2"
KILLS = 8


def grid(folder, name="grid", **changes):
    sections = {
        "sweep": {"seeds": 2}, "data": {"dataset": "random 300x20 sum>0", "batch_size": 16}, "model": {"layers": NET},
        "train": {"epochs": 3}, "optimizer": {"optimizer": "adam", "lr": 0.01},
    }
    for section, keys in changes.items():
        sections[section] = {**sections.get(section, {}), **keys}
    return harness.write_grid(os.path.join(folder, name + ".ini"), **sections)


def found(sweep, epochs):
    """{(trial, tag, file): object id or state} of the trials with so many epochs; a trial by its name without number."""
    known = {}
    for record in json.loads(listed(sweep))["trials"]:
        if record["epochs"] != epochs:
            continue
        key = record["name"].partition(",")[2] or "the one"
        known[key, "end"] = (record["state"], record["epoch"])
        for which in ("last", "best"):
            reference = f"refs/tags/{sweep.name}/{record['number']:04d}/{which}"
            objects = artifacts.object_ids(sweep.store, [f"{reference}:{file}" for file in FILES])
            known.update({(key, which, file): objects[f"{reference}:{file}"] for file in FILES})
            if objects[f"{reference}:curve.csv"]:
                state = json.loads(artifacts.blob(sweep.store, reference, "state.json"))
                state.pop("seconds")
                known[key, which, "state"] = state
    return known


def listed(sweep):
    return subprocess.run([harness.program(), "ls", sweep.name, "--json", "--logdir", sweep.logdir], capture_output=True,
                          text=True, check=True).stdout


def taken(sweep):
    """{number: tag that it went on from}."""
    return {r["number"]: r["from"] for r in artifacts.journal(sweep.dir, torn_tail=True)
            if r["event"] == "start" and "from" in r}


def same(checks, what, sweep, whole, epochs):
    got, expected = found(sweep, epochs), found(whole, epochs)
    checks.equal(f"{what}: trials", sorted(map(str, got)), sorted(map(str, expected)))
    for key in expected:
        checks.equal(f"{what}: {key}", got.get(key), expected[key])


def whole_run(folder, name, grid_file, *arguments):
    sweep = harness.Sweep(folder, grid_file, name)
    harness.must_run(sweep, "--quiet", *arguments)
    return sweep


def verify(checks, what, sweep):
    done = subprocess.run([harness.program(), "verify", sweep.name, "--logdir", sweep.logdir, "--checkpoints", sweep.store],
                          capture_output=True, text=True, check=False)
    checks.equal(f"{what}: verify", (done.returncode, done.stderr), (0, ""))


CONSTANT = {"scheduler": {"scheduler": "none, step, lambda, plateau, one_cycle, cosine, sequence"},
            "when": {"scheduler=step": {"step_size": 2, "gamma": 0.5}, "scheduler=lambda": {"lr_lambda": "min(1, (epoch+1)/4)"},
                     "scheduler=plateau": {"patience": 0}, "scheduler=one_cycle": {"total_steps": 60, "warmup_steps": 5},
                     "scheduler=sequence": {"phases": "linear 2 start_factor=0.5 > plateau patience=0"}}}
AVERAGED = {"model": {"layers": NET.replace(" > noise 0.1", "")},
            "sweep": {"seeds": 1},
            "optimizer": {"optimizer": "sgd, adam, rmsprop, nadam"},
            "when": {"optimizer=sgd": {"rng": "torch", "momentum": 0.9, "swa_start": "1, 2"}, "optimizer=adam": {"ema": 0.95},
                     "optimizer=rmsprop": {"lookahead": 7, "clip_norm": 0.5},
                     "optimizer=nadam": {"accumulate": 3, "warmup_epochs": 1, "interval": "step",
                                         "scheduler": "exponential", "gamma": 0.99}}}


def goes_on(checks, folder):
    for what, changes in {"schedules": CONSTANT, "averages": AVERAGED}.items():
        made = grid(folder, what, **changes)
        sweep = harness.Sweep(folder, made, what)
        harness.must_run(sweep, "--quiet", "epochs=2")
        harness.must_run(sweep, "--quiet")
        count = len(artifacts.trials(sweep.dir)) // 2
        out, _ = harness.must_run(sweep, "epochs=6", "--fuse", "4")
        checks.true(f"{what}: told", f"\n{count} trials go on from shorter ones, after epoch 3\n" in out, out[:400])
        numbers = taken(sweep)
        checks.equal(f"{what}: from the longest", {n: numbers.get(n) for n in range(2 * count + 1, 3 * count + 1)},
                     {n: f"{what}/{n - count:04d}" for n in range(2 * count + 1, 3 * count + 1)})
        whole = whole_run(folder, what + "-whole", made, "epochs=6")
        same(checks, what, sweep, whole, 6)
        same(checks, f"{what} of 3", sweep, whole_run(folder, what + "-whole3", made), 3)
        check_whole(checks, what, sweep)
        verify(checks, what, sweep)
        harness.must_run(sweep, "--quiet", "epochs=4", "--jobs", "1")  # between: from 3, not from 6
        same(checks, f"{what} of 4", sweep, whole_run(folder, what + "-whole4", made, "epochs=4"), 4)


def starts_anew(checks, folder):
    """Rates that are others, one line for all trials."""
    made = grid(folder, "anew", scheduler={"scheduler": "lambda, cosine, multistep, one_cycle"},
                when={"scheduler=cosine": {"T_max": 3}, "scheduler=multistep": {"milestones": "1 3"}})
    sweep = harness.Sweep(folder, made, "anew")
    harness.must_run(sweep, "--quiet")
    text = open(made, encoding="utf-8").read().replace("T_max = 3", "T_max = 6").replace("1 3", "1 3 5").replace(
        "epochs = 3", "epochs = 6")
    open(made, "w", encoding="utf-8").write(text)
    out, _ = harness.must_run(sweep)
    checks.equal("anew: told", [line for line in out.splitlines() if "shorter" in line or line.endswith(" anew")],
                 ["2 trials go on from shorter ones, after epoch 3",  # the milestone at 3 acts on epoch 4
                  "scheduler = lambda: it follows epochs = 6, was 3: other rates from epoch 2 on; 2 trials start anew",
                  "scheduler = cosine: T_max = 6, was 3: other rates from epoch 2 on; 2 trials start anew",
                  "scheduler = one_cycle: it follows epochs = 6, was 3: other rates from epoch 1 on; 2 trials start anew"])
    checks.equal("anew: how many went on", len(taken(sweep)), 2)
    same(checks, "anew", sweep, whole_run(folder, "anew-whole", made), 6)
    other = harness.Sweep(folder, made, "anew")
    harness.must_run(other, "--quiet", "batch_size=8", "epochs=8", "scheduler=cosine", "T_max=6")
    checks.equal("another batch size is no longer trial", len(taken(sweep)), 2)


def ends(checks, folder):
    """Early stopping and restore_best: the shorter end may be this one's, or no place to go on from."""
    stops = {"sweep": {"seeds": 12}, "train": {"early_stopping": 2, "epochs": 4}, "optimizer": {"lr": 0.03}}
    made = grid(folder, "stops", **stops)
    sweep = harness.Sweep(folder, made, "stops")
    harness.must_run(sweep, "--quiet")
    harness.must_run(sweep, "epochs=30")
    whole = whole_run(folder, "stops-whole", made, "epochs=30")
    same(checks, "early stopping", sweep, whole, 30)
    stopped = sorted(epoch for state, epoch in (v for k, v in found(whole, 30).items() if k[1] == "end"))
    checks.true("early stopping: before, at and after the shorter end", stopped[0] < 4 < stopped[-1] and 4 in stopped,
                f"{stopped}")
    before = [r for r in artifacts.journal(sweep.dir) if r["event"] == "start" and r["number"] > 12]
    checks.equal("early stopping: those are done without training", len(before), sum(epoch > 4 for epoch in stopped))
    verify(checks, "early stopping", sweep)

    made = grid(folder, "restored", sweep={"seeds": 8}, train={"restore_best": "yes", "epochs": 4})
    sweep = harness.Sweep(folder, made, "restored")
    harness.must_run(sweep, "--quiet")
    out, _ = harness.must_run(sweep, "epochs=6")
    at_end = sum(json.loads(artifacts.blob(sweep.store, f"refs/tags/restored/{n:04d}/last", "state.json"))["best_epoch"] == 4
                 for n in range(1, 9))
    checks.true("restore_best: both kinds", 0 < at_end < 8, f"{at_end}")
    checks.equal("restore_best: goes on where the last epoch was the best", len(taken(sweep)), at_end)
    checks.true("restore_best: told", "restore_best = yes: shorter trials ended with the weights of another epoch; "
                f"{8 - at_end} trial{'s start' if at_end < 7 else ' starts'} anew\n" in out, out[:600])
    same(checks, "restore_best", sweep, whole_run(folder, "restored-whole", made, "epochs=6"), 6)

    made = grid(folder, "metric", sweep={"seeds": 8})  # another metric has another best epoch
    sweep = harness.Sweep(folder, made, "metric")
    harness.must_run(sweep, "--quiet")
    text = open(made, encoding="utf-8").read().replace("[sweep]", "[sweep]\nmetric = min Loss/Train")
    open(made, "w", encoding="utf-8").write(text)
    _, errors = harness.must_run(sweep, "epochs=5")
    refused = errors.count("its epochs were judged by another metric")
    checks.true("another metric: some start anew", refused > 0, errors)
    checks.equal("another metric: the others go on", len(taken(sweep)), 8 - refused)
    same(checks, "another metric", sweep, whole_run(folder, "metric-whole", made, "epochs=5"), 5)


def damaged(checks, folder):
    made = grid(folder, "damaged", sweep={"seeds": 4})
    sweep = harness.Sweep(folder, made, "damaged")
    harness.must_run(sweep, "--quiet")
    artifacts.git(sweep.store, "tag", "-d", "damaged/0001/last")
    artifacts.git(sweep.store, "tag", "-d", "damaged/0002/best")
    blob = artifacts.object_id(sweep.store, "refs/tags/damaged/0003/last", "model.safetensors")
    path = os.path.join(sweep.store, "objects", blob[:2], blob[2:])
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"rotten")
    _, errors = harness.must_run(sweep, "epochs=5")
    lines = sorted(line for line in errors.splitlines() if "starts anew" in line)
    checks.true("damaged: told", lines[0].startswith("csweep: 0005,seed=0 starts anew: damaged/0001/last: no such")
                and " cut or altered" in lines[-1], errors)
    checks.true("damaged: of each", len(lines) in (2, 3), errors)  # a best epoch that is the last needs no tag
    same(checks, "damaged", sweep, whole_run(folder, "damaged-whole", made, "epochs=5"), 5)


def interrupted(checks, folder):
    """Ctrl-C inside an epoch, then more epochs; the rates of one_cycle follow epochs, the others' do not."""
    made = grid(folder, "cut", data={"dataset": "random 6000x20 sum>0", "batch_size": 4}, train={"epochs": 40},
                scheduler={"scheduler": "none, one_cycle, exponential"}, when={"scheduler=exponential": {"interval": "step", "gamma": 0.9999}})
    sweep = harness.Sweep(folder, made, "cut")
    process = sweep.start("--json", "--jobs", "2", start_new_session=True)
    for line in process.stdout:
        if json.loads(line)["event"] == "epoch":
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    checks.equal("cut: exit code", process.returncode, 130)
    whole = whole_run(folder, "cut-whole", made, "epochs=42", "seeds=1")
    out, _ = harness.must_run(sweep, "epochs=42", "seeds=1")
    checks.true("cut: some went on", len(taken(sweep)) > 0, out[:400])
    checks.true("cut: one_cycle did not", "scheduler = one_cycle: it follows epochs" in out or len(taken(sweep)) < 3, out[:400])
    same(checks, "cut", sweep, whole, 42)


def pruned(checks, folder):
    """A pruned trial's checkpoint is where the longer one is judged again, by the values of all."""
    made = grid(folder, "pruned", sweep={"seeds": 3, "prune": "median", "n_startup_trials": 3, "n_warmup_steps": 1},
                model={"layers": "linear 16 > relu > linear 2"}, train={"epochs": 4},
                optimizer={"optimizer": "sgd", "lr": "log(1e-4, 1, 5)"})
    sweep = harness.Sweep(folder, made, "pruned")
    harness.must_run(sweep, "--quiet")
    ended = [value[0] for key, value in found(sweep, 4).items() if key[1] == "end"]
    checks.true("pruned: some were", 0 < ended.count("pruned") < len(ended), f"{ended}")
    harness.must_run(sweep, "--quiet", "epochs=8", "--jobs", "2")
    same(checks, "pruned", sweep, whole_run(folder, "pruned-whole", made, "epochs=8", "--jobs", "1"), 8)
    checks.true("pruned: they went on", len(taken(sweep)) > 10, f"{taken(sweep)}")
    verify(checks, "pruned", sweep)


def killed(checks, folder, moments):
    made = grid(folder, "killed", sweep={"seeds": 3}, data={"dataset": "random 1000x20 sum>0"}, **{"scheduler": CONSTANT["scheduler"],
                "when": CONSTANT["when"]})
    whole = whole_run(folder, "killed-whole", made, "epochs=8", "checkpoint_every=1")
    hits = sweeps = 0
    while hits < KILLS:
        sweep = harness.Sweep(folder, made, f"killed-{sweeps}")
        sweeps += 1
        harness.must_run(sweep, "--quiet")
        finished = False
        while hits < KILLS and not finished:
            process = subprocess.Popen(sweep.command("--quiet", "--jobs", "2", "epochs=8", "checkpoint_every=1"),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                finished = process.wait(timeout=moments.uniform(0.01, 0.3)) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                hits += 1
        harness.must_run(sweep, "--quiet", "epochs=8", "checkpoint_every=1")
        same(checks, f"killed, sweep {sweeps}", sweep, whole, 8)
        check_whole(checks, f"killed, sweep {sweeps}", sweep)
        checks.true(f"killed, sweep {sweeps}: went on from shorter ones",
                    len(glob.glob(os.path.join(sweep.dir, "*", "trial.log"))) == 42 and taken(sweep))
    print(f"{hits} kills in {sweeps} sweeps", flush=True)


def main():
    if not shutil.which("git"):
        harness.skip("no git")
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    moments, checks, folder = random.Random(seed), harness.Checks(), harness.scratch()
    goes_on(checks, folder)
    starts_anew(checks, folder)
    ends(checks, folder)
    damaged(checks, folder)
    interrupted(checks, folder)
    pruned(checks, folder)
    killed(checks, folder, moments)
    checks.finish()


if __name__ == "__main__":
    main()
