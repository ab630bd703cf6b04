#!/usr/bin/env python3
"""run_torch_load.py - a checkpoint in PyTorch's hands.

model.safetensors loads with strict=True into the torch.nn.Sequential that the layers text describes and gives the
recorded Accuracy/Val (to the sample) and Loss/Val (1e-5) on Fashion-MNIST's test set; optimizer.safetensors has the
names and shapes of the optimizer's state_dict; state.json, metrics.json and the tag's trailers say where it stands.
"""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("SYSTEM_PYTHON", "/usr/bin/python3", "numpy", "torch")

import numpy as np
import torch

import artifacts
import oracle

LAYERS = ["flatten > linear 64 > relu > dropout 0.25 > linear 32 > relu > linear 10", "flatten > linear 10",
          "conv 4 5 stride 2 > relu > maxpool 2 > conv 8 3 groups 2 > relu > globalavgpool > flatten > linear 10",
          "conv 4 5 stride 3 > batchnorm > relu > dropout2d 0.2 > layernorm > flatten > batchnorm affine no > noise 0.1 > "
          "linear 10"]
OPTIMIZERS = {
    "sgd": [], "adam": ["exp_avg", "exp_avg_sq"], "adamw": ["exp_avg", "exp_avg_sq"], "rmsprop": ["square_avg"],
    "adagrad": ["sum"], "adadelta": ["square_avg", "acc_delta"], "adamax": ["exp_avg", "exp_inf"],
    "radam": ["exp_avg", "exp_avg_sq"], "lion": ["exp_avg"], "nadam": ["exp_avg", "exp_avg_sq"],
    "rprop": ["prev", "step_size"], "asgd": ["ax"], "lamb": ["exp_avg", "exp_avg_sq"],
}
EPOCHS, LIMIT, BATCH, SEED = 2, 2000, 64, 7
STEPS = (LIMIT + BATCH - 1) // BATCH


def tensors(data):
    found, metadata = artifacts.safetensors(data)
    return {name: torch.from_numpy(oracle.array(*tensor).copy()) for name, tensor in found.items()}, metadata


def check_model(checks, name, layers, sweep, reference, row, test):
    """Returns the parameters, {name: shape}."""
    net = oracle.network(layers, (1, 28, 28))
    model, _ = tensors(artifacts.blob(sweep.store, reference, "model.safetensors"))
    try:
        net.load_state_dict(model, strict=True)
    except RuntimeError as error:
        checks.true(f"{name}: strict=True", False, str(error))
        return {}
    loss, accuracy = oracle.evaluate(net, *map(torch.from_numpy, test), 1000)
    checks.equal(f"{name}: correct test images", round(accuracy * 10000), round(row["Accuracy/Val"] * 10000))
    checks.near(f"{name}: Loss/Val", row["Loss/Val"], loss, 1e-5)
    if name.startswith("0001") and name.endswith("last"):
        net.load_state_dict({key: value * 1.02 for key, value in model.items()})
        other = oracle.evaluate(net, *map(torch.from_numpy, test), 1000)[0]
        checks.true(f"{name}: other weights would be noticed", abs(other - row["Loss/Val"]) > 1e-4)
    return {key: tuple(value.shape) for key, value in net.named_parameters()}


def check_optimizer(checks, name, kind, sweep, reference, shapes, steps):
    state, metadata = tensors(artifacts.blob(sweep.store, reference, "optimizer.safetensors"))
    expected = {f"{p}.{slot}": shape for p, shape in shapes.items() for slot in OPTIMIZERS[kind]}
    checks.equal(f"{name}: optimizer tensors", {k: tuple(v.shape) for k, v in state.items()}, expected)
    checks.equal(f"{name}: optimizer metadata", metadata, {"optimizer": kind, "step": str(steps)})
    for key, value in state.items():
        if key.endswith(("_sq", "square_avg")):
            checks.true(f"{name}: {key} is a mean of squares", bool((value >= 0).all() and (value > 0).any()))


