"""A URL is split in one way only, and no message holds a piece of its password."""

import pytest

from connectors.database_url import read_address
from schemas.errors import SourceError


def test_every_part_is_decoded(tmp_path):
    address = read_address("mysql://a%40b:p%2Fw%3A%25@db.example:3307/my%20shop?ssl_ca=a%2Bb", "source.x", tmp_path)
    assert (address.user, address.password, address.host, address.port) == ("a@b", "p/w:%", "db.example", 3307)
    assert (address.path, dict(address.options)) == ("my shop", {"ssl_ca": "a+b"})


def test_people_are_told_neither_user_nor_password_nor_options(tmp_path):
    address = read_address("postgresql://anna:hush@[::1]:5432/shop?sslpassword=hush2", "source.x", tmp_path)
    for told in (address.uri, str(address)):
        assert "shop" in told
        assert "5432" in told
    assert not any(secret in f"{address.uri} {address} {address!r}" for secret in ("hush", "sslpassword"))


@pytest.mark.parametrize(
    "secret",
    ["se@cret", "se:cret", "se/cret", "12/cret", "se#cret", "12#cret", "se?cret", "12?cret", "se%cret", "se@12/cret",
     "12?a=b@cret"],
)  # fmt: skip
def test_a_password_that_is_not_encoded_is_refused_without_a_piece_of_it(tmp_path, secret):
    with pytest.raises(SourceError, match="cannot be split") as refusal:
        read_address(f"postgresql://anna:{secret}@db.example/shop", "source.x", tmp_path)
    assert not any(piece in str(refusal.value) for piece in ("anna", "se@", "se:", "12", "cret", "db.example"))
    assert refusal.value.__context__ is None


@pytest.mark.parametrize("port", [0, 65_536, 99_999])
def test_a_port_that_there_is_not_is_refused_untold(tmp_path, port):
    with pytest.raises(SourceError, match=r"source\.x: the URL's port is none; ports are 1 to 65,535$"):
        read_address(f"mysql://anna:{port}", "source.x", tmp_path)


@pytest.mark.parametrize("url", ["oracle://h/d", "anna:hush@db/shop", "hush", "", "SQLITE:///a.db"])
def test_an_unknown_scheme_is_told_with_those_that_are_known(tmp_path, url):
    with pytest.raises(SourceError, match=r"known are postgresql, redshift, snowflake,.* sqlite$") as refusal:
        read_address(url, "source.x", tmp_path)
    assert "hush" not in str(refusal.value)


def test_three_slashes_are_relative_and_four_absolute(tmp_path):
    (tmp_path / "my shop.db").touch()
    relative = read_address("sqlite:///my%20shop.db", "source.x", tmp_path)
    absolute = read_address(f"duckdb:///{tmp_path}/my shop.db", "source.x", tmp_path / "elsewhere")
    assert relative.path == absolute.path == str(tmp_path / "my shop.db")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite:///nothing.db", "nothing.db is no file"),
        ("sqlite://", "write sqlite:///shop.db"),
        ("duckdb:///", "write duckdb:///shop"),
        ("duckdb://shop.db", "write duckdb:///shop"),
    ],
)
def test_a_file_that_is_not_there_is_refused(tmp_path, url, why):
    with pytest.raises(SourceError, match=f"source.x: .*{why}"):
        read_address(url, "source.x", tmp_path)


def test_a_drivers_text_loses_the_secret_in_every_spelling(tmp_path):
    address = read_address("mssql://sa:p%40ss%2Fw@db/shop?access_token=t%2Bk", "source.x", tmp_path)
    assert address.censored("a p@ss/w\n b p%40ss%2Fw c p%40ss/w d t+k e t%2Bk") == "a *** b *** c *** d *** e ***"


def test_a_token_in_the_users_place_is_a_secret_too(tmp_path):
    address = read_address("databricks://dapi0123:x@dbc.example/main?http_path=/sql", "source.x", tmp_path)
    assert address.censored("no access for dapi0123") == "no access for ***"
    named = read_address("databricks://token:dapi0123@dbc.example/main?http_path=/sql", "source.x", tmp_path)
    assert named.censored("the token dapi0123 is no token") == "the token *** is no token"


@pytest.mark.parametrize("port", [0, 70_000], ids=str)
def test_a_port_that_is_none_is_refused(tmp_path, port):
    with pytest.raises(SourceError, match="the URL's port is none; ports are 1 to 65,535"):
        read_address(f"mysql://anna:hush@db.example:{port}/shop", "source.x", tmp_path)
