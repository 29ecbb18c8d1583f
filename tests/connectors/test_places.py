"""A place tells, gives, moves and takes files the same way wherever they lie."""

import errno
import hashlib
import os
import shutil
import stat
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.files import open_table
from connectors.places import place_of
from schemas.errors import SourceError
from schemas.tables import Table
from tests.servers_files import NO_SSHD, S3, SSHD, Ftp, Here, Sftp, running

needs_sshd = pytest.mark.skipif(SSHD is None, reason=NO_SSHD)
WITH_FOLDERS = ("here", pytest.param("sftp", marks=needs_sshd), "ftp")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Each kind of server, started when the first test needs it and emptied by none: tests use folders of their own."""
    makers = {
        "here": lambda: Here(tmp_path_factory.mktemp("here")),
        "sftp": lambda: Sftp(tmp_path_factory.mktemp("sftp")),
        "ftp": lambda: Ftp(tmp_path_factory.mktemp("ftp")),
        "s3": S3,
    }
    with ExitStack() as stack:
        servers = {}

        def start(kind):
            if kind not in servers:
                servers[kind] = stack.enter_context(running(makers[kind]()))
            return servers[kind]

        yield start


class Drop:
    """A folder of one test's own on a server."""

    def __init__(self, server, folder, stack):
        self.server, self.folder, self.stack = server, folder, stack

    def put(self, name, content=b""):
        self.server.put(f"{self.folder}/{name}", content)

    def place(self, files, match=None):
        """On this machine by a path that starts at the job file, else by a URL."""
        job, url = Path(), self.server.url(f"{self.folder}/{files}")
        if isinstance(self.server, Here):
            job, url = self.server.root / self.folder, files
        return place_of(url, match, self.server.login, job, "source.customers", self.stack, (0, 0))

    def content(self):
        start = f"{self.folder}/"
        return {
            path.removeprefix(start): content
            for path, content in self.server.content().items()
            if path.startswith(start)
        }


@pytest.fixture(params=[*WITH_FOLDERS, "s3"])
def drop(request, started, monkeypatch):
    server = started(request.param)
    if isinstance(server, S3):
        for name, value in {**S3.ENVIRONMENT, "AWS_ENDPOINT_URL": server.endpoint}.items():
            monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        yield Drop(server, f"{request.node.originalname}-in", stack)


def same_device(monkeypatch):
    """As it is."""


def other_devices(monkeypatch):
    """Each folder is a file system of its own."""
    real = os.link

    def link(source, target, **how):
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target, **how)

    monkeypatch.setattr(os, "link", link)


