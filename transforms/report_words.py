"""What a run's numbers are in words: a verdict, what is left to do, what cleaning changed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.outcomes import Fate
from schemas.runs import Change, Doubtful, RunReport
from transforms.report_charts import count
from transforms.report_letter import letter
from transforms.totals import additions

LEFT_OUT = (Fate.UNREADABLE, Fate.INVALID, Fate.CONFLICT)
FOR_A_PERSON = (Fate.IN_DOUBT, Fate.REFUSED)
GUARD_EXIT = 3
# What ended the run decides what a person does about it; the numbers are the command line's exit codes.
AFTER_STOP = {
    1: ("This is a bug: keep the run's folder and report it with run.json; then go on from where it stands.", "resume"),
    2: ("Mend what the sentence above names, then run the job again.", ""),
    3: (
        "Look at the reasons below. If the data is right, raise the guard in the job file and go on from where it "
        "stands; nothing is sent twice. If it is not, correct the source and run the job again.",
        "resume",
    ),
    4: ("Go on from where it stands; nothing is sent twice.", "resume"),
}
TARGETS = {
    "mobile": ("mobile", "mobiles"),
    "email": ("e-mail address", "e-mail addresses"),
    "externalId": ("external id", "external ids"),
    "cardnumber": ("card number", "card numbers"),
    "firstName": ("first name", "first names"),
    "lastName": ("last name", "last names"),
    "dob": ("date of birth", "dates of birth"),
}
# Kinds of change whose name says too little; the others read as "had their capitals lowered". Said of several.
KINDS = {
    "blank_spelled_out": "were empty in words, such as n/a",
    "country_code_added": "got their country code",
    "currency_removed": "lost their currency sign",
    "date_rewritten": "were rewritten as year-month-day",
    "decimal_comma": "had their decimal comma turned into a point",
    "dropped_placeholder": "were dropped: placeholders, such as 9999999999 or na@na.com",
    "dropped_widely_shared": "were dropped: shared by more customers than the job allows",
    "digits_folded": "had their digits turned into 0 to 9",
    "invisible_removed": "lost characters that cannot be seen",
    "national_form_rewritten": "were rewritten in international form",
    "quoting_unwrapped": "lost the quoting of a spreadsheet",
    "scientific_expanded": "were written out in full (9.1E+09)",
    "space_replaced": "had their unusual spaces replaced",
    "time_dropped": "lost their time of day",
    "trimmed": "lost the spaces around them",
    "value_dropped": "were dropped: the job's values do not have them",
    "value_translated": "were replaced as the job's values say",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing for a person: what there is, why, what to do; `urgent` when it should not wait.

    `doubts` are rows that it is about. `letter` is what to send to somebody who knows more; it comes with `answers`:
    what may come back, and the command for each.
    """

    title: str
    why: str
    do: str
    command: str = ""
    urgent: bool = True
    doubts: tuple[Doubtful, ...] = ()
    letter: str = ""
    answers: tuple[tuple[str, str], ...] = ()


def verdict(report: RunReport) -> str:
    """What became of how many rows, and whether anything needs a person; two sentences."""
    return f"{_outcome(report)} {_need(report)}"


def steps(report: RunReport) -> list[Step]:
    """What is left to do, the riskiest first."""
    return [
        *_imbalances(report),
        *_in_doubt(report),
        *_refused(report),
        *_unsent(report),
        *_at_leisure(report),
        *_unmatched(report),
    ]


def change_sentence(change: Change) -> str:
    """ "1,204 mobiles got their country code"."""
    leaf = re.split(r"[./]", change.target)[-1]
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", leaf).replace("_", " ").lower() or "other"
    one, many = TARGETS.get(leaf, (f"{words} value", f"{words} values"))
    said = KINDS.get(change.kind) or _said(change.kind)
    if change.rows == 1:
        for several, single in (("their", "its"), ("them", "it"), ("were", "was")):
            said = re.sub(rf"\b{several}\b", single, said)
    return f"{_of(change.rows, one, many)} {said}"


