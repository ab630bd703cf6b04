"""The real safetensors package as judge of ours, in both directions.

    ckpt_safetensors.py CKPT_SAMPLE

CKPT_SAMPLE is the program of ckpt_sample.c. Needs the packages safetensors and numpy; exit status 77 without them.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from safetensors import SafetensorError, safe_open
    from safetensors.numpy import load, save, save_file
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

SAMPLE = sys.argv[1]


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def expect(name, wanted, got):
    if wanted != got:
        sys.exit(f"not ok - {name}: wanted {wanted!r}, got {got!r}")
    print(f"ok - {name}")


def same_bits(name, wanted, got):
    expect(f"{name}: type, shape and bits", (wanted.dtype, wanted.shape, wanted.tobytes()),
           (got.dtype, got.shape, got.tobytes()))


def ours_loads_there(folder):
    repo = os.path.join(folder, "checkpoints.git")
    run(SAMPLE, "make", repo)
    for tag, start in (("sweep/0007/best", 0), ("sweep/0007/last", 7), ("sweep/0008/best", 2)):
        data = run("git", "-C", repo, "show", f"{tag}:model.safetensors")
        arrays = load(data)
        wanted = {
            "0.weight": (start + 0.25 * np.arange(6, dtype=np.float32)).astype(np.float32).reshape(3, 2),
            "0.bias": np.float32(-1) / np.arange(1, 4, dtype=np.float32),
            "empty": np.zeros((0, 4), np.float32),
            "scalar": np.array(-1, np.float32),
            "big": np.array(1e300, np.float64),
            "step": np.array(2**53 + 1, np.int64),
        }
        expect(f"{tag}: names", sorted(wanted), sorted(arrays))
        for name, array in wanted.items():
            same_bits(f"{tag}: {name}", array, arrays[name])
        expect(f"{tag}: data starts on a multiple of 8", 0, struct.unpack("<Q", data[:8])[0] % 8)
    path = os.path.join(folder, "model.safetensors")
    with open(path, "wb") as file:
        file.write(data)
    with safe_open(path, "np") as file:
        expect("metadata", {"format": "pt", "note": 'caf\u00e9 "q" \\'}, file.metadata())


def theirs_loads_here(folder):
    path = os.path.join(folder, "theirs.safetensors")
    values = np.array([1.5, -0.0, np.inf, 1e-45, 3.4e38, 0.1], np.float32)
    save_file({"conv.weight": values.reshape(1, 2, 3, 1), "caf\u00e9": values[:1],
               "f64": np.array([0.1]), "i64": np.array(-(2**63))}, path, metadata={"a": "b"})
    got = dict(line.split(" ", 1) for line in run(SAMPLE, "dump", path).decode().splitlines())
    expect("theirs: metadata", "a=b", got.pop("#"))
    expect("theirs: names", {"conv.weight", "caf\u00e9", "f64", "i64"}, set(got))
    kind, shape, *numbers = got["conv.weight"].split()
    expect("theirs: type and shape", ("F32", "[1,2,3,1]"), (kind, shape))
    expect("theirs: bits", values.tobytes(), np.array([np.float32(n) for n in numbers]).tobytes())
    expect("theirs: f64", "F64 [1] 0.10000000000000001", got["f64"])
    expect("theirs: i64", "I64 [] -9223372036854775808", got["i64"])


def accepted_there(data):
    try:
        load(data)
        return True
    except SafetensorError:
        return False


def accepted_here(folder, data):
    path = os.path.join(folder, "vector.safetensors")
    with open(path, "wb") as file:
        file.write(data)
    done = subprocess.run([SAMPLE, "dump", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        sys.exit(f"not ok - ended with {done.returncode} on {data[:200]!r}")
    return done.returncode == 0


def vectors():
    """Name, bytes, and whether we are stricter than the package on purpose."""

    def entry(shape, offsets, dtype="F32"):
        return {"dtype": dtype, "shape": shape, "data_offsets": offsets}

    def file(header, size, length=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + bytes(size)

    good = {"a": entry([2, 2], [0, 16])}
    yield "good", file(good, 16), False
    yield "empty", file({}, 0), False
    yield "scalar", file({"a": entry([], [0, 4])}, 4), False
    yield "zero-size", file({"a": entry([2, 0], [0, 0])}, 0), False
    yield "blanks after", file(json.dumps(good).encode() + b"   ", 16), False
    yield "blanks before", file(b"  " + json.dumps(good).encode(), 16), True
    yield "nothing", b"", False
    yield "seven bytes", bytes(7), False
    yield "length beyond the file", file({}, 0, 60), False
    yield "length beyond the limit", file({}, 0, 2**63), False
    yield "length 0", file(b"", 0), False
    yield "no UTF-8", file(b"\xff\xff", 0), False
    yield "no JSON", file(b"{", 0), False
    yield "data missing", file(good, 15), False
    yield "data left over", file(good, 17), False
    yield "data left over, no tensor", file({}, 1), False
    yield "hole", file({"a": entry([1], [0, 4]), "b": entry([1], [8, 12])}, 12), False
    yield "overlap", file({"a": entry([2], [0, 8]), "b": entry([2], [4, 12])}, 12), False
    yield "same bytes", file({"a": entry([1], [0, 4]), "b": entry([1], [0, 4])}, 4), False
    yield "hole at the start", file({"a": entry([1], [4, 8])}, 8), False
    yield "shape too small", file({"a": entry([2, 1], [0, 16])}, 16), False
    yield "shape overflows", file({"a": entry([2**63, 2**63], [0, 16])}, 16), False
    yield "shape times size overflows", file({"a": entry([2**62 + 1], [0, 4])}, 4), False
    yield "negative shape", file({"a": entry([-2], [0, 8])}, 8), False
    yield "backward", file({"a": entry([2], [8, 0])}, 8), False
    yield "unknown type", file({"a": entry([2], [0, 8], "F31")}, 8), False
    yield "metadata of a number", file({"__metadata__": {"a": 1}}, 0), False
    yield "metadata of a list", file({"__metadata__": [1]}, 0), False
    yield "no shape", file({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, 4), False
    yield "half type", file({"a": entry([2], [0, 4], "F16")}, 4), True
    yield "five dimensions", file({"a": entry([1] * 5, [0, 4])}, 4), True
    yield "twice the same key", file(b'{"a":' + json.dumps(entry([1], [0, 4])).encode() + b',"a":'
                                     + json.dumps(entry([1], [0, 4])).encode() + b"}", 4), True


def same_verdicts(folder):
    count = 0
    for name, data, stricter in vectors():
        there, here = accepted_there(data), accepted_here(folder, data)
        if stricter:
            expect(f"{name}: refused here", False, here)
        else:
            expect(f"{name}: {'accepted' if there else 'refused'} by both", there, here)
        count += 1
    expect("vectors", True, count >= 30)
    good = save({"a": np.arange(4, dtype=np.float32)})
    for cut in range(0, len(good), 3):
        if accepted_there(good[:cut]) != accepted_here(folder, good[:cut]):
            sys.exit(f"not ok - cut at {cut}")
    print("ok - cuts refused by both")


with tempfile.TemporaryDirectory(prefix="csweep-st-") as scratch:
    ours_loads_there(scratch)
    theirs_loads_here(scratch)
    same_verdicts(scratch)