def no_links(monkeypatch):
    """A file system where a file has one name, such as FAT's and many a network's."""

    def link(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


LINKS = [same_device, other_devices, no_links]


def names(found):
    return [each.name for each in found]


def test_a_wildcard_finds_whole_files_sorted_by_name(drop):
    for name in ("c_2.csv", "c_10.csv", "other.txt", ".c_3.csv", "c_4.csv.part", "c_5.csv.tmp", "c_6.csv.filepart"):
        drop.put(name, b"a\n1\n")
    drop.put("c_folder/c_7.csv", b"a\n")
    place = drop.place("c_*")
    assert names(place.found()) == ["c_10.csv", "c_2.csv"]
    drop.put("c_0.csv", b"a\n")
    assert names(place.found()) == ["c_0.csv", "c_10.csv", "c_2.csv"]


def test_an_expression_finds_names_that_are_wholly_meant(drop):
    for name in ("c_1.csv", "c_1.csv.bak", "xc_1.csv", "c_22.csv", ".c_1.csv"):
        drop.put(name)
    assert names(drop.place("", match=r"c_\d+\.csv").found()) == ["c_1.csv", "c_22.csv"]


def test_folders_may_be_any_or_have_wildcards(drop):
    for name in ("2026/01/a.csv", "2026/02/b.csv", "2025/12/c.csv", "d.csv"):
        drop.put(name)
    assert names(drop.place("**/*.csv").found()) == ["c.csv", "a.csv", "b.csv", "d.csv"]
    assert names(drop.place("2026/0[12]/?.csv").found()) == ["a.csv", "b.csv"]
    assert names(drop.place("2026/*/*.csv").found()) == ["a.csv", "b.csv"]


@pytest.mark.parametrize("match", [None, r".*\.csv"], ids=["wildcard", "match"])
def test_any_depth_follows_no_links(tmp_path, match):
    (tmp_path / "in" / "inner").mkdir(parents=True)
    for path in ("in/a.csv", "in/inner/b.csv"):
        (tmp_path / path).write_bytes(b"1")
    for link in ("l", "m", "inner/n"):  # 3 ways around in each folder: no program comes to an end of them
        (tmp_path / "in" / link).symlink_to(tmp_path / "in")
    with ExitStack() as stack:
        place = place_of("in/**" if match else "in/**/*.csv", match, None, tmp_path, "source.customers", stack)
        assert names(place.found()) == ["a.csv", "b.csv"]
        linked = place_of("in/l/*.csv", None, None, tmp_path, "source.customers", stack)
        assert names(linked.found()) == ["a.csv"]
    if match is None:
        reading = open_table(Table(files="in/**/*.csv"), tmp_path, "source.customers")
        assert [file.path.name for file in reading.files] == ["a.csv", "b.csv"]


def test_a_name_with_brackets_is_found_by_itself(drop):
    drop.put("a[1].csv")
    assert names(drop.place("a[1].csv").found()) == ["a[1].csv"]


def test_one_file_is_told_with_its_size_time_and_place(drop):
    drop.put("a.csv", b"a,b\n1,2\n")
    (found,) = drop.place("a.csv").found()
    assert (found.name, found.size_bytes) == ("a.csv", 8)
    assert found.uri == drop.server.url(f"{drop.folder}/a.csv")
    assert abs(found.modified_at_utc - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize("drop", ["here", pytest.param("sftp", marks=needs_sshd)], indirect=True)
@pytest.mark.parametrize("match", [None, r"[ab]\.csv"], ids=["wildcard", "match"])
def test_a_link_is_known_for_one(drop, match):
    drop.put("a.csv", b"1")
    drop.put("store/c.csv", b"22")
    link = drop.server.root / drop.folder / "b.csv"
    link.unlink(missing_ok=True)
    link.symlink_to("store/c.csv")
    found = drop.place("*.csv" if match is None else "", match).found()
    assert [(each.name, each.size_bytes, each.is_link) for each in found] == [("a.csv", 1, False), ("b.csv", 2, True)]
    assert [drop.place(name).found()[0].is_link for name in ("a.csv", "b.csv")] == [False, True]


@pytest.mark.parametrize("drop", ["here", pytest.param("sftp", marks=needs_sshd)], indirect=True)
def test_a_name_that_is_no_utf_8_is_found_and_known(drop):
    drop.put("good.csv")
    (drop.server.root / drop.folder / os.fsdecode(b"b\xff.csv")).write_bytes(b"1")
    assert [each.has_plain_name for each in drop.place("*.csv").found()] == [False, True]


def test_nothing_found_is_told_with_the_way_out(drop):
    drop.put("a.csv")
    for files in ("b.csv", "*.json"):
        place = drop.place(files)
        assert place.found() == ()
        assert files in place.nothing()
        assert "source.customers: " in place.nothing()


def test_a_folder_is_no_file(drop):
    drop.put("inner/a.csv")
    with pytest.raises(SourceError, match=r"inner:? is a folder; name its files, for example .*/inner/\*\.csv"):
        drop.place("inner").found()


def test_markers_are_known_from_the_listing(drop):
    drop.put("a.csv")
    drop.put("b.csv")
    drop.put("a.csv.ok")
    place = drop.place("*.csv")
    first, second = place.found()
    if not place.is_local:
        place._door.info = None  # whoever asks for a single file now fails
    assert [place.has(place.beside(each, f"{each.name}.ok")) for each in (first, second)] == [True, False]


def test_a_marker_older_than_its_file_is_another_files(drop):
    drop.put("a.csv.ok")
    drop.put("a.csv")
    place = drop.place("*.csv")
    (found,) = place.found()
    marker = place.beside(found, "a.csv.ok")
    assert place.has(marker)
    assert place.has(marker, since=found.modified_at_utc - timedelta(days=1))
    assert not place.has(marker, since=found.modified_at_utc + timedelta(days=1))


def test_a_landed_file_is_whole_private_and_known_by_its_bytes(drop, tmp_path):
    content = os.urandom(3_000_000)
    drop.put("a.csv", content)
    place = drop.place("*.csv")
    (found,) = place.found()
    landed = place.land(found, tmp_path / "landing")
    assert landed.path == tmp_path / "landing" / "a.csv"
    assert landed.path.read_bytes() == content
    assert (landed.size_bytes, landed.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert stat.S_IMODE(landed.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(landed.path.parent.stat().st_mode) == 0o700


def test_an_empty_file_is_landed(drop, tmp_path):
    drop.put("a.csv")
    place = drop.place("a.csv")
    (found,) = place.found()
    assert place.land(found, tmp_path).size_bytes == 0


def test_two_files_of_one_name_land_apart(drop, tmp_path):
    drop.put("1/a b.csv.gz", b"1")
    drop.put("2/a b.csv.gz", b"2")
    place = drop.place("*/*.gz")
    landed = [place.land(found, tmp_path) for found in place.found()]
    assert [(each.path.name, each.path.read_bytes()) for each in landed] == [
        ("a_b.csv.gz", b"1"),
        ("a_b-2.csv.gz", b"2"),
    ]


def test_a_file_written_again_since_it_was_found_is_not_landed(drop, tmp_path):
    drop.put("a.csv", b"a\n1\n")
    place = drop.place("*.csv")
    (found,) = place.found()
    drop.put("a.csv", b"a\n1\n2\n")
    with pytest.raises(SourceError, match=r"a\.csv: changed while it was read; wait until it is written"):
        place.land(found, tmp_path / "landing")
    assert list((tmp_path / "landing").iterdir()) == []
    assert place.again(found).stamp != found.stamp


def test_a_file_taken_away_is_not_landed(drop, tmp_path):
    drop.put("a.csv", b"a\n1\n")
    place = drop.place("*.csv")
    (found,) = place.found()
    place.delete(found.path)
    assert place.again(found) is None
    with pytest.raises(
        SourceError, match=r"a\.csv: (does not exist|cannot be read \(No such file|.* there is no such file)"
    ):
        place.land(found, tmp_path / "landing")
    assert list((tmp_path / "landing").iterdir()) == []


def test_a_moved_file_never_overwrites(drop):
    for content in (b"first", b"second", b"third"):
        drop.put("a.csv.gz", content)
        place = drop.place("*.gz")
        (found,) = place.found()
        told = place.move(found, "done/", "a.csv.gz").uri
    assert told == drop.server.url(f"{drop.folder}/done/a-3.csv.gz")
    assert drop.content() == {"done/a.csv.gz": b"first", "done/a-2.csv.gz": b"second", "done/a-3.csv.gz": b"third"}


def test_a_moved_file_lies_where_files_are_moved_to(drop):
    drop.put("a.csv", b"1")
    place = drop.place("**/*.csv")
    (found,) = place.found()
    assert not any(place.lies_in(found, each) for each in ("done", "./done/", "dir"))
    told = place.move(found, "done/", "a.csv")
    (moved,) = place.found()
    assert told == moved
    assert [place.lies_in(moved, each) for each in ("done", "./done/", "../done", "don", "done/more")] == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_a_move_done_twice_is_done_once(drop):
    drop.put("a.csv", b"1")
    drop.put("done/a.csv", b"older")
    place = drop.place("*.csv")
    (found,) = place.found()
    assert place.move(found, "done", "a.csv") == place.move(found, "done", "a.csv")
    assert drop.content() == {"done/a.csv": b"older", "done/a-2.csv": b"1"}


@pytest.mark.parametrize("to", ["done", "./done/", "done/../done"])
def test_a_file_moved_to_where_it_lies_is_kept(drop, to):
    drop.put("done/a.csv", b"1")
    drop.put("done/b.csv.ok")
    place = drop.place("**/*")
    for found in place.found():
        for name in (found.name, "another name"):
            assert place.move(found, to, name) == found
    assert drop.content() == {"done/a.csv": b"1", "done/b.csv.ok": b""}


@pytest.mark.parametrize("kind", [pytest.param("sftp", marks=needs_sshd), "ftp"])
def test_a_file_of_the_first_folder_moved_there_is_kept(kind, tmp_path):
    with running(Sftp(tmp_path) if kind == "sftp" else Ftp(tmp_path)) as server, ExitStack() as stack:
        server.put("a.csv", b"1")
        place = place_of(server.url("*.csv"), None, server.login, Path(), "source.customers", stack)
        (found,) = place.found()
        assert place.lies_in(found, "./")
        assert place.move(found, "./", "a.csv") == found
        assert server.content() == {"a.csv": b"1"}


def test_a_file_moved_to_a_folder_of_another_name_is_kept(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to("in")
    (tmp_path / "in" / "a.csv").write_bytes(b"1")
    with ExitStack() as stack:
        place = place_of("in/*.csv", None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        place.move(found, "link", "a.csv")
    assert (tmp_path / "in" / "a.csv").read_bytes() == b"1"


@pytest.mark.parametrize("drop", ["here", "s3"], indirect=True)  # where a move is more than one step
def test_a_move_that_broke_off_is_finished(drop):
    drop.put("a.csv", b"1")
    place = drop.place("*.csv")
    (found,) = place.found()
    if place.is_local:  # both names, one file
        (drop.server.root / drop.folder / "done").mkdir()
        os.link(found.path, drop.server.root / drop.folder / "done" / "a.csv")
    else:  # both objects
        drop.put("done/a.csv", b"1")
    place.move(found, "done", "a.csv")
    assert drop.content() == {"done/a.csv": b"1"}


def test_a_file_written_again_stays_where_it_is(drop):
    drop.put("a.csv", b"1")
    place = drop.place("*.csv")
    (found,) = place.found()
    drop.put("a.csv", b"22")
    with pytest.raises(SourceError, match="was written again since it was read; it stays for the next run"):
        place.move(found, "done", "a.csv")
    assert drop.content() == {"a.csv": b"22"}


@pytest.mark.parametrize("way", ["link", "copy"])
def test_the_next_file_of_a_name_stays_when_it_comes_during_a_move(tmp_path, monkeypatch, way):
    """Of two file systems nobody knows which file was copied; of one, the first is moved and the next one stays."""
    if way == "copy":
        other_devices(monkeypatch)
    module, name = (os, "link") if way == "link" else (shutil, "copyfileobj")
    real = getattr(module, name)

    def and_the_next_comes(*args, **how):
        real(*args, **how)
        (tmp_path / "next").write_bytes(b"next")
        (tmp_path / "next").replace(tmp_path / "a.csv")

    monkeypatch.setattr(module, name, and_the_next_comes)
    (tmp_path / "a.csv").write_bytes(b"1")
    with ExitStack() as stack:
        place = place_of("a.csv", None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        with nullcontext() if way == "link" else pytest.raises(SourceError, match="it stays for the next run"):
            place.move(found, "done", "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"next"
    assert [path.read_bytes() for path in (tmp_path / "done").iterdir()] == ([b"1"] if way == "link" else [])


@pytest.mark.parametrize("links", LINKS)
def test_a_file_that_came_right_before_its_move_stays(tmp_path, monkeypatch, links):
    links(monkeypatch)
    real = os.link

    def the_next_comes_and(source, target, **how):
        (tmp_path / "next").write_bytes(b"next")
        (tmp_path / "next").replace(source)
        real(source, target, **how)

    monkeypatch.setattr(os, "link", the_next_comes_and)
    (tmp_path / "a.csv").write_bytes(b"1")
    with ExitStack() as stack:
        place = place_of("a.csv", None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        with pytest.raises(SourceError, match="it stays for the next run"):
            place.move(found, "done", "a.csv")
    assert [path.read_bytes() for path in tmp_path.rglob("*.csv")] == [b"next"]


@pytest.mark.parametrize("planted", ["symlink", "file"])
@pytest.mark.parametrize("links", LINKS)
def test_what_is_planted_under_a_name_in_between_is_not_written(tmp_path, monkeypatch, links, planted):
    links(monkeypatch)
    (tmp_path / "done").mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "a.csv").write_bytes(b"1")
    for name in (".a.csv.part", ".b.csv.part"):
        if planted == "symlink":
            (tmp_path / "done" / name).symlink_to("../precious")
        else:
            (tmp_path / "done" / name).write_bytes(b"left by a crash")
    with ExitStack() as stack:
        place = place_of("a.csv", None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        place.move(found, "done", "a.csv")
        place.write("done", "b.csv", b"2")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    done = {path.name: (path.read_bytes(), path.is_symlink()) for path in (tmp_path / "done").glob("?.csv")}
    assert done == {"a.csv": (b"1", False), "b.csv": (b"2", False)}


@pytest.mark.parametrize("links", LINKS)
def test_the_longest_name_is_moved_and_written(tmp_path, monkeypatch, links):
    links(monkeypatch)
    name = "a" * 251 + ".csv"
    (tmp_path / name).write_bytes(b"1")
    with ExitStack() as stack:
        place = place_of(name, None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        assert place.move(found, "done", name).uri.endswith(name)
        assert place.write("out", name, b"1").endswith(name)


def test_a_link_where_a_file_goes_is_nobodys_place(tmp_path):
    (tmp_path / "done").mkdir()
    (tmp_path / "a.csv").write_bytes(b"1")
    (tmp_path / "done" / "a.csv").symlink_to("../a.csv")
    (tmp_path / "done" / "a-2.csv").symlink_to("nowhere")
    with ExitStack() as stack:
        place = place_of("a.csv", None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        assert place.move(found, "done", "a.csv").uri.endswith("/done/a-3.csv")
    assert (tmp_path / "done" / "a-3.csv").read_bytes() == b"1"


def test_a_file_that_somebody_else_moved_is_told(drop):
    drop.put("a.csv", b"1")
    place = drop.place("*.csv")
    (found,) = place.found()
    place.delete(found.path)
    with pytest.raises(SourceError, match=r"a\.csv:? is gone, and not in .*done"):
        place.move(found, "done", "a.csv")


def test_a_folder_may_be_beside_the_place_or_a_url_of_it(drop):
    drop.put("inbox/a.csv", b"1")
    drop.put("inbox/b.csv", b"2")
    place = drop.place("inbox/*.csv")
    first, second = place.found()
    if not place.is_local:  # this machine's start at the job file
        assert place.move(first, "../done", "a.csv").uri == drop.server.url(f"{drop.folder}/done/a.csv")
    assert place.move(second, drop.server.url(f"{drop.folder}/done"), "b.csv").uri.endswith("/done/b.csv")


def test_what_is_written_twice_is_there_once_and_never_overwrites(drop, tmp_path):
    place = drop.place("*.csv")
    large = tmp_path / "large"
    large.write_bytes(b"x" * 9_000_000)
    told = [place.write("out", "a.csv", content) for content in (b"1", b"2", b"1", large, large)]
    assert [each.rpartition("/")[2] for each in told] == ["a.csv", "a-2.csv", "a.csv", "a-3.csv", "a-3.csv"]
    assert drop.content() == {"out/a.csv": b"1", "out/a-2.csv": b"2", "out/a-3.csv": large.read_bytes()}


def test_a_marker_is_deleted_even_when_it_is_gone(drop):
    drop.put("a.csv")
    drop.put("a.csv.ok")
    place = drop.place("*.csv")
    (found,) = place.found()
    for _ in range(2):
        place.delete(place.beside(found, "a.csv.ok"))
    assert drop.content() == {"a.csv": b""}


def test_a_small_file_is_read_up_to_its_limit(drop):
    drop.put("a.json", b"12345678")
    place = drop.place("a.json")
    (found,) = place.found()
    assert place.read(found.path, 8) == b"12345678"
    with pytest.raises(SourceError, match="has more than 7 bytes"):
        place.read(found.path, 7)
    assert place.read(found.path, 8) == b"12345678"  # the place is as good as before


@pytest.mark.parametrize("drop", WITH_FOLDERS, indirect=True)
def test_a_missing_folder_is_told(drop):
    with pytest.raises(SourceError, match=r"there is no (such )?folder"):
        drop.place("nowhere", match=".*").found()


def test_a_place_is_left_and_come_back_to(drop):
    drop.put("a.csv", b"1")
    place = drop.place("*.csv")
    (found,) = place.found()
    drop.stack.close()
    assert place.again(found) == found
    if not place.is_local:
        place.close()


@pytest.mark.parametrize("kind", [pytest.param("sftp", marks=needs_sshd), "ftp"])
def test_a_file_that_may_not_be_moved_stays_and_that_is_told(kind, tmp_path):
    server = Sftp(tmp_path / "sftp") if kind == "sftp" else Ftp(tmp_path / "ftp", rights="elr")
    with running(server), ExitStack() as stack:
        if kind == "sftp":
            server.stop()
            server.start(subsystem="internal-sftp -R")
        server.put("in/a.csv", b"1")
        place = place_of(server.url("in/*.csv"), None, server.login, Path(), "source.customers", stack, ())
        (found,) = place.found()
        with pytest.raises(SourceError, match=r"in/a\.csv: cannot be moved, the file stays: .* right"):
            place.move(found, "done", "a.csv")
        assert server.content() == {"in/a.csv": b"1"}


def test_a_local_file_that_cannot_be_moved_stays_and_that_is_told(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"1")
    (tmp_path / "done").write_bytes(b"no folder")
    with ExitStack() as stack:
        place = place_of("a.csv", None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        with pytest.raises(SourceError, match=r"a\.csv cannot be moved to .*/done \(.*\); the file stays"):
            place.move(found, "done/", "a.csv")
        with pytest.raises(SourceError, match="files of this machine go to folders of this machine"):
            place.move(found, "s3://bucket/done", "a.csv")
    assert (tmp_path / "a.csv").exists()


@needs_sshd
def test_files_are_not_moved_to_another_server(started):
    server = started("sftp")
    server.put("other/a.csv")
    with ExitStack() as stack:
        place = place_of(server.url("other/*.csv"), None, server.login, Path(), "source.customers", stack)
        (found,) = place.found()
        with pytest.raises(SourceError, match=r"files are moved within sftp://127\.0\.0\.1:\d+ only, not to another"):
            place.move(found, "sftp://elsewhere/done", "a.csv")


@pytest.mark.parametrize("links", LINKS)
def test_a_move_over_file_systems_is_whole_and_done_once(tmp_path, monkeypatch, links):
    links(monkeypatch)
    (tmp_path / "a.csv").write_bytes(b"1")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "a.csv").write_bytes(b"older")
    with ExitStack() as stack:
        place = place_of("*.csv", None, None, tmp_path, "source.customers", stack)
        (found,) = place.found()
        for _ in range(2):
            assert place.move(found, "done", "a.csv").uri == str(tmp_path / "done" / "a-2.csv")
    assert (tmp_path / "done" / "a.csv").read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a-2.csv", "a.csv"]
