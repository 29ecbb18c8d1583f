"""Real file servers on loopback for tests: S3 (moto), SFTP (OpenSSH), FTP (pyftpdlib), HTTP, and a line that breaks."""

import http.server
import shutil
import socket
import subprocess
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

SSHD = shutil.which("sshd") or ("/usr/sbin/sshd" if Path("/usr/sbin/sshd").exists() else None)
NO_SSHD = "no sshd here; Debian's openssh-server has it"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process=None):
    """Until somebody listens."""
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process is None or process.poll() is None, "the server ended"
        time.sleep(0.02)
    raise AssertionError("nobody listens")


class Sftp:
    """OpenSSH's own server for this user; `known_hosts` and `key_file` are what a client needs."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.root = folder / "root"
        self.root.mkdir(parents=True)
        self.key_file, self.known_hosts = folder / "id", folder / "known_hosts"
        self._keygen("id")
        self.new_host_key()
        shutil.copy(folder / "id.pub", folder / "authorized_keys")
        self.trust()
        self._process = None
        self.start()

    @property
    def user(self):
        return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()

    def url(self, path, port=None):
        return f"sftp://127.0.0.1:{port or self.port}{self.root}/{path}"

    def login(self, **more):
        return {"user": self.user, "key_file": str(self.key_file), "known_hosts": str(self.known_hosts)} | more

    def new_host_key(self):
        (self.folder / "host").unlink(missing_ok=True)
        self._keygen("host")

    def trust(self, port=None):
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        with self.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{port or self.port} {kind} {key}\n")

    def start(self):
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n"
            "PermitRootLogin yes\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
        wait_for(self.port, self._process)

    def stop(self):
        self._process.terminate()
        self._process.wait()

    def _keygen(self, name):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)], check=True)


class S3:
    """moto's server; its credentials are in the environment of the test."""

    def __init__(self):
        import boto3
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, self.port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{self.port}"
        self.client = boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )  # fmt: skip

    def stop(self):
        self.client.close()
        self._server.stop()


class Ftp:
    """pyftpdlib in a thread, for one user."""

    USER, PASSWORD = "loader", "ftp-Pw0rd"

    def __init__(self, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.handlers import FTPHandler
        from pyftpdlib.servers import FTPServer

        self.root = folder
        folder.mkdir(parents=True, exist_ok=True)
        authorizer = DummyAuthorizer()
        authorizer.add_user(self.USER, self.PASSWORD, str(folder), perm="elradfmwMT")

        class Handler(FTPHandler):
            pass

        Handler.authorizer = authorizer
        Handler.use_sendfile = False
        self.handler = Handler
        self._server = FTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.address[1]
        self._is_on = True
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def url(self, path):
        return f"ftp://127.0.0.1:{self.port}/{path}"

    def _serve(self):
        while self._is_on:
            self._server.serve_forever(timeout=0.05, blocking=False)

    def stop(self):
        self._is_on = False
        self._thread.join()
        self._server.close_all()


class Web:
    """A folder by HTTP, with or without ranges; `asked` are the requests' ranges, `cut_after` bytes it hangs up once."""

    def __init__(self, folder, *, ranges=True, tls=None):
        self.root, self.ranges = folder, ranges
        folder.mkdir(parents=True, exist_ok=True)
        self.asked, self.logins, self.cut_after, self.sent_bytes, self.redirect = [], [], None, 0, None
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}"

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(web):  # noqa: N805 - two selfs
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                web.asked.append((self.path, self.headers.get("Range")))
                web.logins.append(self.headers.get("Authorization"))
                path = web.root / self.path.partition("?")[0].lstrip("/")
                if web.redirect is not None:
                    self.send_response(302)
                    self.send_header("Location", web.redirect)
                    return self._end(b"")
                if not path.is_file():
                    self.send_response(404)
                    return self._end(b"")
                content, state = path.read_bytes(), path.stat()
                first = 0
                if web.ranges and (asked := self.headers.get("Range")):
                    low, _, high = asked.removeprefix("bytes=").partition("-")
                    first, last = int(low), min(int(high) if high else len(content), len(content) - 1)
                    if first >= len(content):
                        self.send_response(416)
                        self.send_header("Content-Range", f"bytes */{len(content)}")
                        return self._end(b"")
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
                    content = content[first : last + 1]
                else:
                    self.send_response(200)
                self.send_header("ETag", f'"{state.st_size}-{state.st_mtime_ns}"')
                self.send_header("Last-Modified", self.date_time_string(state.st_mtime))
                return self._end(content)

            def _end(self, content):
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if web.cut_after is not None and len(content) > web.cut_after:
                    content, web.cut_after = content[: web.cut_after], None
                    self.close_connection = True
                try:
                    self.wfile.write(content)
                    web.sent_bytes += len(content)
                except OSError:
                    self.close_connection = True

        return Handler


class Line:
    """A way to a server that breaks after `breaks_after` bytes came back, once for each number; counts what came."""

    def __init__(self, port, breaks_after=()):
        self._to, self._breaks, self.back_bytes, self.is_cut = port, list(breaks_after), 0, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._is_on, self._threads = True, []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def stop(self):
        self._is_on = False
        self._thread.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self):
        while self._is_on:
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._to))
            limit = self._breaks.pop(0) if self._breaks else None
            for source, sink, most in ((near, far, None), (far, near, limit)):
                thread = threading.Thread(target=self._carry, args=(source, sink, most))
                thread.start()
                self._threads.append(thread)

    def _carry(self, source, sink, most):
        carried, is_back = 0, source.getpeername()[1] == self._to
        source.settimeout(0.1)
        while self._is_on:
            try:
                block = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not block or (most is not None and carried + len(block) > most):
                break
            try:
                sink.sendall(block)
            except OSError:
                break
            carried += len(block)
            self.back_bytes += len(block) if is_back else 0
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def running(server):
    """Stopped at the end, by its own process or thread."""
    try:
        yield server
    finally:
        server.stop()