def check_words(checks, name, sweep, reference, record, curve, epoch, state_name):
    """state.json, metrics.json, config.ini, the annotated tag."""
    state = json.loads(artifacts.blob(sweep.store, reference, "state.json"))
    best = max(range(len(curve)), key=lambda e: curve[e]["Accuracy/Val"])
    for key, value in {"id": record["id"], "state": state_name, "epoch": epoch, "step": 0, "seed": SEED,
                       "rng": "philox", "best_epoch": best + 1, "best_value": curve[best]["Accuracy/Val"]}.items():
        checks.equal(f"{name}: state.json {key}", state.get(key), value)
    checks.equal(f"{name}: state.json rates", [rate["lr"] for rate in state["rates"]], [0.005])
    checks.true(f"{name}: seconds", state["seconds"] > 0)
    metrics = json.loads(artifacts.blob(sweep.store, reference, "metrics.json"))
    checks.equal(f"{name}: metrics.json epoch", metrics["epoch"], epoch)
    checks.equal(f"{name}: metrics.json values", metrics["metrics"],
                 {k: v for k, v in curve[epoch - 1].items() if k != "epoch"})
    message = artifacts.git(sweep.store, "for-each-ref", "--format=%(contents)", reference).decode()
    trailers = dict(re.findall(r"^([A-Za-z][A-Za-z0-9-]*): (.*)$", message, re.M))
    for key, value in {"seed": str(SEED), "trial-id": record["id"], "epoch": str(epoch), "state": state_name,
                       "batch-size": str(BATCH), "limit": str(LIMIT)}.items():
        checks.equal(f"{name}: trailer {key}", trailers.get(key), value)
    checks.near(f"{name}: trailer Accuracy-Val", float(trailers["Accuracy-Val"]), curve[epoch - 1]["Accuracy/Val"], 0)


def check_config(checks, name, folder, sweep, reference, record):
    """config.ini is a grid of this one trial: trained again it is the same trial with the same weights."""
    grid = os.path.join(folder, "again.ini")
    with open(grid, "wb") as file:
        file.write(artifacts.blob(sweep.store, reference, "config.ini"))
    again = harness.Sweep(folder, grid, "again")
    harness.must_run(again, "--quiet", "--jobs", "1")
    (found,) = artifacts.trials(again.dir).values()
    checks.equal(f"{name}: id of config.ini", found["id"], record["id"])
    checks.equal(f"{name}: weights of config.ini",
                 artifacts.object_id(again.store, f"refs/tags/again/{found['number']:04d}/last", "model.safetensors"),
                 artifacts.object_id(sweep.store, reference, "model.safetensors"))


def main():
    checks, folder = harness.Checks(), harness.scratch()
    if not os.path.isdir(oracle.FASHION):
        harness.skip("no Fashion-MNIST here (Debian's package dataset-fashion-mnist)")
    test = oracle.fashion("t10k")
    grid = harness.write_grid(
        os.path.join(folder, "load.ini"), sweep={"seed": SEED},
        data={"dataset": "fashion-mnist", "limit": LIMIT, "batch_size": BATCH}, model={"layers": ", ".join(LAYERS)},
        train={"epochs": EPOCHS, "checkpoint_every": 1},
        optimizer={"optimizer": ", ".join(OPTIMIZERS), "lr": 0.005},
    )
    sweep = harness.Sweep(folder, grid)
    harness.must_run(sweep, "--quiet")
    records = artifacts.trials(sweep.dir)
    checks.equal("trials", len(records), len(LAYERS) * len(OPTIMIZERS))
    for name, record in records.items():
        settings = {p["key"]: p["value"] for p in record["params"]}
        kind, layers = settings["optimizer"], settings["layers"]
        tag = f"refs/tags/load/{record['number']:04d}"
        curve = artifacts.curve(sweep.store, tag + "/last")
        best = max(range(EPOCHS), key=lambda e: curve[e]["Accuracy/Val"])
        checks.equal(f"{name}: curve of best", artifacts.curve(sweep.store, tag + "/best"), curve[: best + 1])
        for which, epoch in (("last", EPOCHS), ("best", best + 1)):
            label = f"{name} {which}"
            shapes = check_model(checks, label, layers, sweep, f"{tag}/{which}", curve[epoch - 1], test)
            check_optimizer(checks, label, kind, sweep, f"{tag}/{which}", shapes, epoch * STEPS)
            check_words(checks, label, sweep, f"{tag}/{which}", record, curve[:epoch], epoch,
                        "done" if epoch == EPOCHS else "running")
    check_config(checks, name, folder, sweep, f"{tag}/last", record)
    checks.finish()


if __name__ == "__main__":
    main()
