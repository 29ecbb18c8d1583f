"""Files on SFTP servers: whose key is known, and who we are to them."""

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from connectors.addresses import Address
from connectors.doors import BLOCK_BYTES, Door, FileSystem, library, run
from schemas.errors import SourceError
from schemas.tables import Login

PORT = 22
CONNECT_S = 15.0
LOGIN_S = 30.0
# Whoever does not answer this often is gone: a transfer has no other limit to its time.
KEEPALIVE = {"keepalive_interval": 15, "keepalive_count_max": 4}
CLOSE_S = 5.0


class SftpDoor(Door):
    """One SSH connection; `folder` is where relative paths of key and known hosts start."""

    def __init__(self, address: Address, label: str, login: Login | None, folder: Path) -> None:
        super().__init__(address, label)
        self._login, self._folder = login or Login(), folder

    def open(self) -> FileSystem:
        sshfs = library("sshfs", self.address, self.label)
        options = self._options()
        trouble: Exception | None = None
        try:
            return sshfs.SSHFileSystem(self.address.host, skip_instance_cache=True, **options)
        except Exception as error:
            trouble = error
        raise self._refused(trouble, options)

    def close(self, system: FileSystem) -> None:
        async def close() -> None:
            await system._pool.close()
            await system._stack.aclose()

        with suppress(Exception):  # it may be lost already
            run(system.loop, close, limit_s=CLOSE_S)

    def blocks(
        self, system: FileSystem, path: str, offset: int, size_bytes: int | None
    ) -> Generator[bytes, None, None]:
        with system.open(path, "rb") as file:
            file.seek(offset)
            while block := file.read(BLOCK_BYTES):
                yield block

    def rename(self, system: FileSystem, old: str, new: str) -> None:
        async def rename() -> None:
            async with system._pool.get() as channel:
                await channel.rename(old, new)  # the protocol's own, which does not overwrite

        run(system.loop, rename)

    def _options(self) -> dict[str, Any]:
        login = self._login
        password = login.password.get_secret_value() if login.password else self.address.password
        options: dict[str, Any] = {
            "port": self.address.port or PORT, "connect_timeout": CONNECT_S, "login_timeout": LOGIN_S, **KEEPALIVE,
            "known_hosts": self._known_hosts(),
        }  # fmt: skip
        if user := login.user or self.address.user:
            options["username"] = user
        if password is not None:
            options["password"] = password
        if login.key_file is not None:
            options["client_keys"] = [str(self._file(login.key_file, "key_file"))]
        if login.passphrase is not None:
            options["passphrase"] = login.passphrase.get_secret_value()
        return options

    def _known_hosts(self) -> str | bytes:
        """Never none: asyncssh would take any server for the right one."""
        if self._login.known_hosts is not None:
            return str(self._file(self._login.known_hosts, "known_hosts"))
        usual = Path("~/.ssh/known_hosts").expanduser()
        return str(usual) if usual.is_file() else b"\n"

    def _file(self, name: str, word: str) -> Path:
        path = self._folder / Path(name).expanduser()
        if not path.is_file():
            raise SourceError(f"{self.label}: login.{word}: there is no file {path}; look at its spelling")
        return path

    def _refused(self, error: Exception, options: dict[str, Any]) -> Exception:
        import asyncssh  # noqa: PLC0415 - optional

        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return SourceError(f"{self.at}: {self._host_key(options)}")
        if isinstance(error, asyncssh.KeyExchangeFailed) and "host key" in str(error):
            return SourceError(f"{self.at}: {self._host_key(options)}")
        if isinstance(error, (asyncssh.PermissionDenied, PermissionError)):
            return SourceError(
                f"{self.at}: the server refuses this login; look at login: (user, and password or key_file)"
            )
        if isinstance(error, asyncssh.KeyImportError):
            return SourceError(
                f"{self.label}: login.key_file: cannot be opened; it must be a private SSH key, "
                "and login.passphrase the one it has"
            )
        return error

    def _host_key(self, options: dict[str, Any]) -> str:
        host, port, known_hosts = self.address.host, options["port"], options["known_hosts"]
        offered = self._offered(host, port)
        told = f", and offers {offered}" if offered else ""
        file = known_hosts if isinstance(known_hosts, str) else "~/.ssh/known_hosts"
        if self._is_known(host, port, known_hosts):
            return (
                f"the server shows another key than the one in {file}{told}; somebody may stand between: have its "
                f"owner confirm the change, only then replace its line (ssh-keygen -R '[{host}]:{port}' -f {file})"
            )
        return (
            f"the server's key is not known{told}; compare the fingerprint with its owner's, then add the key: "
            f"ssh-keyscan -p {port} {host} >> {file}"
        )

    def _offered(self, host: str, port: int) -> str:
        import asyncssh  # noqa: PLC0415 - optional

        with suppress(Exception):
            loop = library("fsspec.asyn", self.address, self.label).get_loop()
            key = run(loop, asyncssh.get_server_host_key, host, port, limit_s=CONNECT_S)
            return f"{key.get_algorithm()} {key.get_fingerprint()}"
        return ""

    @staticmethod
    def _is_known(host: str, port: int, known_hosts: str | bytes) -> bool:
        import asyncssh  # noqa: PLC0415 - optional

        keys, *_ = asyncssh.match_known_hosts(known_hosts, host, host, None if port == PORT else port)
        return bool(keys)
