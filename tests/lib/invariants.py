"""invariants.py - what must hold of every finished sweep, whatever happened to it."""

import os
import struct

import artifacts
import harness


def check_whole(checks, what, sweep):
    """Each trial done once, events equal to the curves, the store whole, and nothing left to do."""
    records = artifacts.trials(sweep.dir)
    done = [r["number"] for r in artifacts.journal(sweep.dir) if r["event"] == "end" and r["state"] == "done"]
    checks.equal(f"{what}: each trial done once", sorted(done), sorted(r["number"] for r in records.values()))
    failed = [r for r in artifacts.journal(sweep.dir) if r["event"] == "end" and r["state"] not in ("done", "interrupted")]
    checks.equal(f"{what}: no other ends", failed, [])
    checks.equal(f"{what}: git fsck --strict", artifacts.fsck(sweep.store), "")
    checks.equal(f"{what}: stale locks", artifacts.stale_locks(sweep.store), [])
    for name, record in records.items():
        rows = artifacts.curve(sweep.store, f"refs/tags/{sweep.name}/{record['number']:04d}/last")
        try:
            series = artifacts.run_curve(os.path.join(sweep.dir, name))
        except artifacts.Malformed as error:
            checks.true(f"{what}: events of {name}", False, str(error))
            continue
        for tag in [tag for tag in rows[0] if tag != "epoch"]:
            expected = {int(r["epoch"]): struct.unpack("<f", struct.pack("<f", r[tag]))[0] for r in rows}
            checks.equal(f"{what}: events of {name} {tag}", series.get(tag), expected)
    out, _ = harness.must_run(sweep)
    checks.true(f"{what}: a finished sweep does nothing", "nothing to do" in out, out)
