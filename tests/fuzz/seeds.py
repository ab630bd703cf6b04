#!/usr/bin/env python3
"""seeds.py FOLDER - first inputs for the fuzz targets, one folder each: small files of every kind that the parsers take."""

import glob
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def idx(dims, sizes, numbers):
    return struct.pack(f">HBB{len(sizes)}I", 0, 8, dims, *sizes) + bytes(numbers)


def npy(descr, shape, data, version=1):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    start = 10 if version == 1 else 12
    header = header.ljust((-(start + len(header) + 1)) % 64 + len(header)) + "\n"
    size = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + size + header.encode() + data


def safetensors(tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 8)
    return struct.pack("<Q", len(text)) + text + data


GRID = """; a comment
include = other.ini
[sweep]
seeds = 2
metric = min Loss/Val
[data]
dataset = random 100x4 classes=2
[model]
width = 8, 16
layers = linear ${width} > relu > res( linear ${width} ) > linear 2
[train]
epochs = 3
[optimizer]
optimizer = sgd, adam
lr = log(1e-4, 1e-1, 4)
weight_decay = = 0.1 * lr
[when optimizer=sgd]
momentum = 0, 0.9
[zip a]
clip_norm = 0, 1
accumulate = 1, 2
[exclude]
big = lr >= 0.1 and optimizer = adam|sgd
[group head]
match = 3.*
lr = 0.1
[preset quick]
seeds = 1
[scheduler]
scheduler = step
step_size = 2
"""
JOURNAL = [{"t": 1, "event": "sweep", "sweep": "s", "metric": "Loss/Val", "maximize": False, "target": "", "grid": "s.ini"},
           {"t": 2, "event": "trial", "number": 1, "name": "0001", "id": "a" * 40, "point": "b" * 40, "seed": 0, "params": [{"key": "lr", "value": "0.1", "num": 0.1}]},
           {"t": 3, "event": "start", "number": 1, "attempt": 1},
           {"t": 4, "event": "end", "number": 1, "attempt": 1, "state": "done", "cause": "", "detail": "", "epoch": 2, "epochs": 2, "seconds": 1.5,
            "last": {"Loss/Val": 0.5}, "best": {"Loss/Val": {"value": 0.4, "epoch": 1}}, "tags": ["refs/tags/s/0001/last"], "target_epoch": 0}]


def events():
    """Payloads of events: a version, a START, a scalar as tensor and as simple_value, a text."""
    wall = b"\x09" + struct.pack("<d", 1.5)
    value = b"\x0a\x01a" + b"\x42\x08" + b"\x08\x01\x12\x00\x2d" + struct.pack("<f", 0.5)[:3]
    simple = b"\x0a\x01a\x15" + struct.pack("<f", 0.25)
    for payload in (wall + b"\x1a\x0dbrain.Event:2", wall + b"\x10\x05\x3a\x02\x08\x01",
                    wall + b"\x10\x01\x2a" + bytes([len(value) + 2]) + b"\x0a" + bytes([len(value)]) + value,
                    wall + b"\x10\x02\x2a" + bytes([len(simple) + 2]) + b"\x0a" + bytes([len(simple)]) + simple):
        yield payload


def main():
    floats = struct.pack("<6f", *range(6))
    seeds = {
        "expr": [text.encode() for text in ("lr >= 0.1 and optimizer = adam|sgd", "if(epoch < 5, epoch/5, cos(epoch)^2)", "Accuracy/Val >= 0.9",
                                            "-min(1, 2, lr) * -(3 - 4) / log(5)", "not (a = 'x y' or b != (c))")],
        "grid": [GRID.encode(), *(open(path, "rb").read() for path in glob.glob(os.path.join(HERE, "../../sweeps/*.ini")))],
        "safetensors": [safetensors({"a.weight": ("F32", [2, 3], floats), "b": ("I64", [], struct.pack("<q", 7))}, {"k": "v"}), safetensors({})],
        "tbw_decode": [*events(), b"\xfe".join(events())],
        "tbw_file": [b"".join(struct.pack("<QI", len(data), 0) + data + bytes(4) for data in events()) + bytes(i) for i in range(2)],
        "journal": [b"\0" + "\n".join(json.dumps(line, separators=(",", ":")) for line in JOURNAL).encode() + b"\n"],
        "csv": [b"a,b,y\n1,2,0\n3,4.5e-3,1\n", b'a,"b, c",y\r\n1,2,ant\r\n-3,4,"bee ""x"""\r\n~~~~a,b,y\n1,2,ant\n', b"a,b\n1,0.5\n2,0.7\n"],
        "npy": [npy("<f4", "(3, 2)", floats) + b"~~~~" + npy("|u1", "(3,)", b"\0\1\0"),
                npy("|u1", "(2, 1, 2, 2)", bytes(8), 2) + b"~~~~" + npy("<f8", "(2, 2)", struct.pack("<4d", *range(4)), 3)],
        "idx": [idx(3, [2, 2, 2], range(8)) + b"~~~~" + idx(1, [2], [0, 1]), idx(2, [2, 3], range(6)) + b"~~~~" + idx(1, [2], [0, 1]) + b"~~~~"
                + idx(2, [1, 3], range(3)) + b"~~~~" + idx(1, [1], [1])],
    }
    for name, inputs in seeds.items():
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        for i, data in enumerate(inputs):
            with open(os.path.join(folder, f"seed{i}"), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main()
