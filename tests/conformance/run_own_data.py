#!/usr/bin/env python3
"""run_own_data.py - data of one's own, written by NumPy and Python's csv: the same numbers train to the same bits in every format.

A table of floats as .npy of each type and version, and as .csv; bytes of images as IDX and .npy: the git object ids of the
weights must agree with each other, and Fashion-MNIST's first images with those of the known set. Classes by number and by word, labels
and values. What is at fault is told in one line, with file, line and column, by `plan`, and nothing is written.
"""

import csv
import gzip
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import artifacts
import harness

harness.run_under("SYSTEM_PYTHON", "/usr/bin/python3", "numpy")
import numpy as np  # noqa: E402

FASHION = "/usr/share/datasets/fashion-mnist"


class Trainer:
    def __init__(self, checks, folder):
        self.checks, self.folder, self.count = checks, folder, 0

    def grid(self, dataset, path, layers, **more):
        self.count += 1
        train = {"epochs": 2, **more.pop("train", {})}
        return harness.write_grid(os.path.join(self.folder, f"g{self.count}.ini"), data={"dataset": dataset, "path": path, "batch_size": 16, **more},
                                  model={"layers": layers}, train=train, optimizer={"optimizer": "adam", "lr": 0.01})

    def weights(self, *arguments, **more):
        """Object id of the weights, and of the curve, after training."""
        sweep = harness.Sweep(self.folder, self.grid(*arguments, **more), f"runs{self.count}")
        harness.must_run(sweep, "--quiet", "--jobs", "2")
        tag = f"refs/tags/{sweep.name}/0001/last"
        return [artifacts.object_id(sweep.store, tag, file) for file in ("model.safetensors", "optimizer.safetensors")]

    def refused(self, what, dataset, path, *words, layers="linear 3", code=3):
        sweep = harness.Sweep(self.folder, self.grid(dataset, path, layers), f"runs{self.count}")
        got, _, errors = sweep.run("--quiet")
        self.checks.equal(f"{what}: exit code", got, code)
        self.checks.true(f"{what}: in one line that says so", all(word in errors for word in words) and errors.count("\n") == 1, errors)
        self.checks.true(f"{what}: nothing written", not os.path.exists(sweep.logdir))


def folder_of(parent, name):
    path = os.path.join(parent, name)
    os.makedirs(path)
    return path


def save_npy(folder, version=None, **arrays):
    for name, array in arrays.items():
        with open(os.path.join(folder, name + ".npy"), "wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(array), version)


def save_csv(path, names, rows, **options):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **options)
        writer.writerow(names)
        writer.writerows(rows)


def tables(t, rng):
    """240 rows of 7 numbers; whole, so that every type holds them."""
    x, y = rng.integers(-50, 50, (240, 7)), rng.integers(0, 3, 240)
    first = None
    layers = "linear 16 > relu > linear 3"
    for kind in ("<f4", "<f8", "<i8"):
        for version in ((1, 0), (2, 0), (3, 0)):
            for target in ("<i8", "|u1"):
                folder = folder_of(t.folder, f"npy{kind[1:]}{version[0]}{target[1:]}")
                save_npy(folder, version, x_train=x[:200].astype(kind), y_train=y[:200].astype(target),
                         x_val=x[200:].astype(kind), y_val=y[200:].astype(target))
                got = t.weights("npy", folder, layers)
                first = first or got
                t.checks.equal(f"npy {kind} {version} {target}", got, first)
    names = ["a", "b, quoted \"so\"", "c", "d", "e", "f", "g", "kind"]
    words = ["ant", "bee", "fly, or so"]
    for name, class_of, options in (("numbers", int, {}), ("from5", lambda c: c + 5, {}), ("words", lambda c: words[c], {}),
                                    ("lf", float, {"lineterminator": "\n"}), ("quotes", int, {"quoting": csv.QUOTE_ALL})):
        folder = folder_of(t.folder, "csv-" + name)
        for file, part in (("train", slice(0, 200)), ("val", slice(200, 240))):
            save_csv(os.path.join(folder, file + ".csv"), names, [[*map(int, row), class_of(int(c))] for row, c in zip(x[part], y[part])], **options)
        t.checks.equal(f"csv, classes as {name}", t.weights("csv", folder, layers), first)
    folder = folder_of(t.folder, "csv-middle")
    for file, part in (("train", slice(0, 200)), ("val", slice(200, 240))):
        save_csv(os.path.join(folder, file + ".csv"), [*names[:2], "kind", *names[2:7]],
                 [[*row[:2], c, *row[2:]] for row, c in zip(x[part].tolist(), y[part].tolist())])
    t.checks.equal("csv, the target in the middle", t.weights("csv target=kind", folder, layers), first)


