"""A job file is read strictly, and everything wrong with it is told at once, in words, without any secret."""

import json

import jsonschema
import pytest

from schemas.errors import JobError
from schemas.job import Job
from transforms.job_file import read_job
from transforms.yaml_lines import read_yaml

SMALL = """\
name: small
source: {customers: {files: customers.csv}}
map:
  identifiers: {externalId: member_no}
destination:
  host: eu.api.capillarytech.com
  auth: {oauth: {key: ${KEY}, secret: ${SECRET}}}
"""
BY_SINCE = "{database: 'sqlite:///a', query: select 1, since: {column: b}}"
# The whole job file of the documentation, section 1.
DOCUMENTED = """\
name: loyalty-nightly
mode: sync

source:
  customers:
    files: inbox/customers_*.csv.gz
    format: csv
    csv: {delimiter: ",", encoding: utf-8, quote: '"', skip_rows: 0, columns: null}
    ready: .ok
    move_to: {done: processed/, failed: failed/}
    decrypt: {pgp_key: ${PGP_KEY_FILE}, passphrase: ${PGP_PASSPHRASE}}
  loyalty:
    database: ${WAREHOUSE_URL}
    query: select member_no, points, tier, updated_at from loyalty where updated_at > :since
    since: {column: updated_at, overlap: 2h}
    join: {on: member_no}
  family:
    files: inbox/family.csv
    nest: {on: parent_no}

locale: {country: IN, timezone: Asia/Kolkata, dates: day_first}

key: member_no
points_id: statement_no
map:
  identifiers:
    externalId: member_no
    mobile: phone
    email: email
    cardnumber: {column: card_no, seriesCode: {column: card_series}, statusLabel: {value: ACTIVE}}
  firstName: first_name
  lastName: last_name
  commChannels:
    mobile: {column: phone, primary: true, verified: {column: phone_verified}, subscribed: {column: sms_ok}}
    email: {column: email}
  fields: {store_code: store}
  extendedFields:
    gender: {column: sex, as: gender}
    dob: {column: birth_date, as: date}
    city: {column: city, values: {BLR: Bengaluru, DEL: Delhi}, other: keep}
  loyaltyType: {value: loyalty}
  loyaltyProgramEnrollments:
    - {programId: {value: 1016}, tierNumber: tier, loyaltyPoints: points, tierExpiryDate: tier_until, pointsExpiryDate: points_until}
  associatedWith: till
  associationDetails:
    hierarchyCode: {value: FAMILY}
    roleCode: {value: HEAD}
    childRoleCode: {value: MEMBER}
    childCustomers:
      table: family
      identifiers: {mobile: child_phone}
      firstName: child_name

rules:
  filter: "status == 'ACTIVE' and points >= 0"
  duplicates: {keep: latest, by: updated_at}
  shared_identifier: hold
  placeholders: {mobile: ["9999999999"], email: ["na@na.com"]}
  bad_optional: drop
  nulls: omit

destination:
  host: eu.api.capillarytech.com
  operation: update
  path: null
  source: INSTORE
  account_id: null
  auth: {oauth: {key: ${CAPILLARY_KEY}, secret: ${CAPILLARY_SECRET}}}
  attribution: {type: TILL, code: ${CAPILLARY_TILL:-}}
  enrollments: true
  in_doubt: look_up
  headers: {}
  query: {}

limits: {requests_per_minute: 90, rows_per_request: 50, bytes_per_request: 1000000, in_flight: 4, timeout_s: 60, attempts: 4}
guards: {min_rows: 1, max_invalid_percent: 5, max_refused_percent: 5, max_points: 1000000, max_points_per_customer: 50000, max_changed_percent: 50, approve_above_points: 100000}
window: {from: "00:30", to: "05:00"}
run: {workers: threads, dask: null, part_rows: 50000}
notify: {webhook: ${ALERT_WEBHOOK:-}, email: null}
keep: {payloads_days: 7, reports_days: 90}
"""  # noqa: E501 - the documented file, as it is documented
ENVIRONMENT = dict.fromkeys(
    ("KEY", "SECRET", "PGP_KEY_FILE", "PGP_PASSPHRASE", "WAREHOUSE_URL", "CAPILLARY_KEY", "CAPILLARY_SECRET"), "set"
)

NOT_YET = {"notify", "keep"}  # of the documented file, by name; each is to be taken out here when it works


