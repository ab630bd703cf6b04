#!/usr/bin/env python3
"""hostile.py FOLDER - grid files that would take for ever, or all memory, if something in csweep did not stop.

Writes NAME.ini for each, and prints the names. What they include lies in the folder too.
"""
import os
import random
import sys

MEGABYTE = 1 << 20
BASE = "[data]\ndataset = random 100x5 classes=2\n[model]\nlayers = linear 2\n"
GRIDS = {}


def grid(function):
    GRIDS[function.__name__] = function
    return function


def fill(head, line, count=None):
    """head and as many lines as there is room for; line: of the line's number."""
    parts, size, number = [head], len(head), 0
    while count is None or number < count:
        part = line(number)
        if size + len(part) > MEGABYTE:
            break
        parts.append(part)
        size += len(part)
        number += 1
    return "".join(parts)


@grid
def noise():
    return random.Random(1).randbytes(MEGABYTE)


@grid
def zeros():
    return bytes(MEGABYTE)


@grid
def zeros_between():
    return (BASE + "[optimizer]\nlr = 0.1\0, 0.2\n\0 = 3\n").encode() * 9000


@grid
def one_line():
    return "a" * MEGABYTE


@grid
def one_section():
    return "[" + "a" * (MEGABYTE - 2) + "]"


@grid
def one_condition():
    return BASE + "[when " + "(" * (MEGABYTE - 200) + "]\nlr = 1\n"


@grid
def long_value():
    return BASE + "[optimizer]\nlr = " + "1" * (MEGABYTE - 200) + "\n"


@grid
def long_layers():
    return "[data]\ndataset = random 100x5 classes=2\n[model]\nlayers = " + "linear 2 > " * 90000 + "linear 2\n"


@grid
def commas():
    return BASE + "[optimizer]\nlr = " + "," * (MEGABYTE - 200) + "\n"


