"""Whatever the ledger says of a run, the run's folder holds it after a power cut too."""

import os
from pathlib import Path

import pytest

from connectors.ledger import Ledger


@pytest.fixture
def synced(monkeypatch):
    """When each path that was really synced had been written last."""
    done, sync = {}, os.fsync

    def recorded(descriptor):
        sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        done[path] = path.stat().st_mtime_ns if path.exists() else None

    monkeypatch.setattr(os, "fsync", recorded)
    return done


@pytest.fixture
def said(monkeypatch, synced):
    """Each state that the ledger was told of, with the files and folders that were not on the disk by then."""
    states = []

    def listening(name):
        method = getattr(Ledger, name)

        def told(ledger, run, state, **more):
            folder = ledger.run(run).folder
            # The home's own entries: the ledger, the key of the hashes, the run's folder.
            paths = [folder.parent, folder, *folder.rglob("*")]
            states.append((state.value, {path.name for path in paths if synced.get(path) != path.stat().st_mtime_ns}))
            method(ledger, run, state, **more)

        monkeypatch.setattr(Ledger, name, told)

    for name in ("set_run_state", "finish_run"):
        listening(name)
    return states


def test_a_run_is_on_the_disk_before_the_ledger_says_so(desk, said):
    desk.source(20)
    assert desk.run(run={"part_rows": 100}).exit_code == 0
    assert said == [("planned", set()), ("delivering", set()), ("done", set())]


def test_a_plan_that_is_gone_on_with_is_on_the_disk_again(desk, said):
    desk.source(20)
    planned = desk("plan", desk.job())
    said.clear()
    assert desk("resume", planned.told["run"]).exit_code == 0
    assert said == [("delivering", set()), ("done", set())]


def test_a_preview_waits_for_no_disk(desk, synced):
    desk.source(20)
    assert desk("preview", desk.job()).exit_code == 0
    assert synced == {}
