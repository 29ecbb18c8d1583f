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
            return sshfs.SSHFileSystem(
                self.address.host, skip_instance_cache=True, sftp_client_kwargs={"path_errors": "surrogateescape"},
                **options,
            )  # fmt: skip
        except Exception as error:  # sorted by `_refused`, away from a traceback that holds the password
            trouble = error
        raise self._refused(trouble, options)

    def close(self, system: FileSystem) -> None:
        async def close() -> None:
            await system._pool.close()
            await system._stack.aclose()

        with suppress(Exception):  # it may be lost already
            run(system.loop, close, limit_s=CLOSE_S)

    def is_link(self, system: FileSystem, path: str) -> bool:
        async def islink() -> bool:
            async with system._pool.get() as channel:
                return bool(await channel.islink(path))

        return bool(run(system.loop, islink))

    def blocks(
        self, system: FileSystem, path: str, offset: int, size_bytes: int | None
    ) -> Generator[bytes, None, None]:
        with system.open(path, "rb") as file:
            file.seek(offset)
            while block := file.read(BLOCK_BYTES):
                yield block

    def rename(self, system: FileSystem, old: str, new: str, stamp: str | None = None) -> None:
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

        if isinstance(error, (asyncssh.PermissionDenied, PermissionError)):
            return SourceError(
                f"{self.at}: the server refuses this login; look at login: (user, and password or key_file)"
            )
        if isinstance(error, ValueError):  # not a key, another's passphrase, or another's .pub beside it
            return SourceError(
                f"{self.label}: login.key_file: cannot be opened; it must be a private SSH key, "
                "login.passphrase its own, and a .pub beside it too"
            )
        if isinstance(error, (asyncssh.DisconnectError, ConnectionError)):
            return self._distrusted(error, options)
        return error

    def _distrusted(self, error: Exception, options: dict[str, Any]) -> Exception:
        """A server without a key of a known kind just hangs up: what it offers is asked for, and not believed."""
        import asyncssh  # noqa: PLC0415 - optional

        host, port, known_hosts = self.address.host, options["port"], options["known_hosts"]
        known, *_ = asyncssh.match_known_hosts(known_hosts, host, host, None if port == PORT else port)
        offered = self._offered(host, port)
        unknown = offered is not None and offered.public_data not in [each.public_data for each in known]
        if not unknown and not isinstance(error, asyncssh.HostKeyNotVerifiable):
            return error
        told = f", and offers {offered.get_algorithm()} {offered.get_fingerprint()}" if offered is not None else ""
        file = known_hosts if isinstance(known_hosts, str) else "~/.ssh/known_hosts"
        if known:
            return SourceError(
                f"{self.at}: the server shows another key than the one in {file}{told}; somebody may stand between: "
                "have its owner confirm the change, only then replace its line "
                f"(ssh-keygen -R '[{host}]:{port}' -f {file})"
            )
        return SourceError(
            f"{self.at}: the server's key is not known{told}; compare the fingerprint with its owner's, then add the "
            f"key: ssh-keyscan -p {port} {host} >> {file}"
        )

    def _offered(self, host: str, port: int) -> Any:
        import asyncssh  # noqa: PLC0415 - optional

        with suppress(Exception):
            loop = library("fsspec.asyn", self.address, self.label).get_loop()
            return run(loop, asyncssh.get_server_host_key, host, port, limit_s=CONNECT_S)
        return None
