#!/usr/bin/env python3
"""instructions.py - a guard against silent slowness: instructions per multiply-add of whole training steps.

callgrind counts them inside train_bundle_train_step: no clock, the same on every machine with the same instruction
set (valgrind has AVX2, not AVX-512). A product that falls back to scalar code, an update that leaves its epilogue, an
operation that walks a matrix once more than needed shows here. Each bound is about a fifth above what was counted
when it was written.
"""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

STEPS = 4
# name: (settings, trials, multiply-adds of a step and trial, instructions allowed per multiply-add)
DENSE = 3 * (256 * 128 + 128 * 10) - 256 * 128
# LeNet-5: multiply-adds with all terms, padding's and zeros' too; the first layer has no gradient of its input.
LENET = 2 * 28 * 28 * 25 * 6 + 3 * (100 * 150 * 16 + 400 * 120 + 120 * 84 + 84 * 10)
FASHION = "/usr/share/datasets/fashion-mnist"
CASES = {
    "sgd": (["dataset=random 512x256 classes=10", "batch_size=64", "layers=linear 128 > relu > linear 10", "optimizer=sgd"],
            1, 64 * DENSE, 0.29),
    "adam": (["dataset=random 512x256 classes=10", "batch_size=64", "layers=linear 128 > relu > linear 10", "optimizer=adam"],
             1, 64 * DENSE, 0.32),
    "dropout": (["dataset=random 512x256 classes=10", "batch_size=64", "layers=linear 128 > relu > dropout 0.2 > linear 10",
                 "optimizer=sgd"], 1, 64 * DENSE, 0.31),
    "batchnorm": (["dataset=random 512x256 classes=10", "batch_size=64", "layers=linear 128 > batchnorm > relu > linear 10",
                   "optimizer=sgd"], 1, 64 * DENSE, 0.37),
    # real images: their zeros, those of relu and dropout, and features that no sample has are left out
    "zeros": (["dataset=fashion-mnist", "limit=512", "batch_size=64",
               "layers=flatten > linear 256 > relu > dropout 0.5 > linear 128 > relu > linear 10", "optimizer=adam"],
              1, 64 * (2 * 784 * 256 + 3 * 256 * 128 + 3 * 128 * 10), 0.175),
    "lenet": (["dataset=fashion-mnist", "limit=512", "batch_size=64", "layers=conv 6 5 pad 2 > relu > maxpool 2 > conv 16 5 > relu > "
               "maxpool 2 > flatten > linear 120 > relu > linear 84 > relu > linear 10", "optimizer=sgd"], 1, 64 * LENET, 0.30),
    "tiny, 8 trials": (["dataset=random 512x20 sum>0", "batch_size=32", "layers=linear 64 > relu > linear 32 > relu > linear 2",
                        "optimizer=adam"], 8, 32 * (2 * 20 * 64 + 3 * 64 * 32 + 3 * 32 * 2), 0.75),
}


def count(bench, settings, trials, folder):
    """Instructions of one step and trial."""
    out = os.path.join(folder, "callgrind.out")
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--collect-atstart=no",
         "--toggle-collect=train_bundle_train_step", bench, f"trials={trials}", f"steps={STEPS}", "lr=0.01", *settings],
        capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr)
        sys.exit(1)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1)) / STEPS / trials


def main():
    if not shutil.which("valgrind"):
        harness.skip("no valgrind")
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        if not {"avx2", "fma"} <= set(file.read().split()):
            harness.skip("this machine has no AVX2")
    checks, folder = harness.Checks(), harness.scratch()
    bench = os.path.join(os.environ["BUILD"], "tests", "bench_train")
    for name, (settings, trials, work, allowed) in CASES.items():
        if "dataset=fashion-mnist" in settings and not os.path.isdir(FASHION):
            print(f"{name}: left out, no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
            continue
        found = count(bench, settings, trials, folder) / work
        print(f"{name}: {found:.3f} instructions per multiply-add, {allowed} allowed")
        checks.true(f"{name}: instructions per multiply-add", found <= allowed, f"{found:.3f}, allowed {allowed}")
    os.environ["CSWEEP_CPU"] = "generic"
    name = "sgd"
    slow = count(bench, CASES[name][0], 1, folder) / CASES[name][2]
    checks.true("scalar code would be noticed", slow > 2 * CASES[name][3], f"{slow:.3f}")
    checks.finish()


if __name__ == "__main__":
    main()
