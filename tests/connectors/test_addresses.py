"""A URL is taken apart without telling what may be secret in it."""

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from connectors.addresses import address_of, local_path
from connectors.places import place_of
from schemas.errors import SourceError
from schemas.tables import Login
from tests.connectors.secrets import told_without


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ("in/*.csv", "in/*.csv"),
        ("/in/a b%20c.csv", "/in/a b%20c.csv"),
        ("file:///in/a.csv", "/in/a.csv"),
        ("FILE://localhost/in/a.csv", "/in/a.csv"),
        ("sftp://host/a.csv", None),
        ("file://elsewhere/a.csv", None),
    ],
)
def test_paths_and_file_urls_are_of_this_machine(files, path):
    assert local_path(files) == path


@pytest.mark.parametrize(
    ("files", "told", "path"),
    [
        ("sftp://loader:pw@host:2222/in/a?.csv", "sftp://host:2222/in/a?.csv", "/in/a?.csv"),
        ("sftp://host/~/in/a.csv", "sftp://host/~/in/a.csv", "in/a.csv"),
        ("ftp://[::1]/a.csv", "ftp://[::1]/a.csv", "/a.csv"),
        ("https://u:p@host/a.csv?sig=s3cret#top", "https://host/a.csv", "/a.csv"),
        ("s3://bucket/in/*.csv", "s3://bucket/in/*.csv", "bucket/in/*.csv"),
        ("s3://bucket/part?/dt=2024/a?.csv", "s3://bucket/part?/dt=2024/a?.csv", "bucket/part?/dt=2024/a?.csv"),
        ("sftp://loader@host:22/a@b.csv", "sftp://host:22/a@b.csv", "/a@b.csv"),
        ("https://host:8443/a.csv?for=a@b", "https://host:8443/a.csv", "/a.csv"),
        ("sftp://host/a@b.csv", "sftp://host/a@b.csv", "/a@b.csv"),
        ("az://container/a.csv", "az://container/a.csv", "container/a.csv"),
        (
            "abfs://container@account.dfs.core.windows.net/a.csv",
            "abfs://container@account.dfs.core.windows.net/a.csv",
            "container/a.csv",
        ),
    ],
)
def test_a_url_is_told_without_credentials_and_query(files, told, path):
    address = address_of(files, "source.customers")
    assert (address.uri(address.path), address.path) == (told, path)
    assert [secret for secret in ("loader", "pw", "u:p", "s3cret") if secret in repr(address)] == []


def test_user_and_password_are_percent_decoded():
    address = address_of("sftp://a%40b:p%2F%3A@host/x", "source.customers")
    assert (address.user, address.password, address.host) == ("a@b", "p/:", "host")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("smb://host/a.csv", r"smb:// is not read here; files are read from a path, file://, s3://, .*, https://$"),
        ("file://elsewhere/a.csv", "file:// is for files of this machine"),
        ("http://example.com/a.csv", "http:// is neither private nor safe from changes; use https://"),
        ("sftp:///a.csv", "names no host"),
        ("s3:///a.csv", "names no bucket"),
        ("s3://KEY:s3cret@bucket/a.csv", "a cloud's credentials do not stand in a URL"),
        ("sftp://loader:s3cret/x@host/a.csv", "host and port cannot be told apart; .*a password under login:"),
        ("sftp://loader:s3:cret@host:port/a.csv", "host and port cannot be told apart"),
        ("sftp://loader:12345/s3cret@host/a.csv", "host and port cannot be told apart"),
        ("https://loader:12345/s3cret@host/a.csv", "host and port cannot be told apart"),
        ("ftp://loader:12345#s3cret@host/a.csv", "host and port cannot be told apart"),
        ("az://container/a.csv?sv=2020&sig=s3cret", "a signature does not stand in a URL of az://"),
        ("abfs://c@account.dfs.core.windows.net/a.csv?sig=s3cret", "a signature does not stand"),
        ("s3://bucket/in/a.csv?AWSAccessKeyId=a&Signature=s3cret", "a signature does not stand"),
        ("gs://bucket/a.csv?X-Goog-Signature=s3cret/x", "take it out or write the file's https:// URL with it"),
        ("sftp://host:70000/a.csv", "the URL's port is none; ports are 1 to 65,535"),
        ("https://host:0/a.csv", "the URL's port is none"),
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(files, words):
    with ExitStack() as stack, pytest.raises(SourceError, match=words) as refused:
        place_of(files, None, None, Path(), "source.customers", stack)
    told_without(refused.value, "s3cret", "s3:cret")


@pytest.mark.parametrize("files", ["in/a.csv", "s3://bucket/a.csv", "az://container/a.csv"])
def test_a_login_goes_with_servers_only(files):
    with ExitStack() as stack, pytest.raises(SourceError, match="login: goes with sftp, ftp and https"):
        place_of(files, None, Login(user="loader"), Path(), "source.customers", stack)


@pytest.mark.parametrize(
    ("files", "library", "extra"),
    [
        ("s3://bucket/a.csv", "s3fs", "s3"),
        ("gs://bucket/a.csv", "gcsfs", "gs"),
        ("az://container/a.csv", "adlfs", "az"),
        ("abfs://container/a.csv", "adlfs", "az"),
        ("sftp://host/a.csv", "sshfs", "sftp"),
        ("https://host/a.csv", "aiohttp", "https"),
    ],
)
def test_a_missing_library_is_told_with_the_command_that_installs_it(files, library, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    scheme = files.partition("://")[0]
    with ExitStack() as stack, pytest.raises(SourceError) as refused:
        place_of(files, None, None, Path(), "source.customers", stack).found()
    assert str(refused.value) == (
        f"source.customers: {scheme}:// needs a library; install it: pip install 'bulkload[{extra}]'"
    )