def numbers(t, rng):
    """Decimal digits become the floats that NumPy makes of them."""
    x = np.concatenate([rng.standard_normal((100, 5)), 10.0 ** rng.uniform(-30, 30, (100, 5)), rng.standard_normal((100, 5)) * 1e-5]).astype("<f8")
    y = rng.standard_normal(300)
    files = {}
    for name, text in (("repr", repr), ("short", lambda v: f"{v:.6g}"), ("fixed", lambda v: f"{v:.40f}"), ("e", lambda v: f"{v:.16E}")):
        folder, as_csv = folder_of(t.folder, "n-npy-" + name), folder_of(t.folder, "n-csv-" + name)
        cells = [[text(float(v)) for v in row] for row in x]
        targets = [text(float(v)) for v in y]
        save_npy(folder, x_train=np.array([[float(c) for c in row] for row in cells]), y_train=np.array([float(c) for c in targets]))
        save_csv(os.path.join(as_csv, "train.csv"), "abcdey", [[*row, target] for row, target in zip(cells, targets)])
        files[name] = [t.weights(kind, path, "tanh > linear 1", val_split=0.2, train={"loss": "mse"}) for kind, path in (("npy", folder), ("csv", as_csv))]
        t.checks.equal(f"numbers written as {name}: csv and npy", *files[name])
    t.checks.true("and six digits are other numbers", files["repr"] != files["short"])


