"""The sample holds what its README says, byte for byte; the messy file is as large, unique and messy as asked."""

import csv
import io
import json
import re
from collections import Counter

import phonenumbers
import pytest

from benchmarks import generate
from benchmarks.naive import naive_load, naive_prepare, naive_token, orjson_ceiling
from connectors.sandbox.server import run_sandbox
from transforms.job_file import read_job
from transforms.mapping import template_of

JOBS = generate.ROOT / "data" / "jobs"
FILES = {name: (generate.SAMPLES / name).read_bytes() for name in ("customers.csv", "loyalty.csv", "README.md")}


def lines_of(raw: bytes) -> list[list[str]]:
    """Every record, whatever its width; a byte that is no UTF-8 becomes U+FFFD."""
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig", "replace"), newline="")))


HEADER, *LINES = lines_of(FILES["customers.csv"])
GOOD = [dict(zip(HEADER, line, strict=True)) for line in LINES if len(line) == len(HEADER)]
ROWS = [row for row in GOOD if "\ufffd" not in row["first_name"]]
LOYALTY = [dict(row) for row in csv.DictReader(io.StringIO(FILES["loyalty.csv"].decode()))]


def mobile(text: str) -> str | None:
    """What a patient person reads: digits of any script, country code or not."""
    text = text.strip()
    if re.fullmatch(r"\d\.\d{9}E9", text):
        text = text[0] + text[2:-2]
    text = "".join(str(int(c)) if c.isdecimal() else c for c in text.removesuffix(".0"))
    try:
        number = phonenumbers.parse(text, "IN")
    except phonenumbers.NumberParseException:
        return None
    is_mobile = phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if is_mobile else None


@pytest.mark.parametrize("name", FILES)
def test_committed_sample_is_what_the_script_makes(name):
    """After changing planted.yaml: python -m benchmarks.generate samples."""
    assert generate.sample_files()[name] == FILES[name]


def test_sample_has_two_thousand_lines_of_which_three_are_no_rows():
    widths = Counter(len(line) - len(HEADER) for line in LINES)
    assert widths == {0: 1998, -5: 1, 2: 1}
    assert len(GOOD) - len(ROWS) == 1


def test_customers_file_has_a_byte_order_mark_and_crlf_line_ends():
    assert FILES["customers.csv"].startswith(b"\xef\xbb\xbfmember_no,")
    bare = re.findall(rb"(?<!\r)\n", FILES["customers.csv"])
    assert len(bare) == 2  # inside the two quoted names
    assert b"\r" not in FILES["loyalty.csv"]


@pytest.mark.parametrize(
    ("column", "text", "rows"),
    [
        ("status", "INACTIVE", 24),
        ("member_no", r"\s*|NULL|n/a", 4),
        ("member_no", r"X\d{7}", 12),
        ("member_no", r"[\s\xa0]+\d+|\d+\s+", 3),
        ("phone", r"\s*|NULL|n/a|-", 5),
        ("phone", r"9\.1\d{4}E\+11", 3),
        ("phone", r"\d\.\d{9}E9", 8),
        ("phone", r"\+91 \d{5}-\d{5}", 260),
        ("phone", r"[6-9]\d{9}\.0", 60),
        ("phone", r"[٠-٩]{10}", 4),
        ("phone", r"(\+91 )?[०-९]{10}", 4),
        ("phone", r"\+(44|971) [\d ]+", 2),
        ("email", "mailto:.+", 6),
        ("email", r"[^a-z]*[A-Z][^a-z]*@EXAMPLE\.[A-Z]+", 120),
        ("last_name", "O'Brien", 2),
        ("first_name", 'Anil "Sunny", Jr', 2),
        ("first_name", "Anna\nMaria", 2),
        ("first_name", r".{101,}", 2),
        ("birth_date", r"(12\.31|06/24).+", 6),
        ("birth_date", r"(31|29)/02/199.", 4),
        ("birth_date", r"\d{4,5}", 24),
        ("sex", r"\?", 8),
        ("sms_ok", "maybe", 6),
        ("kids", r"two|one|3\+", 6),
        ("till", r"till\.(goa\.09|blr\.99)", 5),
        ("store", "GOI-09", 5),
        ("card_series", "PLATINUM", 3),
        ("card_no", r"\d{19}", 120),
        ("card_no", r"00\d+", 80),
    ],
)  # fmt: skip
def test_customers_file_holds_the_planted_rows(column, text, rows):
    assert sum(re.fullmatch(text, row[column], re.ASCII) is not None for row in ROWS) == rows


@pytest.mark.parametrize(
    ("column", "text", "rows"),
    [
        ("points", r"-.+", 3),
        ("points", r"abc|see card", 2),
        ("points", r"[٠-٩]+", 4),
        ("tier", "٣", 2),
        ("tier_until", r"31/02/2036|2037-02-30", 2),
        ("tier_until", r"31/12/2019", 1),
        ("member_no", r"0999\d{3}", 6),
        ("member_no", r"X\d{7}", None),
    ],
)
def test_loyalty_file_holds_the_planted_rows(column, text, rows):
    found = sum(re.fullmatch(text, row[column]) is not None for row in LOYALTY)
    assert found == rows if rows is not None else 0 < found <= 12


