"""What was made to last is on the disk: each file, and each folder after the files that it names."""

import os
from pathlib import Path

import pytest

from connectors.durable import keep_all, keep_entries, make_folder
from connectors.ledger import Ledger


@pytest.fixture
def synced(monkeypatch):
    """The paths that were really synced, in order."""
    done, sync = [], os.fsync

    def recorded(descriptor):
        sync(descriptor)
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", recorded)
    return done


def test_all_of_a_folder_lasts_files_before_their_names(tmp_path, synced):
    run = tmp_path / "run"
    (run / "rows").mkdir(parents=True)
    for name in ("rows/00000.parquet", "rows/00001.parquet", "prepared.json"):
        (run / name).write_bytes(b"x")
    keep_all(run)
    assert set(synced) == {tmp_path, run, *run.rglob("*")}
    assert len(synced) == len(set(synced))
    for path in synced[:-1]:
        assert synced.index(path) < synced.index(path.parent)


def test_a_new_folder_lasts_with_all_that_was_made_for_it(tmp_path, synced):
    made = tmp_path / "data" / "runs"
    make_folder(made)
    make_folder(made)
    assert set(synced) == {tmp_path, tmp_path / "data"}
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_new_ledger_lasts_with_its_name(tmp_path, synced):
    home = tmp_path / "home"
    Ledger(home / "ledger.db").close()
    assert {tmp_path, home} <= set(synced)
    synced.clear()
    Ledger(home / "ledger.db").close()
    assert synced == []


def test_a_folder_that_cannot_be_synced_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        keep_entries(tmp_path / "gone")