def _said(kind: str) -> str:
    if kind.startswith("dropped_"):
        return f"were dropped: {kind.removeprefix('dropped_').replace('_', ' ')}"
    what, _, done = kind.rpartition("_")
    return f"had their {what.replace('_', ' ')} {done}" if what else f"were {done}"


def _of(number: int, one: str, many: str) -> str:
    return f"{count(number)} {one if number == 1 else many}"


def _rows(number: int) -> str:
    return _of(number, "row", "rows")


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _rejected(report: RunReport) -> str:
    return report.files.get("rejected", "rejected.csv")


def sum_of(report: RunReport, *fates: Fate) -> int:
    """Rows that ended in any of these fates."""
    return sum(report.totals.rows.get(fate, 0) for fate in fates)


def _outcome(report: RunReport) -> str:
    read, loaded = report.totals.read, sum_of(report, Fate.ACCEPTED, Fate.ACCEPTED_WITH_LOSS)
    if report.state != "done" and not report.requests.sent:
        return f"{_ended(report)} before anything was sent."
    if not read:
        return "The source held no rows, so there was nothing to load."
    lost, unchanged = sum_of(report, Fate.ACCEPTED_WITH_LOSS), sum_of(report, Fate.UNCHANGED)
    aside, unsent = sum_of(report, Fate.FILTERED, Fate.DUPLICATE), sum_of(report, Fate.NOT_SENT)
    none = "had to be loaded" if unchanged + aside == read else "is loaded"
    parts = [f"{count(loaded)} of {_rows(read)} {_are(loaded)} loaded" if loaded else f"None of {_rows(read)} {none}"]
    parts += [f"{count(unchanged)} {_are(unchanged)} unchanged"] if unchanged else []
    parts += [f"{count(aside)} {_are(aside)} set aside as the job asks"] if aside else []
    parts += [f"{count(unsent)} {_are(unsent)} still to be sent"] if unsent else []
    parts[0] += f" ({count(lost)} with a part dropped)" if lost else ""
    told = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{told}." if report.state == "done" else f"{_ended(report)} before its end: {told}."


def _ended(report: RunReport) -> str:
    by_guard = report.state == "stopped" and report.exit_code == GUARD_EXIT
    return "A guard stopped the run" if by_guard else f"The run {report.state}"


def _need(report: RunReport) -> str:
    wrong, person = sum_of(report, *LEFT_OUT), sum_of(report, *FOR_A_PERSON)
    needs = f"{count(person)} {'needs' if person == 1 else 'need'} a person" if person else ""
    ended = "the stop" if report.state == "stopped" else "the failure"
    if wrong:
        were = "was" if wrong == 1 else "were"
        rest = needs or ("nothing else needs a person" if report.state == "done" else f"and {ended} needs a person")
        return f"{_rows(wrong)} {were} left out because something in {'it' if wrong == 1 else 'them'} is wrong, {rest}."
    if needs:
        return f"{_rows(person)} {needs.split(' ', 1)[1]}."
    return "Nothing needs a person." if report.state == "done" else f"{ended.capitalize()} needs a person."


def _imbalances(report: RunReport) -> Iterator[Step]:
    for sum_ in additions(report.totals):
        if sum_.difference:
            yield Step(
                f"The {sum_.unit} do not balance",
                f"{count(sum_.read)} read, {count(sum_.total)} accounted for.",
                "This is a bug: keep the run's folder and report it with run.json.",
            )


def _in_doubt(report: RunReport) -> Iterator[Step]:
    if rows := sum_of(report, Fate.IN_DOUBT):
        carried = [
            f"{count(points)} of programme {programme}"
            for programme, per_fate in report.totals.points.items()
            if (points := per_fate.get(Fate.IN_DOUBT, 0))
        ]
        why = "Sent, but no readable answer says what became of them. They are not sent again by themselves" + (
            f": points would be credited twice ({', '.join(carried)})." if carried else "."
        )
        yield _to_settle(report, rows, why)


