"""Encrypted files: decrypted whole and in private, or refused with the reason; nothing half, no key left behind."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import psutil
import pytest

from connectors import pgp
from connectors.pgp import decrypt
from connectors.throwaway import PREFIX
from schemas.errors import SourceError
from tests.senders import a_sender

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg (Debian package gnupg)")

TABLE = b"member_no,points\n" + b"".join(b"C-%d,%d\n" % (n, n * 7919 % 104_729) for n in range(20_000))
PASSPHRASE = "correct horse"


@pytest.fixture(scope="session")
def senders():
    """Two of them: the first one's key has a passphrase."""
    with a_sender(PASSPHRASE) as first, a_sender("") as second:
        yield first, second


@pytest.fixture
def first(senders):
    return senders[0]


@pytest.fixture
def second(senders):
    return senders[1]


@pytest.fixture
def opened(tmp_path, first):
    """A function that decrypts bytes with the first one's key, and looks that no refusal leaves anything."""
    into = tmp_path / "private"
    into.mkdir(mode=0o700)

    def decrypting(content, *, name="t.csv.pgp", key=first.private_key, passphrase=PASSPHRASE):
        encrypted = tmp_path / name
        encrypted.write_bytes(content)
        try:
            return decrypt(encrypted, into, key, passphrase, "source.customers: t.csv.pgp")
        except SourceError:
            assert list(into.iterdir()) == []
            raise

    return decrypting


@pytest.mark.parametrize(
    "how",
    [(), ("--armor",), ("--compress-algo", "none"), ("--compress-algo", "zlib"), ("--sign",), ("--throw-keyids",)],
    ids=["binary", "armor", "plain", "packed", "signed too", "nameless"],
)
def test_a_file_for_the_key_comes_out_as_it_was(opened, first, how):
    plain = opened(first.encrypt(*how, table=TABLE))
    assert plain.read_bytes() == TABLE
    assert stat.S_IMODE(plain.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "expected"), [("t.csv.PGP", "t.csv"), ("t.gpg", "t"), ("t.csv.gz.asc", "t.csv.gz"), ("t", "t.plain")]
)
def test_the_plain_file_loses_its_pgp_suffix(opened, first, name, expected):
    assert opened(first.encrypt(table=TABLE), name=name).name == expected


def test_a_key_without_passphrase_needs_none(opened, second):
    assert opened(second.encrypt(table=TABLE), key=second.private_key, passphrase=None).read_bytes() == TABLE


@pytest.mark.parametrize(
    ("passphrase", "said"),
    [
        ("wrong", r"decrypt\.passphrase is not the passphrase of the key in .*private\.asc; correct it"),
        ("", r"decrypt\.passphrase is not the passphrase"),
        (None, r"the key in .*private\.asc has a passphrase; give it in decrypt\.passphrase"),
    ],
)
def test_a_passphrase_that_does_not_open_the_key_is_told(opened, first, passphrase, said):
    with pytest.raises(SourceError, match=said):
        opened(first.encrypt(table=TABLE), passphrase=passphrase)


def test_a_file_for_another_key_names_that_key(opened, second):
    with pytest.raises(SourceError, match=r"encrypted for key [0-9A-F]{16}, which decrypt\.pgp_key .* does not hold"):
        opened(second.encrypt(table=TABLE))


@pytest.mark.parametrize("how", [(), ("--armor",), ("--compress-algo", "none")], ids=["binary", "armor", "plain"])
@pytest.mark.parametrize("part", [0.999, 0.5])
def test_a_cut_is_noticed(opened, first, how, part):
    content = first.encrypt(*how, table=TABLE)
    with pytest.raises(SourceError, match="gpg does not vouch for the file: cut off, damaged or tampered with"):
        opened(content[: int(len(content) * part)])


