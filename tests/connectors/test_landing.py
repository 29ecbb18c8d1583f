"""A transfer goes on where it broke, comes to an end when nothing comes any more, and leaves no half file."""

import hashlib
import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from connectors.doors import BLOCK_BYTES
from connectors.found import Found
from connectors.landing import Lost, land, safe_name
from connectors.places import place_of
from schemas.errors import SourceError
from tests.servers_files import NO_SSHD, S3, SSHD, Ftp, Line, Sftp, Web, running

CONTENT = random.Random(7).randbytes(3 * BLOCK_BYTES - 5)
BREAKS_AFTER = 2 * BLOCK_BYTES - 1_000_000
# What a protocol says around the bytes of a file.
AROUND = 600_000


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


def landed_from(url, login, stack, into, pauses_s=(0, 0, 0)):
    place = place_of(url, None, login, Path(), "source.customers", stack, pauses_s)
    (found,) = place.found()
    return place.land(found, into)


def check_whole(landed):
    assert landed.path.read_bytes() == CONTENT
    assert (landed.size_bytes, landed.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def sftp(tmp_path, stack):
    if SSHD is None:
        pytest.skip(NO_SSHD)
    server = stack.enter_context(running(Sftp(tmp_path / "sftp")))
    server.put("a.csv", CONTENT)
    return server


@pytest.fixture
def s3(stack, monkeypatch):
    server = stack.enter_context(running(S3()))
    server.put("a.csv", CONTENT)
    for name, value in S3.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return server


def test_sftp_goes_on_where_the_connection_broke(sftp, stack, tmp_path):
    line = stack.enter_context(running(Line(sftp.port, [BREAKS_AFTER])))
    sftp.trust(line.port)
    check_whole(landed_from(sftp.url("a.csv", line.port), sftp.login, stack, tmp_path / "in"))
    assert line.connections == 2
    assert len(CONTENT) <= line.back_bytes < len(CONTENT) + BLOCK_BYTES  # what had arrived was not fetched again


def test_s3_goes_on_where_the_connection_broke(s3, stack, tmp_path, monkeypatch):
    line = stack.enter_context(running(Line(s3.port, [BREAKS_AFTER])))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    check_whole(landed_from(s3.url("a.csv"), None, stack, tmp_path / "in"))
    assert line.back_bytes > BREAKS_AFTER + BLOCK_BYTES  # the block it broke in came twice
    assert len(CONTENT) <= line.back_bytes < len(CONTENT) + BLOCK_BYTES


def test_ftp_goes_on_where_the_connection_broke(stack, tmp_path):
    server = stack.enter_context(running(Ftp(tmp_path / "ftp")))
    server.put("a.csv", CONTENT)
    server.cut_after = BREAKS_AFTER
    check_whole(landed_from(server.url("a.csv"), server.login, stack, tmp_path / "in"))
    assert server.cut_after is None
    assert len(CONTENT) <= server.sent_bytes < len(CONTENT) + AROUND


def test_https_goes_on_where_the_connection_broke(stack, tmp_path):
    server = stack.enter_context(running(Web(tmp_path / "web")))
    server.put("a.csv", CONTENT)
    server.cut_after = BREAKS_AFTER
    check_whole(landed_from(server.url("a.csv"), None, stack, tmp_path / "in"))
    first, again = (asked for _, asked in server.asked if asked != "bytes=0-0")
    assert first == "bytes=0-"
    assert 0 < int(again.removeprefix("bytes=").rstrip("-")) <= BREAKS_AFTER
    assert len(CONTENT) <= server.sent_bytes < len(CONTENT) + BLOCK_BYTES / 2


def test_a_web_server_without_ranges_begins_anew_and_the_file_is_whole(stack, tmp_path):
    server = stack.enter_context(running(Web(tmp_path / "web", ranges=False)))
    server.put("a.csv", CONTENT)
    place = place_of(server.url("a.csv"), None, None, Path(), "source.customers", stack, (0,))
    (found,) = place.found()
    server.cut_after = BREAKS_AFTER
    check_whole(place.land(found, tmp_path / "in"))


def test_a_server_that_never_comes_back_is_told_and_nothing_is_left(sftp, stack, tmp_path):
    line = stack.enter_context(running(Line(sftp.port, [BREAKS_AFTER], is_last=True)))
    sftp.trust(line.port)
    with pytest.raises(SourceError, match=r"a\.csv: the (connection broke|server .*); run again when it is back"):
        landed_from(sftp.url("a.csv", line.port), sftp.login, stack, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_an_object_store_that_never_comes_back_is_told_and_nothing_is_left(s3, stack, tmp_path, monkeypatch):
    line = stack.enter_context(running(Line(s3.port, [BREAKS_AFTER], is_last=True)))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{line.port}")
    with pytest.raises(SourceError, match=r"a\.csv: the .*; run again when it is back"):
        landed_from(s3.url("a.csv"), None, stack, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_lost_connection_is_opened_again_for_a_move(sftp, stack):
    line = stack.enter_context(running(Line(sftp.port)))
    sftp.trust(line.port)
    place = place_of(sftp.url("a.csv", line.port), None, sftp.login, Path(), "source.customers", stack, (0, 0))
    (found,) = place.found()
    line.cut()
    place.move(found, "done", "a.csv")
    assert sorted(sftp.content()) == ["done/a.csv"]
    assert line.connections == 2


FOUND = Found("/in/a.csv", "sftp://host/in/a.csv", 6, None, "6")


def from_attempts(*attempts):
    """What each attempt brings: blocks, then the end or the loss."""
    left = list(attempts)

    def blocks(offset):
        for each in left.pop(0):
            if each is Lost:
                raise Lost("the connection broke")
            yield each

    return blocks


def landing(tmp_path, *attempts, found=FOUND, now=FOUND, pauses_s=(0, 0)):
    return land(found, tmp_path / "in", "source.customers: a.csv", from_attempts(*attempts), lambda: now, pauses_s)


def test_whatever_arrives_renews_the_patience(tmp_path):
    attempts = [[b"a", Lost], [b"b", Lost], [b"c", Lost], [b"d", Lost], [b"e", Lost], [b"f"]]
    assert landing(tmp_path, *attempts, pauses_s=(0,)).path.read_bytes() == b"abcdef"


def test_losses_in_a_row_come_to_an_end(tmp_path):
    with pytest.raises(SourceError, match=r"a\.csv: the connection broke; run again when it is back"):
        landing(tmp_path, [b"a", Lost], [Lost], [Lost], [b"bcdef"])
    assert list((tmp_path / "in").iterdir()) == []


def test_a_transfer_that_ends_early_goes_on(tmp_path):
    assert landing(tmp_path, [b"abc"], [b"def"]).path.read_bytes() == b"abcdef"


@pytest.mark.parametrize("brought", [[b"abc"], [b"abcdefg"], [b"abcdef"]], ids=["shorter", "longer", "as_long"])
def test_another_file_than_was_found_is_refused(tmp_path, brought):
    now = Found(FOUND.path, FOUND.uri, 7, None, "7")
    with pytest.raises(SourceError, match=r"a\.csv: changed while it was read; wait until it is written"):
        landing(tmp_path, brought, now=now)
    with pytest.raises(SourceError, match=r"a\.csv: was taken away while it was read"):
        landing(tmp_path, brought, now=None)
    assert list((tmp_path / "in").iterdir()) == []


def test_more_bytes_than_the_server_says_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"a\.csv: is larger than the server says"):
        landing(tmp_path, [b"abcdefg"])


def test_a_file_of_unknown_size_ends_where_it_ends(tmp_path):
    found = Found("/a.csv", "https://host/a.csv", None, None, "")
    assert landing(tmp_path, [b"abc", Lost], [b"def"], found=found, now=found).size_bytes == 6


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("..\\..\\a.csv", "_.._a.csv"),
        (".hidden.csv", "hidden.csv"),
        ("客户 表.csv", "客户_表.csv"),
        ("a;b\n$(c).csv.gz", "a_b_c_.csv.gz"),
        ("x" * 300 + ".csv.gz", "x" * 143 + ".csv.gz"),
        ("...", "file"),
    ],
    ids=["folders", "hidden", "letters", "shell", "long", "dots"],
)
def test_a_landed_name_is_safe_and_keeps_its_ending(name, safe):
    assert safe_name(name) == safe
