"""artifacts.py - readers of what a sweep leaves behind, written from the formats and not from the program's code.

Journal: JSON lines with a CRC-32. Checkpoints: git's own commands. safetensors: u64le header size, JSON header, data.
Event files: TFRecord framing with masked CRC-32C, protobuf read field by field. Every reader is strict: what is
not exactly as the format says raises Malformed.
"""

import csv
import glob
import hashlib
import io
import json
import math
import os
import struct
import subprocess
import zlib


class Malformed(Exception):
    """A file is not what its format says."""


# ---- journal ----


def journal(folder, torn_tail=False):
    """All records; a torn last line is allowed only when asked for."""
    records = []
    with open(os.path.join(folder, "journal.jsonl"), "rb") as file:
        data = file.read()
    lines = data.split(b"\n")
    if lines[-1] and not torn_tail:
        raise Malformed(f"{folder}: the journal's last line has no end")
    for line in lines[:-1]:
        body, _, tail = line.rpartition(b',"crc":"')
        if tail != b'%08x"}' % zlib.crc32(body):
            raise Malformed(f"{folder}: wrong crc in {line[:120]!r}")
        records.append(json.loads(line))
    return records


def trials(folder):
    """{name: trial record} of the journal."""
    return {r["name"]: r for r in journal(folder) if r["event"] == "trial"}


# ---- git ----


def git(store, *arguments):
    return subprocess.run(["git", "-C", store, *arguments], capture_output=True, check=True, timeout=120).stdout


def blob(store, reference, path):
    return git(store, "show", f"{reference}:{path}")


def object_id(store, reference, path):
    return git(store, "rev-parse", f"{reference}:{path}").decode().strip()


def object_ids(store, names):
    """{REFERENCE:PATH: object id, None where there is none}."""
    done = subprocess.run(["git", "-C", store, "cat-file", "--batch-check=%(objectname)"], input="\n".join(names) + "\n",
                          capture_output=True, text=True, check=True, timeout=120)
    found = done.stdout.splitlines()
    return {name: None if line.endswith("missing") else line for name, line in zip(names, found, strict=True)}


def fsck(store):
    """What `git fsck --strict` has to say, unreachable objects aside (they wait for the next collection)."""
    done = subprocess.run(["git", "-C", store, "fsck", "--strict", "--no-dangling"], capture_output=True, text=True,
                          check=False, timeout=120)
    return f"exit {done.returncode} {(done.stdout + done.stderr).strip()}" if done.returncode or done.stdout else ""


def stale_locks(store):
    """Lock files left over; the store's own mutex is no such file."""
    found = glob.glob(os.path.join(store, "**", "*.lock"), recursive=True)
    return [path for path in found if os.path.basename(path) != "csweep.lock"]


def curve(store, reference):
    """curve.csv as a list of {column: number}."""
    text = blob(store, reference, "curve.csv").decode()
    return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


# ---- safetensors ----


def safetensors(data):
    """({name: (shape, bytes)}, metadata) of a file of F32 tensors, in file order; counters are I64 scalars."""
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    tensors, at = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        size_of = {"F32": 4, "I64": 8 if not entry["shape"] else 0}.get(entry["dtype"], 0)
        if begin != at or end - begin != size_of * math.prod(entry["shape"]):
            raise Malformed(f"safetensors: {name}: {entry}")
        tensors[name], at = (tuple(entry["shape"]), data[8 + size + begin : 8 + size + end]), end
    if 8 + size + at != len(data):
        raise Malformed("safetensors: bytes after the last tensor")
    return tensors, metadata


# ---- event files ----


def _crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC_TABLE = _crc_table()


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data, torn_tail=False, checked=True):
    """The payloads of a TFRecord file. A file that a kill cut short may end inside a record: torn_tail."""
    at = 0
    while at < len(data):
        if len(data) - at < 12 or len(data) - at < 16 + struct.unpack_from("<Q", data, at)[0]:
            if torn_tail:
                return
            raise Malformed(f"TFRecord: torn at byte {at} of {len(data)}")
        size, crc = struct.unpack_from("<QI", data, at)
        payload = data[at + 12 : at + 12 + size]
        if checked and crc != masked_crc(data[at : at + 8]):
            raise Malformed(f"TFRecord: wrong length crc at byte {at}")
        if checked and struct.unpack_from("<I", data, at + 12 + size)[0] != masked_crc(payload):
            raise Malformed(f"TFRecord: wrong data crc at byte {at}")
        yield payload
        at += 16 + size


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, wire type, value) of a protobuf message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise Malformed(f"protobuf: wire type {kind}")
        if at > len(data):
            raise Malformed("protobuf: a field runs past the end")
        yield key >> 3, kind, value


