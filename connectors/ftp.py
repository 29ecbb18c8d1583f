"""Files on FTP servers, in passive mode. Nothing here is private: FTP sends passwords and files in the clear."""

from collections.abc import Generator
from contextlib import suppress
from typing import BinaryIO

from connectors.addresses import Address
from connectors.doors import BLOCK_BYTES, Door, FileSystem, library
from schemas.errors import SourceError
from schemas.tables import Login

PORT = 21
TIMEOUT_S = 30
READ_BYTES = 1 << 20


class FtpDoor(Door):
    """One control connection."""

    def __init__(self, address: Address, label: str, login: Login | None) -> None:
        super().__init__(address, label)
        self._login = login or Login()

    def open(self) -> FileSystem:
        from ftplib import error_perm  # noqa: PLC0415 - needed for remote files only

        kind = library("fsspec.implementations.ftp", self.address, self.label).FTPFileSystem
        password = self._login.password.get_secret_value() if self._login.password else self.address.password
        with suppress(error_perm):
            return kind(
                self.address.host, self.address.port or PORT, self._login.user or self.address.user, password,
                timeout=TIMEOUT_S, skip_instance_cache=True, use_listings_cache=False,
            )  # fmt: skip
        raise SourceError(f"{self.at}: the server refuses this login; look at login: (user and password)")

    def close(self, system: FileSystem) -> None:
        system.ftp.close()

    def blocks(
        self, system: FileSystem, path: str, offset: int, size_bytes: int | None
    ) -> Generator[bytes, None, None]:
        system.ftp.voidcmd("TYPE I")
        with system.ftp.transfercmd(f"RETR {path}", rest=offset or None) as connection:
            try:
                while block := connection.recv(READ_BYTES):
                    yield block
            except GeneratorExit:
                connection.close()
                with suppress(Exception):  # whatever it says to that: it must not be taken for the next answer
                    system.ftp.voidresp()
                raise
        system.ftp.voidresp()

    def rename(self, system: FileSystem, old: str, new: str, stamp: str | None = None) -> None:
        system.ftp.rename(old, new)

    def put(self, system: FileSystem, content: BinaryIO, path: str) -> None:
        system.ftp.storbinary(f"STOR {path}", content, blocksize=BLOCK_BYTES)

    def delete(self, system: FileSystem, path: str) -> None:
        system.ftp.delete(path)