def _to_settle(report: RunReport, rows: int, why: str) -> Step:
    """Rows that an earlier run sent are settled there, and in no other run."""
    title, settle = f"{_rows(rows)} in doubt", f"bulkload settle {report.run}"
    earlier = rows - sum(request.rows for request in report.doubtful_requests)
    elsewhere = (
        f"{_rows(earlier)} {'was' if earlier == 1 else 'were'} sent by an earlier run, whose report has time and "
        f"request id: settle that run (bulkload runs lists all); then bulkload retry {report.run} sends "
        f"{'this row' if earlier == 1 else 'these rows'}."
    )
    if earlier == rows:
        return Step(title, why, elsewhere, "bulkload runs", doubts=report.doubts)
    do = "Look them up at the API, or send the text below to Capillary's support and record what they say."
    answers = (
        ("All of them were applied:", f"{settle} --as accepted"),
        ("None of them was applied:", f"{settle} --as not-sent"),
        ("Some of them were, or nobody can say: look each customer up:", settle),
    )
    do = f"{do} {elsewhere}" if earlier else do
    return Step(title, why, do, settle, doubts=report.doubts, letter=letter(report), answers=answers)


def _refused(report: RunReport) -> Iterator[Step]:
    if rows := sum_of(report, Fate.REFUSED):
        yield Step(
            f"{_rows(rows)} refused by the API",
            "Nothing of them was applied; the reasons are below.",
            f"Correct them in {_rejected(report)}, or have the API's side mended; then send them again.",
            f"bulkload retry {report.run}",
        )


def _unsent(report: RunReport) -> Iterator[Step]:
    rows = sum_of(report, Fate.NOT_SENT)
    if not rows and report.state == "done":
        if report.stopped_because:
            yield Step("A guard is broken", report.stopped_because, "All of it was sent. Look at the reasons below.")
        return
    title = f"{_rows(rows)} not sent" if rows else f"The run {report.state}"
    do, verb = AFTER_STOP.get(report.exit_code, AFTER_STOP[4])
    why = report.stopped_because or "The run ended before them."
    yield Step(title, why, do, f"bulkload {verb} {report.run}" if verb else "")


def _at_leisure(report: RunReport) -> Iterator[Step]:
    if rows := sum_of(report, *LEFT_OUT):
        yield Step(
            f"{_rows(rows)} left out before sending",
            "Something in them is missing, wrong or shared with another customer; the reasons are below.",
            _mend_left_out(report),
            f"bulkload retry {report.run}" if sum_of(report, *LEFT_OUT) > sum_of(report, Fate.UNREADABLE) else "",
            urgent=False,
        )
    if rows := sum_of(report, Fate.ACCEPTED_WITH_LOSS):
        yield Step(
            f"{_rows(rows)} accepted with a loss",
            "The API stored the customer and dropped a part; the reasons below say which.",
            "Mend the mapping or the source, so that the next run carries the part again.",
            urgent=False,
        )


def _mend_left_out(report: RunReport) -> str:
    """Where the rows that were left out lie: those that are no rows have a place of their own."""
    lines = report.files.get("unreadable", "unreadable-lines") if sum_of(report, Fate.UNREADABLE) else ""
    rows = _rejected(report) if sum_of(report, *LEFT_OUT) > sum_of(report, Fate.UNREADABLE) else ""
    both = " and ".join(place for place in (rows, lines) if place)
    again = [*(["send the rows again"] if rows else []), *(["run a job that reads the lines"] if lines else [])]
    return f"Correct them in {both} when there is time, then {' and '.join(again)}."


def _unmatched(report: RunReport) -> Iterator[Step]:
    folder = report.files.get("unreadable")
    for table, rows in report.unmatched.items():
        if rows:
            lines = f"; lines that could not be read are in {folder}, in files named {table}-…" if folder else ""
            yield Step(
                f"{_rows(rows)} of {table} not used",
                f"{'It belongs' if rows == 1 else 'They belong'} to no row that was read of the leading table, "
                f"or could not be read; points in {'it' if rows == 1 else 'them'} were not sent.",
                f"Look for keys of {table} that the leading table does not have{lines}.",
                urgent=False,
            )
