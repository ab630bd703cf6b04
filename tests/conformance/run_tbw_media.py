#!/usr/bin/env python3
"""run_tbw_media.py - every summary kind of tbwriter/ in front of TensorBoard, of torch's writer, and of our own reader.

rule      histograms are, to the bit, those of TensorBoard's own histogram_pb
servers   both of TensorBoard's readers show each kind with the numbers of tbw_media_data.py, the same in both, no warning
torch     the calls that SummaryWriter has too give the same decoded events: same numbers, pixels, sound, messages
reader    `csweep events` gives what TensorBoard's reader gives, of our files, of torch's, of tensorboardX's, and of
          TensorBoard's own tensors of version 2, and finds no fault
attempts  it merges the attempts of a resumed run (tbw_sample.c) to what both servers show
"""

import glob
import io
import json
import os
import subprocess
import sys
import urllib.parse
import wave

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness

harness.run_under("VENV_PYTHON", sys.executable, "tensorboard", "numpy", "PIL")

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.compat.proto import event_pb2
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.histogram import summary_v2 as histogram_v2
from tensorboard.plugins.scalar import summary_v2 as scalar_v2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.plugins.mesh import plugin_data_pb2 as mesh_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tbw_media_data import STEPS, VALUES, curve, number, numbers, pixels, weights
from tbw_tensorboard import ALARM, Server

HERE = os.path.dirname(os.path.abspath(__file__))
STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


# ---- what the servers show ----


def raw(server, path, **query):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/data/" + path + "?" + urllib.parse.urlencode(query))
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), data


def shown_bins(server, tag):
    return server.fetch("plugin/histograms/histograms", run="media", tag=tag)


def check_histograms(server, checks, label):
    for wall, step, bins in shown_bins(server, "Weights/equal"):
        counts, edges = np.histogram(weights(step).astype(np.float64), bins=30)
        checks.equal(f"{label}: counts at step {step}", [b[2] for b in bins], counts.tolist())
        checks.true(f"{label}: edges at step {step}", np.allclose([b[0] for b in bins], edges[:-1], rtol=1e-12, atol=1e-15))
    for tag in ("Weights/torch", "Weights/tensorflow"):
        for wall, step, bins in shown_bins(server, tag):
            checks.equal(f"{label}: values in {tag}", sum(b[2] for b in bins), VALUES)
    answers = [shown_bins(server, "Weights/equal"),
               server.fetch("plugin/distributions/distributions", run="media", tag="Weights/equal")]
    checks.equal(f"{label}: distributions", len(answers[1]), STEPS)
    return answers


def pictures(server, tag, sample=0):
    found = server.fetch("plugin/images/images", run="media", tag=tag, sample=sample)
    for entry in found:
        status, kind, data = raw(server, "plugin/images/individualImage", **dict(urllib.parse.parse_qsl(entry["query"])))
        yield entry["step"], kind, data


def check_images(server, checks, label):
    answers = {}
    for sample in range(4):
        for step, kind, data in pictures(server, "Images/all", sample):
            image = np.asarray(Image.open(io.BytesIO(data)))
            wanted = pixels(step, sample)
            checks.equal(f"{label}: kind of image", kind, "image/png")
            checks.true(f"{label}: image {sample} of step {step}", np.array_equal(image.reshape(wanted.shape), wanted))
    for tag in ("Drawn/grid", "Drawn/confusion", "Drawn/roc"):
        found = list(pictures(server, tag))
        checks.equal(f"{label}: steps of {tag}", [f[0] for f in found], list(range(STEPS)))
        checks.true(f"{label}: {tag} is drawn", np.asarray(Image.open(io.BytesIO(found[0][2]))).std() > 10)
        answers[tag] = [f[2] for f in found]
    return answers


def check_curves(server, checks, label):
    for tag, count in (("Curves/class", 127), ("Curves/fine", 201)):
        for entry in server.fetch("plugin/pr_curves/pr_curves", run="media", tag=tag)["media"]:
            labels, scores = curve(entry["step"])
            at = np.floor(scores * np.float32(count - 1))
            tp = np.array([np.sum((at >= k) & (labels == 1)) for k in range(count)], dtype=np.float64)
            fp = np.array([np.sum((at >= k) & (labels == 0)) for k in range(count)], dtype=np.float64)
            wanted = (tp / np.maximum(1e-7, tp + fp)).astype(np.float32)
            checks.true(f"{label}: precision of {tag}", np.array_equal(np.float32(entry["precision"]), wanted))
            checks.true(f"{label}: recall of {tag}", np.array_equal(np.float32(entry["recall"]), (tp / tp[0]).astype(np.float32)))
    return server.fetch("plugin/pr_curves/pr_curves", run="media", tag="Curves/fine")


