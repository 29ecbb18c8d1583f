"""BigQuery by its own client, as Arrow; bigquery://project/dataset?location=EU, by the machine's Google credentials."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import chain
from typing import Any

import pyarrow as pa

from connectors.asking import Answer, Asked, Driver, Trouble, driver_module, kind_of, options_of
from connectors.bounds import checked_value, scale_of
from connectors.dbapi import schema_of
from connectors.lines import check_names
from schemas.errors import SourceError
from schemas.watermarks import Kind

_KINDS = {
    "TIMESTAMP": Kind.TIMESTAMPTZ, "DATETIME": Kind.TIMESTAMP, "DATE": Kind.DATE, "STRING": Kind.TEXT,
    "INTEGER": Kind.INTEGER, "INT64": Kind.INTEGER,
    **dict.fromkeys(("NUMERIC", "BIGNUMERIC", "FLOAT", "FLOAT64"), Kind.DECIMAL),
}  # fmt: skip
_TYPES = {
    Kind.TIMESTAMPTZ: "TIMESTAMP", Kind.TIMESTAMP: "DATETIME", Kind.DATE: "DATE", Kind.INTEGER: "INT64",
    Kind.TEXT: "STRING",
}  # fmt: skip
_LOWEST: dict[Kind, str | float] = {
    Kind.TIMESTAMPTZ: "0001-01-01T00:00:00+00:00", Kind.TIMESTAMP: "0001-01-01T00:00:00", Kind.DATE: "0001-01-01",
    Kind.INTEGER: -(2**63), Kind.DECIMAL: -1e300, Kind.TEXT: "",
}  # fmt: skip


def answer(asked: Asked) -> Answer:
    """Plan the query, which tells its columns and that it is one, then run it."""
    bigquery = driver_module("google.cloud.bigquery", "bigquery", asked.label)
    storage = driver_module("google.cloud.bigquery_storage", "bigquery", asked.label)
    core = driver_module("google.api_core.exceptions", "bigquery", asked.label)
    auth = driver_module("google.auth.exceptions", "bigquery", asked.label)
    options = options_of(asked, ("location",))
    errors = (core.GoogleAPIError, auth.GoogleAuthError, OSError, pa.ArrowException)
    planning, running = Driver(errors, _read_planning), Driver(errors, _read)
    client = asked.trying(
        planning,
        "no access",
        lambda: bigquery.Client(project=asked.address.host or None, location=options.get("location")),
    )
    asked.stack.callback(client.close)
    kind = asked.trying(planning, "the query", lambda: _planned(asked, bigquery, client))
    return asked.trying(running, "the query", lambda: _run(asked, running, bigquery, storage, client, kind))


def _planned(asked: Asked, bigquery: Any, client: Any) -> Kind | None:
    config = bigquery.QueryJobConfig(dry_run=True, use_legacy_sql=False, default_dataset=_dataset(asked, client))
    job = client.query(asked.words.filled("null"), job_config=config)
    if job.statement_type != "SELECT":
        raise SourceError(f"{asked.label}: a query may only read; this is {job.statement_type}")
    check_names([field.name for field in job.schema], asked.label, "the query")
    if asked.bound is None:
        return None
    kinds = {field.name: (field.field_type, _KINDS.get(field.field_type)) for field in job.schema}
    return kind_of(asked.bound.column, kinds, asked.label)


def _run(asked: Asked, driver: Driver, bigquery: Any, storage: Any, client: Any, kind: Kind | None) -> Answer:
    config = bigquery.QueryJobConfig(use_legacy_sql=False, default_dataset=_dataset(asked, client))
    if asked.bound is not None and kind is not None:
        value = checked_value(asked.bound, kind, asked.label)
        lowest = _LOWEST[kind] if value is None else value
        config.query_parameters = [bigquery.ScalarQueryParameter("since", _type(kind, value), lowest)]
    rows = client.query(asked.words.filled("@since"), job_config=config).result()
    names = [field.name for field in rows.schema]
    reader = storage.BigQueryReadClient(credentials=client._credentials)
    asked.stack.callback(reader.transport.close)
    # One stream keeps the order, and a short queue the memory.
    batches: Iterator[pa.RecordBatch] = rows.to_arrow_iterable(reader, max_queue_size=2, max_stream_count=1)
    first = next(batches, None)
    schema = schema_of(names) if first is None else first.schema
    return Answer(schema, asked.streamed(driver, chain([] if first is None else [first], batches)), kind)


def _dataset(asked: Asked, client: Any) -> str | None:
    return f"{client.project}.{asked.address.path}" if asked.address.path else None


def _type(kind: Kind, value: object) -> str:
    if kind == Kind.DECIMAL:
        return "FLOAT64" if scale_of(value) is None else "BIGNUMERIC"
    return _TYPES[kind]


def _read_planning(error: Exception) -> Trouble:
    """While a query is planned no row is looked at."""
    text = str(getattr(error, "message", "") or error).partition("\n")[0]
    return Trouble(re.sub(r"^(GET|POST) \S+: ", "", text))


def _read(error: Exception) -> Trouble:
    reasons = [each.get("reason", "") for each in getattr(error, "errors", ()) if isinstance(each, dict)]
    code = getattr(error, "code", None) or type(error).__name__
    if code == HTTPStatus.FORBIDDEN:
        return Trouble("permission denied (403); grant roles/bigquery.readSessionUser and roles/bigquery.dataViewer")
    gone = not reasons or "backendError" in reasons
    return Trouble(f"an error that may quote a value ({code}{''.join(f', {each}' for each in reasons if each)})", gone)
