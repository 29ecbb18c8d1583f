"""The commands of the command line: what they print, what they leave, how they end."""

import gzip
import json
import socket
import subprocess
import sys

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CUSTOMERS = "member_no,phone,first_name,points\nC-1,9845000001,asha,5\nC-2,98450,Ravi,7\nC-3,9845000003,Uma,\n"


def payloads(desk, run: str) -> list[bytes | None]:
    """What the run would send, row by row."""
    folder = desk.home / run / "prepared"
    return [row for file in sorted(folder.iterdir()) for row in pq.read_table(file)["payload"].to_pylist()]


# plan, and its application


def test_a_plan_says_what_would_be_sent(desk):
    desk.write("customers.csv", CUSTOMERS)
    plan = desk("plan", desk.job(map={"identifiers": {"mobile": {"column": "phone", "required": True}}}))
    assert plan.exit_code == 0
    assert {fate: rows for fate, rows in plan.told["rows"].items() if rows} == {"read": 3, "invalid": 1, "not_sent": 2}
    assert plan.told["points"] == {"1016": {"read": 12, "invalid": 7, "not_sent": 5}}
    assert plan.told["requests"] == 2
    assert [(one["file"], one["rows"]) for one in plan.told["sources"]] == [("customers.csv", 3)]
    assert json.loads((desk.of(plan) / "plan.json").read_text()) == plan.told
    assert desk.books.requests() == []


def test_an_applied_plan_sends_exactly_what_it_showed(desk):
    desk.source(12)
    job = desk.job()
    plan = desk("plan", job)
    run = desk("run", job, "--plan", plan.told["run"])
    assert (run.exit_code, run.told["run"], run.sent) == (0, plan.told["run"], {"accepted": 12})
    assert run.told["requests"]["sent"] == plan.told["requests"]
    assert desk.agrees(run)


def test_a_plan_is_applied_only_once(desk):
    desk.source(5)
    job = desk.job()
    plan = desk("plan", job).told["run"]
    assert desk("run", job, "--plan", plan).exit_code == 0
    again = desk("run", job, "--plan", plan)
    assert (again.exit_code, again.told["problems"]) == (
        2, [f"--plan {plan}: it is done; `bulkload plan` makes a new plan"],
    )  # fmt: skip
    assert desk.books.written_twice() == []


def test_a_limited_plan_stays_limited_when_applied(desk):
    desk.source(12)
    job = desk.job()
    plan = desk("plan", job, "--limit", "4")
    run = desk("run", job, "--plan", plan.told["run"])
    assert (run.told["rows"]["read"], run.sent) == (4, {"accepted": 4})
    assert desk.agrees(run)


@pytest.mark.parametrize("change", ["source", "job", "limit", "unknown", "folder"])
def test_a_plan_whose_input_changed_is_refused(desk, change):
    desk.source(5)
    job = desk.job()
    plan = desk("plan", job).told["run"]
    words = ["run", job, "--plan", plan]
    if change == "source":
        desk.write("customers.csv", CUSTOMERS)
    elif change == "job":
        desk.job(firstName=None, map={"lastName": "first_name"})
    elif change == "limit":
        words += ["--limit", "3"]
    elif change == "unknown":
        words[-1] = "20200101-000000-e2e"
    else:
        (desk.home / plan / "prepared.json").unlink()
    run = desk(*words)
    assert run.exit_code == 2
    assert run.told["problems"]
    assert desk.books.requests("/v2/bulk") == []


@pytest.mark.parametrize(
    ("over", "named"),
    [
        ({"map": {"lastName": "first_name"}}, "map"),
        ({"rules": {"bad_optional": "reject"}, "mode": "sync", "map": {"loyaltyProgramEnrollments": None}},
         "mode, map, rules"),
        ({"locale": {"dates": "iso"}}, "locale"),
        ({"source": {"customers": {"csv": {"encoding": "cp1252"}}}}, "source"),
        ({"key": "phone", "destination": {"account_id": "7"}}, "key, destination"),
        ({"limits": {"bytes_per_request": 5000}}, "limits.bytes_per_request"),
    ],
)  # fmt: skip
def test_a_changed_job_file_is_refused_with_what_changed(desk, over, named):
    desk.source(5)
    plan = desk("plan", desk.job()).told["run"]
    run = desk("run", desk.job(**over), "--plan", plan)
    assert (run.exit_code, run.told["problems"]) == (
        2, [f"run {plan}: job.yaml ({named}) changed since it was planned; `bulkload run` starts anew"],
    )  # fmt: skip


