#!/usr/bin/env python3
"""faults.py - what breaks around a sweep costs what it must and no more.

A damaged checkpoint fails its trial alone; a torn journal is mended, a damaged one refused; a full disk stops the
sweep, which goes on once there is room; a worker that dies too often fails its trial; a second controller, missing
data and an unusable folder are refused before anything is written. Always: the right exit code, one clear line, and
afterwards the same command ends with the same weights.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness
from invariants import check_whole

EPOCHS, TRIALS = 4, 4


def grid(folder, name="faults", **changes):
    sections = {
        "sweep": {"seeds": 2}, "data": {"dataset": "random 1500x20 sum>0", "batch_size": 8},
        "model": {"layers": "linear 64 > relu > linear 64 > relu > linear 2"},
        "train": {"epochs": EPOCHS, "checkpoint_every": 1}, "optimizer": {"optimizer": "sgd, adam", "lr": 0.01},
    }
    for section, keys in changes.items():
        sections[section] = {**sections[section], **keys}
    return harness.write_grid(os.path.join(folder, name + ".ini"), **sections)


def weights(sweep):
    names = {r["number"]: f"refs/tags/{sweep.name}/{r['number']:04d}/last:model.safetensors"
             for r in artifacts.trials(sweep.dir).values()}
    found = artifacts.object_ids(sweep.store, list(names.values()))
    return {number: found[name] for number, name in names.items()}


def states(sweep):
    """{trial number: state of its last end}"""
    return {r["number"]: r["state"] for r in artifacts.journal(sweep.dir) if r["event"] == "end"}


def stop_at(sweep, number, epoch, *arguments, signal_number=signal.SIGINT, target="controller"):
    """Run one trial after the other, and signal when a trial has ended an epoch; returns (exit code, stderr)."""
    process, sent = sweep.start("--json", "--jobs", "1", "--fuse", "off", *arguments), False
    for line in process.stdout:
        event = json.loads(line)
        if not sent and (event.get("event"), event.get("number"), event.get("epoch")) == ("epoch", number, epoch):
            for pid in [process.pid] if target == "controller" else harness.workers_of(process.pid):
                harness.kill(pid, signal_number)
            sent = True
    errors = process.stderr.read()
    return process.wait(timeout=60), errors


def one_line(checks, what, errors, *words):
    """One line says it, with all of the words."""
    lines = errors.strip().splitlines()
    checks.equal(f"{what}: lines said", len(lines), 1)
    for word in words:
        checks.true(f"{what}: says {word}", word in errors, errors)


def damaged_checkpoint(checks, folder, reference):
    sweep = harness.Sweep(folder, grid(folder), "damaged")
    checks.equal("damaged: stopped", stop_at(sweep, 2, 2)[0], 130)
    identity = weights(sweep)[2]
    path = os.path.join(sweep.store, "objects", identity[:2], identity[2:])
    os.chmod(path, 0o644)
    os.truncate(path, os.path.getsize(path) // 2)
    for attempt in ("first", "second"):
        code, _, errors = sweep.run("--quiet")
        checks.equal(f"damaged, {attempt} run: exit code", code, 1)
        told = [line for line in errors.splitlines() if line.startswith("csweep:")]
        checks.equal(f"damaged, {attempt} run: lines of csweep", len(told), 1)
        checks.true(f"damaged, {attempt} run: names trial and object",
                    len(told) == 1 and re.match(r"csweep: 0002,.*failed: ", told[0]) and identity[:7] in told[0], errors)
        checks.equal(f"damaged, {attempt} run: states", states(sweep), {1: "done", 2: "failed", 3: "done", 4: "done"})
    found = weights(sweep)
    checks.equal("damaged: the others", {n: found[n] for n in (1, 3, 4)}, {n: reference[n] for n in (1, 3, 4)})
    for which in ("last", "best"):
        artifacts.git(sweep.store, "update-ref", "-d", f"refs/tags/faults/0002/{which}")
    harness.must_run(sweep, "--quiet")
    checks.equal("damaged: after its tags were deleted", (states(sweep)[2], weights(sweep)), ("done", reference))


def torn_journal(checks, folder, reference):
    """Cut anywhere, or with rubbish at its end: the next run mends it and every trial is done once."""
    whole = harness.Sweep(folder, grid(folder), "journal")
    harness.must_run(whole, "--quiet", "--jobs", "1")
    path = os.path.join(whole.dir, "journal.jsonl")
    with open(path, "rb") as file:
        data = file.read()
    ends = [i + 1 for i, byte in enumerate(data) if byte == 10]
    cuts = [data[:-1], data[: ends[-2] + 1], data[: ends[-2]], data[: ends[-4] + 100], data[: ends[2] + 7], data[:30],
            data[:0], data + b'{"t":17953,"event":"end","numb', data + b"\0" * 600]
    for count, cut in enumerate(cuts):
        with open(path, "wb") as file:
            file.write(cut)
        code, _, errors = whole.run("--quiet")
        checks.equal(f"torn journal {count}: exit code", (code, errors), (0, ""))
        checks.equal(f"torn journal {count}: states", states(whole), {n: "done" for n in range(1, TRIALS + 1)})
        checks.equal(f"torn journal {count}: weights", weights(whole), reference)
        check_whole(checks, f"torn journal {count}", whole)
    broken = data[: ends[1] + 20] + b"#" + data[ends[1] + 21 :]
    with open(path, "wb") as file:
        file.write(broken)
    code, _, errors = whole.run("--quiet")
    checks.equal("damaged journal: exit code", code, 4)
    one_line(checks, "damaged journal", errors, "journal.jsonl:3", "damaged")
    with open(path, "rb") as file:
        checks.true("damaged journal: left as it was", file.read() == broken)


def lost_workers(checks, folder, reference):
    sweep = harness.Sweep(folder, grid(folder), "lost")
    code, errors = stop_at(sweep, 3, 2, "--retries", "0", signal_number=signal.SIGKILL, target="workers")
    checks.equal("worker lost: exit code", code, 1)
    told = [line for line in errors.splitlines() if line.startswith("csweep:")]
    checks.true("worker lost: told", len(told) == 1 and "0003," in told[0] and "signal 9" in told[0], errors)
    checks.equal("worker lost: states", states(sweep), {1: "done", 2: "done", 3: "failed", 4: "done"})
    ends = [r for r in artifacts.journal(sweep.dir) if r["event"] == "end" and r["number"] == 3]
    checks.equal("worker lost: cause", [r.get("cause") for r in ends], ["signal"])
    harness.must_run(sweep, "--quiet")
    checks.equal("worker lost: run again", (states(sweep)[3], weights(sweep)), ("done", reference))


def refusals(checks, folder):
    """Before anything is written."""
    sweep = harness.Sweep(folder, grid(folder, "nodata", data={"dataset": "fashion-mnist", "path": "/nonexistent"},
                                       model={"layers": "flatten > linear 10"}), "nodata")
    code, _, errors = sweep.run()
    checks.equal("no data: exit code", code, 4)
    one_line(checks, "no data", errors, "fashion-mnist", "/nonexistent")
    checks.equal("no data: nothing written", (os.path.exists(sweep.logdir), os.path.exists(sweep.store)), (False, False))
    for what in ("logdir", "store"):
        sweep = harness.Sweep(folder, grid(folder), "file-as-" + what)
        path = getattr(sweep, what)
        with open(path, "w", encoding="utf-8") as file:
            file.write("a file")
        code, _, errors = sweep.run("--quiet")
        checks.equal(f"a file as {what}: exit code", code, 4)
        one_line(checks, f"a file as {what}", errors, os.path.basename(path))
        with open(path, encoding="utf-8") as file:
            checks.equal(f"a file as {what}: untouched", file.read(), "a file")
    sweep = harness.Sweep(folder, grid(folder, "held", train={"epochs": 100000}), "held")
    process = sweep.start("--json", "--jobs", "1")
    process.stdout.readline()
    code, _, errors = sweep.run("--quiet")
    process.kill()
    process.communicate()
    checks.equal("second controller: exit code", code, 4)
    one_line(checks, "second controller", errors, "another csweep")


class SmallDisk:
    """A file system in memory of a given size, unmounted at the end."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path)

    def __enter__(self):
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", self.path], capture_output=True, check=False)
        self.mounted = made.returncode == 0
        return self

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True, capture_output=True)

    def __exit__(self, *_):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)


