"""What nobody may keep is gone: at the end, or when the next process looks."""

import subprocess
import sys

import pytest

from connectors.throwaway import PREFIX, throwaway

HOLD = """
import sys, time
from pathlib import Path
from connectors.throwaway import throwaway
with throwaway(Path(sys.argv[1])) as folder:
    (folder / "customers.csv").write_text("C-1")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_nothing_is_left_behind(tmp_path):
    with throwaway(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "customers.csv").write_text("C-1")
    with pytest.raises(RuntimeError), throwaway(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as holder:
        theirs = tmp_path / holder.stdout.readline().strip()
        with throwaway(tmp_path):
            assert (theirs / "customers.csv").exists()
        holder.kill()
    assert (theirs / "customers.csv").exists()
    with throwaway(tmp_path):
        assert not theirs.exists()


@pytest.mark.parametrize(
    ("name", "mode", "lock"),
    [
        (PREFIX + "customers", 0o700, ".lock"),
        (PREFIX + "0123abcd", 0o755, ".lock"),
        (PREFIX + "0123abcd", 0o700, "other"),
    ],
    ids=["name", "mode", "lock"],
)
def test_what_only_looks_like_ours_is_left_alone(tmp_path, name, mode, lock):
    (tmp_path / name).mkdir()
    (tmp_path / name).chmod(mode)
    (tmp_path / name / lock).touch()
    with throwaway(tmp_path):
        pass
    assert (tmp_path / name / lock).exists()


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "mine" / ".lock").touch()
    (tmp_path / f"{PREFIX}0123abcd").symlink_to(tmp_path / "mine")
    with throwaway(tmp_path):
        pass
    assert (tmp_path / "mine" / ".lock").exists()
