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


def test_a_move_of_many_parts_that_broke_off_is_finished(place, s3):
    part = 5 << 20
    upload = s3.client.create_multipart_upload(Bucket=S3.BUCKET, Key="parts/a.csv")["UploadId"]
    tags = [
        s3.client.upload_part(Bucket=S3.BUCKET, Key="parts/a.csv", UploadId=upload, PartNumber=number, Body=body)[
            "ETag"
        ]
        for number, body in ((1, b"1" * part), (2, b"2"))
    ]
    s3.client.complete_multipart_upload(
        Bucket=S3.BUCKET, Key="parts/a.csv", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": place, "ETag": tag} for place, tag in enumerate(tags, 1)]},
    )  # fmt: skip
    drop = place(s3.url("parts/*.csv"))
    (found,) = drop.found()
    s3.client.copy({"Bucket": S3.BUCKET, "Key": "parts/a.csv"}, S3.BUCKET, "parts/kept.csv")
    drop.move(found, "done", "a.csv")
    assert drop.again(found) is None
    assert s3.client.head_object(Bucket=S3.BUCKET, Key="parts/done/a.csv")["ETag"].endswith('-2"')
