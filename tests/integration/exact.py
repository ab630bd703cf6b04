#!/usr/bin/env python3
"""exact.py - one trial, one set of bits: on every backend, in every company, from every compiler.

Nets of the tutorials, each with every optimizer of the registry, are trained by the reference backend, a trial at a
time. Then by each instruction set of this machine, fused by 1, 2, 7, 16 and 64 trials, by one worker and by two, by a
build of gcc without any optimization and by one of clang. Every time the git object ids of weights, optimizer state
and curve must be those of the reference, and so must be what event files say (of every third trial). A long run trains longer, and with more builds.

# limit: 600
"""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

LONG = bool(os.environ.get("CSWEEP_LONG"))
FILES = ["model.safetensors", "optimizer.safetensors", "curve.csv"]
FASHION = "/usr/share/datasets/fashion-mnist"
TOY = "random 250x20 sum>0"
IMAGES = "fashion-mnist"
# (data set, layers, seeds, trained on, batch): the last batch of an epoch is a smaller one
NETS = {
    "classifier": (TOY, "linear 64 > relu > linear 32 > relu > linear 2", 2, 0, 32),
    "tiny": (TOY, "linear 16 > relu > dropout 0.2 > linear 2", 6, 0, 32),
    "residual": (TOY, "linear 24 > gelu > res(linear 24 > dropout 0.3 > tanh) > relu > linear 2", 2, 0, 33),
    "quickstart": (IMAGES, "flatten > linear 512 > relu > linear 512 > relu > linear 10", 1, 40, 16),
    "dropout": (IMAGES, "flatten > linear 256 > relu > dropout 0.5 > linear 128 > relu > dropout 0.5 > linear 10", 1, 70, 64),
}
NETS["lenet"] = (IMAGES, "conv 6 5 pad 2 > relu > maxpool 2 > conv 16 5 > relu > maxpool 2 > flatten > linear 120 > relu > "
                 "linear 84 > relu > linear 10", 1, 46, 16)
NETS["conv"] = (IMAGES, "conv 5 4 stride 2 pad 2 > relu > dropout 0.2 > conv 10 3 groups 5 > avgpool 3 stride 2 > "
                "res(conv 10 3 pad 2 dilation 2 > relu > conv 10 1) > relu > globalavgpool > flatten > linear 10", 1, 30, 17)
NETS["normed"] = (IMAGES, "noise 0.1 > conv 5 4 stride 3 > batchnorm > relu > dropout2d 0.3 > layernorm > relu > conv 6 3 stride 2 > "
                  "batchnorm affine no > flatten > linear 17 > relu > noise 0.2 > batchnorm > linear 20 > layernorm > relu > "
                  "linear 10", 1, 50, 16)
# the tutorials' other nets
NETS["mnist"] = (IMAGES, "flatten > linear 512 > relu > dropout 0.3 > linear 256 > relu > dropout 0.3 > linear 10", 1, 140, 64)
NETS["hidden"] = (IMAGES, "flatten > linear 128 > relu > linear 10", 1, 140, 64)
NETS["batchnorm"] = (IMAGES, "flatten > linear 256 > batchnorm > relu > linear 128 > batchnorm > relu > linear 10", 1, 140, 64)
NETS["own"] = ("random 100x5 classes=2", "linear 16 > relu > linear 2", 2, 0, 32)
NETS["line"] = ("regression 1000x10", "linear 1", 2, 0, 64)
MORE = {"line": {"train": {"loss": "mse"}}, "normed": {"train": {"ema": 0.9, "accumulate": 2}}, "lenet": {"model": {"init": "orthogonal"}},
        "residual": {"train": {"lookahead": 3, "ema": 0.9, "rng": "torch"}}, "quickstart": {"train": {"swa_start": 1}}}  # further keys of some
