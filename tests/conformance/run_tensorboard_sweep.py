#!/usr/bin/env python3
"""run_tensorboard_sweep.py - a real sweep, one worker killed in the middle, in front of real TensorBoard servers.

Both readers (--load_fast true, all checksums verified, and false) must show: every scalar of every run as in
curve.csv, steps 1 to the last each once; the HParams experiment and its sessions, grouped by seed; mean and standard
deviation over the seeds as runs of their own; the text cards; the charts of Custom Scalars; histograms of every epoch,
also of the trial that was killed, images, precision-recall curves, the graph; no complaint about our
files besides the Python reader's note on the resume. And both must show the same. The grid grown afterwards must show
as one experiment with the new values, and the means must be over more seeds.
"""

import http.client
import json
import math
import os
import re
import struct
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("VENV_PYTHON", sys.executable, "tensorboard")

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import artifacts
from tbw_tensorboard import ALARM, Server

EPOCHS, KILLED, KILL_AFTER = 9, 3, 4
RATES, OPTIMIZERS, SEEDS = ["0.003", "0.03"], ["sgd", "adam"], ["0", "1"]
TIMES = ["Time/Epoch_Seconds", "Throughput/Samples_Per_Second"]
TENSORS = {"0.weight": 20 * 64, "0.bias": 64, "2.weight": 64 * 2, "2.bias": 2}
NODES = ["input", "0_linear", "1_relu", "2_linear", "target", "loss"]
FASHION = "/usr/share/datasets/fashion-mnist"
STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def run_sweep(checks, folder):
    """Train the grid; the worker is killed once, in trial KILLED after epoch KILL_AFTER."""
    grid = harness.write_grid(
        os.path.join(folder, "board.ini"), sweep={"seeds": len(SEEDS), "description": "for the board"},
        data={"dataset": "random 2000x20 sum>0", "batch_size": 16}, model={"layers": "linear 64 > relu > linear 2"},
        train={"epochs": EPOCHS, "checkpoint_every": 3, "histograms": EPOCHS},
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


def classes_of(html):
    """The last column of the table."""
    return [int(row) for row in re.findall(r"<td>(\d+)</td>\s*</tr>", html)]


def fetch_bytes(server, path):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", "/data/plugin/" + path)
        return connection.getresponse().read()
    finally:
        connection.close()


def png_size(data):
    return struct.unpack(">II", data[16:24]) if data[:8] == b"\x89PNG\r\n\x1a\n" else data[:80]


def check_media(server, checks, label, runs, tensors, steps, classes, image_tags):
    """Histograms of {tensor: elements} at these steps; at the last, images, PR curves and the graph."""
    answers = {}
    tags = server.fetch("plugin/histograms/tags")
    for run in runs:
        checks.equal(f"{label}: histograms of {run}", sorted(tags.get(run, {})),
                     sorted(f"{kind}/{name}" for kind in ("Weights", "Gradients") for name in tensors))
        for tag in tags.get(run, {}):
            answers[run, tag] = points = server.fetch("plugin/histograms/histograms", run=run, tag=tag)
            checks.equal(f"{label}: steps of {run} {tag}", [p[1] for p in points], steps)
            checks.equal(f"{label}: numbers in {run} {tag}", {sum(b[2] for b in p[2]) for p in points},
                         {tensors[tag.partition("/")[2]]})
            spread = server.fetch("plugin/distributions/distributions", run=run, tag=tag)
            checks.equal(f"{label}: distributions of {run} {tag}", [p[1] for p in spread], steps)
        found = server.fetch("plugin/images/tags").get(run, {})
        checks.equal(f"{label}: images of {run}", sorted(found), sorted(image_tags))
        for tag in found:
            shown = server.fetch("plugin/images/images", run=run, tag=tag, sample=0)
            checks.equal(f"{label}: step of {run} {tag}", [p["step"] for p in shown], steps[-1:])
            answers[run, tag] = fetch_bytes(server, "images/individualImage?" + shown[0]["query"])
            size = png_size(answers[run, tag])
            checks.true(f"{label}: {run} {tag} is a picture", len(size) == 2 and min(size) > 50, str(size))
        found = server.fetch("plugin/pr_curves/tags").get(run, {})
        checks.equal(f"{label}: curves of {run}", sorted(found), sorted(f"PR/{name}" for name in classes))
        for tag in found:
            answers[run, tag] = curve = server.fetch("plugin/pr_curves/pr_curves", run=run, tag=tag)[run]
            checks.equal(f"{label}: step of {run} {tag}", [p["step"] for p in curve], steps[-1:])
            checks.near(f"{label}: first recall of {run} {tag}", curve[0]["recall"][0], 1, 1e-6)
    return answers


def check_graph(server, checks, label, run, nodes):
    text = fetch_bytes(server, "graphs/graph?" + urllib.parse.urlencode({"run": run})).decode()
    checks.equal(f"{label}: graph of {run}", re.findall(r'^  name: "(.*)"', text, re.M), nodes)
    return text


def check_text(server, checks, label, records):
    tags = {run: sorted(found) for run, found in server.fetch("plugin/text/tags").items() if found}
    checks.equal(f"{label}: text cards", tags, {"_sweep": ["Comparison", "Sweep"], **{run: ["Classes", "Config", "Confusion/table", "State"] for run in records}})
    answers = {}
    for run, record in records.items():
        (card,) = server.fetch("plugin/text/text", run=run, tag="Config")
        for param in [*record["params"], {"key": "seed", "value": str(record["seed"])}]:
            value = param["value"].replace(">", "&gt;")
            checks.true(f"{label}: {run}: {param['key']} in its card",
                        f"<td>{param['key']}</td>\n<td>{value}</td>" in card["text"], card["text"])
        answers[run] = card
        (card,) = server.fetch("plugin/text/text", run=run, tag="State")
        checks.true(f"{label}: {run} says its end", f"done after epoch {EPOCHS} of {EPOCHS}; best Accuracy/Val" in card["text"],
                    card["text"])
        (card,) = server.fetch("plugin/text/text", run=run, tag="Classes")
        checks.equal(f"{label}: samples in the classes of {run}", sum(classes_of(card["text"])), 400)
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


def check_log(server, checks, label, resumes=1):
    notes = 0
    for line in server.text().splitlines():
        if "likely caused by a TensorFlow restart" in line:
            notes += 1
        elif ALARM.search(line):
            checks.true(f"{label}: server complains", False, line)
    checks.equal(f"{label}: resumes noted", notes, 0 if server.fast else resumes)


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


def check_pictures(checks, folder):
    """Images of a known data set, a block, a parameter group: the rest of what runs hold."""
    if not os.path.isdir(FASHION):
        print("no Fashion-MNIST here: no pictures of it")
        return
    grid = harness.write_grid(
        os.path.join(folder, "pictures.ini"), data={"dataset": "fashion-mnist", "limit": 900, "val_split": 300},
        model={"layers": "conv 4 5 stride 3 > relu > flatten > res(linear 256 > relu) > linear 10"},
        train={"epochs": 6, "histograms": 2}, optimizer={"optimizer": "adam", "lr": 0.003},
        **{"group head": {"match": "4.*", "lr": 0.01}},
    )
    sweep = harness.Sweep(folder, grid)
    harness.must_run(sweep, "--quiet")
    tensors = {"0.weight": 4 * 25, "0.bias": 4, "3.body.0.weight": 256 * 256, "3.body.0.bias": 256, "4.weight": 2560, "4.bias": 10}
    names = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
    answers = {}
    for fast in (True, False):
        label = f"pictures, {'data server' if fast else 'Python reader'}"
        with Server(sweep.dir, fast) as server:
            answers[fast] = {
                "media": check_media(server, checks, label, ["0001"], tensors, [3, 6], names, ["Confusion", "Most_Wrong"]),
                "graph": check_graph(server, checks, label, "0001", [
                    "input", "0_conv", "1_relu", "2_flatten", "3/in", "3/body/0_linear", "3/body/1_relu", "3/out", "4_linear",
                    "target", "loss"]),
            }
            rates = {tag: [p[2] for p in server.fetch("plugin/scalars/scalars", run="0001", tag=tag)]
                     for tag in ("Learning_Rate", "Learning_Rate/head")}
            checks.equal(f"{label}: rates", rates, {"Learning_Rate": 6 * [single(0.003)], "Learning_Rate/head": 6 * [single(0.01)]})
            (card,) = server.fetch("plugin/text/text", run="0001", tag="Classes")
            checks.equal(f"{label}: samples", sum(classes_of(card["text"])), 300)
            check_log(server, checks, label, resumes=0)
    checks.equal("both readers: pictures", answers[True], answers[False])


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
                "media": check_media(server, checks, label, records, TENSORS, list(range(1, EPOCHS + 1)), ["0", "1"],
                                     ["Confusion"]),
                "graph": check_graph(server, checks, label, run, NODES),
                "scalars": check_scalars(server, checks, label, curves), "texts": check_text(server, checks, label, records),
                "experiment": check_experiment(server, checks, label),
                "groups": check_groups(server, checks, label, records, curves),
            }
            check_log(server, checks, label)
    for what, answer in answers[True].items():
        checks.equal(f"both readers: {what}", answer, answers[False][what])
    check_grown(checks, sweep)
    check_pictures(checks, folder)
    checks.finish()


if __name__ == "__main__":
    main()
