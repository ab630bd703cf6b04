"""tbw_tensorboard.py LOGDIR - what TensorBoard makes of the log directory that tbw_sample wrote.

Run with a Python that has the package tensorboard. Starts its server twice, with the data server (--load_fast true, all
checksums verified) and with the Python reader, on a loopback port of the system's choice; fetches what the pages fetch
and compares every value with the formulas of tbw_sample.c, and the two readers with each other.
Exit status 0: all equal; 1: differences, one per line; 77: no tensorboard here.
"""

import http.client
import importlib.util
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

START_SECONDS = 90
LOAD_SECONDS = 60
FETCH_SECONDS = 30
EPOCHS, RESUMED, RATES = 12, 6, 12
OPTIMIZERS = ["sgd", "adam", "lion\u00e9"]
LOADED = re.compile(r"Finished load cycle")
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
ALARM = re.compile(r"warn|error|fail|corrupt|invalid|traceback|^W\d{4} |^E\d{4} ", re.IGNORECASE)


# ---- what tbw_sample.c wrote ----


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def rate(i):
    return (i + 1) / 128.0


def run_name(trial):
    return f"{trial:04d},optimizer={OPTIMIZERS[trial % 3]},lr={rate(trial):g}"


RUNS = {run_name(trial): trial for trial in (1, 2, 3, 4)}


def point(trial, tag, epoch):
    loss = trial + 1.0 / (epoch + 2)
    if tag in ("Loss/Train", "Loss/Val") and trial == 4 and epoch >= 7:
        return "NaN"
    return single({"Loss/Train": loss, "Loss/Val": 2 * loss, "Accuracy/Val": epoch / 16.0, "Best/Loss": loss}[tag])


def wall(trial, epoch):
    return 1600000200.5 if trial == 3 and epoch < RESUMED else 1600000100.5 + trial


def series(trial, tag):
    return [[wall(trial, epoch), epoch, point(trial, tag, epoch)] for epoch in range(1, EPOCHS + 1)]


TAGS = {"Loss/Train": "mean over <em>samples</em>", "Loss/Val": "", "Accuracy/Val": "fraction", "Best/Loss": ""}


def hparams(trial):
    return {"lr": rate(trial), "optimizer": OPTIMIZERS[trial % 3], "augment": trial % 2 == 1, "batch": 32.0}


STATUS = {1: "STATUS_SUCCESS", 2: "STATUS_UNKNOWN", 3: "STATUS_SUCCESS", 4: "STATUS_FAILURE"}


# ---- a server ----