def told(text, environment=ENVIRONMENT):
    """The problems of a job file, without the file's name: "line: what"; none when it can be read."""
    try:
        read_job(text, environment, "job.yaml")
    except JobError as error:
        return [problem.removeprefix("job.yaml:") for problem in error.problems]
    return []


def small(old="", new=""):
    """The small job with a line changed, or one more at its end."""
    assert SMALL.count(old) == 1 or not old
    return SMALL.replace(old, new) if old else SMALL + new


def test_a_small_job_has_every_default():
    job = read_job(SMALL, ENVIRONMENT)
    assert (job.mode, job.key_column, job.destination.source, job.limits.rows_per_request) == (
        "sync", "member_no", "INSTORE", 10,
    )  # fmt: skip
    assert job.destination.auth.oauth.secret.get_secret_value() == "set"


def test_the_documented_file_is_refused_only_for_what_is_not_supported():
    problems = [problem.split(": ", 2) for problem in told(DOCUMENTED)]
    assert {words for _, words, _ in problems} == NOT_YET
    assert all("not supported yet" in what for _, _, what in problems)


def test_unsupported_parts_are_told_with_their_lines():
    assert told(DOCUMENTED)[0] == "79: notify: not supported yet"


@pytest.mark.parametrize("text", [SMALL, DOCUMENTED])
def test_the_json_schema_takes_the_documented_files(text):
    jsonschema.Draft202012Validator(Job.model_json_schema()).validate(read_yaml(text, ENVIRONMENT).value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"map": {"identifiers": {"mobil": "phone"}}},
        {"map": {"identifiers": {"mobile": 5}}},
        {"map": {"identifiers": {"mobile": "phone"}, "first_name": "x"}},
        {"nme": "x"},
        {"limits": {"in_flight": 0}},
    ],
)
def test_the_json_schema_refuses_what_reading_refuses(wrong):
    good = {
        "name": "x",
        "source": {"c": {"files": "c.csv"}},
        "map": {"identifiers": {"mobile": "phone"}},
        "destination": {"host": "h", "auth": {"oauth": {"key": "k", "secret": "s"}}},
    }
    schema = jsonschema.Draft202012Validator(Job.model_json_schema())
    assert schema.is_valid(good)
    assert not schema.is_valid(good | wrong)


