#!/usr/bin/env python3
"""search.py - a sequential search (tpe) has the same trials with the same weights on one worker and on two, and when its
controller is killed at some moments and started again: at its start, between two batches, inside one.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

TRIALS = 22


def sweep_of(folder, name):
    grid = harness.write_grid(
        os.path.join(folder, "s.ini"),
        sweep={"search": "tpe", "trials": TRIALS, "tpe_batch": 4, "tpe_n_startup_trials": 6, "metric": "min Loss/Val"},
        data={"dataset": "random 600x10 sum>0", "batch_size": 16},
        model={"layers": "linear ${h} > relu > linear 2", "h": "logint(4, 32)"}, train={"epochs": 3},
        optimizer={"optimizer": "sgd, adam", "lr": "loguniform(1e-4, 1)"},
        when={"optimizer=sgd": {"momentum": "0, uniform(0.1, 0.9, 0.1)"}},
    )
    return harness.Sweep(folder, grid, name)


def outcome(sweep):
    """{name: (id, object ids of what was trained)}"""
    found = {}
    for record in artifacts.journal(sweep.dir):
        if record["event"] == "trial":
            tag = f"refs/tags/s/{record['number']:04d}/last"
            found[record["name"]] = (record["id"], artifacts.object_id(sweep.store, tag, "model.safetensors"),
                                     artifacts.object_id(sweep.store, tag, "optimizer.safetensors"))
    return found


def run_until(sweep, ends, *arguments):
    """Kill the controller after so many ends of trials; the workers follow."""
    controller = sweep.start("--json", *arguments)
    seen = 0
    for line in controller.stdout:
        event = harness.events(line)
        seen += bool(event) and event[0]["event"] == "end"
        if seen >= ends:
            break
    controller.kill()
    controller.wait()
    controller.stdout.close()
    controller.stderr.close()
    return seen


def check_stop(checks, sweep):
    """Ctrl-C in a later batch: once nothing but the first heard signals."""
    controller, seen = sweep.start("--json", "epochs=300"), 0
    for line in controller.stdout:
        event = harness.events(line)
        seen += bool(event) and event[0]["event"] == "end"
        if seen == 7:
            controller.send_signal(signal.SIGINT)
    checks.equal("stopped in the second batch: exit code", controller.wait(), 130)
    checks.true("stopped in the second batch: at once", seen <= 10, f"{seen} trials ended")
    controller.stdout.close()
    controller.stderr.close()


def check_batches(checks, sweep):
    """Each batch's record stands before its trials and after the ends of all trials before."""
    trials, ended = set(), set()
    for record in artifacts.journal(sweep.dir):
        if record["event"] == "trial":
            trials.add(record["number"])
        elif record["event"] == "end":
            ended.add(record["number"])
        elif record["event"] == "batch":
            checks.equal("trials before a batch are over", ended, trials)


def main():
    folder, checks = harness.scratch(), harness.Checks()
    whole = sweep_of(folder, "whole")
    harness.must_run(whole, "--jobs", "1")
    expected = outcome(whole)
    checks.equal("trials", len(expected), TRIALS)
    check_batches(checks, whole)
    two = sweep_of(folder, "two")
    harness.must_run(two, "--jobs", "2", "--fuse", "off")
    checks.equal("two workers", outcome(two), expected)
    for moments, jobs in (((0, 6, 11), "1"), ((3, 3, 1, 9), "2")):
        broken = sweep_of(folder, f"killed-{jobs}")
        for ends in moments:
            run_until(broken, ends, "--jobs", jobs)
        harness.must_run(broken, "--jobs", jobs)
        checks.equal(f"killed after {moments}, {jobs} workers", outcome(broken), expected)
        harness.must_run(broken)
        checks.equal("nothing is left to do", outcome(broken), expected)
    check_stop(checks, sweep_of(folder, "stopped"))
    longer = sweep_of(folder, "whole")
    harness.must_run(longer, f"trials={TRIALS + 5}")
    more = outcome(longer)
    checks.equal("more trials keep those before", {name: more.get(name) for name in expected}, expected)
    checks.equal("and follow them", len(more), TRIALS + 5)
    checks.finish()


if __name__ == "__main__":
    main()
