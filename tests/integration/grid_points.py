#!/usr/bin/env python3
"""Points of random grids, by `csweep plan --json`, against a naive enumeration of what the grid language says.

A grid has axes, nested [when]s, zips (with conditions or not), rules that exclude, variables of the user's own and calculated
values, its definitions in random order, some of them in a file that is included, which gives others too that do not count. The enumeration takes every combination of every alternative of every
definition and looks what each would mean; only the set of points counts, so equal ones need no care.
"""
import itertools
import json
import os
import random
import subprocess
import sys

HEAD = "[data]\ndataset = random 100x5 classes=2\n[model]\nlayers = linear 2\n"
VALUES = {
    "optimizer": ["sgd", "adam"],
    "lr": ["0.1", "0.2", "0.3"],
    "momentum": ["0.25", "0.5", "0.75"],
    "dampening": ["0.1", "0.2"],
    "eps": ["0.1", "0.2", "0.3"],
    "weight_decay": ["0.1", "0.2", "0.3"],
    "batch_size": ["8", "16", "32"],
    "epochs": ["1", "2", "3"],
    "scale": ["1", "2"],
}
OWNERS = {"momentum": "sgd", "dampening": "sgd", "eps": "adam"}
DEFAULTS = {"optimizer": "sgd", "lr": "0.001", "momentum": "0", "dampening": "0", "eps": "1e-8", "weight_decay": "0",
            "batch_size": "64", "epochs": "10"}
ZIP_CONDITIONS = {"c": [("optimizer", "=", ["sgd"])]}
ORDER = list(VALUES)  # a condition names keys before its own, so that there are no circles


class Definition:
    def __init__(self, key, alternatives, condition=None, zip_name=None):
        self.key, self.alternatives, self.condition, self.zip_name = key, alternatives, condition, zip_name


def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def make_condition(rng, keys):
    """A list of (key, operator, values), all of which must hold."""
    terms = []
    for key in rng.sample(keys, rng.randint(1, min(2, len(keys)))):
        if key == "optimizer" or rng.random() < 0.4:
            terms.append((key, "=", rng.sample(VALUES[key], rng.randint(1, 2))))
        else:
            terms.append((key, rng.choice(["<", ">="]), [rng.choice(VALUES[key])]))
    return terms


def condition_text(terms):
    return " and ".join(f"{key} {sign} {'|'.join(values)}" for key, sign, values in terms)


def holds(terms, point):
    for key, sign, values in terms:
        value = point.get(key)
        if value is None:
            return False
        if sign == "=":
            if not any(value == v or (number(value) is not None and number(value) == number(v)) for v in values):
                return False
        elif (number(value) < number(values[0])) != (sign == "<"):
            return False
    return True


def make_alternatives(rng, key, several):
    count = rng.randint(1, len(VALUES[key])) if several is None else several
    values = rng.sample(VALUES[key], min(count, len(VALUES[key])))
    if key == "weight_decay" and rng.random() < 0.5:
        values[-1] = "= lr / 2"
    return values


def make_grid(rng):
    """Definitions in sections, a variable that values refer to, rules."""
    definitions, zips = [], {}
    for place, key in enumerate(ORDER):
        if key == "scale" or rng.random() < 0.25:
            continue
        if rng.random() < 0.7:
            zip_name = rng.choice(["a", "b", "c"]) if key != "optimizer" and rng.random() < 0.45 else None
            if zip_name:
                length = zips.setdefault(zip_name, rng.randint(2, 3))
                alternatives = [rng.choice(VALUES[key]) for _ in range(length)]
                definitions.append(Definition(key, alternatives, ZIP_CONDITIONS.get(zip_name), zip_name))
            else:
                definitions.append(Definition(key, make_alternatives(rng, key, None)))
        for _ in range(rng.choice([0, 0, 1, 1, 1, 2]) if place else 0):
            definitions.append(Definition(key, make_alternatives(rng, key, None), make_condition(rng, ORDER[:place][:-1] or ORDER[:1])))
    chosen = {value for d in definitions if d.key == "optimizer" for value in d.alternatives} or {"sgd"}
    definitions = [d for d in definitions if OWNERS.get(d.key, "sgd") in chosen or d.key not in OWNERS]
    if rng.random() < 0.5:
        definitions.append(Definition("scale", rng.sample(VALUES["scale"], 2)))
        definitions = [d for d in definitions if d.key != "epochs"]
        definitions.append(Definition("epochs", ["${scale}", "3"]))
    places = {}
    for d in definitions:  # one definition of a key in one place
        places.setdefault((d.key, section_of(d)), d)
    definitions = list(places.values())
    rules = [make_condition(rng, [k for k in ORDER if k != "scale"]) for _ in range(rng.randint(0, 2))]
    return definitions, rules


def section_of(d):
    if d.zip_name:
        return f"zip {d.zip_name}" + (f" when {condition_text(d.condition)}" if d.condition else "")
    if d.condition:
        return f"when {condition_text(d.condition)}"
    return {"optimizer": "optimizer", "batch_size": "data", "epochs": "train"}.get(d.key, "optimizer")


