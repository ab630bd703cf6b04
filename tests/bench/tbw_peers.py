"""tbw_peers.py FOLDER BENCH - the measures of bench_tbw.c, of TensorBoard's writer (which torch's SummaryWriter is) and readers."""

import glob
import os
import re
import subprocess
import sys
import time

import numpy
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

SCALARS, SHARED, VALUES = 20000, 10, 400000


def write(folder, shared):
    writer = EventFileWriter(folder)
    tags = [f"Loss/Part_{i}" for i in range(shared)]
    start = time.perf_counter()
    for step in range(SCALARS // shared):
        values = [Summary.Value(tag=tag, simple_value=0.5) for tag in tags]
        writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))
    writer.close()
    return (time.perf_counter() - start) / SCALARS * 1e9


def read(folder):
    (path,) = glob.glob(os.path.join(folder, "*tfevents*"))
    size = os.path.getsize(path)
    start = time.perf_counter()
    for _ in RawEventFileLoader(path).Load():
        pass
    raw = time.perf_counter() - start
    start = time.perf_counter()
    EventAccumulator(folder).Reload()
    return size / raw / 1e6, size / (time.perf_counter() - start) / 1e6


def server(folder, bench):
    """Our million scalars, kept by the bench, as the data server loads them."""
    run = os.path.join(folder, "million")
    os.mkdir(run)
    subprocess.run([bench, run, "keep"], check=True, stdout=subprocess.DEVNULL)
    size = sum(os.path.getsize(p) for p in glob.glob(os.path.join(run, "*tfevents*")))
    import tensorboard_data_server

    with subprocess.Popen([tensorboard_data_server.server_binary(), "--logdir", run, "--port", "0", "--verbose", "--reload",
                           "once", "--die-after-stdin"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            found = re.search(r"Finished load cycle \(([\d.]+)(ms|s)\)", line)
            if found:
                seconds = float(found.group(1)) / (1000 if found.group(2) == "ms" else 1)
                process.stdin.close()
                return size / seconds / 1e6
    return float("nan")


def histogram():
    values = numpy.random.default_rng(0).normal(size=VALUES).astype(numpy.float32)
    edges = [1e-12 * 1.1**k for k in range(774)]
    edges = [-e for e in edges[::-1]] + [0] + edges
    start = time.perf_counter()
    wide = values.astype(float)
    counts, limits = numpy.histogram(wide, bins=edges)
    HistogramProto(min=wide.min(), max=wide.max(), num=VALUES, sum=wide.sum(), sum_squares=wide.dot(wide),
                   bucket_limit=limits[1:].tolist(), bucket=counts.tolist())
    return (time.perf_counter() - start) * 1e3


def main():
    for shared in (SHARED, 1):
        folder = os.path.join(sys.argv[1], f"peers{shared}")
        print(f"tensorboard_write_{shared}_an_event {write(folder, shared):.0f} ns/scalar")
        raw, whole = read(folder)
        print(f"tensorboard_python_records_{shared}_an_event {raw:.1f} MB/s")
        print(f"tensorboard_python_reader_{shared}_an_event {whole:.1f} MB/s")
    print(f"tensorboard_data_server_10_an_event {server(sys.argv[1], sys.argv[2]):.0f} MB/s")
    print(f"torch_make_histogram {histogram():.1f} ms/{VALUES} floats")


if __name__ == "__main__":
    main()
