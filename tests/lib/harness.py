"""harness.py - what every check of the whole program shares: environment, grids, processes, counted comparisons."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

LIMIT_SECONDS = 300
MISSING = object()


def skip(reason):
    """Leave as skipped; the runner shows the reason."""
    print(f"skipped: {reason}")
    sys.exit(77)


def run_under(variable, fallback, *modules):
    """Go on under the Python named by the environment variable; leave as skipped when it lacks a module."""
    wanted = os.environ.get(variable) or fallback
    if not wanted or not os.access(wanted, os.X_OK):
        skip(f"no {variable}")
    if os.environ.get("CSWEEP_TEST_PYTHON") != wanted:
        os.environ["CSWEEP_TEST_PYTHON"] = wanted
        os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
        os.execv(wanted, [wanted, os.path.abspath(sys.argv[0]), *sys.argv[1:]])
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            skip(f"{wanted}: {error}")


def program():
    path = os.environ.get("CSWEEP", "")
    if not os.access(path, os.X_OK):
        skip("CSWEEP does not name the program")
    return os.path.abspath(path)


def registry(kind):
    """Names of `csweep describe KIND`, one a line, indented by two."""
    out = subprocess.run([program(), "describe", kind], capture_output=True, text=True, check=True).stdout
    return [line.split()[0].rstrip("(") for line in out.splitlines() if line[:2] == "  " and line[2:3].strip()]


def instances():
    """The instruction sets of this machine that the backend has."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = set(next((line for line in file if line.startswith("flags")), "").split())
    return ["generic", *(["avx2"] if {"avx2", "fma"} <= flags else []), *(["avx512"] if "avx512f" in flags else [])]


def scratch():
    """An empty folder of this check."""
    base = os.environ.get("SCRATCH") or None
    if base:
        os.makedirs(base, exist_ok=True)
    return tempfile.mkdtemp(prefix=os.path.basename(sys.argv[0]).removesuffix(".py") + "-", dir=base)


class Checks:
    """Counts comparisons and keeps what differed; finish() prints it and ends the program."""

    def __init__(self):
        self.count, self.failures, self.started = 0, [], time.monotonic()

    def fail(self, text):
        self.failures.append(text)
        print(f"DIFFERS {text}", flush=True)

    def true(self, what, condition, detail=""):
        self.count += 1
        if not condition:
            self.fail(f"{what}{': ' if detail else ''}{detail}")
        return bool(condition)

    def equal(self, what, got, expected):
        return self.true(what, got == expected, f"got {got!r}, expected {expected!r}")

    def near(self, what, got, expected, bound):
        return self.true(what, abs(got - expected) <= bound, f"got {got!r}, expected {expected!r} within {bound:g}")

    def finish(self):
        seconds = time.monotonic() - self.started
        print(f"{self.count} checks, {len(self.failures)} failed, {seconds:.1f} s")
        sys.exit(1 if self.failures else 0)


def write_grid(path, **sections):
    """A grid file from {section: {key: value}}; `when` takes {condition: {key: value}}."""
    lines = []
    for section, keys in sections.items():
        if section == "when":
            for condition, inner in keys.items():
                lines += [f"[when {condition}]", *(f"{k} = {v}" for k, v in inner.items())]
        else:
            lines += [f"[{section}]", *(f"{k} = {v}" for k, v in keys.items())]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


class Sweep:
    """A grid file with its log directory and its store, in one folder."""

    def __init__(self, folder, grid, name="runs"):
        self.folder, self.grid = folder, grid
        self.name = os.path.basename(grid).removesuffix(".ini")
        self.logdir, self.store = os.path.join(folder, name), os.path.join(folder, name + ".git")
        self.dir = os.path.join(self.logdir, self.name)

    def command(self, *arguments):
        return [program(), "run", self.grid, "--logdir", self.logdir, "--checkpoints", self.store, *arguments]

    def run(self, *arguments, environment=None, limit=LIMIT_SECONDS):
        """Run to the end: (exit code, stdout, stderr)."""
        done = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})}, check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def start(self, *arguments, **options):
        """Start in the background, stdout as a pipe of lines; the caller ends it."""
        return subprocess.Popen(
            self.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, **options,
        )


def must_run(sweep, *arguments, code=0, environment=None):
    """Run and insist on the exit code; a surprise ends the check with what the program said."""
    got, out, err = sweep.run(*arguments, environment=environment)
    if got != code:
        print(f"{' '.join(sweep.command(*arguments))}\nexit code {got}, expected {code}\n{out[-2000:]}{err[-2000:]}")
        sys.exit(1)
    return out, err


def events(text):
    """The JSON lines of --json."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def workers_of(controller):
    """Live workers that this controller started: they carry its pid, also after it died."""
    found, mark = [], [b"--parent", str(controller).encode()]
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                state = file.read().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if words[1:2] == [b"worker"] and mark in [words[i : i + 2] for i in range(len(words))] and state not in "ZX":
            found.append(int(entry))
    return found


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
