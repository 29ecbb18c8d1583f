"""Real file servers on loopback for tests: S3 (moto), SFTP (OpenSSH), FTP (pyftpdlib), HTTP, and a line that breaks."""

import http.server
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from schemas.tables import Login

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


class Folder:
    """What lies in a server's root."""

    def put(self, path, content=b""):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)

    def content(self):
        files = (path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}


class Here(Folder):
    """No server: this machine."""

    def __init__(self, folder):
        self.root = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.login = None

    def url(self, path):
        return str(self.root / path)

    def stop(self):
        """There is nothing to stop."""


class Sftp(Folder):
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
        return pwd.getpwuid(os.getuid()).pw_name

    def url(self, path, port=None):
        return f"sftp://127.0.0.1:{port or self.port}{self.root}/{path}"

    @property
    def login(self):
        return Login(user=self.user, key_file=str(self.key_file), known_hosts=str(self.known_hosts))

    def new_host_key(self):
        (self.folder / "host").unlink(missing_ok=True)
        self._keygen("host")

    def trust(self, port=None):
        kind, key = (self.folder / "host.pub").read_text().split()[:2]
        with self.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{port or self.port} {kind} {key}\n")

    def start(self, subsystem="internal-sftp"):
        config = self.folder / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n"
            f"PermitRootLogin yes\nSubsystem sftp {subsystem}\nMaxStartups 100\n"
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
    """moto's server with one bucket; a test sets ENVIRONMENT and AWS_ENDPOINT_URL."""

    ENVIRONMENT = {  # noqa: RUF012 - read only
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-Pw0rd", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    BUCKET = "customers"

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
        self.client.create_bucket(Bucket=self.BUCKET)
        self.login = None

    def url(self, path):
        return f"s3://{self.BUCKET}/{path}"

    def put(self, path, content=b""):
        self.client.put_object(Bucket=self.BUCKET, Key=path, Body=content)

    def content(self):
        listed = self.client.list_objects_v2(Bucket=self.BUCKET).get("Contents", [])
        return {
            each["Key"]: self.client.get_object(Bucket=self.BUCKET, Key=each["Key"])["Body"].read() for each in listed
        }

    def stop(self):
        self.client.close()
        self._server.stop()


class Ftp(Folder):
    """pyftpdlib in a thread, for one user; after `cut_after` bytes of a file it hangs up, once."""

    USER, PASSWORD = "loader", "ftp-Pw0rd"

    def __init__(self, folder, rights="elradfmwMT"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it imports asyncore
            from pyftpdlib.authorizers import DummyAuthorizer
            from pyftpdlib.handlers import DTPHandler, FTPHandler
            from pyftpdlib.ioloop import IOLoop
            from pyftpdlib.servers import FTPServer

        self.root = folder
        folder.mkdir(parents=True, exist_ok=True)
        authorizer = DummyAuthorizer()
        authorizer.add_user(self.USER, self.PASSWORD, str(folder), perm=rights)

        server = self

        class Breaking(DTPHandler):
            def send(self, data):
                if server.cut_after is not None and self.tot_bytes_sent + len(data) > server.cut_after:
                    server.cut_after = None
                    self.cmd_channel.close()
                    return 0
                sent = super().send(data)
                server.sent_bytes += sent
                return sent

        class Handler(FTPHandler):
            dtp_handler = Breaking

        Handler.authorizer = authorizer
        Handler.use_sendfile, Handler.auth_failed_timeout = False, 0
        self.cut_after, self.sent_bytes = None, 0
        self._server = FTPServer(("127.0.0.1", 0), Handler, ioloop=IOLoop())  # not the one that all share
        self.port = self._server.address[1]
        self.login = Login(user=self.USER, password=self.PASSWORD)
        self._is_on = True
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def url(self, path):
        return f"ftp://127.0.0.1:{self.port}/{path}"

    def _serve(self):
        while self._is_on:
            self._server.ioloop.loop(0.05, blocking=False)

    def stop(self):
        self._is_on = False
        self._thread.join()
        self._server.close_all()


class Web(Folder):
    """A folder by HTTP, with or without ranges; after `cut_after` bytes it hangs up, once.

    `length` is how it says where a file ends: "told", "chunked", or "untold" by hanging up.
    `redirect` and `status` answer everything instead; `asked` are the requests' paths and ranges, `logins` what they
    were authorized with.
    """

    def __init__(self, folder, *, ranges=True, tls=None):
        self.root, self.ranges = folder, ranges
        folder.mkdir(parents=True, exist_ok=True)
        self.asked, self.logins, self.cut_after, self.sent_bytes, self.redirect, self.status = (
            [],
            [],
            None,
            0,
            None,
            None,
        )
        self.length = "told"
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

    def _framed(self, answer, content):
        if self.length == "told":
            answer.send_header("Content-Length", str(len(content)))
            return content
        if self.length == "untold":
            answer.close_connection = True
            return content
        answer.send_header("Transfer-Encoding", "chunked")
        return b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)

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
                if web.status is not None or not path.is_file():
                    self.send_response(web.status or 404)
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
                content = web._framed(self, content)
                # Before the client has the headers: it may be done with this answer by then, and the next is to be cut.
                if web.cut_after is not None and len(content) > web.cut_after:
                    content, web.cut_after = content[: web.cut_after], None
                    self.close_connection = True
                self.end_headers()
                try:
                    self.wfile.write(content)
                    web.sent_bytes += len(content)
                except OSError:
                    self.close_connection = True

        return Handler


class Line:
    """A way to a server that breaks when so many bytes in all came back, for each number; `is_last`: then for good.

    Counts connections and the bytes that came back.
    """

    def __init__(self, port, breaks_after=(), *, is_last=False):
        self._to, self._breaks, self._is_last = port, list(breaks_after), is_last
        self.connections = self.back_bytes = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = self._listener.getsockname()[1]
        self._is_on, self._is_cut, self._threads, self._ends = True, False, [], []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def cut(self):
        """Break what is connected; whoever comes anew gets through."""
        while self._ends:
            _hang_up(self._ends.pop())

    def stop(self):
        self._is_on = False
        self._thread.join()
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self):
        while self._is_on:
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self._is_cut:
                _hang_up(near)
                continue
            self.connections += 1
            far = socket.create_connection(("127.0.0.1", self._to))
            self._ends += [near, far]
            for carry in (partial(self._there, near, far), partial(self._back, far, near)):
                self._threads.append(threading.Thread(target=carry))
                self._threads[-1].start()

    def _there(self, near, far):
        with suppress(OSError):
            while block := near.recv(65536):
                far.sendall(block)
        _hang_up(far)

    def _back(self, far, near):
        with suppress(OSError):
            while block := far.recv(65536):
                if self._breaks and self.back_bytes + len(block) > self._breaks[0]:
                    self._breaks.pop(0)
                    self._is_cut = self._is_last
                    break
                near.sendall(block)
                self.back_bytes += len(block)
        _hang_up(near)


def _hang_up(end):
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