def test_what_does_not_decide_what_is_sent_may_change(desk, monkeypatch):
    desk.source(5)
    plan = desk("plan", desk.job()).told["run"]
    monkeypatch.setenv("OTHER_SECRET", "demo-secret")
    auth = {"oauth": {"key": "${E2E_KEY}", "secret": "${OTHER_SECRET}"}}
    slower = {"requests_per_minute": 30_000, "rows_per_request": 2, "in_flight": 1, "timeout_s": 5, "attempts": 1}
    job = desk.job(
        limits=slower, guards={"min_rows": 1}, run={"part_rows": 100, "workers": "processes"},
        destination={"auth": auth},
    )  # fmt: skip
    run = desk("run", job, "--plan", plan)
    assert (run.exit_code, run.sent, run.told["requests"]["sent"]) == (0, {"accepted": 5}, 3)


def test_every_changed_file_and_section_is_named(desk):
    header, *rows = CUSTOMERS.splitlines(keepends=True)
    for place, row in enumerate(rows):
        desk.write(f"customers_{place}.csv", header + row)
    files = {"customers": {"files": "customers_*.csv"}}
    plan = desk("plan", desk.job(source=files)).told["run"]
    desk.write("customers_1.csv", header + rows[0])
    (desk.folder / "customers_2.csv").unlink()
    desk.write("customers_3.csv", header + rows[2])
    run = desk("run", desk.job(source=files, name="other"), "--plan", plan)
    told = [problem.split(": ")[1].split(" changed")[0] for problem in run.told["problems"]]
    assert told == ["customers_1.csv", "customers_2.csv", "customers_3.csv", "job.yaml (name)"]


def test_a_plan_of_an_older_version_says_so(desk):
    desk.source(5)
    job = desk.job()
    plan = desk("plan", job)
    prepared = desk.of(plan) / "prepared.json"
    old = {name: kept for name, kept in json.loads(prepared.read_text()).items() if name != "sections"}
    prepared.write_text(json.dumps(old))
    desk.job(map={"lastName": "first_name"})
    run = desk("run", job, "--plan", plan.told["run"])
    assert run.told["problems"] == [f"run {plan.told['run']}: an older bulkload planned it; `bulkload run` starts anew"]


# looking


def test_a_preview_shows_rows_before_and_after(desk):
    desk.write("customers.csv", CUSTOMERS)
    shown = desk("preview", desk.job(), "-n", "2")
    first, second = shown.told["rows"]
    assert first["before"] == {"member_no": "C-1", "phone": "9845000001", "first_name": "asha", "points": "5"}
    assert (first["line"], first["fate"], first["codes"]) == (2, "to be sent", [])
    assert first["payload"]["profiles"][0]["identifiers"] == [
        {"type": "externalId", "value": "C-1"}, {"type": "mobile", "value": "919845000001"},
    ]  # fmt: skip
    assert second["codes"] == ["mobile.too_short"]
    assert desk.books.requests() == []
    assert not desk.home.exists()


def test_a_preview_shows_consent_only_where_it_was_given(desk):
    flags = ["yes", "no", "", "unknown", "perhaps"]
    desk.write("customers.csv", "member_no,sms\n" + "".join(f"C-{n},{flag}\n" for n, flag in enumerate(flags)))
    channel = {"column": "member_no", "primary": True, "subscribed": "sms", "verified": {"column": "sms"}}
    mapping = {"identifiers": {"mobile": None}, "firstName": None, "loyaltyProgramEnrollments": None}
    shown = desk("preview", desk.job(map=mapping | {"commChannels": {"android": channel}})).told["rows"]
    sent = [row["payload"]["profiles"][0]["commChannels"][0] for row in shown]
    assert [(one.get("subscribed"), one.get("verified"), one["primary"]) for one in sent] == [
        (True, True, True), (False, False, True), (None, None, True), (None, None, True), (None, None, True),
    ]  # fmt: skip
    assert [row["codes"] for row in shown] == [[]] * 4 + [["subscribed.not_a_boolean", "verified.not_a_boolean"]]


