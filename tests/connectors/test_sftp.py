"""An SFTP server is talked to when its key is known, by whoever the job names, and no secret is told."""

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncssh
import pytest

from connectors.places import place_of
from schemas.errors import SourceError
from schemas.tables import Login
from tests.connectors.secrets import told_without
from tests.servers_files import NO_SSHD, SSHD, Sftp, running

pytestmark = pytest.mark.skipif(SSHD is None, reason=NO_SSHD)


@pytest.fixture
def server(tmp_path):
    with running(Sftp(tmp_path / "sftp")) as started:
        started.put("a.csv", b"a\n1\n")
        yield started


def found_at(url, login, folder=Path()):
    with ExitStack() as stack:
        return place_of(url, None, login, folder, "source.customers", stack, ()).found()


def fingerprint(server):
    return asyncssh.read_public_key(server.folder / "host.pub").get_fingerprint()


def test_a_server_with_an_unknown_key_is_refused_with_the_way_to_add_it(server):
    server.known_hosts.write_text("")
    with pytest.raises(SourceError) as refused:
        found_at(server.url("*.csv"), server.login)
    assert f"the server's key is not known, and offers ssh-ed25519 {fingerprint(server)}; " in str(refused.value)
    assert f"ssh-keyscan -p {server.port} 127.0.0.1 >> {server.known_hosts}" in str(refused.value)
    server.trust()
    assert len(found_at(server.url("*.csv"), server.login)) == 1


def test_a_server_with_another_key_than_the_known_one_is_refused(server):
    server.stop()
    server.new_host_key()
    server.start()
    with pytest.raises(SourceError) as refused:
        found_at(server.url("*.csv"), server.login)
    assert "the server shows another key than the one in" in str(refused.value)
    assert fingerprint(server) in str(refused.value)
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}' -f {server.known_hosts}" in str(refused.value)


def test_a_key_of_another_kind_than_the_known_one_is_refused(server):
    rsa = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {rsa}")
    with pytest.raises(SourceError, match="the server shows another key than the one in"):
        found_at(server.url("*.csv"), server.login)


def test_known_hosts_are_the_users_own_where_none_are_named(server, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    login = Login(user=server.user, key_file=str(server.key_file))
    with pytest.raises(SourceError, match=r"the server's key is not known.*>> ~/\.ssh/known_hosts"):
        found_at(server.url("*.csv"), login)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_bytes(server.known_hosts.read_bytes())
    assert len(found_at(server.url("*.csv"), login)) == 1


def test_key_and_known_hosts_start_at_the_job_file(server):
    login = Login(user=server.user, key_file="id", known_hosts="known_hosts")
    assert len(found_at(server.url("*.csv"), login, server.folder)) == 1
    with pytest.raises(SourceError, match=r"login\.key_file: there is no file .*/nowhere/id; look at its spelling"):
        found_at(server.url("*.csv"), login.model_copy(update={"key_file": "nowhere/id"}), server.folder)


def test_a_key_with_a_passphrase_is_opened_with_it(server):
    key = asyncssh.read_private_key(server.key_file)
    server.key_file.write_bytes(key.export_private_key("pkcs8-pem", "key-Pw0rd"))
    assert len(found_at(server.url("*.csv"), server.login.model_copy(update=passphrase("key-Pw0rd")))) == 1
    wrong = server.login.model_copy(update=passphrase("wr0ng-Pw0rd"))
    for login in (server.login, wrong):
        with pytest.raises(SourceError, match=r"login\.key_file: cannot be opened") as refused:
            found_at(server.url("*.csv"), login)
        told_without(refused.value, "wr0ng-Pw0rd")


def passphrase(text):
    return {"passphrase": Login(passphrase=text).passphrase}


def test_a_key_that_the_server_does_not_know_is_refused_in_words(server, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    with pytest.raises(SourceError, match="the server refuses this login; look at login:"):
        found_at(server.url("*.csv"), server.login.model_copy(update={"key_file": str(other)}))


@contextmanager
def for_passwords(root, user, password):
    """A server of asyncssh's for one user; OpenSSH asks the system's own users."""
    ready, ended = threading.Event(), None
    port = key = loop = None

    class Server(asyncssh.SSHServer):
        def password_auth_supported(self):
            return True

        def validate_password(self, username, given):
            return (username, given) == (user, password)

    async def serve():
        nonlocal port, key, loop, ended
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=[key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, root),
        )
        port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    yield port, f"[127.0.0.1]:{port} {key.export_public_key().decode()}"
    loop.call_soon_threadsafe(ended.set)
    thread.join()


def test_a_password_may_stand_under_login_or_in_the_url_and_is_never_told(tmp_path):
    (tmp_path / "root" / "in").mkdir(parents=True)
    (tmp_path / "root" / "in" / "a.csv").write_bytes(b"a\n1\n")
    known = tmp_path / "known_hosts"
    with for_passwords(str(tmp_path / "root"), "loader", "pl@nted/Pw0rd") as (port, line):
        known.write_text(line)
        login = Login(user="loader", password="pl@nted/Pw0rd", known_hosts=str(known))
        (found,) = found_at(f"sftp://127.0.0.1:{port}/in/*.csv", login)
        in_url = f"sftp://loader:pl%40nted%2FPw0rd@127.0.0.1:{port}/in/*.csv"
        assert found_at(in_url, Login(known_hosts=str(known))) == (found,)
        assert found.uri == f"sftp://127.0.0.1:{port}/in/a.csv"
        wrong, nowhere = in_url.replace("Pw0rd", "Pw0rdX"), in_url.replace("/in/", "/out/")
        with pytest.raises(SourceError, match="the server refuses this login") as refused:
            found_at(wrong, Login(known_hosts=str(known)))
        told_without(refused.value, "Pw0rd", "nted")
        with pytest.raises(SourceError, match="there is no such folder") as refused:
            found_at(nowhere, Login(known_hosts=str(known)))
        told_without(refused.value, "Pw0rd", "nted")


def test_a_path_may_start_at_the_users_home(server):
    server.stop()
    server.start(subsystem=f"internal-sftp -d {server.root}")
    (found,) = found_at(f"sftp://127.0.0.1:{server.port}/~/*.csv", server.login)
    assert (found.path, found.uri) == ("a.csv", f"sftp://127.0.0.1:{server.port}/~/a.csv")


def test_a_link_to_a_file_is_the_file_and_one_to_a_folder_is_none(server):
    (server.root / "b.csv").symlink_to(server.root / "a.csv")
    (server.root / "c.csv").symlink_to(server.root)
    (server.root / "d.csv").symlink_to(server.root / "nowhere")
    assert [(each.name, each.size_bytes) for each in found_at(server.url("*.csv"), server.login)] == [
        ("a.csv", 4),
        ("b.csv", 4),
    ]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sftp://nobody.invalid/in/a.csv", "there is no host of this name; look at its spelling"),
        ("sftp://127.0.0.1:1/in/a.csv", "the server refuses connections; look at host and port"),
    ],
    ids=["unknown", "refused"],
)
def test_a_server_that_is_not_there_is_told_at_once(url, words):
    with pytest.raises(SourceError, match=words):
        found_at(url, None)