@grid
def same_values():
    return BASE + "[optimizer]\nlr = " + "1," * (MEGABYTE // 2 - 200) + "1\n"


@grid
def bad_values():
    return BASE + "[optimizer]\nlr = " + "x," * (MEGABYTE // 2 - 200) + "1\n"


@grid
def trillion_points():
    return BASE + "[optimizer]\nlr = lin(0,1,10000)\nweight_decay = lin(0,1,10000)\n[train]\nepochs = range(1,10000,1)\n"


@grid
def trillion_points_of_a_condition():
    return BASE + "[when optimizer=sgd]\nlr = lin(0,1,10000)\nmomentum = lin(0,1,10000)\nepochs = range(1,10000,1)\n"


@grid
def trillion_excluded_points():
    return BASE + ("[when optimizer=sgd]\nlr = lin(0,1,1000)\nweight_decay = lin(0,1,1000)\n"
                   "epochs = range(1,1000,1)\n[exclude]\na = epochs > 0\n")


@grid
def trillion_values():
    return fill(BASE + "[train]\n", lambda i: f"[when epochs={i}]\nlr = lin(0,1,1000000)\n")


@grid
def trillion_values_of_variables():
    return fill(BASE, lambda i: f"[model]\nv{i} = lin(0,{i + 1},1000000)\n[exclude]\nr{i} = v{i} < 0\n", 900)


@grid
def conditions():
    return fill(BASE, lambda i: f"[when lr={i}]\nmomentum = 0.1\n")


@grid
def equal_conditions():
    return fill(BASE, lambda i: "[when lr=1]\nmomentum = 0.1\n")


@grid
def empty_conditions():
    return fill(BASE, lambda i: "[when lr=1]\n")


@grid
def conditions_of_many_parts():
    text = "+".join(["lr"] * 500)
    return fill(BASE + "[optimizer]\nlr = lin(0,1,1000)\nweight_decay = lin(0,1,1000)\n",
                lambda i: f"[when {text} > {i} + weight_decay]\nmomentum = 0.1\n")


@grid
def conditions_at_many_points():
    return fill(BASE + "[optimizer]\nlr = lin(0,1,1000)\nweight_decay = lin(0,1,1000)\n",
                lambda i: f"[when lr > {i} + weight_decay]\nmomentum = 0.1\n")


@grid
def chain_of_conditions():
    return fill(BASE + "[model]\nv0 = 1, 2\n", lambda i: f"[when v{i} = 1]\nv{i + 1} = 1, 2\n", 900)


@grid
def circle_of_conditions():
    return fill(BASE, lambda i: f"[when v{i} = 1]\nv{(i + 1) % 900} = 1, 2\n", 900)


@grid
def zips():
    return fill(BASE, lambda i: f"[zip z{i}]\nlr = 1, 2\n")


@grid
def zips_of_conditions():
    return fill(BASE, lambda i: f"[zip z{i} when epochs={i}]\nlr = 1, 2\nmomentum = 0.1, 0.2, 0.3\n")


@grid
def long_zip():
    return BASE + "[zip a]\nlr = lin(0,1,300000)\nmomentum = lin(0,1,300000)\nweight_decay = lin(0,1,300000)\n[train]\nepochs = range(1,1000000,1)\n"


@grid
def rules():
    return fill(BASE + "[optimizer]\nlr = lin(0,1,1000)\nweight_decay = lin(0,1,1000)\n[exclude]\n",
                lambda i: f"r{i} = lr > {i + 2}\n")


@grid
def long_rules():
    text = "+".join(["lr"] * 500)
    return fill(BASE + "[optimizer]\nlr = lin(0,1,1000)\nweight_decay = lin(0,1,1000)\n[exclude]\n",
                lambda i: f"r{i} = {text} > {i + 1000}\n")


@grid
def unknown_sections():
    return fill(BASE, lambda i: f"[sectiom{i}]\n")


@grid
def unknown_keys():
    return fill(BASE + "[optimizer]\n", lambda i: f"momentun{i} = 1\n")


@grid
def unknown_keys_of_a_preset():
    return fill(BASE + "[preset p]\n", lambda i: f"momentun{i} = 1\n")


@grid
def unknown_names():
    return fill(BASE, lambda i: f"[when momentun{i}=1]\nlr = 1\n")


@grid
def unknown_references():
    return BASE + "[optimizer]\nlr = " + ", ".join(f"${{momentun{i}}}" for i in range(45000)) + "\n"


@grid
def unknown_words():
    return fill(BASE, lambda i: f"[when optimizer=adamm{i}]\nlr = 1\n")


@grid
def presets():
    return fill(BASE, lambda i: f"[preset p{i}]\nlr = 1\n")


@grid
def groups():
    return fill(BASE, lambda i: f"[group g{i}]\nmatch = *\n")


@grid
def keys_of_groups():
    return fill(BASE, lambda i: f"[when g{i}.lr=1]\nlr = 1\n")


@grid
def variables():
    return fill(BASE, lambda i: f"[model]\nv{i} = 1\n[when v{i}=1]\n")


@grid
def doubling_texts():
    return fill(BASE.replace("linear 2", "linear 2 > ${v0}") + "[optimizer]\nlr = lin(0,1,1000)\n"
                "weight_decay = lin(0,1,1000)\n[model]\n", lambda i: f"v{i} = ${{v{i + 1}}}${{v{i + 1}}}\n", 900) + "v900 = ${lr}\n"


@grid
def long_texts():
    return fill(BASE.replace("linear 2", "linear 2 > ${v0}") + "[optimizer]\nlr = lin(0,1,1000)\n",
                lambda i: f"v{i} = " + "x" * 900 + f"${{v{i + 1}}}\n", 900).replace("${v900}", "${lr}")


@grid
def expressions():
    text = "+".join(["lr"] * 500)
    return fill(BASE + "[optimizer]\nlr = lin(0,1,1000)\nweight_decay = lin(0,1,1000)\n[model]\n",
                lambda i: f"v{i} = = {text}\n[when v{i}>1]\nmomentum = 0.1\n[model]\n", 500)


@grid
def alternatives_of_expressions():
    return BASE + "[optimizer]\nlr = " + ", ".join(f"= momentum + {i}" for i in range(45000)) + "\n"


@grid
def circle_of_expressions():
    return fill(BASE + "[optimizer]\nlr = = v0\n[model]\n", lambda i: f"v{i} = = v{(i + 1) % 900}\n", 900)


@grid
def environment():
    return BASE + "[optimizer]\nlr = " + "${env:CSWEEP_LONG_VALUE:1}" * 40000 + "\n"


@grid
def environment_without():
    return fill(BASE, lambda i: f"[when lr={i}]\nmomentum = ${{env:CSWEEP_NOTHING_{i}}}\n")


@grid
def include_pipe():
    os.mkfifo("pipe")
    return "include = pipe\n" + BASE


@grid
def include_devices():
    return "include = /dev/zero, /dev/tty, /dev/random, /dev/stdin, /tmp, ., /proc/self/mem, /proc/kmsg\n" + BASE


@grid
def include_deep():
    for i in range(100):
        with open(f"deep{i}.part", "w") as file:
            file.write(f"include = deep{i + 1}.part\n")
    return "include = deep0.part\n" + BASE


@grid
def include_wide():
    for i in range(100):
        with open(f"wide{i}.part", "w") as file:
            file.write(f"include = wide{i + 1}.part, wide{i + 1}.part\n")
    return "include = wide0.part\n" + BASE


@grid
def include_circle():
    return fill("", lambda i: "include = include_circle.ini\n")


@grid
def include_itself_by_links():
    os.symlink("include_itself_by_links.ini", "link")
    return "include = " + ", ".join(["link"] * 100000) + "\n" + BASE


@grid
def include_much():
    with open("much.part", "w") as file:
        file.write("# " + "x" * (MEGABYTE - 3) + "\n")
    return "include = " + ", ".join(["much.part"] * 60) + "\n" + BASE


@grid
def include_nothing():
    return "include = " + ", ".join(f"nothing{i}" for i in range(60000)) + "\n" + BASE


def main():
    os.chdir(sys.argv[1])
    for name, function in GRIDS.items():
        content = function()
        with open(f"{name}.ini", "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        print(name)


main()
