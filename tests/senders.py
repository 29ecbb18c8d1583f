"""Somebody who sends PGP-encrypted files: a real gpg with a key of its own."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


class Sender:
    """Somebody with a key of their own, in a home of their own."""

    def __init__(self, home, passphrase):
        self.home, self.passphrase = home, passphrase
        self.gpg("--quick-generate-key", "drops@example.com", "future-default", "default", "never")
        self.private_key, self.public_key = home / "private.asc", home / "public.asc"
        self.private_key.write_bytes(self.gpg("--armor", "--export-secret-keys"))
        self.public_key.write_bytes(self.gpg("--armor", "--export"))

    def gpg(self, *command, given=b""):
        quiet = (
            "--homedir",
            self.home,
            "--batch",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--trust-model",
            "always",
        )
        done = subprocess.run(
            ["gpg", *quiet, "--passphrase", self.passphrase, *command], input=given, capture_output=True, check=True
        )
        return done.stdout

    def encrypt(self, *how, table):
        return self.gpg("--encrypt", "--recipient", "drops@example.com", *how, given=table)


@contextlib.contextmanager
def a_sender(passphrase: str = "correct horse") -> Iterator[Sender]:
    """In a home with a short name: a socket's path has room for little more than a hundred letters.

    Skips where there is no gpg.
    """
    if shutil.which("gpg") is None:
        pytest.skip("no gpg here: install Debian's gnupg")
    with tempfile.TemporaryDirectory(prefix="gpg-test-") as folder:
        home = Path(folder) / "a"
        home.mkdir(mode=0o700)
        (home / "gpg-agent.conf").write_text("s2k-count 65536\n")  # a passphrase nobody has to guess
        try:
            yield Sender(home, passphrase)
        finally:
            for ending in ("--kill", "all"), ("--remove-socketdir",):
                subprocess.run(["gpgconf", "--homedir", home, *ending], capture_output=True, check=False)
