"""Wrong input is told before anything is sent: exit code 2, what to do, one JSON object, and nothing in the books."""

import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flows.settings import load_job
from flows.source import open_source
from flows.taking import looking
from schemas.errors import SourceError

CUSTOMERS = b"member_no,phone,first_name,points\nC-1,9845000001,Asha,5\n"
REFUSED = 2


def told(desk, **over):
    """What `run` says is wrong, and what to do; nothing else may have happened."""
    run = desk.run(**over)
    assert run.exit_code == REFUSED
    assert run.told == {"exit_code": REFUSED, "problems": run.stderr.splitlines()}
    assert desk.books.requests("/v2/bulk") == []
    assert not list(desk.home.glob("*/rows")), "what was prepared of a failed run is gone"
    return run.stderr.replace(str(desk.folder), "HERE").strip()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; a file without rows still has a header line"),
        (bytes(range(256)) * 9, "no text; it looks like a binary file (it holds NUL bytes); have the table sent"),
        (b"PK\x03\x04 [Content_Types].xml", "no text; it looks like an Excel workbook; give the file the suffix .xlsx"),
        ("member_no,phone,first_name,points\n".encode("utf-16"), ""),  # a byte order mark tells: no error
        (b"member_no;phone;first_name\nC-1;9845000001;Asha\n", "the source has no column 'points'"),
        (b"member_no,phone,frist_name,points\nC-1,1,A,5\n", "no column 'first_name'; nearest is 'frist_name'"),
        (b"member_no,phone,phone,points\nC-1,1,1,5\n", "the header line has phone more than once; rename all but one"),
        (b"member_no,phone,first_name,points\n" + b"C-1,1,Jos\xe9,5\n" * 9, "the text is not utf-8; set csv.encoding"),
        (CUSTOMERS + b'C-2,"1,A,5\n' * 60, "a quote"),
    ],
    ids=["empty", "binary", "workbook", "utf-16", "missing", "misspelt", "twice", "encoding", "quote"],
)
def test_a_file_that_cannot_be_read_says_why(desk, content, message):
    desk.write("customers.csv", content)
    if message:
        assert message in told(desk)
    else:
        assert desk.run().exit_code == 0


def test_a_header_without_rows_is_a_run_of_none(desk):
    desk.write("customers.csv", "member_no,phone,first_name,points\n")
    run = desk.run()
    assert (run.exit_code, run.told["state"], run.sent) == (0, "done", {})
    assert (run.told["rows"]["read"], run.told["points"], run.told["requests"]["sent"]) == (0, {}, 0)
    assert (desk.of(run) / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert desk.results(run) == []


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("custmers.csv", "source.customers: HERE/custmers.csv does not exist; did you mean customers.csv or"),
        ("inbox/customers.csv", "does not exist; there is no folder HERE/inbox either"),
        ("c*.txt", "source.customers: no file matches HERE/c*.txt"),
        (".", "is a folder; name its files"),
        ("/proc/self/mem", "cannot be read (Input/output error); mend that, run again"),  # also for root
        ("/dev/null", "is no regular file; copy its content into one first"),
        ("customers.xml", "the suffix .xml says no format"),
        ("customers.csv.gz", "the name says gzip, the content is something else"),
    ],
)
def test_files_that_are_not_there_or_not_readable_are_named(desk, files, message):
    for name in ("customers.csv", "customers.xml", "customers.csv.gz"):
        desk.write(name, CUSTOMERS)
    assert message in told(desk, source={"customers": {"files": files, "format": "csv" if "mem" in files else None}})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_a_file_this_user_may_not_read_is_named(desk):
    """Root may read everything, so nobody tries."""
    job = load_job(Path(desk.job()), os.environ)
    with TemporaryDirectory() as folder:
        source = Path(folder) / "customers.csv"
        source.write_bytes(CUSTOMERS)
        source.chmod(0o600)
        Path(folder).chmod(0o755)
        os.seteuid(65534)
        try:
            told = pytest.raises(SourceError, match="no permission to read it; give the user of this process read")
            with told, looking(Path(folder)) as how:
                open_source(job, how)
        finally:
            os.seteuid(0)