def check_graph(server, checks, label):
    status, _, text = raw(server, "plugin/graphs/graph", run="media")
    text = text.decode()
    checks.equal(f"{label}: graph", status, 200)
    for part in ('name: "net/0"', 'op: "Linear"', 'input: "input"', 'key: "out_features"', "size: 64", "size: -1",
                 'device: "cpu"'):
        checks.true(f"{label}: {part} in the graph", part in text, text[:300])
    return text


def check_rest(server, checks, label):
    """Sound, meshes, vectors, texts."""
    sound = server.fetch("plugin/audio/audio", run="media", tag="Sound", sample=0)
    checks.equal(f"{label}: sounds", [s["step"] for s in sound], list(range(STEPS)))
    checks.equal(f"{label}: kind of sound", sound[0]["contentType"], "audio/wav")
    meshes = server.fetch("plugin/mesh/meshes", run="media", tag="Mesh", sample=0)
    checks.equal(f"{label}: mesh parts", sorted((m["step"], m["content_type"]) for m in meshes),
                 [(step, part) for step in range(STEPS) for part in (1, 2, 3)])
    for mesh in meshes:
        if mesh["content_type"] == 1:
            status, _, data = raw(server, "plugin/mesh/data", run="media", tag="Mesh", sample=0, content_type="VERTEX",
                                  step=mesh["step"])
            checks.true(f"{label}: vertices", np.array_equal(np.frombuffer(data, np.float32),
                                                             numbers(range(mesh["step"], mesh["step"] + 12))))
    runs = server.fetch("plugin/projector/runs")
    checks.equal(f"{label}: runs with vectors", runs, ["media"])
    info = server.fetch("plugin/projector/info", run="media")["embeddings"]
    checks.equal(f"{label}: vectors", [(e["tensorName"], e["tensorShape"]) for e in info], [("features", [10, 3])])
    _, _, data = raw(server, "plugin/projector/tensor", run="media", name="features", num_rows=10)
    checks.true(f"{label}: numbers of the vectors", np.array_equal(np.frombuffer(data, np.float32), numbers(range(30))))
    _, _, data = raw(server, "plugin/projector/metadata", run="media", name="features", num_rows=10)
    checks.equal(f"{label}: words of the vectors", data.decode().split(), list("abcdefghij"))
    _, _, data = raw(server, "plugin/projector/sprite_image", run="media", name="features")
    sprite = np.asarray(Image.open(io.BytesIO(data)))
    checks.equal(f"{label}: pictures of the vectors", sprite.shape, (8, 8, 3))
    checks.equal(f"{label}: picture 5", sprite[2:4, 2:4].reshape(-1).tolist(), [100 + i for i in range(12)])
    (card,) = server.fetch("plugin/text/text", run="media", tag="Host")
    checks.true(f"{label}: the host's card", "<td>cores</td>" in card["text"], card["text"])
    table = server.fetch("plugin/text/text", run="media", tag="Drawn/confusion/table")[-1]["text"]
    for part in ("<td>Bag|s</td>", "<td>Ankle_boot</td>", '<td align="right">92</td>', "<th"):
        checks.true(f"{label}: {part} in the table", part in table or part.replace(' align="right"', ' style="text-align: right;"') in table
                    or part.replace(' align="right"', "") in table, table)
    return table


def check_servers(checks, logdir):
    answers = {}
    for fast in (True, False):
        label = "data server" if fast else "Python reader"
        with Server(logdir, fast) as server:
            server.fetch("plugins_listing")
            listing = {name: plugin["enabled"] for name, plugin in server.fetch("plugins_listing").items()}
            for name in ("scalars", "images", "audio", "graphs", "distributions", "histograms", "text", "pr_curves",
                         "hparams", "mesh", "custom_scalars", "projector", "timeseries"):
                checks.true(f"{label}: page {name} is offered", listing.get(name))
            answers[fast] = [check(server, checks, label) for check in
                             (check_histograms, check_images, check_curves, check_graph, check_rest)]
            for line in server.text().splitlines():
                if ALARM.search(line):
                    checks.true(f"{label}: server complains", False, line)
    checks.true("both servers show the same", answers[True] == answers[False])


# ---- beside torch's writer ----


