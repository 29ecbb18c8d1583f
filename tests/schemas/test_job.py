"""The job file's models: strict about words, mild about defaults."""

import pytest
from pydantic import SecretStr, ValidationError

from schemas.job import Job
from schemas.spellings import IN_WORDS

SMALL = {
    "name": "x",
    "source": {"c": {"files": "c.csv"}},
    "map": {"identifiers": {"mobile": "phone", "email": "mail"}},
    "destination": {"host": "h", "auth": {"basic": {"till": "t", "password": "hunter2"}}},
}


def patterns(schema):
    """Every regular expression of a JSON Schema."""
    if isinstance(schema, dict):
        yield from ([schema["pattern"]] if isinstance(schema.get("pattern"), str) else [])
        yield from schema.get("patternProperties", {})
        for inner in schema.values():
            yield from patterns(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from patterns(inner)


def test_every_pattern_is_said_in_words():
    assert set(patterns(Job.model_json_schema())) == set(IN_WORDS)


@pytest.mark.parametrize(("key", "column"), [(None, "phone"), ("member", "member")])
def test_the_key_column_is_the_first_identifiers_by_default(key, column):
    assert Job.model_validate(SMALL | {"key": key}).key_column == column


@pytest.mark.parametrize(
    "internal",
    [
        {"map": SMALL["map"] | {"first_name": "a"}},
        {"map": SMALL["map"] | {"association": {}}},
        {"map": SMALL["map"] | {"fields": {"a": {"column": "b", "kind": "date"}}}},
        {"window": {"from_": "00:30", "to": "05:00"}},
    ],
)
def test_names_of_the_code_are_no_words_of_the_file(internal):
    with pytest.raises(ValidationError, match="not permitted"):
        Job.model_validate(SMALL | internal)


def test_no_secret_is_shown_by_a_job():
    job = Job.model_validate(SMALL)
    assert job.destination.auth.basic.password == SecretStr("hunter2")
    assert "hunter2" not in repr(job) + job.model_dump_json()


def test_a_refused_job_does_not_show_what_it_was_given():
    with pytest.raises(ValidationError) as told:
        Job.model_validate(SMALL | {"limits": "hunter2", "mode": "hunter2"})
    assert "hunter2" not in str(told.value)


def test_a_job_cannot_be_changed():
    with pytest.raises(ValidationError):
        Job.model_validate(SMALL).name = "other"
