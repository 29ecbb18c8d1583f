"""`bulkload init`: what it writes and says, and that a job it wrote loads the source it was written for."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from transforms.job_file import read_job

ROOT = Path(__file__).parent.parent.parent
SAMPLE = ROOT / "data" / "samples" / "customers.csv"
ENVIRONMENT = {"CAPILLARY_KEY": "k", "CAPILLARY_SECRET": "s"}
MOBILES = ["7012345001", "8012345002", "9012345003", "9512345004", "+91 99123 45005", "8812345006", "9812345007"]
CUSTOMERS = "member_no,phone,first_name,e-mail\n" + "".join(
    f"C-{n},{mobile},Asha,qxzv{n}@planted.example\n" for n, mobile in enumerate(MOBILES, 1)
)


@pytest.fixture
def here(desk, monkeypatch):
    """The desk, and its folder as the working directory."""
    monkeypatch.chdir(desk.folder)
    return desk


def read(path: Path):
    return read_job(path.read_text(encoding="utf-8"), ENVIRONMENT)


def columns(job) -> dict[str, str | None]:
    """What a job maps, flat."""
    return {
        **{f"identifiers.{word}": value.column for word, value in job.map.identifiers.items()},
        **{word: value.column for word, value in job.map.extended_fields.items()},
        "firstName": job.map.first_name and job.map.first_name.column,
        "lastName": job.map.last_name and job.map.last_name.column,
        "associatedWith": job.map.associated_with and job.map.associated_with.column,
        "createDate": job.map.create_date and job.map.create_date.column,
    }


def zipped(name: str, content: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(name, content)
    return archive.getvalue()


# what is written


def test_the_sample_gets_nearly_the_job_that_people_wrote_for_it(here):
    assert here.say("init", str(SAMPLE)).exit_code == 0
    guessed = read(here.folder / "customers.yaml")
    written = read_job((ROOT / "data/jobs/demo.yaml").read_text(encoding="utf-8"), ENVIRONMENT)
    assert columns(guessed) == columns(written)
    assert guessed.locale == written.locale
    assert (guessed.key, guessed.rules.duplicates) == (written.key, written.rules.duplicates)
    # Codes become names only by a table that somebody writes, and consent is nobody's to guess.
    assert (guessed.map.extended_fields["city"].values, guessed.map.comm_channels) == (None, {})


def test_the_file_is_found_from_where_the_job_lies(here):
    here.write("customers.csv", CUSTOMERS)
    (here.folder / "jobs").mkdir()
    assert here.say("init", "customers.csv", "-o", "jobs/mine.yaml").exit_code == 0
    job = here.folder / "jobs" / "mine.yaml"
    assert read(job).source["customers"].files == "../customers.csv"


def test_a_job_that_is_there_is_not_overwritten(here):
    here.write("customers.csv", CUSTOMERS)
    here.write("customers.yaml", "mine")
    refused = here.say("init", "customers.csv")
    assert (refused.exit_code, (here.folder / "customers.yaml").read_text()) == (2, "mine")
    assert (
        refused.stderr == "customers.yaml exists, and is not overwritten; name another file with -o, or move it away\n"
    )


def test_a_folder_that_is_not_there_is_told_before_anything_is_looked_at(here):
    refused = here.say("init", "missing.csv", "-o", "jobs/mine.yaml")
    assert refused.stderr == "jobs/mine.yaml: there is no folder jobs; make it, or name another file with -o\n"


def test_stdout_gets_the_job_and_nothing_else(here):
    here.write("customers.csv", CUSTOMERS)
    told = here.say("init", "customers.csv", "-o", "-")
    assert read_job(told.stdout, ENVIRONMENT).key == "member_no"
    assert sorted(path.name for path in here.folder.iterdir()) == ["customers.csv"]


def test_delimiter_and_encoding_are_pinned(here):
    here.write("kunden.txt", CUSTOMERS.replace(",", ";").encode("utf-16"))
    assert here.say("init", "kunden.txt").exit_code == 0
    assert read(here.folder / "kunden.yaml").source["customers"].csv.model_dump(exclude_unset=True) == {
        "delimiter": ";",
        "encoding": "utf-16-le",
    }


def test_a_file_without_a_header_gets_names_and_none_of_its_values(here):
    here.write("customers.csv", CUSTOMERS.partition("\n")[2])
    told = here.say("init", "customers.csv")
    text = (here.folder / "customers.yaml").read_text(encoding="utf-8")
    assert read(here.folder / "customers.yaml").source["customers"].csv.columns == [f"column_{n}" for n in range(1, 5)]
    assert "qxzv" not in text + told.stdout
    assert columns(read(here.folder / "customers.yaml"))["identifiers.email"] == "column_4"


def test_a_first_row_without_numbers_is_told_from_a_header_by_values_that_come_again(here):
    here.write("customers.csv", "".join(f"Qxzv{n},Rao,BLR,{n}\n" for n in range(60)))
    told = here.say("init", "customers.csv")
    assert told.exit_code == 0
    assert "Qxzv0" not in (here.folder / "customers.yaml").read_text(encoding="utf-8") + told.stdout


def test_lines_of_fixed_width_are_refused_without_a_word_of_them(here):
    here.write("customers.dat", "".join(f"M{n:06}98450{n:05}{'Qxzv Rao':<20}{n:>8}\n" for n in range(60)))
    refused = here.say("init", "customers.dat")
    assert refused.exit_code == 2
    assert "write the job with format: fixed, and in fixed: where each column begins and ends" in refused.stderr
    assert "Qxzv" not in refused.stdout + refused.stderr


def test_files_in_different_encodings_are_each_found_out_again(here):
    more = "".join(f"C-{n},98123450{n},Zoë{n}élan,q{n}@planted.example\n" for n in range(10, 40))
    here.write("in_1.csv", CUSTOMERS + more)
    here.write("in_2.csv", (CUSTOMERS + more).encode("cp1252"))
    assert here.say("init", "in_*.csv", "-o", "in.yaml").exit_code == 0
    csv = read(here.folder / "in.yaml").source["customers"].csv
    assert csv.model_dump(exclude_unset=True) == {"delimiter": ","}


def test_an_encoding_that_was_found_out_is_told_with_its_reason(here):
    more = "".join(f"C-{n},98123450{n},Zoë{n}élan,q{n}@planted.example\n" for n in range(10, 40))
    here.write("customers.csv", (CUSTOMERS + more).encode("cp1252"))
    assert here.say("init", "customers.csv").exit_code == 0
    assert read(here.folder / "customers.yaml").source["customers"].csv.encoding == "cp1252"
    assert "read as cp1252, found out by its bytes" in (here.folder / "customers.yaml").read_text(encoding="utf-8")


# formats


def _parquet(path: Path) -> None:
    rows = [line.split(",") for line in CUSTOMERS.splitlines()]
    pq.write_table(pa.table({name: values for name, *values in zip(*rows, strict=True)}), path)


def _json_lines(path: Path) -> None:
    header, *rows = (line.split(",") for line in CUSTOMERS.splitlines())
    path.write_text("".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("customers.csv", lambda path: path.write_text(CUSTOMERS)),
        ("customers.tsv", lambda path: path.write_text(CUSTOMERS.replace(",", "\t"))),
        ("customers.export", lambda path: path.write_text(CUSTOMERS.replace(",", "|"))),
        ("customers.csv.gz", lambda path: path.write_bytes(gzip.compress(CUSTOMERS.encode()))),
        ("customers.parquet", _parquet),
        ("customers.jsonl", _json_lines),
    ],
)
def test_every_format_gets_the_same_mapping(here, name, write):
    write(here.folder / name)
    assert here.say("init", name).exit_code == 0
    job = read(here.folder / "customers.yaml")
    assert {word: value.column for word, value in job.map.identifiers.items()} == {
        "externalId": "member_no",
        "mobile": "phone",
        "email": "e-mail",
    }
    assert (job.locale.country, job.key) == ("IN", "member_no")


def test_a_workbooks_sheet_can_be_chosen(here):
    book = openpyxl.Workbook()
    book.active.append(["nothing", "here"])
    sheet = book.create_sheet("Members 2024")
    for line in CUSTOMERS.splitlines():
        sheet.append(line.split(","))
    book.save(here.folder / "crm.xlsx")
    unsaid = here.say("init", "crm.xlsx")
    assert (unsaid.exit_code, "Members 2024" in unsaid.stderr) == (2, True)
    assert here.say("init", "crm.xlsx", "--table", "Members 2024").exit_code == 0
    job = read(here.folder / "crm.yaml")
    assert (job.key, job.source["customers"].xlsx.sheet) == ("member_no", "Members 2024")


def test_the_table_in_an_archive_is_looked_at(here):
    here.write("in.zip", zipped("customers.csv", CUSTOMERS))
    assert here.say("init", "in.zip").exit_code == 0
    assert read(here.folder / "in.yaml").key == "member_no"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("nothing.csv", "member_no,phone\n", "there are no rows to look at"),
        ("empty.csv", "", "the file is empty"),
        ("missing.csv", None, "does not exist"),
        ("${HOME}.csv", CUSTOMERS, "give it another name"),
        ("rows.zip", zipped("rows.csv", CUSTOMERS.partition("\n")[2]), "the first row holds values"),
    ],
)
def test_a_source_that_tells_nothing_is_refused(here, name, content, problem):
    if content is not None:
        here.write(name, content)
    refused = here.say("init", name, "-o", "job.yaml")
    assert refused.exit_code == 2
    assert problem in refused.stderr
    assert not (here.folder / "job.yaml").exists()


# what is said


def test_it_says_what_would_become_of_the_rows(here):
    here.write("customers.csv", CUSTOMERS + ",9812345008,Asha,qxzv8@planted.example\nC-9,98,Asha,qxzv9\nC-10,9812345\n")
    told = here.say("init", "customers.csv")
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    assert lines[0] == "customers.yaml: 4 of 4 columns are mapped; the rest stands there as comments"
    assert (
        "Of 10 rows looked at: would be sent 8, invalid 1 (externalId.missing 1), no rows but broken lines 1" in lines
    )
    assert "Values that rows are sent without: email.not_an_address 1, mobile.too_short 1" in lines
    assert [line.split()[1] for line in lines if line.startswith("  bulkload")] == ["preview", "check", "plan"]


def test_a_tool_gets_one_object_with_the_guesses(here):
    here.write("customers.csv", CUSTOMERS)
    told = here.say("init", "customers.csv", "--json").told
    assert told["job_file"] == "customers.yaml"
    assert told["rows"] == {"read": 7, "unreadable": 0, "sent": 7, "invalid": {}, "left_out": {}}
    assert [(one["target"], one["column"], one["mapped"]) for one in told["guesses"]] == [
        ("identifiers.externalId", "member_no", True),
        ("identifiers.mobile", "phone", True),
        ("identifiers.email", "e-mail", True),
        ("firstName", "first_name", True),
    ]
    assert told["locale"]["country"]["value"] == "IN"


def test_nobody_is_told_a_customers_value(here):
    here.write("customers.csv", CUSTOMERS.replace("Asha", "Qxzvname") + "C-1,9999999999,Qxzv,qxzv@@planted\n")
    told = here.say("init", "customers.csv")
    text = (here.folder / "customers.yaml").read_text(encoding="utf-8")
    for planted in ("qxzv", "planted", *(mobile[-8:] for mobile in MOBILES), "99999"):
        assert planted not in (text + told.stdout + told.stderr).lower()


# from the job to the API


def test_a_job_that_init_wrote_loads_the_sample(here, monkeypatch):
    assert here.say("init", str(SAMPLE)).exit_code == 0
    job = yaml.safe_load((here.folder / "customers.yaml").read_text(encoding="utf-8"))
    del job["destination"]["host"]
    job["destination"] |= {"url": "${E2E_URL}"}
    job["limits"] = {"requests_per_minute": 60_000, "rows_per_request": 100}
    here.write("sandbox.yaml", yaml.safe_dump(job))
    monkeypatch.setenv("CAPILLARY_KEY", "demo")
    monkeypatch.setenv("CAPILLARY_SECRET", "demo-secret")
    assert here.say("check", "sandbox.yaml").exit_code == 0
    shown = here.say("preview", "sandbox.yaml", "-n", "3", "--json").told["rows"]
    assert [row["fate"] for row in shown] == ["to be sent"] * 3
    assert shown[0]["payload"]["profiles"][0]["firstName"] == "Farhan"
    planned = {fate: rows for fate, rows in here("plan", "sandbox.yaml").told["rows"].items() if rows}
    assert planned == {"read": 2000, "unreadable": 3, "invalid": 4, "duplicate": 18, "not_sent": 1975}