def test_a_check_tells_what_the_mapping_leaves_out(desk):
    desk.write("customers.csv", CUSTOMERS)
    checked = desk("check", desk.job(map={"loyaltyProgramEnrollments": None, "fields": {"shoe_size": "points"}}))
    assert checked.exit_code == 0
    assert (checked.told["ok"], checked.told["unused_columns"]) == (True, {"customers": []})
    assert checked.told["warnings"] == [
        "fields: the organisation lists no 'shoe_size'; the API would drop it without a word"
    ]
    assert desk.books.requests("/v2/bulk") == []


def test_a_check_names_columns_that_nobody_maps(desk):
    desk.write("customers.csv", CUSTOMERS)
    checked = desk("check", desk.job(map={"firstName": None}))
    assert checked.told["unused_columns"] == {"customers": ["first_name"]}


# past runs


def test_a_past_run_is_told_again_and_listed(desk):
    desk.source(5)
    first, second = desk.run(), desk.run(limits={"attempts": 2})
    assert desk("report").told == second.told
    assert desk("report", first.told["run"]).told == first.told
    listed = desk("runs").told["runs"]
    assert [one["run"] for one in listed] == [second.told["run"], first.told["run"]]
    assert (listed[0]["state"], listed[0]["exit_code"], listed[0]["rows"]) == ("done", 0, second.told["rows"])


def test_a_home_without_runs_is_told_kindly(desk):
    assert desk("runs").told == {"runs": []}
    assert desk("report").exit_code == 2
    assert "no run yet" in desk("report").stderr


def test_a_run_that_failed_has_no_report_and_says_so(desk):
    desk.write("customers.csv", CUSTOMERS)
    plan = desk("plan", desk.job()).told["run"]
    assert "has no report" in desk("report", plan).stderr
    assert desk("report", "nobody").exit_code == 2


def test_the_schema_is_one_json_schema(desk):
    schema = json.loads(desk.say("schema").stdout)
    assert schema["$schema"].endswith("2020-12/schema")
    assert {"name", "source", "map", "destination"} == set(schema["required"])


# words that every command takes


def test_quiet_says_nothing_but_errors(desk):
    desk.source(5)
    run = desk.say("run", desk.job(), "--home", str(desk.home), "--quiet")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "", "")
    run = desk.say("run", desk.job(nmae="x"), "--home", str(desk.home), "--quiet")
    assert run.exit_code == 2
    assert "unknown key" in run.stderr


def test_without_json_stdout_says_where_the_report_is(desk):
    desk.source(5)
    run = desk.say("run", desk.job(), "--home", str(desk.home))
    (report,) = desk.home.glob("*/report.html")
    assert run.stdout == f"report: {report}\n"
    assert "Sending: 5 rows" in run.stderr
    assert "Plan: 5 of 5 rows, 15 points in 1 requests to http://127.0.0.1:" in run.stderr
    assert "5 of 5 rows are loaded" in run.stderr


def test_the_home_may_come_from_the_environment(desk, monkeypatch):
    desk.source(5)
    monkeypatch.setenv("BULKLOAD_HOME", str(desk.folder / "elsewhere"))
    assert desk.say("run", desk.job(), "--quiet").exit_code == 0
    assert (desk.folder / "elsewhere" / "ledger.sqlite").exists()


def test_a_limit_reads_only_the_first_rows(desk):
    desk.write("customers.csv", CUSTOMERS.replace("C-2,98450,Ravi,7\n", "broken\nC-2,9845000002,Ravi,7\nalso broken\n"))
    desk.sandbox.preload(["C-1", "C-2", "C-3"])
    run = desk("run", desk.job(), "--limit", "2")
    assert (run.exit_code, run.told["rows"]["read"]) == (0, 3)
    assert run.sent == {"unreadable": 1, "accepted": 2}
    assert desk.agrees(run)