def full_disk(checks, folder, reference):
    """The disk is full at several moments, from the first file to one of the last checkpoints."""
    with SmallDisk(os.path.join(folder, "disk")) as disk:
        if not disk.mounted:
            return False
        shutil.copy(grid(folder), disk.path)
        stopped = 0
        for count, size in enumerate(["24k", "64k", "100k", "140k", "200k", "280k", "400k", "600k"]):
            sweep = harness.Sweep(disk.path, os.path.join(disk.path, "faults.ini"), f"full-{count}")
            used = os.statvfs(disk.path)
            before = (used.f_blocks - used.f_bfree) * used.f_frsize // 1024
            disk.resize(f"{before + int(size[:-1])}k")
            code, out, errors = sweep.run("--quiet")
            if code == 4:
                stopped += 1
                one_line(checks, f"{size} of room", errors, "No space left on device")
            else:
                checks.equal(f"{size} of room: exit code", (code, errors), (0, ""))
            disk.resize("64m")
            again = sweep.run("--quiet")
            checks.equal(f"{size} of room, then enough: exit code", (again[0], again[2]), (0, ""))
            checks.equal(f"{size} of room, then enough: weights", weights(sweep), reference)
            check_whole(checks, f"{size} of room, then enough", sweep)
        checks.true("the disk was full at several moments", stopped >= 4, f"{stopped} times")
        print(f"full disk: stopped {stopped} times", flush=True)
    return True


def main():
    if not shutil.which("git"):
        harness.skip("no git")
    checks, folder = harness.Checks(), harness.scratch()
    whole = harness.Sweep(folder, grid(folder), "reference")
    harness.must_run(whole, "--quiet")
    reference = weights(whole)
    checks.equal("trials", sorted(reference), list(range(1, TRIALS + 1)))
    damaged_checkpoint(checks, folder, reference)
    torn_journal(checks, folder, reference)
    lost_workers(checks, folder, reference)
    refusals(checks, folder)
    mounted = full_disk(checks, folder, reference)
    if not mounted and not checks.failures:
        harness.skip(f"{checks.count} checks passed; the full disk needs the right to mount a tmpfs")
    checks.finish()


if __name__ == "__main__":
    main()
