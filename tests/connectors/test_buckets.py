"""An object store tells what is wrong with bucket, credentials and endpoint, and moves by copying."""

import errno
from contextlib import ExitStack
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from s3fs.errors import translate_boto_error

from connectors.places import place_of
from connectors.told import in_words
from schemas.errors import SourceError
from tests.servers_files import S3, running


@pytest.fixture(scope="module")
def s3():
    with running(S3()) as server:
        yield server


@pytest.fixture
def place(s3, monkeypatch):
    for name, value in {**S3.ENVIRONMENT, "AWS_ENDPOINT_URL": s3.endpoint}.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        yield lambda url: place_of(url, None, None, Path(), "source.customers", stack, ())


@pytest.mark.parametrize("files", ["*.csv", "in/*.csv"])
def test_a_bucket_that_is_not_there_is_told(place, files):
    with pytest.raises(SourceError, match="there is no such bucket; look at its spelling and region"):
        place(f"s3://nowhere/{files}").found()


def test_a_folder_without_files_is_empty(place, s3):
    assert place(s3.url("empty/*.csv")).found() == ()


def test_a_folders_own_marker_is_no_file(place, s3):
    s3.put("marked/")
    s3.put("marked/a.csv", b"1")
    assert [each.name for each in place(s3.url("marked/*")).found()] == ["a.csv"]


def test_an_endpoint_that_does_not_answer_is_told(place, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(SourceError, match=r"s3://customers/in: the server (refuses connections|cannot be reached)"):
        place("s3://customers/in/*.csv").found()


def test_without_credentials_it_is_told_where_they_are_looked_for(place, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match="no credentials for it were found; give them where the cloud's own tools"):
        place("s3://customers/in/*.csv").found()


def test_the_next_object_of_a_name_stays_when_it_comes_during_a_move(place, s3):
    s3.put("next/a.csv", b"1")
    moving = place(s3.url("next/*.csv"))
    (found,) = moving.found()
    system = moving._opened()
    copy = system.cp_file

    def and_the_next_comes(old, new, **how):
        copy(old, new, **how)
        s3.put("next/a.csv", b"next")

    system.cp_file = and_the_next_comes
    with pytest.raises(SourceError, match=r"next/a\.csv: was written again since it was read; it stays"):
        moving.move(found, "done", "a.csv")
    assert {name: content for name, content in s3.content().items() if name.startswith("next/")} == {
        "next/a.csv": b"next"
    }


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDenied", "no permission; ask for the right to read, move and write there (AccessDenied)"),
        (
            "SignatureDoesNotMatch",
            "no permission; ask for the right to read, move and write there (SignatureDoesNotMatch)",
        ),
        (
            "AuthorizationHeaderMalformed",
            "the server refuses the request (AuthorizationHeaderMalformed); look at region and endpoint",
        ),
    ],
)
def test_what_s3_refuses_is_told_by_its_own_code(code, words):
    refused = translate_boto_error(ClientError({"Error": {"Code": code, "Message": "s3cret"}}, "GetObject"))
    assert str(in_words(refused, "source.customers")) == f"source.customers: {words}"


def test_what_may_go_away_is_asked_again(s3):
    busy = translate_boto_error(ClientError({"Error": {"Code": "SlowDown"}}, "GetObject"))
    assert busy.errno == errno.EBUSY
    assert not isinstance(in_words(busy, "source.customers"), SourceError)


def test_a_bug_is_not_told_as_a_server(s3):
    with pytest.raises(TypeError):
        in_words(TypeError("a bug"), "source.customers")


def put_in_parts(s3, key, *parts):
    """As uploaders send large files: the store's checksum is then of the parts'."""
    what = {"Bucket": S3.BUCKET, "Key": key}
    upload = {**what, "UploadId": s3.client.create_multipart_upload(**what)["UploadId"]}
    tags = [
        {"PartNumber": number, "ETag": s3.client.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    s3.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": tags})


def test_a_file_of_many_parts_is_known_by_them_when_its_move_broke_off(place, s3):
    parts = (b"1" * (5 << 20), b"2")
    put_in_parts(s3, "parts/a.csv", *parts)
    drop = place(s3.url("parts/*.csv"))
    (found,) = drop.found()
    drop.move(found, "done", "a.csv")
    put_in_parts(s3, "parts/a.csv", *parts)  # the copy was made, and the deletion was not
    (found,) = drop.found()
    drop.move(found, "done", "a.csv")
    assert [key for key in s3.content() if key.startswith("parts/")] == ["parts/done/a.csv"]