@pytest.mark.parametrize("place", [0.1, 0.5, 0.999])
def test_a_flipped_bit_is_noticed(opened, first, place):
    content = bytearray(first.encrypt("--compress-algo", "none", table=TABLE))
    content[int(len(content) * place)] ^= 1
    with pytest.raises(SourceError, match="gpg does not vouch for the file"):
        opened(bytes(content))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("--sign",), "signed or packed by PGP, not encrypted; have it encrypted for the public key"),
        (("--clear-sign",), "signed or packed by PGP, not encrypted"),
        (("--store",), "signed or packed by PGP, not encrypted"),
        (("--symmetric",), "encrypted by a passphrase alone, not for a key"),
    ],
    ids=["signed", "clear-signed", "stored", "symmetric"],
)
def test_what_is_not_encrypted_for_a_key_is_refused(opened, first, command, said):
    with pytest.raises(SourceError, match=said):
        opened(first.gpg(*command, given=TABLE))


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"-----BEGIN PGP MESSAGE-----\n\n"])
def test_what_is_no_pgp_file_is_told(opened, content):
    with pytest.raises(SourceError, match="no PGP file, or only the beginning of one"):
        opened(content)


def test_a_public_key_opens_nothing(opened, first):
    with pytest.raises(SourceError, match=r"public\.asc holds no private key; write one there: gpg --export"):
        opened(first.encrypt(table=TABLE), key=first.public_key)


def test_a_key_that_is_not_there_is_told(opened, first, tmp_path):
    with pytest.raises(SourceError, match=r"decrypt\.pgp_key .*none\.asc: cannot be read \(No such file"):
        opened(first.encrypt(table=TABLE), key=tmp_path / "none.asc")


def test_a_bomb_stops_at_its_cap(opened, first, monkeypatch):
    monkeypatch.setattr(pgp, "SPARE_BYTES", 1_000_000)
    content = first.encrypt("--compress-algo", "bzip2", table=bytes(30_000_000))
    assert len(content) < 1_000
    with pytest.raises(SourceError, match=r"unpacks to more than \d+ MB, 500 times its size"):
        opened(content)


def test_without_gpg_the_package_is_named(opened, first, monkeypatch):
    content = first.encrypt(table=TABLE)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SourceError, match="decrypt needs the program gpg; install it: apt-get install gnupg"):
        opened(content)


def test_no_key_no_agent_and_no_passphrase_are_left(opened, first, tmp_path, monkeypatch):
    """Homes are made in a folder that the test can see into; commands are written down by a gpg in front of gpg."""
    real = shutil.which("gpg")
    front = tmp_path / "bin"
    front.mkdir()
    script = f'#!/bin/sh\n{{ printf "%s\\n" "$@" "$GNUPGHOME"; env; }} >>{tmp_path}/seen\nexec {real} "$@"\n'
    (front / "gpg").write_text(script)
    (front / "gpg").chmod(0o700)
    content = first.encrypt(table=TABLE)
    monkeypatch.setenv("PATH", f"{front}{os.pathsep}{os.environ['PATH']}")
    opened(content).unlink()
    with pytest.raises(SourceError):
        opened(content, passphrase="wrong")
    seen = (tmp_path / "seen").read_text()
    assert PASSPHRASE not in seen
    homes = {line for line in seen.splitlines() if line.startswith("/") and Path(line).name.startswith(PREFIX)}
    assert len(homes) == 2
    assert not [home for home in homes if Path(home).exists()]
    agents = [each.info["cmdline"] for each in psutil.process_iter(["cmdline"])]
    assert not [home for home in homes if any(home in (cmdline or []) for cmdline in agents)]


@pytest.mark.parametrize("length", [pgp.LONGEST_FOLDER, pgp.LONGEST_FOLDER + 1, 150])
def test_a_long_temporary_folder_leaves_room_for_the_agents_socket(opened, first, length, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="x" * (length - len("/tmp/") - 8), dir="/tmp") as long:
        assert len(long) == length
        monkeypatch.setattr(tempfile, "tempdir", long)
        assert opened(first.encrypt(table=TABLE)).read_bytes() == TABLE
        assert list(Path(long).iterdir()) == []