# the same rows, however they come


def test_other_formats_give_the_same_payload_bytes(desk):
    rows = [dict(zip(("member_no", "phone", "first_name", "points"), line.split(","), strict=True))
            for line in CUSTOMERS.splitlines()[1:]]  # fmt: skip
    sources = {
        "customers.csv": CUSTOMERS.encode(),
        "customers.csv.gz": gzip.compress(CUSTOMERS.encode()),
        "customers.tsv": CUSTOMERS.replace(",", "\t").encode(),
        "customers.jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
    }
    for name, content in sources.items():
        desk.write(name, content)
    pq.write_table(pa.Table.from_pylist(rows), desk.folder / "customers.parquet")
    told = {
        name: payloads(desk, desk("plan", desk.job(source={"customers": {"files": name}})).told["run"])
        for name in (*sources, "customers.parquet")
    }
    assert len({tuple(rows) for rows in told.values()}) == 1, told
    assert len(told["customers.csv"]) == 3


def test_several_files_are_one_source_in_order(desk):
    header, *rows = CUSTOMERS.splitlines(keepends=True)
    desk.write("customers_2.csv", header + rows[2])
    desk.write("customers_1.csv", header + rows[0] + rows[1])
    desk.sandbox.preload(["C-1", "C-2", "C-3"])
    run = desk.run(source={"customers": {"files": "customers_*.csv"}})
    assert run.sent == {"accepted": 3}
    assert [(row["file"], row["line"]) for row in desk.results(run)] == [
        ("customers_1.csv", 2), ("customers_1.csv", 3), ("customers_2.csv", 2),
    ]  # fmt: skip


@pytest.mark.slow
def test_processes_and_threads_prepare_the_same_bytes(desk):
    desk.source(250)
    threads = desk.run(run={"part_rows": 100})
    processes = desk.run(name="processes", run={"part_rows": 100, "workers": "processes"})
    assert payloads(desk, threads.told["run"]) == payloads(desk, processes.told["run"])
    assert threads.told["rows"] == processes.told["rows"]


def test_parts_of_any_size_end_alike(desk):
    desk.source(450)
    whole, parts = desk.run(), desk.run(name="parts", run={"part_rows": 100})
    assert (whole.told["rows"], whole.points) == (parts.told["rows"], parts.points)
    assert payloads(desk, whole.told["run"]) == payloads(desk, parts.told["run"])
    assert len(list(desk.of(parts).glob("rows/*"))) == 5


# the sandbox as a command


@pytest.mark.slow
def test_the_sandbox_serves_until_a_signal():
    words = [sys.executable, "-c", "from flows.cli import main; main()", "sandbox", "--port", "0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        told = json.loads("".join(iter(serving.stdout.readline, "}\n")) + "}")
        books = httpx.get(f"{told['url']}/sandbox/books").json()
        serving.terminate()
        rest, errors = serving.communicate(timeout=20)
    assert (serving.returncode, rest, errors) == (0, "", "")
    assert (told["key"], books["customers"]) == ("demo", 0)


def test_a_taken_port_is_told(desk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = desk.say("sandbox", "--port", str(port), "--json")
    assert (ended.exit_code, ended.told["problems"]) == (
        2, [f"port {port}: Address already in use; --port 0 takes a free one"],
    )  # fmt: skip


def test_an_unknown_fault_is_told_with_the_known_ones(desk):
    ended = desk.say("sandbox", "--port", "0", "--fault", "meteor")
    assert ended.exit_code == 2
    assert "fault 'meteor' is not known; allowed are 429, 500" in ended.stderr


# as a process of its own


@pytest.mark.slow
def test_a_script_gets_an_exit_code_and_one_json_object(desk_with):
    desk = desk_with("lost:1")
    desk.source(12)
    words = ["run", desk.job(), "--home", str(desk.home), "--json"]
    command = [sys.executable, "-c", "from flows.cli import main; main()", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (5, "")
    assert json.loads(ended.stdout) == desk("report").told
