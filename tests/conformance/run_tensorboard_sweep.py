#!/usr/bin/env python3
"""run_tensorboard_sweep.py - a real sweep, one worker killed in the middle, in front of real TensorBoard servers.

Both readers (--load_fast true, all checksums verified, and false) must show: every scalar of every run as in
curve.csv, steps 1 to the last each once; the HParams experiment and its sessions, grouped by seed; mean and standard
deviation over the seeds as runs of their own; the text cards; the charts of Custom Scalars; no complaint about our
files besides the Python reader's note on the resume. And both must show the same. The grid grown afterwards must show
as one experiment with the new values, and the means must be over more seeds.
"""

import json
import math
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


def over_seeds(curves):
    """{run: {tag: {step: value}}} of the runs that hold mean and standard deviation."""
    points, runs = {}, {}
    for name, series in curves.items():
        points.setdefault(name.split(",", 1)[1].rpartition(",seed=")[0], []).append(series)
    for point, seeds in points.items():
        mean, std = {}, {}
        for tag in seeds[0]:
            if tag in ("Learning_Rate", "Grad/Norm") or tag.startswith("Best/"):
                continue
            for step in seeds[0][tag]:
                values = [series[tag][step] for series in seeds]
                center = sum(values) / len(values)
                spread = math.sqrt(sum((v - center) ** 2 for v in values) / (len(values) - 1))
                mean.setdefault(tag, {})[step] = center
                for what, value in (("mean", center), ("std", spread), ("low", center - spread), ("high", center + spread)):
                    std.setdefault(f"Seeds/{tag}/{what}", {})[step] = value
        runs[f"_sweep/mean,{point}"], runs[f"_sweep/std,{point}"] = mean, std
    return runs


def check_seeds(server, checks, label, curves):
    tags, answers = server.fetch("plugin/scalars/tags"), {}
    for run, series in over_seeds(curves).items():
        checks.equal(f"{label}: tags of {run}", sorted(tags.get(run, {})), sorted(series))
        for tag in series:
            answers[run, tag] = points = server.fetch("plugin/scalars/scalars", run=run, tag=tag)
            checks.equal(f"{label}: steps of {run} {tag}", [p[1] for p in points], sorted(series[tag]))
            worst = max((abs(p[2] - series[tag].get(p[1], math.inf)) for p in points), default=math.inf)
            checks.near(f"{label}: values of {run} {tag}", worst, 0, 1e-6)
    return answers


def check_layout(server, checks, label, curves):
    """The page's charts, and what each of them asks for."""
    got = server.fetch("plugin/custom_scalars/layout")
    charts = {c["title"]: c for category in got.get("category", []) for c in category["chart"]}
    checks.equal(f"{label}: charts", sorted(charts), ["Accuracy/Val", "F1/Val", "Loss/Val", "accuracy", "f1", "learning rate", "loss"])
    runs = over_seeds(curves)
    for title in ("Accuracy/Val", "F1/Val", "Loss/Val"):
        (band,) = charts[title]["margin"]["series"]
        for run in (run for run in runs if run.startswith("_sweep/std,")):
            for tag in band.values():
                found = server.fetch("plugin/custom_scalars/scalars", run=run, tag=tag)["tag_to_events"]
                checks.equal(f"{label}: {tag} in {run}", [len(v) for v in found.values()], [EPOCHS])
    for title in ("accuracy", "loss", "learning rate"):
        for tag in charts[title]["multiline"]["tag"]:
            found = server.fetch("plugin/custom_scalars/scalars", run=next(iter(curves)), tag=tag)["tag_to_events"]
            checks.true(f"{label}: {tag} in a trial", found.get(tag), str(found))
    return got


def check_scalars(server, checks, label, curves):
    tags, answers = server.fetch("plugin/scalars/tags"), {}
    checks.equal(f"{label}: runs", sorted(server.fetch("runs")), sorted(["_sweep", *curves, *over_seeds(curves)]))
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
    tags = {run: sorted(found) for run, found in server.fetch("plugin/text/tags").items() if found}
    checks.equal(f"{label}: text cards", tags, {"_sweep": ["Comparison", "Sweep"], **{run: ["Config"] for run in records}})
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
    answers["comparison"] = card = server.fetch("plugin/text/text", run="_sweep", tag="Comparison")[-1]
    for what in ("<th>choice</th>", "<td>optimizer=adam</td>", "<td>2</td>"):
        checks.true(f"{label}: {what} in the comparison", what in card["text"], card["text"])
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


def check_grown(checks, sweep):
    """One more rate and one more seed: a server that starts now shows one experiment, with all values."""
    RATES.append("0.1")
    SEEDS.append("2")
    harness.must_run(sweep, "--quiet", "lr=" + ",".join(RATES), "seeds=3")
    records = artifacts.trials(sweep.dir)
    curves = expected_curves(sweep, records)
    checks.equal("trials of the grown grid", len(records), len(RATES) * len(OPTIMIZERS) * len(SEEDS))
    with Server(sweep.dir, True) as server:
        check_experiment(server, checks, "grown")
        check_groups(server, checks, "grown", records, curves)
        check_seeds(server, checks, "grown", curves)
        (card,) = server.fetch("plugin/text/text", run="_sweep-2", tag="Comparison")
        checks.true("grown: seeds in the comparison", "<td>3</td>" in card["text"], card["text"])


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
                "seeds": check_seeds(server, checks, label, curves), "layout": check_layout(server, checks, label, curves),
                "scalars": check_scalars(server, checks, label, curves), "texts": check_text(server, checks, label, records),
                "experiment": check_experiment(server, checks, label),
                "groups": check_groups(server, checks, label, records, curves),
            }
            check_log(server, checks, label)
    for what, answer in answers[True].items():
        checks.equal(f"both readers: {what}", answer, answers[False][what])
    check_grown(checks, sweep)
    checks.finish()


if __name__ == "__main__":
    main()
