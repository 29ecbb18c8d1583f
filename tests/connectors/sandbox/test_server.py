"""Starting and stopping: beside a test, or alone until a signal; on a file that outlives it."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from connectors.sandbox.faults import FaultError
from connectors.sandbox.server import run_sandbox

ALONE = """
from connectors.sandbox.server import serve
serve(0, ["slow=0.1"], ready=lambda sandbox: (sandbox.preload(["C-1"]), print(sandbox.url, flush=True)))
print("stopped in good order")
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_in_good_order(stop):
    with subprocess.Popen([sys.executable, "-c", ALONE], stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert httpx.get(f"{url}/sandbox/books").json()["customers"] == 1
        process.send_signal(stop)
        rest, _ = process.communicate(timeout=10)
    assert (process.returncode, rest.strip()) == (0, "stopped in good order")


def test_a_stalled_request_does_not_keep_it_from_stopping(one, eventually):
    with ThreadPoolExecutor(1) as pool, run_sandbox(faults=["stall"]) as sandbox:
        sandbox.preload(["C-1"])
        token = sandbox.auth.token("demo", "demo-secret", 60)
        headers = {"X-CAP-API-OAUTH-TOKEN": token}
        stalled = pool.submit(httpx.put, f"{sandbox.url}/v2/bulk?source=INSTORE", json=[one("C-1")], headers=headers)
        assert eventually(lambda: sandbox.books.writes() == 1)
        stopping_s = time.monotonic()
    assert time.monotonic() - stopping_s < 3
    assert isinstance(stalled.exception(), httpx.RemoteProtocolError)


def test_a_client_that_leaves_midway_harms_nobody(serve_with, one):
    served = serve_with()
    served.sandbox.preload(["C-1"])
    host, port = served.sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"PUT /v2/bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n[{")
    assert served.send(one("C-1")).status_code == 200
    assert served.books.writes() == 1


def test_customers_on_a_file_outlive_the_server(tmp_path):
    database = str(tmp_path / "sandbox.db")
    with run_sandbox(database=database) as first:
        first.preload(["C-1"])
        kept = first.books.customer("externalId", "C-1").id
    with run_sandbox(database=database) as second:
        second.preload(["C-2"])
        assert second.books.customer("externalId", "C-1").id == kept
        assert second.books.customer("externalId", "C-2").id == kept + 1


def test_a_wrong_fault_starts_nothing():
    with pytest.raises(FaultError, match="allowed are"), run_sandbox(faults=["lots"]):
        pass


def test_a_taken_port_is_an_error():
    with run_sandbox() as first, pytest.raises(OSError, match="in use"):  # noqa: SIM117 - the second needs the url of the first
        with run_sandbox(port=int(first.url.rsplit(":", 1)[1])):
            pass
