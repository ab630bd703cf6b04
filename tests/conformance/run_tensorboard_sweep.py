#!/usr/bin/env python3
"""run_tensorboard_sweep.py - a real sweep, one worker killed in the middle, in front of real TensorBoard servers.

Both readers (--load_fast true, all checksums verified, and false) must show: every scalar of every run as in
curve.csv, steps 1 to the last each once; the HParams experiment and its sessions, grouped by seed; the text card;
no complaint about our files besides the Python reader's note on the resume. And both must show the same.
"""

import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("VENV_PYTHON", sys.executable, "tensorboard")

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import artifacts
from tbw_tensorboard import ALARM, Server

EPOCHS, KILLED, KILL_AFTER = 9, 3, 4
RATES, OPTIMIZERS, SEEDS = ["0.003", "0.03"], ["sgd", "adam"], ["0", "1"]
TIMES = ["Time/Epoch_Seconds", "Throughput/Samples_Per_Second"]
STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def run_sweep(checks, folder):
    """Train the grid; the worker is killed once, in trial KILLED after epoch KILL_AFTER."""
    grid = harness.write_grid(
        os.path.join(folder, "board.ini"), sweep={"seeds": len(SEEDS), "description": "for the board"},
        data={"dataset": "random 2000x20 sum>0", "batch_size": 16}, model={"layers": "linear 64 > relu > linear 2"},
        train={"epochs": EPOCHS, "checkpoint_every": 3},
        optimizer={"optimizer": ", ".join(OPTIMIZERS), "lr": ", ".join(RATES)},
    )
    sweep = harness.Sweep(folder, grid)
    process, killed = sweep.start("--json", "--jobs", "1", "--fuse", "off"), False
    for line in process.stdout:
        event = json.loads(line)
        where = (event.get("event"), event.get("number"), event.get("epoch"))
        if where == ("epoch", KILLED, KILL_AFTER) and not killed:
            for worker in harness.workers_of(process.pid):
                harness.kill(worker)
                killed = True
    errors = process.stderr.read()
    checks.equal("exit code", process.wait(timeout=60), 0)
    checks.true("a worker was killed", killed)
    checks.true("the death is told", "killed by signal 9" in errors and "0003," in errors, errors)
    return sweep


def expected_curves(sweep, records):
    """{run: {tag: {step: float32}}} from the checkpoints."""
    curves = {}
    for name, record in records.items():
        rows = artifacts.curve(sweep.store, f"refs/tags/board/{record['number']:04d}/last")
        series = {tag: {int(row["epoch"]): single(row[tag]) for row in rows} for tag in rows[0] if tag != "epoch"}
        best = 0.0
        series["Best/Accuracy/Val"] = {}
        for row in rows:
            best = max(best, row["Accuracy/Val"])
            series["Best/Accuracy/Val"][int(row["epoch"])] = single(best)
        curves[name] = series
    return curves


def check_scalars(server, checks, label, curves):
    tags, answers = server.fetch("plugin/scalars/tags"), {}
    checks.equal(f"{label}: runs", sorted(server.fetch("runs")), sorted(["_sweep", *curves]))
    for run, series in curves.items():
        checks.equal(f"{label}: tags of {run}", sorted(tags.get(run, {})), sorted([*series, *TIMES]))
        for tag in [*series, *TIMES]:
            points = server.fetch("plugin/scalars/scalars", run=run, tag=tag)
            answers[run, tag] = points
            checks.equal(f"{label}: steps of {run} {tag}", [p[1] for p in points], list(range(1, EPOCHS + 1)))
            if tag in series:
                checks.equal(f"{label}: values of {run} {tag}", {p[1]: p[2] for p in points}, series[tag])
            else:
                checks.true(f"{label}: {run} {tag} above 0", all(p[2] > 0 for p in points), str(points))
    return answers


def check_text(server, checks, label, records):
    tags = {run: found for run, found in server.fetch("plugin/text/tags").items() if found}
    checks.equal(f"{label}: text cards", tags, {"_sweep": ["Sweep"], **{run: ["Config"] for run in records}})
    answers = {}
    for run, record in records.items():
        (card,) = server.fetch("plugin/text/text", run=run, tag="Config")
        for param in [*record["params"], {"key": "seed", "value": str(record["seed"])}]:
            value = param["value"].replace(">", "&gt;")
            checks.true(f"{label}: {run}: {param['key']} in its card",
                        f"<td>{param['key']}</td>\n<td>{value}</td>" in card["text"], card["text"])
        answers[run] = card
    (card,) = server.fetch("plugin/text/text", run="_sweep", tag="Sweep")
    checks.true(f"{label}: the grid in the sweep's card", "lr = 0.003, 0.03" in card["text"]
                and "for the board" in card["text"], card["text"])
    return answers