def test_all_mistakes_are_told_at_once():
    text = """\
name: not a name
mode: snyc
nme: x
source: {customers: {files: customers.csv, fromat: csv}}
map:
  identifiers: {mobil: phone}
  loyaltyType: {value: loyalty, as: text}
rules: {filter: status = 3}
destination:
  host: https://eu.api.capillarytech.com
  auth: {oauth: {key: ${KEY}}}
  timeout: 5
name: again
"""
    lines = [problem.split(": ")[:2] for problem in told(text)]
    assert lines == [
        ["1", "name"],
        ["2", "mode"],
        ["3", "nme"],
        ["4", "source.customers.fromat"],
        ["6", "map.identifiers.mobil"],
        ["7", "map.loyaltyType"],
        ["8", "rules.filter"],
        ["10", "destination.host"],
        ["11", "destination.auth.oauth.secret"],
        ["12", "destination.timeout"],
        ["13", "name"],
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (small(new="mod: sync"), "8: mod: unknown key; nearest is 'mode'; allowed here: name, mode, source,"),
        (small("externalId: m", "mobil: m"), "4: map.identifiers.mobil: unknown word; nearest is 'mobile'; allowed he"),
        (small("  identifiers", "  first_name: a\n  identifiers"), "4: map.first_name: unknown key; nearest is 'first"),
        (small("  identifiers", "  firstName: {kolumn: a}\n  identifiers"), "4: map.firstName.kolumn: unknown key; ne"),
        (small(new="mode: snyc"), "8: mode: must be 'sync' or 'migrate'; nearest is 'sync'"),
        (small("eu.api", "https://eu.api"), "6: destination.host: must be a host's name alone, such as eu.api."),
        (small("host: eu.api.capillarytech.com", "url: eu.api"), "6: destination.url: must be http:// or https:// and"),
        (small(new="window: {from: 1:30, to: '05:00'}"), '8: window.from: must be a time from "00:00" to "23:59"'),
        (small(new="locale: {country: in}"), "8: locale.country: must be a country's two capital letters, such as IN"),
        (small(new="locale: {country: UK}"), "8: locale.country: must be a country of ISO 3166, such as IN, or GB for"),
        (small(new="locale: {timezone: Asia/Kolkatta}"), "8: locale.timezone: must be a zone's IANA name, such as"),
        (small(new="locale: {timezone: Asia}"), "8: locale.timezone: must be a zone's IANA name, such as"),
        (small("name: small", "name: ' '"), "1: name: must be letters, digits, dots, dashes and underscores, at most"),
        (small(new="limits: {in_flight: many}"), "8: limits.in_flight: must be a whole number"),
        (small(new="limits: {in_flight: 0}"), "8: limits.in_flight: must be greater than or equal to 1"),
        (small(new="rules: {nulls: kleer}"), "8: rules.nulls: must be 'omit' or 'clear' or a table of words, one a li"),
        (small(new="rules: {nulls: {firstName: kleer}}"), "8: rules.nulls.firstName: must be 'omit' or 'clear'; neare"),
        (small("{externalId: member_no}", "[a]"), "4: map.identifiers: must be a table of words, one a line"),
        (small("{externalId: member_no}", "{}"), "4: map.identifiers: must not be empty"),
        (small("externalId: member_no", "externalId: 5"), "4: map.identifiers.externalId: must be a column's name"),
        (small("  identifiers", "  firstName: {value: [1]}\n  identifiers"), "4: map.firstName.value: must be text or"),
        (small("  identifiers", "  fields: {'a;b': c}\n  identifiers"), "4: map.fields.a;b: must be a name without ;"),
        (small("{oauth: {key: ${KEY}, secret: ${SECRET}}}", "none"), "7: destination.auth: must be a table of oauth,"),
        (small("{oauth: {key: ${KEY}, secret: ${SECRET}}}", "{}"), "7: destination.auth: give either oauth or basic"),
        (small("host: eu.api.capillarytech.com", "path: /v2"), "5: destination: give either host or url"),
        (small("{files: customers.csv}", "{}"), "2: source.customers: give either files or database"),
        (small("{files: customers.csv}", "{files: a, query: b}"), "2: source.customers.query: goes with database, not"),
        (small("{files: customers.csv}", "{files: a}, more: {files: b}"), "2: source.more: say how it meets the first"),
        (small("{files: customers.csv}", "{files: a, join: {on: b}}"), "2: source.customers: the first table leads; i"),
        (small("{files: customers.csv}", f"{BY_SINCE}, kids: {{files: b, nest: {{on: c}}}}"),
         "2: source.customers.since: kids nests, and its children whose parent did not change would be orphans; read"),
        (small(new="rules: {duplicates: {keep: latest}}"), "8: rules.duplicates: write keep: latest together with by:"),
        (small(new="rules: {filter: status = 3}"), "8: rules.filter: not an expression near column 8; allowed are and"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_and_in_words(text, problem):
    (said,) = [said for said in told(text) if "not supported yet" not in said]
    assert said.startswith(problem)


@pytest.mark.parametrize(
    ("identifiers", "problem"),
    [
        ("mobile: {value: '9845012345'}", "map.identifiers.mobile: give a column; one value for all would merge all"),
        (
            "mobile: {column: phone, default: '1'}",
            "map.identifiers.mobile: an identifier has no default; it would merge",
        ),
        ("cardnumber: card", "map.identifiers.cardnumber: a card needs its series: give seriesCode or seriesId"),
        (
            "mobile: {column: phone, seriesCode: s}",
            "map.identifiers.mobile: only cardnumber has a series, a status and",
        ),
    ],
)
def test_an_identifier_that_would_merge_or_fail_is_refused(identifiers, problem):
    (said,) = told(small("externalId: member_no", identifiers))
    assert said.startswith(f"4: {problem}")


def test_what_does_not_work_yet_names_the_way_out():
    (said,) = told(small(new="run: {workers: dask}"))
    assert "run.workers: dask is not supported yet; use threads or processes" in said


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("database: '${URL}'", "source.c: a database needs a query, or a query_file"),
        ("database: '${URL}', query: q, query_file: f", "source.c: a database needs a query, or a query_file"),
        ("database: postgresql://u:secret@h/d, query: q", "source.c.database: a secret is not written here; write"),
        ("database: '${URL}', query: q, ready: .ok", "source.c.ready: goes with files, not with database"),
        ("files: a, since: {column: c}", "source.c.since: goes with database, not with files"),
        ("files: a, match: '['", "source.c.match: must be a regular expression; unterminated"),
        ("files: a, format: fixed", "source.c: write format: fixed together with fixed:"),
        ("files: a, format: fixed, fixed: {a: 5-}", "source.c.fixed.a: must be the first and the last character"),
        ("database: '${URL}', query: q, since: {column: c, overlap: soon}", "source.c.since.overlap: must be"),
    ],
)  # fmt: skip
def test_a_source_has_the_words_of_its_kind(source, problem):
    written = small("source: {customers: {files: customers.csv}}", f"source: {{c: {{{source}}}}}")
    (said,) = told(written, {**ENVIRONMENT, "URL": "sqlite:///a.db"})
    assert problem in said