def test_one_gigantic_line_is_refused_in_little_memory(desk):
    desk.write("customers.csv", b"member_no,phone,first_name,points\nC-1,9845000001," + b"A" * 40_000_000 + b",5\n")
    assert "line 2: a row longer than 16.8 MB; look for a missing line end" in told(desk)


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"nmae": "x"}, "nmae: unknown key; nearest is 'name'"),
        ({"map": {"firstNam": "first_name"}}, "map.firstNam: unknown key; nearest is 'firstName'"),
        ({"map": {"lastName": "surname"}}, "map.lastName: the source has no column 'surname'"),
        ({"limits": {"attempts": 0}}, "limits.attempts: must be greater than or equal to 1"),
        ({"keep": {"payloads_days": 5}}, "keep: not supported yet"),
        ({"guards": {"min_rows": -1}}, "guards.min_rows: must be greater than or equal to 0"),
        ({"rules": {"filter": "points >"}}, "rules.filter"),
        ({"locale": {"timezone": "Mars/Base"}}, "locale.timezone"),
    ],
)
def test_a_wrong_job_file_is_told_with_its_key(desk, over, message):
    desk.write("customers.csv", CUSTOMERS)
    assert message in told(desk, **over)


def test_a_missing_job_file_is_told(desk):
    run = desk("run", str(desk.folder / "absent.yaml"))
    assert (run.exit_code, run.told["exit_code"]) == (REFUSED, REFUSED)
    assert "no such job file" in run.stderr


def test_a_secret_that_is_not_in_the_environment_is_named(desk, monkeypatch):
    desk.write("customers.csv", CUSTOMERS)
    monkeypatch.delenv("E2E_SECRET")
    message = told(desk)
    assert "destination.auth.oauth.secret" in message
    assert "E2E_SECRET" in message


def test_a_secret_the_api_does_not_know_is_told(desk, monkeypatch):
    desk.write("customers.csv", CUSTOMERS)
    monkeypatch.setenv("E2E_SECRET", "planted-secret")
    message = told(desk)
    assert "check destination.auth.oauth: key and secret" in message
    assert "planted" not in message


def test_a_till_the_api_does_not_know_is_told(desk):
    desk.write("customers.csv", CUSTOMERS)
    message = told(
        desk, destination={"auth": {"oauth": None, "basic": {"till": "till.hq", "password": "${E2E_SECRET}"}}}
    )
    assert "check destination.auth.basic: till and password" in message


def test_the_right_till_and_password_load_as_well(desk, monkeypatch):
    desk.source(3)
    monkeypatch.setenv("E2E_SECRET", "demo-password")
    run = desk.run(destination={"auth": {"oauth": None, "basic": {"till": "till.hq", "password": "${E2E_SECRET}"}}})
    assert (run.exit_code, run.sent) == (0, {"accepted": 3})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1", "127.0.0.1: connection refused"),
        ("https://bulkload.invalid", "bulkload.invalid: host unknown"),
        ("http://192.0.2.1", "http to 192.0.2.1 would send customers and credentials in clear; write https"),
    ],
)
def test_a_host_that_cannot_be_reached_is_told(desk, url, message):
    desk.write("customers.csv", CUSTOMERS)
    assert message in told(desk, destination={"url": url})


def test_a_certificate_nobody_vouches_for_is_told(desk, tmp_path):
    made = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost"
    subprocess.run(["openssl", *made.split()], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    desk.write("customers.csv", CUSTOMERS)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        message = told(desk, destination={"url": f"https://localhost:{server.server_port}"})
        server.shutdown()
        serving.join()
    assert message == "localhost: TLS: self-signed certificate"