def test_eighteen_rows_are_older_copies_of_their_member():
    newest = Counter(row["member_no"].strip() for row in ROWS if re.search(r"\d", row["member_no"]))
    assert sum(count - 1 for count in newest.values()) == 18
    assert max(newest.values()) == 2


def test_loyalty_has_one_row_per_member_and_not_all_members():
    members = {row["member_no"] for row in ROWS}
    told = [row["member_no"] for row in LOYALTY]
    assert len(told) == len(set(told))
    assert len(set(told) - members) == 6
    assert 100 < len(members - set(told)) < 500


@pytest.mark.parametrize(("column", "reads"), [("phone", mobile), ("email", lambda t: t), ("card_no", lambda t: t)])
def test_no_two_members_share_an_identifier(column, reads):
    owners: dict[str, set[str]] = {}
    for row in ROWS:
        value = reads(row[column].strip().lower().removeprefix("mailto:")) if column == "email" else reads(row[column])
        if value and value not in ("null", "n/a", "-"):
            owners.setdefault(value, set()).add(row["member_no"].strip())
    assert {value for value, members in owners.items() if len(members) > 1} == set()


def test_every_mobile_is_indian_and_valid_but_for_the_planted_ones():
    planted = {"invalid": 18, "of another country": 2}
    read = [mobile(row["phone"]) for row in ROWS]
    assert sum(value is None or not value.startswith("+91") for value in read) == sum(planted.values())


def test_readme_accounts_for_every_row():
    readme = FILES["README.md"].decode()
    fates = dict(re.findall(r"^\| (\w+) \| ([\d,]+) \|$", readme, re.MULTILINE))
    counts = {fate: int(rows.replace(",", "")) for fate, rows in fates.items()}
    assert counts.pop("all") == sum(counts.values()) == len(LINES)
    assert 0.93 < counts["accepted"] / len(LINES) < 0.95


def test_demo_job_reads_without_an_environment_and_finds_its_columns():
    job = read_job((JOBS / "demo.yaml").read_text(encoding="utf-8"), {})
    for table in job.source.values():
        assert (JOBS / str(table.files)).is_file()
    assert {c.source for c in template_of(job).columns()} <= {*HEADER, *LOYALTY[0]}


def test_minimal_job_needs_key_and_secret_only():
    text = (JOBS / "minimal.yaml").read_text(encoding="utf-8")
    job = read_job(text, {"CAPILLARY_KEY": "k", "CAPILLARY_SECRET": "s"})
    assert job.destination.host == "eu.api.capillarytech.com"


# ---- the messy file


def messy_rows(rows: int, seed: int = 1) -> list[dict[str, str]]:
    text = b"".join(generate.messy_chunks(rows, seed)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_messy_file_has_the_rows_asked_for_across_pieces(monkeypatch):
    monkeypatch.setattr(generate, "CHUNK", 400)
    rows = messy_rows(1_001)
    assert len(rows) == 1_001
    assert {len(row) for row in rows} == {24}


def test_messy_members_and_mobiles_are_unique_and_about_98_in_100_good():
    rows = messy_rows(20_000)
    members = [row["member_no"] for row in rows if row["member_no"]]
    mobiles = [found for row in rows if (found := mobile(row["phone"]))]
    assert len(set(members)) == len(members)
    assert len(set(mobiles)) == len(mobiles)
    good = [row for row in rows if row["member_no"] and mobile(row["phone"]) and row["points"] != "abc"]
    assert 0.97 < len(good) / len(rows) < 0.99


def test_a_seed_gives_the_same_bytes_and_another_the_same_members():
    first, again, other = (messy_rows(500, seed) for seed in (1, 1, 2))
    assert first == again != other
    own = [{row["member_no"] for row in rows} - {""} for rows in (first, other)]
    assert len(own[0] & own[1]) > 490


def test_more_rows_than_mobiles_are_refused():
    with pytest.raises(ValueError, match="there are mobiles for"):
        next(generate.messy_chunks(generate.SPACE + 1, 1))


def test_messy_job_names_the_file_and_maps_every_column(tmp_path):
    data, job_file = tmp_path / "m.csv", tmp_path / "m.yaml"
    generate.main(["messy", "--rows", "10", "-o", str(data), "--job", str(job_file)])
    job = read_job(job_file.read_text(encoding="utf-8"), {})
    assert job.source["customers"].files == str(data)
    header = data.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert {column.source for column in template_of(job).columns()} == set(header)


# ---- the contrast


def test_naive_script_sends_what_it_can_read(tmp_path):
    data = tmp_path / "m.csv"
    data.write_bytes(b"".join(generate.messy_chunks(300, 1)))
    prepared = naive_prepare(data)
    with run_sandbox() as sandbox:
        sandbox.preload(person["profiles"][0]["identifiers"][0]["value"] for person in prepared)
        counts = naive_load(data, sandbox.url, token=naive_token(sandbox.url, "demo", "demo-secret"))
    assert counts == {"sent": len(prepared), "errors": 0}
    assert 285 < len(prepared) < 300


def test_ceiling_counts_objects_per_cpu_second():
    assert orjson_ceiling([json.loads('{"profiles": []}')] * 1_000) > 1_000