def sections_text(rng, definitions, rules):
    """Keys of one zip together; else every definition has a section of its own."""
    sections, zips = [], {}
    for d in definitions:
        line = f"{d.key} = {', '.join(d.alternatives)}\n"
        if d.zip_name:
            zips.setdefault(section_of(d), []).append(line)
        else:
            sections.append(f"[{section_of(d)}]\n{line}")
    sections += [f"[{title}]\n{''.join(lines)}" for title, lines in zips.items()]
    sections += [f"[exclude]\n{name} = {condition_text(rule)}\n" for name, rule in rules]
    rng.shuffle(sections)
    return "".join(sections)


def grid_texts(rng, definitions, rules):
    """The grid, and the file that it includes, or None."""
    named = [(f"r{i}", rule) for i, rule in enumerate(rules)]
    if rng.random() < 0.5:
        return HEAD + sections_text(rng, definitions, named), None
    theirs = [d for d in definitions if rng.random() < 0.5]
    own = [d for d in definitions if d not in theirs]
    beaten = [Definition(d.key, ["0.125", "0.375"], d.condition, d.zip_name) for d in own
              if d.key in ("lr", "eps", "weight_decay") and rng.random() < 0.5]
    base = HEAD + sections_text(rng, theirs + beaten, named[:1] + [("r1", [("lr", "<", ["100"])])] * (len(named) > 1))
    return "include = base.ini\n" + sections_text(rng, own, named[1:]), base


def evaluate(definitions, picks):
    """The point that these alternatives of these definitions make, or None where two conditions give one key."""
    point = {}
    for key in ORDER:  # what decides about a key comes before it
        owner = OWNERS.get(key)
        inside = [d for d in definitions if d.key == key and d.condition and holds(d.condition, point)]
        outside = [d for d in definitions if d.key == key and not d.condition]
        if owner and point["optimizer"] != owner:
            continue
        if len(inside) > 1:
            return None
        chosen = inside or outside
        if not chosen:
            if key in DEFAULTS:
                point[key] = DEFAULTS[key]
            continue
        point[key] = picks[id(chosen[0])]
        if point[key].startswith("="):
            point[key] = repr(number(point["lr"]) / 2)
    if "scale" in point:
        if point["epochs"] == "${scale}":
            point["epochs"] = point["scale"]
        else:
            del point["scale"]
    return point


def enumerate_points(definitions, rules):
    zips = sorted({d.zip_name for d in definitions if d.zip_name})
    free = [d for d in definitions if not d.zip_name]
    points = set()
    for choice in itertools.product(*[range(len(d.alternatives)) for d in free],
                                    *[range(len(next(d for d in definitions if d.zip_name == z).alternatives)) for z in zips]):
        picks = {id(d): d.alternatives[i] for d, i in zip(free, choice)}
        index = dict(zip(zips, choice[len(free):]))
        picks.update({id(d): d.alternatives[index[d.zip_name]] for d in definitions if d.zip_name})
        point = evaluate(definitions, picks)
        if point is None:
            return None
        if not any(holds(rule, point) for rule in rules):
            points.add(canonical(point))
    return points


def canonical(point):
    """Values as numbers; the default where one is not written; what is merged by the trial's identity counts once."""
    return tuple(sorted((key, number(value) if number(value) is not None else value) for key, value in point.items() if key != "scale"))


def plan_points(text, included):
    for name, content in (("x.ini", text), ("base.ini", included or "")):
        with open(name, "w") as file:
            file.write(content)
    done = subprocess.run([os.environ["CSWEEP"], "plan", "x.ini", "--json"], capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr
    plan = json.loads(done.stdout)
    points = set()
    for trial in plan["trial"]:
        point = {key: str(value) for key, value in trial["params"].items() if key in VALUES}
        for key, value in DEFAULTS.items():
            if key not in OWNERS or point.get("optimizer", "sgd") == OWNERS[key]:
                point.setdefault(key, value)
        points.add(canonical(point))
    assert len(points) == plan["points"] == len(plan["trial"]), "points of one identity"
    return points, ""


def main():
    compared = at_once = empty = unused = 0
    for seed in range(180):
        rng = random.Random(seed)
        definitions, rules = make_grid(rng)
        text, included = grid_texts(rng, definitions, rules)
        expected = enumerate_points(definitions, rules)
        found, words = plan_points(text, included)
        text += f"--- base.ini\n{included}"
        if found is None and "no choice of this grid uses it" in words:
            unused += 1
            continue
        if expected is None:
            assert found is None and "at once" in words, f"seed {seed}: two conditions at once\n{text}\n{words}"
            at_once += 1
        elif not expected:
            assert found is None and "nothing is left" in words, f"seed {seed}: nothing is left\n{text}\n{words}"
            empty += 1
        else:
            assert found is not None, f"seed {seed}: refused\n{text}\n{words}"
            assert found == expected, f"seed {seed}: not these points\n{text}\n" \
                f"only in the plan: {sorted(found - expected)[:3]}\nmissing: {sorted(expected - found)[:3]}"
            compared += 1
    print(f"{compared} grids compared, {at_once} with two conditions at once, {empty} with nothing left, {unused} not to be planned")
    assert compared > 90 and at_once and empty


if __name__ == "__main__":
    sys.exit(main())