def events(data, torn_tail=False):
    """Event: {"step", "wall", "start", "version", "scalars": {tag: float32 as float}}."""
    for payload in records(data, torn_tail):
        event = {"step": 0, "wall": 0.0, "start": False, "version": None, "scalars": {}}
        for number, kind, value in fields(payload):
            if number == 1:
                event["wall"] = struct.unpack("<d", value)[0]
            elif number == 2:
                event["step"] = value
            elif number == 3:
                event["version"] = value.decode()
            elif number == 7:
                event["start"] = any(n == 1 and v == 1 for n, _, v in fields(value))
            elif number == 5:
                for n, _, v in fields(value):
                    if n == 1:
                        _take_value(event["scalars"], v)
        yield event


def _take_value(scalars, data):
    tag, number, tensor = None, None, None
    for n, kind, value in fields(data):
        if n == 1:
            tag = value.decode()
        elif n == 2 and kind == 5:
            number = struct.unpack("<f", value)[0]
        elif n == 8:
            tensor = list(fields(value))
    if number is None and tensor is not None and any(n == 1 and v == 1 for n, _, v in tensor):
        floats = [v for n, _, v in tensor if n in (4, 5)]
        if len(floats) == 1 and len(floats[0]) == 4:
            number = struct.unpack("<f", floats[0])[0]
    if number is not None:
        scalars[tag] = number


CLOCK = ("Time/", "Throughput/", "_hparams_/", "Config")


def run_values(folder):
    """{(tag, step): what was written} of a run, as a reader must see it, but for what the clock and Config say."""
    values = {}
    for name in sorted(glob.glob(os.path.join(folder, "events.out.tfevents.*"))):
        with open(name, "rb") as file:
            data = file.read()
        for payload in records(data, torn_tail=True, checked=False):
            found = list(fields(payload))
            step = next((v for n, _, v in found if n == 2), 0)
            for number, _, value in found:
                if number == 7:
                    for key in [key for key in values if key[1] >= step]:
                        del values[key]
                elif number == 4:
                    values["graph", step] = value
                elif number == 5:
                    for _, _, one in fields(value):
                        inner = {n: v for n, _, v in fields(one)}
                        tag = inner.pop(1).decode()
                        inner.pop(9, None)
                        if not tag.startswith(CLOCK):
                            values[tag, step] = inner
    return values


def run_hash(folder):
    """A word for all of a run's values: equal where they are."""
    return hashlib.sha256(repr(sorted(run_values(folder).items())).encode()).hexdigest()


def run_curve(folder, kills=True):
    """{tag: {step: value}} of a run's event files in the order of their names, as a reader must see them.

    A file that begins with SessionLog START at step n takes back what earlier files said from step n on. Within one
    file a step may not come twice, and a file must begin where the ones before it end.
    """
    series, expected = {}, 1
    for name in sorted(glob.glob(os.path.join(folder, "events.out.tfevents.*"))):
        with open(name, "rb") as file:
            found = list(events(file.read(), torn_tail=kills))
        if not found:
            continue  # killed before the first record
        if found[0]["version"] != "brain.Event:2":
            raise Malformed(f"{name}: the first record is not the version")
        for event in found:
            if event["start"]:
                for points in series.values():
                    for step in [s for s in points if s >= event["step"]]:
                        del points[step]
                expected = max(event["step"], 1)
            if not event["scalars"]:
                continue
            if event["step"] != expected:
                raise Malformed(f"{name}: step {event['step']} where {expected} was due")
            expected += 1
            for tag, value in event["scalars"].items():
                if event["step"] in series.setdefault(tag, {}):
                    raise Malformed(f"{name}: {tag} twice at step {event['step']}")
                series[tag][event["step"]] = value
    return series
