"""BigQuery by a double of its client: which SQL, which values, which calls. (Run by hand against bqemulator.)"""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from schemas.errors import SourceError
from schemas.watermarks import Bound, Kind
from tests.connectors.doubles import Said, column, installed

URL = "bigquery://my-project/shop?location=EU"
QUERY = "select id, at from sales where at > :since # :since"


class GoogleError(Exception):
    def __init__(self, code, message, reason=""):
        super().__init__(message)
        self.code, self.message = code, message
        self.errors = [{"reason": reason}] if reason else []


@pytest.fixture
def bigquery(monkeypatch):
    """A client whose column `at` is of `type`; planning fails with `early`, the stream with `error` after its rows."""
    said = Said()
    double = SimpleNamespace(said=said, type="TIMESTAMP", early=None, error=None, statement="SELECT", rows=2)

    def batches():
        if double.rows:
            yield pa.RecordBatch.from_pydict({"id": list(range(double.rows)), "at": ["x"] * double.rows})
        if double.error:
            raise double.error

    def query(sql, job_config):
        said.append(("query", (sql, job_config)))
        if double.early:
            raise double.early
        schema = [column("id", field_type="INTEGER"), column("at", field_type=double.type)]
        rows = SimpleNamespace(schema=schema, to_arrow_iterable=said.hears("to_arrow", lambda *_, **__: batches()))
        return SimpleNamespace(statement_type=double.statement, schema=schema, result=lambda: rows)

    client = SimpleNamespace(
        query=query, project="my-project", close=said.hears("close"), _credentials="by the machine"
    )
    reader = SimpleNamespace(transport=SimpleNamespace(close=said.hears("reader.close")))
    installed(
        monkeypatch, "google.cloud.bigquery", Client=said.hears("client", lambda **_: client),
        QueryJobConfig=SimpleNamespace, ScalarQueryParameter=lambda *given: given,
    )  # fmt: skip
    installed(monkeypatch, "google.cloud.bigquery_storage", BigQueryReadClient=lambda credentials: reader)
    installed(monkeypatch, "google.api_core.exceptions", GoogleAPIError=GoogleError)
    installed(monkeypatch, "google.auth.exceptions", GoogleAuthError=GoogleError)
    return double


def test_a_query_is_planned_first_and_streamed_in_order(bigquery, ask):
    assert ask(URL, "select id, at from sales") == [{"id": "0", "at": "x"}, {"id": "1", "at": "x"}]
    assert bigquery.said.of("client") == [({"project": "my-project", "location": "EU"},)]
    (_, planned), (sql, run) = bigquery.said.of("query")
    assert vars(planned) == {"dry_run": True, "use_legacy_sql": False, "default_dataset": "my-project.shop"}
    assert (sql, vars(run)) == (
        "select id, at from sales", {"use_legacy_sql": False, "default_dataset": "my-project.shop"},
    )  # fmt: skip
    assert [given[-1] for given in bigquery.said.of("to_arrow")] == [{"max_queue_size": 2, "max_stream_count": 1}]
    assert [name for name, _ in bigquery.said][-2:] == ["reader.close", "close"]


@pytest.mark.parametrize(
    ("type_", "kind", "value", "bound"),
    [
        ("TIMESTAMP", Kind.TIMESTAMPTZ, "2024-01-01T00:00:00+00:00", ("TIMESTAMP", "2024-01-01T00:00:00+00:00")),
        ("DATETIME", Kind.TIMESTAMP, "2024-01-01T00:00:00", ("DATETIME", "2024-01-01T00:00:00")),
        ("DATE", Kind.DATE, "2024-01-01", ("DATE", "2024-01-01")),
        ("INTEGER", Kind.INTEGER, "12", ("INT64", 12)),
        ("NUMERIC", Kind.DECIMAL, "12.345", ("BIGNUMERIC", pytest.approx(12.345))),
        ("FLOAT", Kind.DECIMAL, "1E+300", ("FLOAT64", pytest.approx(1e300))),
        ("STRING", Kind.TEXT, "x' or 1=1 --", ("STRING", "x' or 1=1 --")),
    ],
)
def test_the_value_is_bound_by_the_server_as_the_columns_type(bigquery, ask, type_, kind, value, bound):
    bigquery.type = type_
    ask(URL, QUERY, Bound("at", kind, value))
    (planned, _), (sql, run) = bigquery.said.of("query")
    assert planned == "select id, at from sales where at > null # :since"
    assert sql == "select id, at from sales where at > @since # :since"
    ((name, *given),) = run.query_parameters
    assert (name, given[0]) == ("since", bound[0])
    assert (float(given[1]) if kind == Kind.DECIMAL else given[1]) == bound[1]
    assert ask.query.kind == kind


def test_the_first_run_begins_at_the_lowest(bigquery, ask):
    ask(URL, QUERY, Bound("at", None, None))
    assert bigquery.said.of("query")[1][1].query_parameters == [("since", "TIMESTAMP", "0001-01-01T00:00:00+00:00")]


def test_an_empty_result_keeps_its_columns(bigquery, ask):
    bigquery.rows = 0
    assert ask(URL, "select id, at from sales") == []
    assert ask.query.reading.columns == ("id", "at")


def test_what_would_write_is_refused_after_planning(bigquery, ask):
    bigquery.statement = "SCRIPT"
    with pytest.raises(SourceError, match="a query may only read; this is SCRIPT"):
        ask(URL, "select id, at from sales")
    assert len(bigquery.said.of("query")) == 1


def test_planning_tells_the_clients_words(bigquery, ask):
    bigquery.early = GoogleError(400, "POST https://bigquery/jobs?x: Unrecognized name: nope at [1:8]\n\nJob ID: 1")
    with pytest.raises(SourceError, match=r"database shop: the query: Unrecognized name: nope at \[1:8\]$"):
        ask(URL, "select nope from sales")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GoogleError(400, "Bad int64 value: SECR", "invalidQuery"), r"failed after 2 rows: .*\(400, invalidQuery\)"),
        (GoogleError(403, "SECR", "accessDenied"), r"permission denied \(403\); grant roles/bigquery.readSessionUser"),
        (GoogleError(503, "SECR"), "the connection broke after 2 rows; nothing of this run was sent; run again"),
    ],
)
def test_a_stream_that_fails_is_told_without_a_value(bigquery, ask, error, told):
    bigquery.error = error
    with pytest.raises(SourceError, match=told) as refusal:
        ask(URL, "select id, at from sales")
    assert "SECR" not in str(refusal.value)
    assert refusal.value.__context__ is None
