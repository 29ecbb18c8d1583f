"""A lock that one process has, and a dead one lets go of."""

import resource
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest

from connectors.locks import claimed, is_held, made_held, only_one
from schemas.errors import WrongInput

HOLD = """
import sys, time
from pathlib import Path
from connectors.locks import only_one
with only_one(Path(sys.argv[1]), "nightly"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_is_told_to_wait(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(WrongInput, match="job nightly: another process is loading it"),
            only_one(tmp_path, "nightly"),
        ):
            pass
        with only_one(tmp_path, "weekly"):
            pass
        holder.kill()
    with only_one(tmp_path, "nightly"):
        pass


def test_the_lock_is_private(tmp_path):
    with only_one(tmp_path / "home", "nightly"):
        assert [path.stat().st_mode & 0o777 for path in (tmp_path / "home").iterdir()] == [0o600]


CLAIM = HOLD.replace("only_one", "claimed")


def test_what_a_living_process_has_claimed_is_not_ours(tmp_path):
    with subprocess.Popen([sys.executable, "-c", CLAIM, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with claimed(tmp_path, "nightly") as ours, claimed(tmp_path, "weekly") as other:
            assert (ours, other) == (False, True)
        holder.kill()
    with claimed(tmp_path, "nightly") as ours:
        assert ours


def test_nothing_is_left_of_a_claim(tmp_path):
    with claimed(tmp_path, "nightly") as ours, claimed(tmp_path, "nightly") as again:
        assert (ours, again) == (True, False)
    assert list(tmp_path.iterdir()) == []


def test_more_is_claimed_than_a_process_may_open_at_first(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2_000 and hard != resource.RLIM_INFINITY:
        pytest.skip("this machine allows no process as many")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with ExitStack() as stack:
            assert all(stack.enter_context(claimed(tmp_path, str(n))) for n in range(1_000))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


HOLD_FOLDER = HOLD.replace("only_one", "made_held").replace(', "nightly"', "")


def test_a_folder_is_never_there_without_its_lock(tmp_path, monkeypatch):
    """Whoever clears away what dead processes left looks at any moment."""
    seen = []

    def locked(file, how):
        seen.append([path.name for path in tmp_path.iterdir()])

    monkeypatch.setattr("connectors.locks.fcntl.flock", locked)
    with made_held(tmp_path / "landed"):
        assert (tmp_path / "landed").stat().st_mode & 0o777 == 0o700
    assert seen == [[".landed"]]


def test_a_folder_is_held_as_long_as_its_process_lives(tmp_path):
    folder = tmp_path / "landed"
    with subprocess.Popen([sys.executable, "-c", HOLD_FOLDER, folder], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_held(folder)
        holder.kill()
    assert not is_held(folder)
    shutil.rmtree(folder)
    assert not is_held(folder)