def events_of(folder, loader=event_file_loader.EventFileLoader):
    """{(tag, step): value} of all files of a folder."""
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*tfevents*"))):
        for event in loader(path).Load():
            for value in event.summary.value:
                if value.tag != "__run_graph__":
                    found[value.tag.removesuffix("/text_summary"), event.step] = value
    return found


def sound_of(value):
    data = value.tensor.string_val[0]
    with wave.open(io.BytesIO(data)) as file:
        return file.getparams()[:3], file.readframes(file.getnframes())


def message_of(value):
    """HParams without what differs by nature: times."""
    message = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
    message.session_start_info.ClearField("start_time_secs") if message.HasField("session_start_info") else None
    message.session_end_info.ClearField("end_time_secs") if message.HasField("session_end_info") else None
    message.experiment.ClearField("time_created_secs") if message.HasField("experiment") else None
    return message


def mesh_part(value):
    content = mesh_pb2.MeshPluginData.FromString(value.metadata.plugin_data.content)
    return content.name, content.content_type, content.components, list(content.shape)


# Metadata of a tag: torch stores it with every point, we with the first.
CONTENT = {"mesh": mesh_part, "pr_curves": lambda v: v.metadata.plugin_data.content}


READ = {
    "scalars": lambda v: tensor_util.make_ndarray(v.tensor).item(),
    "text": lambda v: tensor_util.make_ndarray(v.tensor).reshape(-1)[0],
    "images": lambda v: np.asarray(Image.open(io.BytesIO(v.tensor.string_val[2]))).tolist(),
    "histograms": lambda v: tensor_util.make_ndarray(v.tensor).tolist(),
    "pr_curves": lambda v: tensor_util.make_ndarray(v.tensor).tolist(),
    "audio": sound_of,
    "mesh": lambda v: tensor_util.make_ndarray(v.tensor).tolist(),
    "hparams": message_of,
    "custom_scalars": lambda v: layout_pb2.Layout.FromString(v.tensor.string_val[0]),
}


def check_torch(checks, ours, folder):
    torch = os.environ.get("SYSTEM_PYTHON", "/usr/bin/python3")
    site = next(p for p in sys.path if p.endswith("site-packages"))
    run = subprocess.run([torch, os.path.join(HERE, "tbw_media_torch.py"), folder], capture_output=True, text=True,
                         env={**os.environ, "TENSORBOARD_SITE": site})
    if run.returncode != 0:
        if "No module named 'torch'" in run.stderr:
            print("without the comparison with torch: it is not here")
            return
        checks.true("torch's script", False, run.stderr[-2000:])
        return
    theirs = events_of(os.path.join(folder, "media"))
    mine = events_of(ours)
    plugins = {}
    for (tag, step), value in theirs.items():
        plugins[tag] = plugins.get(tag) or value.metadata.plugin_data.plugin_name
        plugin = plugins[tag]
        if checks.true(f"we have {tag} at {step}", (tag, step) in mine):
            checks.equal(f"torch's {plugin} {tag} at {step}", READ[plugin](mine[tag, step]), READ[plugin](value))
        if step == 0 and plugin in CONTENT:
            checks.equal(f"torch's content of {tag}", CONTENT[plugin](mine[tag, 0]), CONTENT[plugin](value))
    checks.equal("kinds that torch's writer has", sorted(set(plugins.values())), sorted(READ))
    check_raw_histograms(checks, ours, os.path.join(folder, "media"))
    check_reader(checks, "torch's files", os.path.join(folder, "media"))


def check_raw_histograms(checks, ours, torchs):
    """As they lie in the file, before TensorBoard turns them into tensors."""
    loader = event_file_loader.LegacyEventFileLoader
    mine, theirs = events_of(ours, loader), events_of(torchs, loader)
    for step in range(STEPS):
        a, b = mine["Weights/torch", step].histo, theirs["Weights/torch", step].histo
        for field in ("min", "max", "num"):
            checks.equal(f"{field} at {step}", getattr(a, field), getattr(b, field))
        for field in ("bucket_limit", "bucket"):
            checks.equal(f"{field} at {step}", list(getattr(a, field)), list(getattr(b, field)))
        checks.near(f"sum at {step}", a.sum, b.sum, 1e-12 * VALUES)
        checks.near(f"squares at {step}", a.sum_squares, b.sum_squares, 1e-12 * b.sum_squares)


# ---- other writers, our reader ----


