"""Packed files: read whole, or refused with a reason; never half, never without end."""

import errno
import gzip
import io
import os
import zipfile

import pyarrow as pa
import pytest

from connectors.archive import tables_in
from connectors.unpack import PackedFile, archive_of, unreadable
from schemas.errors import NotTheFile, SourceError

TABLE = b"a,b\n" + b"1,2\n" * 50_000


def zipped(**members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return held.getvalue()


@pytest.fixture
def unpacked(tmp_path):
    """A function that writes bytes to a file and reads them back unpacked."""

    def reading(content, packing, spare_bytes=1 << 20):
        path = tmp_path / "packed"
        path.write_bytes(content)
        member = ""
        if packing == "zip":
            (table,) = tables_in(path, "customers", spare_bytes=spare_bytes)
            member = table.name
        with PackedFile(path, "customers", packing, spare_bytes, member).open() as stream:
            parts = []
            while part := stream.read(10_000):
                parts.append(part)
        return b"".join(parts)

    return reading


def zstd_frame(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("content", "packing"),
    [
        (TABLE, None),
        (gzip.compress(TABLE, mtime=0), "gzip"),
        (
            gzip.compress(TABLE[:1000], mtime=0) + gzip.compress(TABLE[1000:], mtime=0),
            "gzip",
        ),  # as several `gzip >>` leave it
        (zstd_frame(TABLE), "zstd"),
        (zstd_frame(TABLE[:1000]) + zstd_frame(TABLE[1000:]), "zstd"),
        (zipped(t__csv=TABLE), "zip"),
        (zipped(**{"t__csv": TABLE, "folder/.DS_Store": b"x"}), "zip"),
    ],
)
def test_what_was_packed_comes_out_whole(unpacked, content, packing):
    assert unpacked(content, packing) == TABLE


@pytest.mark.parametrize("pack", [gzip.compress, zstd_frame, lambda content: zipped(t__csv=content)])
def test_every_cut_is_noticed(unpacked, pack):
    content = pack(bytes(range(256)) * 64)
    packing = {0x1F: "gzip", 0x28: "zstd", 0x50: "zip"}[content[0]]
    for size in (4, 10, len(content) // 2, len(content) - 9, len(content) - 1):
        with pytest.raises(SourceError, match=r"customers: the \w+ data is cut off or damaged"):
            unpacked(content[:size], packing)


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped(t__csv=content)])
def test_a_flipped_byte_is_noticed(unpacked, pack):
    content = bytearray(pack(TABLE + bytes(range(256))))
    content[len(content) // 2] ^= 0xFF
    with pytest.raises(SourceError, match="cut off or damaged"):
        unpacked(bytes(content), "gzip" if content[0] == 0x1F else "zip")


@pytest.mark.parametrize("pack", [gzip.compress, zstd_frame, lambda content: zipped(t__csv=content)])
def test_a_bomb_stops_at_its_cap(unpacked, pack):
    content = pack(bytes(30_000_000))
    packing = {0x1F: "gzip", 0x28: "zstd", 0x50: "zip"}[content[0]]
    with pytest.raises(SourceError, match=r"unpacks to more than \d+ MB, 500 times its size"):
        unpacked(content, packing, spare_bytes=1_000_000)


@pytest.mark.parametrize("packing", ["gzip", "zstd", "zip"])
def test_a_suffix_that_lies_is_told(unpacked, packing):
    with pytest.raises(SourceError, match=f"the name says {packing}, the content is something else"):
        unpacked(TABLE, packing)


def test_what_the_operating_system_says_is_told_in_words():
    assert "give the user of this process read access" in str(unreadable("customers: x", PermissionError(13, "")))
    assert "cannot be read (Stale file handle)" in str(unreadable("customers: x", OSError(116, "Stale file handle")))


def test_an_archive_that_the_disk_does_not_give_is_not_called_damaged():
    class Stale(io.BytesIO):
        def read(self, size=-1, /):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with pytest.raises(NotTheFile, match="cannot be read"):
        archive_of(Stale(b"PK" * 100), "a.zip")
