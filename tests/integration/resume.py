#!/usr/bin/env python3
"""resume.py [SEED] - the same trial has the same bits: however it is run, and however often it is killed.

A reference sweep is run undisturbed. Then again: with one and two workers, fused and not, each trial alone, on other
instruction sets, with checkpoints seldom and often; with the controller killed (kill -9) at random moments, with
workers killed at random moments, with Ctrl-C in the middle of epochs. Every time the git object ids of the weights,
the optimizer's state and the curve must be those of the reference, and so must be what the event files say: curves,
histograms, pictures. After kills besides: each trial ended once in the
journal, event curves without gap or overlap and equal to curve.csv, `git fsck --strict` clean, no stale lock, no
process left a second after its controller's death.

The moments come from SEED, which is printed.

# limit: 600
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

EPOCHS, KILLS, STOPS = 5, 12, 4
FILES = ["model.safetensors", "optimizer.safetensors", "curve.csv"]
LAYERS = "linear 40 > relu > dropout 0.2 > linear 30 > relu > linear 2"
NORMED = "linear 40 > batchnorm > relu > noise 0.1 > linear 30 > layernorm > relu > batchnorm affine no > linear 2"
SMALL = "flatten > linear 32 > relu > linear 10"


def grid(folder, name="grid", **changes):
    sections = {
        "sweep": {"seeds": 2}, "data": {"dataset": "random 2000x20 sum>0", "batch_size": 8}, "model": {"layers": LAYERS},
        "train": {"epochs": EPOCHS, "checkpoint_every": 1, "histograms": 4}, "optimizer": {"optimizer": "sgd, adam, rmsprop", "lr": 0.01},
        "when": {"optimizer=sgd": {"momentum": 0.9}, "optimizer=rmsprop": {"rng": "torch"},
                 "optimizer=rmsprop and scheduler=plateau": {"ema": 0.95, "lookahead": 7},
                 "optimizer=rmsprop and scheduler=one_cycle": {"swa_start": 2, "lookahead": 4},
                 "scheduler=plateau": {"mode": "max", "patience": 0, "factor": 0.5},
                 # the rate and the momentum of every step are others, and the warm-up ends inside an epoch
                 "scheduler=one_cycle": {"warmup_steps": 333}},
        "scheduler": {"scheduler": "one_cycle, plateau"},
    }
    for section, keys in changes.items():
        sections[section] = {**sections[section], **keys} if section in sections else keys
    return harness.write_grid(os.path.join(folder, name + ".ini"), **sections)


def ids(sweep):
    """{(trial, file, tag): object id}; a trial by its parameters, so that checkpoint_every does not matter."""
    names, shown = {}, {}
    for run, record in artifacts.trials(sweep.dir).items():
        params = {p["key"]: p["value"] for p in record["params"]}
        key = (params["optimizer"], params.get("scheduler"), record["seed"])
        shown[(*key, "events", "")] = artifacts.run_hash(os.path.join(sweep.dir, run))
        for which in ("last", "best"):
            for file in FILES:
                names[(*key, file, which)] = f"refs/tags/{sweep.name}/{record['number']:04d}/{which}:{file}"
    found = artifacts.object_ids(sweep.store, list(names.values()))
    return {**{key: found[name] for key, name in names.items()}, **shown}


def same(checks, what, got, reference, part=False):
    checks.true(f"{what}: something to compare", got)
    if not part:
        checks.equal(f"{what}: trials and files", sorted(map(str, got)), sorted(map(str, reference)))
    for key in got:
        checks.true(f"{what}: object id of {key}", got[key] is not None and got[key] == reference.get(key),
                    f"got {got[key]}, expected {reference.get(key)}")


def end_of_workers(checks, what, controller):
    """No worker of a dead controller lives a second later."""
    end = time.monotonic() + 1
    while harness.workers_of(controller) and time.monotonic() < end:
        time.sleep(0.02)
    checks.equal(f"{what}: workers left a second after the controller's death", harness.workers_of(controller), [])


def variants(checks, folder, reference):
    for what, arguments in {
        "one worker": ["--jobs", "1"], "two workers, fuse off": ["--jobs", "2", "--fuse", "off"],
        "fuse 4": ["--jobs", "1", "--fuse", "4"], "fuse 8": ["--jobs", "2", "--fuse", "8"],
    }.items():
        sweep = harness.Sweep(folder, grid(folder), what.replace(" ", "-").replace(",", ""))
        harness.must_run(sweep, "--quiet", *arguments)
        same(checks, what, ids(sweep), reference)
    for optimizer, scheduler, seed in (("adam", "plateau", 1), ("sgd", "one_cycle", 0), ("rmsprop", "one_cycle", 1)):
        what = f"alone {optimizer} {scheduler} {seed}"
        sweep = harness.Sweep(folder, grid(folder), what.replace(" ", "-"))
        harness.must_run(sweep, "--quiet", f"optimizer={optimizer}", f"scheduler={scheduler}", f"seeds={seed},{seed + 7}")
        same(checks, what, {k: v for k, v in ids(sweep).items() if k[2] == seed}, reference, part=True)
    for every in (0, 2, EPOCHS):
        what = f"checkpoint every {every}"
        sweep = harness.Sweep(folder, grid(folder), what.replace(" ", "-"))
        harness.must_run(sweep, "--quiet", f"checkpoint_every={every}")
        same(checks, what, ids(sweep), reference)


def instances(checks, folder):
    """On every instruction set of this machine, with a net of odd sizes on images."""
    data = {"dataset": "fashion-mnist", "limit": 500, "batch_size": 33}
    if not os.path.isdir("/usr/share/datasets/fashion-mnist"):
        data = {"dataset": "random 1000x99 classes=10", "batch_size": 33}
    reference = None
    for name in harness.instances():
        made = grid(folder, data=data, model={"layers": SMALL.removeprefix("" if "limit" in data else "flatten > ")},
                    train={"epochs": 2})
        sweep = harness.Sweep(folder, made, "cpu-" + name)
        harness.must_run(sweep, "--quiet", environment={"CSWEEP_CPU": name})
        found = ids(sweep)
        reference = reference or found
        same(checks, f"CSWEEP_CPU={name}", found, reference)
        for run in artifacts.trials(sweep.dir):
            with open(os.path.join(sweep.dir, run, "trial.log"), encoding="utf-8") as file:
                checks.true(f"CSWEEP_CPU={name}: said in {run}/trial.log", name in file.readline())
        sys.stdout.flush()


def fresh(folder, name, count, every=1, layers=LAYERS):
    """A sweep in a new folder: the last one may have finished before it was killed often enough."""
    made = grid(folder, model={"layers": layers}, train={"checkpoint_every": every},
                # PyTorch's stream has no numbers for noise
                **({} if layers == LAYERS else {"when": {"optimizer=rmsprop": {"rng": "philox"}}}))
    return harness.Sweep(folder, made, f"{name}-{count}")


def killed_controllers(checks, folder, reference, moments, seconds):
    """kill -9 of the controller until KILLS of them hit; every sweep begun is then finished."""
    hits = sweeps = 0
    while hits < KILLS:
        sweep, finished = fresh(folder, "controller", sweeps), False
        sweeps += 1
        while hits < KILLS and not finished:
            process = subprocess.Popen(sweep.command("--quiet", "--jobs", "2", "--fuse", moments.choice(["auto", "off"])),
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                process.wait(timeout=moments.uniform(0.01, seconds / 8))
                finished = True
                checks.equal("a run between kills", (process.returncode, process.stderr.read()), (0, ""))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                hits += 1
                end_of_workers(checks, f"kill {hits}", process.pid)
            process.stderr.close()
        harness.must_run(sweep, "--quiet")
        same(checks, f"controller killed, sweep {sweeps}", ids(sweep), reference)
        check_whole(checks, f"controller killed, sweep {sweeps}", sweep)
    print(f"controller: {hits} kills in {sweeps} sweeps", flush=True)


def killed_workers(checks, folder, reference, moments, seconds):
    """kill -9 of single workers; the controller starts others and ends well by itself."""
    hits = sweeps = 0
    while hits < KILLS and sweeps < 10:
        sweep = fresh(folder, "worker", sweeps)
        sweeps += 1
        process = subprocess.Popen(sweep.command("--quiet", "--jobs", "2", "--retries", "1000"),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while hits < KILLS:
            try:
                process.wait(timeout=moments.uniform(0.01, seconds / 8))
                break
            except subprocess.TimeoutExpired:
                workers = harness.workers_of(process.pid)
                if workers:
                    harness.kill(moments.choice(workers))
                    hits += 1
        errors = process.communicate(timeout=harness.LIMIT_SECONDS)[1]
        checks.equal(f"workers killed, sweep {sweeps}: exit code", (process.returncode, errors if process.returncode else ""),
                     (0, ""))
        same(checks, f"workers killed, sweep {sweeps}", ids(sweep), reference)
        check_whole(checks, f"workers killed, sweep {sweeps}", sweep)
    checks.true("workers were killed", hits >= KILLS, f"{hits} kills")
    print(f"workers: {hits} kills in {sweeps} sweeps", flush=True)


def interrupted(checks, folder, reference, moments, seconds, name="interrupted", layers=LAYERS, wanted=STOPS):
    """Ctrl-C: exit 130, trials stand in the middle of an epoch, and go on to the same bits."""
    stops = sweeps = inside = 0
    while (stops < wanted or inside == 0) and sweeps < 10:
        sweep, finished = fresh(folder, name, sweeps, EPOCHS, layers), False  # no saving between
        sweeps += 1
        while not finished and (stops < wanted or inside == 0):
            process = sweep.start("--json", "--jobs", "2", start_new_session=True)
            for line in process.stdout:
                if json.loads(line)["event"] == "start":
                    break
            time.sleep(moments.uniform(0, min(0.3, seconds / 3)))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            # Ctrl-C after the last trial ends the process by the signal itself, which a shell shows as 130 too
            finished = process.returncode in (0, -signal.SIGINT)
            if finished:
                continue
            stops += 1
            checks.equal(f"stop {stops}: exit code", process.returncode, 130)
            checks.true(f"stop {stops}: says how to go on", "run the same command again" in errors, errors)
            checks.equal(f"stop {stops}: workers left", harness.workers_of(process.pid), [])
            checks.equal(f"stop {stops}: git fsck", artifacts.fsck(sweep.store), "")
            inside += sum(step_of(sweep, record) > 0 for record in artifacts.trials(sweep.dir).values())
        harness.must_run(sweep, "--quiet")
        same(checks, f"{name}, sweep {sweeps}", ids(sweep), reference)
        check_whole(checks, f"{name}, sweep {sweeps}", sweep)
    checks.true(f"{name}: stops inside epochs", inside > 0, f"{inside}")
    print(f"{name}: {stops} stops, {inside} trials inside an epoch, {sweeps} sweeps", flush=True)


def step_of(sweep, record):
    reference = f"refs/tags/{sweep.name}/{record['number']:04d}/last"
    try:
        return json.loads(artifacts.blob(sweep.store, reference, "state.json"))["step"]
    except subprocess.CalledProcessError:
        return 0  # no checkpoint yet


def main():
    if not shutil.which("git"):
        harness.skip("no git")
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}", flush=True)
    moments, checks, folder = random.Random(seed), harness.Checks(), harness.scratch()
    whole = harness.Sweep(folder, grid(folder), "reference")
    started = time.monotonic()
    harness.must_run(whole, "--quiet", "--jobs", "2")
    seconds = time.monotonic() - started
    reference = ids(whole)
    check_whole(checks, "reference", whole)
    other = {k: v for k, v in reference.items() if k[3:] == ("model.safetensors", "last")}
    checks.equal("different trials have different weights", len(set(other.values())), len(other))
    print(f"reference: {len(other)} trials, {seconds:.1f} s", flush=True)
    variants(checks, folder, reference)
    instances(checks, folder)
    killed_controllers(checks, folder, reference, moments, seconds)
    killed_workers(checks, folder, reference, moments, seconds)
    interrupted(checks, folder, reference, moments, seconds)
    normed = fresh(folder, "normed-reference", 0, layers=NORMED)
    harness.must_run(normed, "--quiet", "--jobs", "2")
    interrupted(checks, folder, ids(normed), moments, seconds, "normed", NORMED, 2)
    checks.finish()


if __name__ == "__main__":
    main()