def check_rule(checks, ours):
    mine = events_of(ours)
    for step in range(STEPS):
        (wanted,) = histogram_v2.histogram_pb("Weights/equal", weights(step)).value
        got = tensor_util.make_ndarray(mine["Weights/equal", step].tensor)
        checks.true(f"rows of TensorBoard's own rule at {step}", np.array_equal(got, tensor_util.make_ndarray(wanted.tensor)),
                    str(got[:3]))


def check_version_2(checks, folder):
    """Tensors as TensorFlow 2 writes them, made by TensorBoard's own functions; metadata with every point."""
    writer = EventFileWriter(folder)
    for step in range(STEPS):
        for summary in (scalar_v2.scalar_pb("s", number(step), "d"), histogram_v2.histogram_pb("h", weights(step))):
            writer.add_event(event_pb2.Event(wall_time=1600000000 + step, step=step, summary=summary))
    writer.close()
    check_reader(checks, "tensors of version 2", folder)


def check_tensorboardx(checks, folder):
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        print("without tensorboardX: it is not here")
        return
    writer = SummaryWriter(folder)
    for step in range(STEPS):
        writer.add_scalar("Loss", number(step), step)
        writer.add_text("Note", "a *note*", step)
        writer.add_histogram("Weights", weights(step), step)
        writer.add_image("Images", pixels(step, 2), step, dataformats="HWC")
        labels, scores = curve(step)
        writer.add_pr_curve("Curves", labels, scores, step)
    writer.close()
    check_reader(checks, "tensorboardX's files", folder)


# ---- our reader ----


def csweep_events(*arguments):
    run = subprocess.run([harness.program(), "events", *arguments], capture_output=True, text=True)
    return run.returncode, run.stdout


def check_reader(checks, label, folder):
    """Each point once, of the kind and with the value that TensorBoard's reader has."""
    kinds = {"scalars": "scalar", "histograms": "histogram", "images": "image", "pr_curves": "pr_curve",
             "custom_scalars": "layout", "projector": "tensor"}
    code, out = csweep_events(folder, "--json")
    checks.equal(f"{label}: exit code", code, 0)
    lines = [json.loads(line) for line in out.splitlines()]
    wanted = events_of(folder)
    got = {(line["tag"].removesuffix("/text_summary"), line["step"]): line for line in lines}
    checks.equal(f"{label}: points", sorted(got), sorted(wanted))
    plugins = {}
    for (tag, step), value in sorted(wanted.items(), key=lambda item: item[0][1]):
        plugins[tag] = plugins.get(tag) or value.metadata.plugin_data.plugin_name
        line = got.get((tag, step), {})
        checks.equal(f"{label}: kind of {tag}", line.get("kind"), kinds.get(plugins[tag], plugins[tag]))
        if plugins[tag] == "scalars":
            checks.equal(f"{label}: {tag} at {step}", line.get("value"), READ["scalars"](value))
    code, out = csweep_events(folder, "--check", "--json")
    checks.equal(f"{label}: faults", (code, json.loads(out)["faults"]), (0, 0))


def check_attempts(checks, logdir):
    subprocess.run([os.path.join(os.environ["BUILD"], "tests", "tbw_sample"), logdir], check=True)
    code, out = csweep_events(logdir, "--json")
    ours = {}
    for line in map(json.loads, out.splitlines()):
        if line["kind"] == "scalar":
            value = "NaN" if line["value"] == "nan" else line["value"]
            ours.setdefault((line["run"], line["tag"]), []).append([line["wall_time"], line["step"], value])
    for fast in (True, False):
        with Server(logdir, fast) as server:
            tags = server.fetch("plugin/scalars/tags")
            shown = {(run, tag): server.fetch("plugin/scalars/scalars", run=run, tag=tag) for run in tags for tag in tags[run]}
        checks.equal(f"series as the {'data server' if fast else 'Python reader'} has them", ours, shown)


def main():
    checks, folder = harness.Checks(), harness.scratch()
    sample = os.path.join(os.environ["BUILD"], "tests", "tbw_media_sample")
    ours = os.path.join(folder, "ours")
    subprocess.run([sample, ours], check=True)
    check_servers(checks, ours)
    check_torch(checks, os.path.join(ours, "media"), os.path.join(folder, "torch"))
    check_rule(checks, os.path.join(ours, "media"))
    check_version_2(checks, os.path.join(folder, "version2"))
    check_tensorboardx(checks, os.path.join(folder, "tensorboardx"))
    check_reader(checks, "our file", os.path.join(ours, "media"))
    check_attempts(checks, os.path.join(folder, "attempts"))
    checks.finish()


if __name__ == "__main__":
    main()
