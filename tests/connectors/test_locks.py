"""A lock that one process has, and a dead one lets go of."""

import subprocess
import sys

import pytest

from connectors.locks import only_one
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
