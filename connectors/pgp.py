"""Files that were encrypted by PGP, decrypted by the gpg program into a private file that it vouches for as a whole.

gpg writes plaintext before it knows whether the file was tampered with, so nothing is handed out before its end. The
key lives in a throw-away home, and its passphrase goes through a pipe: neither is on a command line or left behind.
"""

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from connectors.kinds import is_pgp
from connectors.private import private, room_in
from connectors.throwaway import throwaway
from connectors.unpack import MAX_GROWTH, SPARE_BYTES, too_large, unreadable
from schemas.errors import NotTheFile, SourceError

LONGEST_FOLDER = 64  # a socket's path may have 107 bytes; names in the folder, ours and the agent's, take up to 42
QUIET = (
    "--batch", "--no-tty", "--no-options", "--status-fd", "2", "--pinentry-mode", "loopback", "--disable-dirmngr",
    "--no-auto-key-locate", "--no-auto-key-retrieve", "--trust-model", "always",
)  # fmt: skip
FOR_THE_KEY = "have it encrypted for the public key of decrypt.pgp_key"
NOT_FOR_A_KEY = {  # by what gpg says of them
    "NEED_PASSPHRASE_SYM": f"encrypted by a passphrase alone, not for a key; {FOR_THE_KEY}",
    "NODATA": "no PGP file, or only the beginning of one; have the file sent again",
}
NOT_ENCRYPTED = f"signed or packed by PGP, not encrypted; {FOR_THE_KEY}"
SECRET_KEYS_READ = 10  # which number of IMPORT_RES


class NoKey(NotTheFile):
    """No file can be decrypted here, whichever it is: the key is not to be had, or no gpg to use it."""


class ForAnotherKey(SourceError):
    """The file is for another key, or the key is not the one that files are for: other files tell."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What gpg said: its return code, its status lines by keyword, and everything else."""

    code: int
    status: dict[str, list[str]]
    text: str

    @property
    def vouched_for(self) -> bool:
        return self.code == 0 and {"DECRYPTION_OKAY", "GOODMDC"} <= self.status.keys()


def decrypt(encrypted: Path, into: Path, key_file: Path, passphrase: str | None, label: str) -> Path:
    """The plaintext of `encrypted` in the folder `into`, for its owner's eyes only; the caller removes it.

    Raises:
        NoKey: no gpg, no such key, or not its passphrase.
        ForAnotherKey: not for that key.
        SourceError: damaged. Nothing is left in `into` then.
        NoRoom: `into` cannot be written.
    """
    program = shutil.which("gpg")
    if program is None:
        raise NoKey(f"{label}: decrypt needs the program gpg; install it: apt-get install gnupg")
    _check_readable(encrypted, label)
    trouble = None
    try:
        _check_readable(key_file, f"{label}: decrypt.pgp_key {key_file}")
    except SourceError as error:
        trouble = error
    if trouble is not None:
        raise NoKey(*trouble.problems)
    max_bytes = encrypted.stat().st_size * MAX_GROWTH + SPARE_BYTES
    name = encrypted.stem if is_pgp(encrypted) else f"{encrypted.name}.plain"
    with room_in(into), _home() as home, private(into / name) as plain:
        gpg = _Gpg(program, home, passphrase or "")
        _check_key(gpg.run(["--import", str(key_file)]), key_file, label)
        told = gpg.run(
            ["--max-output", str(max_bytes), "--skip-verify", "--output", "-", "--decrypt", "--", str(encrypted)], plain
        )
        if told.vouched_for and "ENC_TO" in told.status:
            return into / name
        if os.strerror(errno.ENOSPC) in told.text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if "exceeded --max-output limit" in told.text:
            raise too_large(label, max_bytes)
        raise _refusal(told, key_file, passphrase, label)


@dataclass(frozen=True, slots=True)
class _Gpg:
    program: str
    home: Path
    passphrase: str

    def run(self, command: Sequence[str], output: IO[bytes] | int = subprocess.DEVNULL) -> _Told:
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(self.passphrase.encode() + b"\n")
            done = subprocess.run(  # noqa: S603 - the program as found on the path, and no shell
                [self.program, *QUIET, "--passphrase-fd", str(reading), *command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, pass_fds=(reading,),
                env=_environment(self.home), check=False,
            )  # fmt: skip
        finally:
            os.close(reading)
        text = done.stderr.decode(errors="replace")
        status: dict[str, list[str]] = {}
        for line in text.splitlines():
            if line.startswith("[GNUPG:] "):
                keyword, *values = line.split()[1:]
                status.setdefault(keyword, []).append(" ".join(values))
        return _Told(done.returncode, status, text)


def _environment(home: Path) -> dict[str, str]:
    return {"GNUPGHOME": str(home), "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


@contextmanager
def _home() -> Iterator[Path]:
    """A folder for keys that goes away with everything in it, and with the agent that gpg starts for it."""
    usual = tempfile.gettempdir()
    if len(usual.encode()) > LONGEST_FOLDER:
        usual = "/tmp"  # noqa: S108 - what is made in it is 0700 and has a name of its own
    with throwaway(Path(usual)) as home:
        # gpg locks the key anew when it is first used; it is gone before a slow lock, a second a file, is worth it.
        (home / "gpg-agent.conf").write_text("s2k-count 65536\n", encoding="ascii")
        try:
            yield home
        finally:
            gpgconf = shutil.which("gpgconf") or "gpgconf"
            for ending in (["--kill", "all"], ["--remove-socketdir"]):
                subprocess.run([gpgconf, *ending], env=_environment(home), capture_output=True, check=False)  # noqa: S603 - as above


def _check_readable(path: Path, label: str) -> None:
    trouble = None
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        trouble = error
    if trouble is not None:
        raise unreadable(label, trouble)


def _check_key(told: _Told, key_file: Path, label: str) -> None:
    numbers = " ".join(told.status.get("IMPORT_RES", [])).split()
    if len(numbers) < SECRET_KEYS_READ or numbers[SECRET_KEYS_READ - 1] == "0":
        raise NoKey(
            f"{label}: decrypt.pgp_key {key_file} holds no private key; write one there: "
            f"gpg --export-secret-keys --armor --output {key_file.name} <key>"
        )


def _refusal(told: _Told, key_file: Path, passphrase: str | None, label: str) -> SourceError:
    """Why gpg does not vouch for the file, and the way out."""
    keys = " or ".join(sorted({each.split()[0] for each in told.status.get("ENC_TO", [])}))
    if not keys:
        why = next((reason for keyword, reason in NOT_FOR_A_KEY.items() if keyword in told.status), NOT_ENCRYPTED)
        return SourceError(f"{label}: {why}")
    if "DECRYPTION_KEY" in told.status:
        return SourceError(
            f"{label}: gpg does not vouch for the file: cut off, damaged or tampered with; have the file sent again"
        )
    if "NO_SECKEY" in told.status:
        return ForAnotherKey(
            f"{label}: encrypted for key {keys}, which decrypt.pgp_key {key_file} does not hold; use the key it is for"
        )
    if passphrase is None:
        return NoKey(f"{label}: the key in {key_file} has a passphrase; give it in decrypt.passphrase")
    return NoKey(f"{label}: decrypt.passphrase is not the passphrase of the key in {key_file}; correct it")