class Server:
    """A TensorBoard of its own process group; leaving the with block ends all of it."""

    def __init__(self, logdir, fast, *more):
        self.fast = fast
        self.log = tempfile.NamedTemporaryFile(mode="w+", suffix=".log")
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", logdir, "--host", "127.0.0.1", "--port", "0", *more]
        if fast:
            command += ["--load_fast", "true", "--reload_interval", "1"]
            command += ["--extra_data_server_flags=--verbose --checksum"]
        else:
            command += ["--load_fast", "false", "--reload_interval", "0", "--reload_task", "blocking"]
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env, start_new_session=True
        )

    def __enter__(self):
        try:
            self.port = int(self.wait_for(ADDRESS, START_SECONDS).group(1))
            if self.fast:
                self.wait_for(LOADED, LOAD_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                pass
        self.process.wait(timeout=10)

    def text(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for(self, pattern, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = pattern.search(self.text())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"no {pattern.pattern!r} from the server:\n{self.text()}")

    def fetch(self, path, body=None, **query):
        target = "/data/" + path + ("?" + urllib.parse.urlencode(query) if query else "")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=FETCH_SECONDS)
        try:
            if body is None:
                connection.request("GET", target)
            else:
                connection.request("POST", target, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{target}: HTTP {answer.status}: {data[:300]!r}")
        return json.loads(data)


# ---- checks ----


class Checks:
    def __init__(self, label):
        self.label, self.count, self.failures = label, 0, []

    def equal(self, what, got, expected):
        self.count += 1
        if got != expected:
            self.failures.append(f"{self.label}: {what}: got {got!r}, expected {expected!r}")


def check_scalars(server, checks):
    tags = server.fetch("plugin/scalars/tags")
    checks.equal("runs with scalars", sorted(tags), sorted(["_sweep", *RUNS]))
    answers = {"tags": {run: tags[run] for run in tags if run in RUNS}, "runs": sorted(server.fetch("runs"))}
    checks.equal("runs", answers["runs"], sorted(["_sweep", *RUNS]))
    for run, trial in RUNS.items():
        checks.equal(f"tags of {run}", sorted(tags.get(run, {})), sorted(TAGS))
        for tag, description in TAGS.items():
            shown = tags.get(run, {}).get(tag, {})
            # None is stored: the data server says so, the Python reader puts the tag there.
            checks.equal(f"display name of {tag}", shown.pop("displayName", None), "" if server.fast else tag)
            html = re.sub(r"<!--.*?-->|</?p>|\s+$", "", shown.get("description", ""), flags=re.S).strip()
            checks.equal(f"description of {tag}", html, description)
            got = server.fetch("plugin/scalars/scalars", run=run, tag=tag)
            answers[f"{run} {tag}"] = got
            checks.equal(f"points of {run} {tag}", got, series(trial, tag))
    got = server.fetch("plugin/scalars/scalars", run="_sweep", tag="Trials/Done")
    checks.equal("Trials/Done", got, [[1600000000.5, 1, 4.0]])
    return answers


def check_text(server, checks):
    tags = server.fetch("plugin/text/tags")
    expected = {run: ["Config"] for run in RUNS}
    expected["_sweep"] = ["Report"]
    checks.equal("text tags", {run: found for run, found in tags.items() if found}, expected)
    answers = {}
    for run, trial in RUNS.items():
        got = server.fetch("plugin/text/text", run=run, tag="Config")
        checks.equal(f"texts of {run}", [(p["step"], p["text"].strip()) for p in got],
                     [(0, f"<p>trial <strong>{trial}</strong></p>")])
        answers[run] = got
    got = server.fetch("plugin/text/text", run="_sweep", tag="Report")
    checks.equal("number of reports", len(got), 1)
    html = got[0]["text"] if got else ""
    checks.equal("heading of the report", "<h1>sample</h1>" in html, True)
    checks.equal("table of the report", "<td>2</td>" in html, True)
    answers["report"] = got
    return answers


def check_experiment(server, checks):
    got = server.fetch(
        "plugin/hparams/experiment", {"experimentName": "", "hparamsLimit": 1000, "includeMetrics": True}
    )
    checks.equal("experiment name", got.get("name"), "sample")
    checks.equal("experiment created", got.get("timeCreatedSecs"), 1600000000)
    infos = {info["name"]: info for info in got.get("hparamInfos", [])}
    checks.equal("hparams", sorted(infos), sorted(hparams(1)))
    checks.equal("types", {name: info.get("type") for name, info in infos.items()},
                 {"lr": "DATA_TYPE_FLOAT64", "optimizer": "DATA_TYPE_STRING", "augment": "DATA_TYPE_BOOL",
                  "batch": "DATA_TYPE_FLOAT64"})
    checks.equal("differs", {name: info.get("differs", False) for name, info in infos.items()},
                 {"lr": True, "optimizer": True, "augment": True, "batch": False})
    lr = infos.get("lr", {})
    checks.equal("lr shown as", (lr.get("displayName"), lr.get("description")), ("learning rate", "step size"))
    checks.equal("interval of lr", lr.get("domainInterval"), {"minValue": rate(0), "maxValue": rate(RATES - 1)})
    checks.equal("values of optimizer", sorted(infos.get("optimizer", {}).get("domainDiscrete", [])), sorted(OPTIMIZERS))
    checks.equal("values of augment", sorted(infos.get("augment", {}).get("domainDiscrete", [])), [False, True])
    checks.equal("values of batch", sorted(infos.get("batch", {}).get("domainDiscrete", [])), [32, 64])
    metrics = got.get("metricInfos", [])
    checks.equal("metrics in order", [m["name"].get("tag") for m in metrics], ["Best/Loss", "Loss/Train"])
    checks.equal("metric data sets", [m.get("datasetType") for m in metrics], ["DATASET_VALIDATION", "DATASET_TRAINING"])
    checks.equal("metric shown as", [m.get("displayName") for m in metrics][:1], ["best loss"])
    return got


def check_sessions(server, checks):
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    got = server.fetch(
        "plugin/hparams/session_groups",
        {"experimentName": "", "allowedStatuses": statuses, "colParams": [], "startIndex": 0, "sliceSize": 100,
         "aggregationType": "AGGREGATION_AVG"},
    )
    groups = {group["sessions"][0]["name"]: group for group in got.get("sessionGroups", [])}
    checks.equal("sessions", sorted(groups), sorted(RUNS))
    for run, trial in RUNS.items():
        group = groups.get(run, {"sessions": [{}]})
        session = group["sessions"][0]
        checks.equal(f"sessions of {run}", len(group["sessions"]), 1)
        checks.equal(f"hparams of {run}", group.get("hparams"), hparams(trial))
        checks.equal(f"status of {run}", session.get("status", "STATUS_UNKNOWN"), STATUS[trial])
        checks.equal(f"start of {run}", session.get("startTimeSecs"), 1600000100 + trial)
        checks.equal(f"end of {run}", session.get("endTimeSecs", 0), 0 if trial == 2 else 1600000900 + trial)
        last = {m["name"]["tag"]: (m.get("value"), m.get("trainingStep")) for m in group.get("metricValues", [])}
        expected = {tag: (point(trial, tag, EPOCHS), EPOCHS) for tag in ("Best/Loss", "Loss/Train")}
        checks.equal(f"metrics of {run}", last, expected)
        evals = server.fetch("plugin/hparams/metric_evals",
                             {"sessionName": run, "metricName": {"group": "", "tag": "Best/Loss"}})
        checks.equal(f"metric_evals of {run}", evals, series(trial, "Best/Loss"))
    return {run: {**group, "name": ""} for run, group in groups.items()}


def check_layout(server, checks):
    got = server.fetch("plugin/custom_scalars/layout")
    category = (got.get("category") or [{}])[0]
    charts = [(c.get("title"), c.get("multiline", {}).get("tag")) for c in category.get("chart", [])]
    checks.equal("layout category", category.get("title"), "Learning")
    checks.equal("layout charts", charts, [("Loss", ["Loss/Train", "Loss/Val"]), ("Best", ["Best/.*"])])
    found = server.fetch("plugin/custom_scalars/scalars", run=run_name(1), tag="Best/.*")
    checks.equal("chart by expression", found.get("tag_to_events"), {"Best/Loss": series(1, "Best/Loss")})
    return got


def check_log(server, checks):
    """The one warning there must be is the Python reader's note on the resume; it tells how many points it dropped."""
    checks.count += 1
    purges = 0
    for line in server.text().splitlines():
        if "likely caused by a TensorFlow restart" in line:
            purges += 1
            checks.equal("points dropped at the resume", re.findall(r"Purging (\d+) expired", line), ["8"])
        elif ALARM.search(line):
            checks.failures.append(f"{checks.label}: server says: {line}")
    checks.equal("resumes noted", purges, 0 if server.fast else 1)


def examine(logdir, fast):
    checks = Checks("data server" if fast else "Python reader")
    answers = {}
    with Server(logdir, fast) as server:
        for check in (check_scalars, check_text, check_experiment, check_sessions, check_layout):
            answers[check.__name__] = check(server, checks)
        check_log(server, checks)
    return checks, answers


def main():
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: tbw_tensorboard.py LOGDIR")
    if importlib.util.find_spec("tensorboard") is None:
        print("skipped: this Python has no tensorboard")
        sys.exit(77)
    try:
        fast, fast_answers = examine(sys.argv[1], True)
        slow, slow_answers = examine(sys.argv[1], False)
    except (RuntimeError, OSError) as error:
        print(error)
        sys.exit(1)
    both = Checks("readers differ")
    for name, answer in fast_answers.items():
        both.equal(name, answer, slow_answers[name])
    failures = fast.failures + slow.failures + both.failures
    for line in failures:
        print(line)
    print(f"{fast.count + slow.count + both.count} checks, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