def write_idx(path, array):
    with gzip.open(path, "wb") if path.endswith(".gz") else open(path, "wb") as file:
        file.write(struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def images(t):
    if not os.path.isdir(FASHION):
        return
    with gzip.open(FASHION + "/train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(16 + 300 * 784)[16:], np.uint8).reshape(300, 28, 28)
    with gzip.open(FASHION + "/train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(308)[8:], np.uint8)
    layers = "conv 4 5 stride 2 > relu > flatten > linear 10"
    first = t.weights("fashion-mnist", "", layers, limit=300, val_split=50)
    idx, npy, floats = (folder_of(t.folder, name) for name in ("own-idx", "own-npy", "own-float"))
    write_idx(idx + "/train-images-idx3-ubyte", x)
    write_idx(idx + "/train-labels-idx1-ubyte.gz", y)
    t.checks.equal("images as IDX", t.weights("idx", idx, layers, val_split=50), first)
    save_npy(npy, x_train=x, y_train=y)
    t.checks.equal("images as npy of bytes", t.weights("npy", npy, layers, val_split=50), first)
    save_npy(floats, x_train=x.reshape(300, 1, 28, 28).astype(np.float32) / np.float32(255), y_train=y.astype(np.int64))
    t.checks.equal("images as npy of floats", t.weights("npy", floats, layers, val_split=50), first)


def targets(t, rng):
    x = rng.standard_normal((90, 4)).astype(np.float32)
    for name, y, loss, layers in (("labels", rng.integers(0, 2, (90, 5)).astype(bool), "bce_with_logits", "linear 5"),
                                  ("values", rng.standard_normal((90, 2)), "huber", "linear 2"),
                                  ("classes", rng.integers(0, 2, 90).astype(bool), "bce_with_logits", "linear 1")):
        folder = folder_of(t.folder, "t-" + name)
        save_npy(folder, x_train=x, y_train=y)
        t.checks.true(f"{name} are trained on", all(t.weights("npy", folder, layers, val_split=0.2, train={"loss": loss})))


def faults(t):
    good = "a,b,y\n1,2,0\n3,4,1\n"
    for name, text, *words in (
            ("a missing value", "a,b,y\n1,,0\n", "train.csv:2: column 2: no value; expected a number"),
            ("a word", "a,b,y\n1,2,0\n1,x7,1\n", "train.csv:3: column 2: x7; expected a number"),
            ("nan", "a,b,y\n1,nan,0\n", "train.csv:2: column 2: nan; expected a number"),
            ("beyond float", "a,b,y\n1,1e39,0\n", "train.csv:2: column 2: 1e39; expected a number in the range of float"),
            ("a short row", "a,b,y\n\n1,2\n", "train.csv:3: 2 fields; expected 3"),
            ("a long row", "a,b,y\n1,2,3,4\n", "train.csv:2: 4 fields; expected 3"),
            ("an open quote", 'a,b,y\n1,"2,3\n', "train.csv:2: a quote that is not closed"),
            ("text behind a quote", 'a,b,y\n1,"2"x,3\n', "train.csv:2: text behind a closing quote"),
            ("no names", "1,2,3\n4,5,6\n", "train.csv:1: numbers; expected the names of the columns"),
            ("no rows", "a,b,y\n", "train.csv: no rows"),
            ("a NUL", "a,b,y\n1,\0,2\n", "train.csv:2: a NUL byte"),
            ("one class", "a,b,y\n1,2,0\n1,2,0\n", "1 different targets; expected 2 to 100000 classes"),
            ("nothing", "", "train.csv: empty"), ("one column", "y\n1\n", "one column")):
        folder = folder_of(t.folder, "bad-" + name.replace(" ", "-"))
        with open(folder + "/train.csv", "w", encoding="utf-8") as file:
            file.write(text)
        t.refused(f"csv, {name}", "csv", folder, *words)
    folder = folder_of(t.folder, "bad-val")
    for file, text in (("train", good), ("val", "a,b,y\n1,2,2\n")):
        with open(f"{folder}/{file}.csv", "w", encoding="utf-8") as out:
            out.write(text)
    t.refused("csv, a class of val.csv alone", "csv", folder, "val.csv: row 1: class 2, which", "does not have")
    t.refused("csv, no such target", "csv target=z", folder, "train.csv:1: no column z for target=z")
    t.refused("csv, a word unknown", "csv foo", folder, "foo: expected target=NAME, classes or values after csv")
    t.refused("csv, no folder", "csv", t.folder + "/none", "train.csv: cannot open: No such file or directory")
    x, y = np.zeros((6, 2), np.float32), np.array([0, 1, 0, 1, 0, 1])
    for name, arrays, *words in (
            ("Fortran order", {"x_train": x, "y_train": y}, "in Fortran order; expected C order"),
            ("half floats", {"x_train": x.astype(np.float16), "y_train": y}, "numbers of type <f2; expected <f4"),
            ("big-endian", {"x_train": x.astype(">f4"), "y_train": y}, "numbers of type >f4; expected <f4"),
            ("other counts", {"x_train": x, "y_train": y[:5]}, "y_train.npy: 5 targets for 6 samples"),
            ("a flat x", {"x_train": x[:, 0], "y_train": y}, "x_train.npy: 1 dimension"),
            ("a class below 0", {"x_train": x, "y_train": y - 1}, "y_train.npy: class -1 of sample 0"),
            ("a scalar", {"x_train": np.float32(1), "y_train": y}, "x_train.npy: a single number"),
            ("no samples", {"x_train": x[:0], "y_train": y[:0]}, "x_train.npy: an empty array"),
            ("another val", {"x_train": x, "y_train": y, "x_val": x[:, :1], "y_val": y}, "x_val.npy: not the type and shape of"),
            ("no y", {"x_train": x}, "y_train.npy: cannot open")):
        folder = folder_of(t.folder, "bad-npy-" + name.replace(" ", "-"))
        for key, array in arrays.items():
            np.save(f"{folder}/{key}.npy", np.asfortranarray(array) if name == "Fortran order" else array)
        t.refused(f"npy, {name}", "npy", folder, *words)
    folder = folder_of(t.folder, "cut")
    save_npy(folder, x_train=x, y_train=y)
    with open(folder + "/x_train.npy", "rb+") as file:
        whole = file.read()
        for size, words in ((len(whole) - 1, "ends early; expected 1 bytes more"), (20, "its header is cut short"), (5, "not a .npy file")):
            file.truncate(size)
            t.refused(f"npy, cut to {size} bytes", "npy", folder, words)
    with open(folder + "/x_train.npy", "wb") as file:
        file.write(whole + b"x")
    t.refused("npy, longer", "npy", folder, "longer than expected")
    for old, new in ((b"'shape'", b"'shap5'"), (b"(6, 2)", b"(6 ,2("), (b"False", b"Falsy"), (b"(6, 2)", b"(9, 2)")):
        with open(folder + "/x_train.npy", "wb") as file:
            file.write(whole.replace(old, new))
        t.refused(f"npy, {new}", "npy", folder, "x_train.npy: ")


def main():
    checks = harness.Checks()
    t, rng = Trainer(checks, harness.scratch()), np.random.default_rng(7)
    tables(t, rng)
    numbers(t, rng)
    images(t)
    targets(t, rng)
    faults(t)
    checks.finish()


if __name__ == "__main__":
    main()
