"""One file by https: asked for by GET only, with a login that goes nowhere else and a signature that is never told."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from connectors.places import place_of
from schemas.errors import SourceError
from schemas.tables import Login
from tests.connectors.secrets import told_without
from tests.servers_files import Web, running

SIGNED = "?X-Amz-Signature=51gnatur3&Expires=1%2F2"


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def server(tmp_path, stack):
    started = stack.enter_context(running(Web(tmp_path / "web")))
    started.put("in/a.csv", b"a\n1\n")
    return started


def place(url, stack, login=None):
    return place_of(url, None, login, Path(), "source.customers", stack, ())


def test_a_signed_url_is_asked_for_as_it_is_and_told_without_its_signature(server, stack, tmp_path):
    signed = place(server.url("in/a.csv") + SIGNED, stack)
    (found,) = signed.found()
    assert signed.land(found, tmp_path).path.read_bytes() == b"a\n1\n"
    assert {path for path, _ in server.asked} == {f"/in/a.csv{SIGNED}"}
    assert (found.uri, signed.uri) == (server.url("in/a.csv"), server.url("in/a.csv"))
    assert (found.name, found.size_bytes) == ("a.csv", 4)
    assert "51gnatur3" not in repr(found) + repr(signed) + repr(vars(signed)) + signed.nothing()


@pytest.mark.parametrize("status", [401, 403, 400, 503], ids=str)
def test_a_refusal_is_told_without_the_signature(server, stack, status):
    server.status = status
    url = server.url("in/a.csv") + SIGNED
    secret = "51gnatur3"
    with pytest.raises(SourceError, match=rf"in/a\.csv: .*\(HTTP {status}\)") as refused:
        place(url, stack).found()
    told_without(refused.value, secret[3:])


def test_a_file_that_is_not_there_is_not_found(server, stack):
    missing = place(server.url("in/b.csv"), stack)
    assert missing.found() == ()
    assert missing.nothing().endswith("in/b.csv: does not exist; look at the folder and the spelling of files:")
    assert [missing.has(server_path) for server_path in ("/in/a.csv", "/in/a.csv.ok")] == [True, False]


def test_a_login_is_given_to_the_server_it_is_for_and_to_no_other(server, stack, tmp_path):
    other = stack.enter_context(running(Web(tmp_path / "other")))
    other.put("in/a.csv", b"a\n")
    login = Login(user="loader", password="pl4nted")
    assert len(place(server.url("in/a.csv"), stack, login).found()) == 1
    assert server.logins == ["Basic bG9hZGVyOnBsNG50ZWQ="]
    server.redirect = other.url("in/a.csv")
    assert place(server.url("in/a.csv"), stack, login).found()[0].size_bytes == 2
    assert other.logins == [None]


def test_a_login_may_stand_in_the_url(server, stack):
    url = server.url("in/a.csv").replace("http://", "http://loader:pl4nted@")
    (found,) = place(url, stack).found()
    assert server.logins == ["Basic bG9hZGVyOnBsNG50ZWQ="]
    assert found.uri == server.url("in/a.csv")


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path, stack, certificate):
    context, _ = certificate("127.0.0.1")
    server = stack.enter_context(running(Web(tmp_path / "web", tls=context)))
    with pytest.raises(SourceError, match="its certificate is not trusted"):
        place(f"https://127.0.0.1:{server.port}/a.csv", stack).found()


def test_a_way_from_https_to_http_is_refused(tmp_path, stack, certificate, monkeypatch, server):
    context, trusting = certificate("127.0.0.1")
    monkeypatch.setattr("connectors.web.tls_context", lambda: trusting)
    safe = stack.enter_context(running(Web(tmp_path / "safe", tls=context)))
    safe.put("a.csv", b"a\n")
    url = f"https://127.0.0.1:{safe.port}/a.csv"
    assert len(place(url, stack).found()) == 1
    safe.redirect = server.url("in/a.csv")
    with pytest.raises(SourceError, match="the server leads on to http://, which is not safe"):
        place(url, stack).found()


def test_a_web_page_is_only_read(server, stack):
    read_only = place(server.url("in/a.csv"), stack)
    (found,) = read_only.found()
    assert not read_only.can_write
    for action in (lambda: read_only.move(found, "done", "a"), lambda: read_only.write("done", "a", b"")):
        with pytest.raises(SourceError, match="http:// is only read; leave out move_to and ready"):
            action()


@pytest.mark.parametrize(("files", "match"), [("in/*.csv", None), ("in/", ".*")], ids=["wildcard", "match"])
def test_a_web_server_lists_nothing(stack, files, match):
    with pytest.raises(SourceError, match="https:// lists no files; name one file"):
        place_of(f"https://example.com/{files}", match, None, Path(), "source.customers", stack)


def test_a_file_that_changes_while_it_is_read_is_refused(server, stack, tmp_path):
    changing = place(server.url("in/a.csv"), stack)
    (found,) = changing.found()
    server.put("in/a.csv", b"b\n2\n")
    with pytest.raises(SourceError, match=r"in/a\.csv: changed while it was read"):
        changing.land(found, tmp_path / "landing")
    assert list((tmp_path / "landing").iterdir()) == []


def test_a_file_whose_end_nobody_tells_is_refused(server, stack):
    """What was cut off would pass for the whole."""
    server.length, server.ranges = "untold", False
    with pytest.raises(SourceError, match=r"in/a\.csv: the server does not say how long it is"):
        place(server.url("in/a.csv"), stack).found()


def test_a_file_in_chunks_comes_whole_or_not_at_all(server, stack, tmp_path):
    server.length, server.ranges = "chunked", False
    chunked = place(server.url("in/a.csv"), stack)
    (found,) = chunked.found()
    assert found.size_bytes is None
    assert chunked.land(found, tmp_path).path.read_bytes() == b"a\n1\n"
    server.cut_after = 8
    with pytest.raises(SourceError, match="the connection broke"):
        chunked.land(found, tmp_path)
