#!/usr/bin/env python3
"""start.py PROGRAM [ROUNDS] - how soon a worker trains, and what memory it takes, on Fashion-MNIST (see start.sh)."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LAYERS = "flatten > linear 512 > relu > linear 512 > relu > linear 10"
WEIGHTS = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
NODES = 784 + 512 + 512 + 10
DATA = 70000 * (784 + 4)  # pixels and labels
ROWS, BATCH = 12800, 64
STORE = tempfile.TemporaryDirectory(suffix=".git")  # a sweep's controller makes it before workers start


def share():
    """What the controller gives its workers; a descriptor to keep, and the path."""
    file = os.memfd_create("data", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    return file, f"/proc/{os.getpid()}/fd/{file}"


def command(folder, data, optimizer, trials):
    config = (f"[sweep]\nseed = %d\n[data]\ndataset = fashion-mnist\nbatch_size = {BATCH}\nlimit = {ROWS}\n[model]\nlayers = {LAYERS}\n"
              f"[train]\nepochs = 5\n[optimizer]\noptimizer = {optimizer}\n")
    return {"cmd": "train", "store": STORE.name, "metric": "Accuracy/Val", "maximize": True, "target": "",
            "fuse": trials, "data": data, "trials": [
                {"number": k, "name": str(k), "dir": f"{folder}/{k}", "tag": f"s/{k}", "title": "t", "group": "", "attempt": 1,
                 "config": config % k, "params": []} for k in range(1, trials + 1)]}


def run(program, data, optimizer="sgd", trials=1, epoch=1, step=1):
    """Milliseconds from exec to the first report of each kind; memory once the last trial has done a step of an epoch."""
    folder = tempfile.mkdtemp()
    text = json.dumps(command(folder, data, optimizer, trials)) + "\n"
    begin = time.perf_counter()
    worker = subprocess.Popen([program, "worker", "--cpu", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    worker.stdin.write(text)
    worker.stdin.flush()
    seen = {}
    for line in worker.stdout:
        event = json.loads(line)
        seen.setdefault(event["event"], (time.perf_counter() - begin) * 1e3)
        if event["event"] == "end":
            sys.exit(f"worker: {line}")
        if event["event"] == "progress" and event["epoch"] == epoch and event["step"] >= step and event["number"] == trials:
            break
    with open(f"/proc/{worker.pid}/status", encoding="utf-8") as status:
        memory = {name: int(value.split()[0]) * 1024 for name, value in
                  (line.rstrip().split(":") for line in status if line.startswith("Rss"))}
    worker.kill()
    worker.communicate()
    shutil.rmtree(folder)
    return seen, memory


def middle(rounds, key):
    return statistics.median(seen[key] for seen in rounds)


def start(program, count):
    first, others, alone = [], [], []
    for _ in range(count):
        file, data = share()
        first.append(run(program, data)[0])
        others.append(run(program, data)[0])
        os.close(file)
        alone.append(run(program, "")[0])
    print(f"start of a worker, ms from exec, medians of {count}          ready  trial begun  first step done")
    for name, rounds in (("the first, which reads the data", first), ("any other", others), ("one that shares nothing", alone)):
        print(f"  {name:45} {middle(rounds, 'ready'):10.1f} {middle(rounds, 'start'):12.1f} {middle(rounds, 'progress'):16.1f}")


def memory(program):
    """Goal: 1.2 times weights, optimizer state, activations with their gradients, and data."""
    file, data = share()
    run(program, data)
    print("memory of a worker, MB: in the first epoch, and in the second, when the best epoch's weights and state wait to be saved")
    for optimizer, states in (("sgd", 0), ("adam", 2)):
        for trials in (1, 16):
            need = (4 * (WEIGHTS * (1 + states) * trials + 2 * BATCH * NODES) + DATA) / 1e6
            print(f"  {optimizer:4} K = {trials:2}  needed {need:6.1f}", end="")
            for epoch in (1, 2):
                m = run(program, data, optimizer, trials, epoch, ROWS // BATCH // 2)[1]
                own = m["RssAnon"]  # not the program's and its libraries' pages, which all processes share
                print(f"; epoch {epoch}: own {own / 1e6:6.1f}, with data {own / 1e6 + DATA / 1e6:6.1f}, {(own + DATA) / 1e6 / need:.2f}", end="")
            print(flush=True)
    os.close(file)


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    start(program, count)
    memory(program)


if __name__ == "__main__":
    main()