def test_a_database_without_a_password_may_stand_in_the_job_file():
    written = "source: {customers: {database: 'sqlite:///crm.db', query: select 1}}"
    assert (
        read_job(small("source: {customers: {files: customers.csv}}", written), ENVIRONMENT).source["customers"].query
    )


def test_enrolments_need_the_destinations_consent():
    text = small("  identifiers", "  loyaltyProgramEnrollments: [{programId: {value: 1016}}]\n  identifiers")
    assert "set destination.enrollments: true" in told(text)[0]


def test_norway_is_a_country_and_no_is_a_word():
    job = read_job(small(new="locale: {country: NO}"), ENVIRONMENT)
    assert job.locale.country == "NO"


def test_every_missing_name_is_told_and_nothing_else():
    assert told(SMALL, {}) == [
        "7: destination.auth.oauth.key: set KEY in the environment",
        "7: destination.auth.oauth.secret: set SECRET in the environment",
    ]


def test_an_empty_secret_is_told_as_the_environments():
    assert told(SMALL, {"KEY": "k", "SECRET": ""}) == [
        "7: destination.auth.oauth.secret: the environment gives it no value"
    ]


def test_a_secret_in_clear_is_refused():
    assert told(small("${SECRET}", "hunter2")) == [
        "7: destination.auth.oauth.secret: a secret is not written here; write ${NAME} and set NAME in the environment"
    ]


def planted_everywhere(value, secret, path=()):
    """The tree once per leaf, with the secret in that leaf's place."""
    if not isinstance(value, (dict, list)):
        yield path, secret
        return
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        for where, planted in planted_everywhere(child, secret, (*path, key)):
            whole = value.copy()
            whole[key] = planted
            yield where, whole


@pytest.mark.parametrize("secret", ["hunter2", "${PLANTED}", "https://me:hunter2@host/x"])
def test_a_secret_planted_anywhere_is_never_shown(secret):
    tree = read_yaml(DOCUMENTED, {name: f"${{{name}}}" for name in ENVIRONMENT}).value
    for path, planted in planted_everywhere(tree, secret):
        shown = told(json.dumps(planted), ENVIRONMENT | {"PLANTED": "hunter2"})
        if path != ("rules", "filter") or secret == "${PLANTED}":  # a filter in clear is quoted: it is a formula
            assert "hunter2" not in " ".join(shown), path


@pytest.mark.parametrize(
    "auth",
    [
        "hunter2",
        "{oauth: hunter2}",
        "{basic: 'till:hunter2'}",
        "{oauth: {key: ${KEY}, secret:hunter2}}",
        "{oauth: {key: ${KEY}, secret=hunter2}}",
        "{oauth: {key: ${KEY}, secret: [hunter2]}}",
        "{oauth: {key: ${KEY}, secret: {value: hunter2}}}",
        "{oauth: {key: ${KEY}, secret: !hunter2!x y}}",
        "{oauth: {key: ${KEY}, secret: *hunter2}}",
        "{oauth: {key: ${KEY}, secret: @hunter2}}",
        "{oauth: {key: ${KEY}, secret: hunter2",
        "{basic: {till: ${KEY}, password: ${hunter2!}}}",
    ],
)
def test_a_badly_written_secret_is_not_shown(auth):
    problems = told(small("{oauth: {key: ${KEY}, secret: ${SECRET}}}", auth))
    assert problems
    assert "hunter2" not in " ".join(problems)


@pytest.mark.parametrize("text", ["", "- a\n- b", "just words", "42"])
def test_what_is_no_mapping_is_no_job(text):
    assert told(text) == ["1: a job file is a mapping of name, source, map and destination; this one is not"]


def test_a_file_that_is_not_yaml_is_told_with_its_line():
    assert told("name: x\nsource: [a\n") == [
        "3: not YAML: while parsing a flow sequence, expected ',' or ']', but got '<stream end>'"
    ]