def check_experiment(server, checks, label):
    got = server.fetch("plugin/hparams/experiment",
                       {"experimentName": "", "hparamsLimit": 1000, "includeMetrics": True})
    infos = {info["name"]: info for info in got.get("hparamInfos", [])}
    checks.equal(f"{label}: experiment", (got.get("name"), got.get("description")), ("board", "for the board"))
    checks.equal(f"{label}: what differs", sorted(k for k, v in infos.items() if v.get("differs")), ["lr", "optimizer"])
    checks.true(f"{label}: seed is no hyperparameter", "seed" not in infos)
    checks.equal(f"{label}: type of lr", infos["lr"]["type"], "DATA_TYPE_FLOAT64")
    checks.equal(f"{label}: values of lr", sorted(infos["lr"]["domainDiscrete"]), [float(r) for r in RATES])
    checks.equal(f"{label}: values of optimizer", sorted(infos["optimizer"]["domainDiscrete"]), sorted(OPTIMIZERS))
    checks.equal(f"{label}: first metric", got["metricInfos"][0]["name"]["tag"], "Best/Accuracy/Val")
    return got


def check_groups(server, checks, label, records, curves):
    got = server.fetch(
        "plugin/hparams/session_groups",
        {"experimentName": "", "allowedStatuses": STATUSES, "colParams": [], "startIndex": 0, "sliceSize": 100,
         "aggregationType": "AGGREGATION_AVG"},
    )
    groups = {group["name"]: group for group in got["sessionGroups"]}
    points = {}
    for name, record in records.items():
        points.setdefault(record["point"], []).append(name)
    checks.equal(f"{label}: groups", {g: sorted(s["name"] for s in v["sessions"]) for g, v in groups.items()},
                 {point: sorted(names) for point, names in points.items()})
    for point, names in points.items():
        group = groups.get(point, {"sessions": []})
        values = {p["key"]: p.get("num", p["value"]) for p in records[names[0]]["params"]}
        checks.equal(f"{label}: hparams of {names[0]}", group.get("hparams"), values)
        for session in group["sessions"]:
            name = session["name"]
            checks.equal(f"{label}: status of {name}", session.get("status"), "STATUS_SUCCESS")
            checks.true(f"{label}: times of {name}", 0 < session["startTimeSecs"] <= session["endTimeSecs"])
            last = {m["name"]["tag"]: (m["trainingStep"], m["value"]) for m in session["metricValues"]}
            for tag in ("Best/Accuracy/Val", "Accuracy/Val", "Loss/Val", "Accuracy/Train", "Loss/Train"):
                checks.equal(f"{label}: {tag} of {name}", last.get(tag), (EPOCHS, curves[name][tag][EPOCHS]))
        for metric in group.get("metricValues", []):
            tag = metric["name"]["tag"]
            mean = sum(curves[name][tag][EPOCHS] for name in names) / len(names)
            checks.near(f"{label}: mean {tag} of {names[0]}", metric["value"], mean, 1e-6)
    return groups


def check_log(server, checks, label):
    notes = 0
    for line in server.text().splitlines():
        if "likely caused by a TensorFlow restart" in line:
            notes += 1
        elif ALARM.search(line):
            checks.true(f"{label}: server complains", False, line)
    checks.equal(f"{label}: resumes noted", notes, 0 if server.fast else 1)


def main():
    checks, folder = harness.Checks(), harness.scratch()
    sweep = run_sweep(checks, folder)
    records = artifacts.trials(sweep.dir)
    curves = expected_curves(sweep, records)
    checks.equal("trials", len(records), len(RATES) * len(OPTIMIZERS) * len(SEEDS))
    ends = [r for r in artifacts.journal(sweep.dir) if r["event"] == "end"]
    checks.equal("ends", sorted((r["number"], r["state"]) for r in ends), [(n, "done") for n in range(1, 9)])
    run = next(name for name in records if name.startswith(f"{KILLED:04d}"))
    files = [f for f in os.listdir(os.path.join(sweep.dir, run)) if "tfevents" in f]
    checks.equal("event files of the killed trial", len(files), 2)
    answers = {}
    for fast in (True, False):
        label = "data server" if fast else "Python reader"
        with Server(sweep.dir, fast) as server:
            answers[fast] = {
                "scalars": check_scalars(server, checks, label, curves), "texts": check_text(server, checks, label, records),
                "experiment": check_experiment(server, checks, label),
                "groups": check_groups(server, checks, label, records, curves),
            }
            check_log(server, checks, label)
    for what, answer in answers[True].items():
        checks.equal(f"both readers: {what}", answer, answers[False][what])
    checks.finish()


if __name__ == "__main__":
    main()