BUILDS = {
    "gcc -O0": ["gcc", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O0", "-DCSWEEP_KERNEL_OPTIMIZE=-O0"],
    "clang -O3": ["clang", "-DCMAKE_BUILD_TYPE=Release"],
    **({"gcc -O2": ["gcc", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-O2", "-DCSWEEP_KERNEL_OPTIMIZE=-O2"],
        "clang -O0": ["clang", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O0", "-DCSWEEP_KERNEL_OPTIMIZE=-O0"],
        "clang -Os": ["clang", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS_RELEASE=-Os", "-DCSWEEP_KERNEL_OPTIMIZE=-Os"],
        } if LONG else {}),
}


def make_grid(folder, name, optimizers):
    data, layers, seeds, limit, batch = NETS[name]
    more = MORE.get(name, {})
    rows = {"dataset": data, "batch_size": batch, "val_split": 0.3, **({"limit": limit} if limit else {})}
    return harness.write_grid(
        os.path.join(folder, name + ".ini"), sweep={"seeds": 3 * seeds if LONG else seeds}, data=rows,
        model={"layers": layers, **more.get("model", {})},
        train={"epochs": 8 if LONG else 2, **more.get("train", {})},
        optimizer={"optimizer": ", ".join(optimizers), "lr": 0.003},
    )


def ids(sweep):
    names = {(record["number"], file): f"refs/tags/{sweep.name}/{record['number']:04d}/last:{file}"
             for record in artifacts.trials(sweep.dir).values() for file in FILES}
    found = artifacts.object_ids(sweep.store, list(names.values()))
    shown = {(record["number"], "events"): artifacts.run_hash(os.path.join(sweep.dir, name))
             for name, record in artifacts.trials(sweep.dir).items() if record["number"] % 3 == 1}
    return {**{key: found[name] for key, name in names.items()}, **shown}


def build(name, compiler, *options):
    """The program, built elsewhere than the others; None without that compiler."""
    if not shutil.which(compiler):
        print(f"no {compiler} here: no build {name}")
        return None
    folder = os.path.join(os.environ["SOURCE"], "build", "exact-" + name.replace(" ", ""))
    for command in (["cmake", "-G", "Ninja", "-S", os.environ["SOURCE"], "-B", folder, *options], ["cmake", "--build", folder]):
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CC": compiler}, check=False)
        if done.returncode:
            print(done.stdout[-3000:] + done.stderr[-2000:])
            sys.exit(1)
    return os.path.join(folder, "csweep")


def main():
    if not shutil.which("git"):
        harness.skip("no git")
    if not os.path.isdir(FASHION):
        harness.skip("no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
    checks, folder, first = harness.Checks(), harness.scratch(), harness.program()
    optimizers = harness.registry("optimizer")
    builds = {name: build(name, *command) for name, command in BUILDS.items()}
    # (what, arguments, environment)
    ways = [
        *((f"CSWEEP_CPU={name}", ["--jobs", "2", "--fuse", fuse], {"CSWEEP_CPU": name})
          for name, fuse in zip(harness.instances(), ["auto", "off", "auto"])),
        *((f"fuse {k}", ["--jobs", "1", "--fuse", str(k)], {}) for k in (2, 7, 16, 64)),
        ("one worker, fuse off", ["--jobs", "1", "--fuse", "off"], {}), ("as it comes", [], {}),
        *((name, ["--jobs", "2"], {"CSWEEP": path}) for name, path in builds.items() if path),
    ]
    for net in NETS:
        grid = make_grid(folder, net, optimizers)
        reference = harness.Sweep(folder, grid, f"{net}-ref")
        harness.must_run(reference, "--quiet", "--jobs", "2", "--fuse", "off", environment={"CSWEEP_CPU": "ref"})
        expected = ids(reference)
        weights = [value for (_, file), value in expected.items() if file == "model.safetensors"]
        checks.equal(f"{net}: trials", len(set(weights)), len(optimizers) * NETS[net][2] * (3 if LONG else 1))
        checks.true(f"{net}: whole", None not in expected.values())
        for number, (what, arguments, environment) in enumerate(ways):
            os.environ["CSWEEP"] = environment.get("CSWEEP", first)
            sweep = harness.Sweep(folder, grid, f"{net}-{number}")
            harness.must_run(sweep, "--quiet", *arguments, environment=environment)
            found = ids(sweep)
            for key, value in expected.items():
                checks.equal(f"{net}, {what}: {key}", found.get(key), value)
        os.environ["CSWEEP"] = first
        print(f"{net}: {len(weights)} trials, {len(ways)} ways", flush=True)
    checks.finish()


if __name__ == "__main__":
    main()
