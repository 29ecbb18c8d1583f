"""Reasons that are ours, not the API's: what their codes mean and what to do about them.

A code is `subject.why`: the subject is a word of the mapping ("mobile"), `why` one of these.
"""

from schemas.family_reasons import FAMILIES
from schemas.meanings import Meaning

_CORRECT = "Correct the value in rejected.csv, or map another column."

WHOLE: dict[str, Meaning] = {
    "identifiers.missing": Meaning(
        "No identifier is left that could tell whose row this is.",
        "Add a mobile, an e-mail or another mapped identifier.",
    ),
    "key.missing": Meaning("The key column is empty.", "Fill in the column that `key` names."),
    "join.several_rows": Meaning(
        "A joined table has more than one row for this customer.", "Keep one row per customer in the joined table."
    ),
    "filter.undecided": Meaning(
        "The filter compares a value that cannot be read.", "Correct the value, or filter by another column."
    ),
    "payload.too_large": Meaning(
        "The customer alone is larger than a request may be.", "Shorten its values, or raise limits.bytes_per_request."
    ),
    "points_id.missing": Meaning(
        "The row has points, and the column that `points_id` names is empty.",
        "Fill it in: a credit is sent once per customer, programme and this value.",
    ),
    "points.differ_from_credited": Meaning(
        "An earlier run of this job credited other points than these to this customer under the same statement.",
        "A statement is credited once; give a correction a statement of its own in the column that `points_id` names.",
    ),
    "points.credited_without_statement": Meaning(
        "This job credited the customer before it had a `points_id`; whether this statement is that credit or another "
        "one cannot be told.",
        "Where it is another credit, `bulkload retry` sends it; where it is the same, leave its points empty.",
    ),
    "points.another_statement": Meaning(
        "Another row of the same customer stands for this one, and credits the points of another statement.",
        "One statement per customer and file; `bulkload retry` sends this one, with its other values too.",
    ),
    "customer.forgotten": Meaning(
        "This customer was erased by `bulkload forget`; this job sends nothing of them any more.",
        "Take the customer out of the source.",
    ),
    "refused.earlier_run": Meaning(
        "The API refused this very row in an earlier run of this job; neither row nor mapping has changed since.",
        "Correct the row; once the API's side is mended, `bulkload retry` sends it as it is.",
    ),
    "in_doubt.earlier_run": Meaning(
        "An earlier run of this job sent it or its points, and no answer said what became of that.",
        "Ask Capillary's support, with the earlier run's time and request id in its results.parquet, and settle that "
        "run; then `bulkload retry` sends this row.",
    ),
    "duplicates.another_row": Meaning(
        "Another row of the same customer stands for this one.", "Nothing to do; rules.duplicates chose the row."
    ),
    "identity.shared": Meaning(
        "It has an identifier that another customer of this file has too; the API would merge the two for good.",
        "Correct whichever is wrong, or leave the identifier empty; the report lists who shares what.",
    ),
    "identity.of_another": Meaning(
        "It has an identifier of another customer whom an earlier run of this job loaded; "
        "the API would merge the two for good.",
        "Correct it, or leave the identifier empty; if it has changed hands, move it at the API first.",
    ),
    "duplicates.several_rows": Meaning(
        "The customer has several rows, and rules.duplicates keeps none.", "Keep one row per customer."
    ),
}

WHY: dict[str, Meaning] = {
    "missing": Meaning("{subject} is required, and missing.", "Fill it in, or take `required` out of the job file."),
    "too_long": Meaning("{subject} is longer than the API keeps.", "Shorten it: the API would cut it without a word."),
    "too_short": Meaning("{subject} is too short to be one.", _CORRECT),
    "too_small": Meaning("{subject} is smaller than allowed.", _CORRECT),
    "not_allowed": Meaning(
        "{subject} is none of the words the API knows.", "Translate it with `values:` in the mapping."
    ),
    "placeholder": Meaning(
        "{subject} is a placeholder, such as 9999999999 or na@na.com, and nobody's own.",
        "Fill in the customer's own, or leave it empty.",
    ),
    "widely_shared": Meaning(
        "{subject} belongs to more customers than rules.placeholder_above allows, so it is nobody's own.",
        "Fill in the customer's own or leave it empty; if all of them share it rightly, raise rules.placeholder_above.",
    ),
    "not_in_values": Meaning("{subject} is not in its table of values.", "Add it to `values:`, or say `other: keep`."),
    "character_not_allowed": Meaning("{subject} holds a character the API does not take.", _CORRECT),
    "in_the_future": Meaning("{subject} lies in the future.", _CORRECT),
    "in_the_past": Meaning(
        "{subject} lies in the past.", "Correct the date; points that have expired cannot be credited."
    ),
    "not_a_number": Meaning("{subject} is no number.", _CORRECT),
    "not_whole": Meaning("{subject} is no whole number.", _CORRECT),
    "out_of_range": Meaning("{subject} is out of any sensible range.", _CORRECT),
    "not_a_date": Meaning("{subject} is no date in the order the job names.", "Correct it, or look at locale.dates."),
    "not_a_boolean": Meaning("{subject} is neither yes nor no.", _CORRECT),
    "not_a_gender": Meaning("{subject} is none of the known words.", "Translate it with `values:` in the mapping."),
    "not_an_address": Meaning("{subject} is no e-mail address.", _CORRECT),
    "not_a_mobile": Meaning("{subject} is a phone number, but not a mobile's.", _CORRECT),
    "wrong_for_country": Meaning(
        "{subject} is no number that its country gives out.", "Correct it, or look at locale.country."
    ),
    "country_unknown": Meaning(
        "{subject} does not tell its country.",
        "Say locale.country, or write the number with its country code, as in +91.",
    ),
    "not_a_time": Meaning("{subject} has a time of day that no clock shows.", _CORRECT),
    "epoch_not_allowed": Meaning(
        "{subject} is a bare number that could count days or seconds.", "Write dates as yyyy-mm-dd."
    ),
    "damaged_by_spreadsheet": Meaning(
        "{subject} lost digits in a spreadsheet (9.1E+11).",
        "Export the column again as text; the digits are gone from this file.",
    ),
    "several_numbers": Meaning("{subject} holds several numbers; which one counts is not guessed.", "Keep one."),
    "several_addresses": Meaning("{subject} holds several addresses; which one counts is not guessed.", "Keep one."),
    "ambiguous": Meaning(
        "{subject} can be read in two ways and is not guessed.", "Say locale.dates, or write yyyy-mm-dd."
    ),
    "year_has_two_digits": Meaning("{subject} has a year of two digits.", "Write years with four digits."),
    "ambiguous_time": Meaning(
        "{subject} happened twice that night (clocks went back).", "Add the offset, as in +01:00."
    ),
    "nonexistent_time": Meaning("{subject} never happened (clocks went forward).", "Add the offset, as in +01:00."),
}

LINES: dict[str, Meaning] = {
    "line.too_few_columns": Meaning(
        "The line has fewer columns than the header, or ends before its last column of fixed width.",
        "Look at the line in the folder `unreadable-lines` and correct it there.",
    ),
    "line.too_many_columns": Meaning(
        "The line has more columns than the header, or goes on behind its last column of fixed width.",
        "Quote the value that holds the delimiter, or correct `fixed`, in the folder `unreadable-lines`.",
    ),
    "line.not_json": Meaning("The line is no JSON.", "Correct the line in the folder `unreadable-lines`."),
    "line.not_an_object": Meaning(
        "The line is JSON, but no object with a customer's values.",
        "Correct the line in the folder `unreadable-lines`.",
    ),
    "line.duplicate_key": Meaning(
        "The line gives one key twice; which one counts is not guessed.",
        "Keep one of them, in the folder `unreadable-lines`.",
    ),
    "line.wrong_encoding": Meaning(
        "The line holds bytes that are no text in the file's encoding.", "Say csv.encoding, or correct the line."
    ),
}

_LOOK = "Look the customer up before sending it again; it may have been applied."
_ASK = "Ask Capillary's support, naming the time and the request id, before sending it again."

# What an answer was like, where it was none of the API's own words (transforms/replies.py).
ANSWERS: dict[str, Meaning] = {
    "no_answer": Meaning("The request left, and no whole answer came back.", _ASK),
    "process_died": Meaning("The loader died between sending and hearing.", _LOOK),
    "empty": Meaning("The answer was empty.", _ASK),
    "html": Meaning("The answer was a page of HTML, as gateways write it, and not the API's.", _ASK),
    "not_json": Meaning("The answer was no JSON.", _ASK),
    "broken_json": Meaning("The answer began as JSON and was cut short or damaged.", _ASK),
    "unknown_shape": Meaning("The answer has a shape that nobody has documented.", _ASK),
    "row_count": Meaning("The answer tells of more or fewer customers than were sent.", _ASK),
    "sums": Meaning("The answer's own sums do not add up.", _ASK),
    "shuffled": Meaning("The answer speaks of other customers than were sent in its places.", _ASK),
    "empty_error": Meaning("The API answered with an error that says nothing.", _LOOK),
    "unmatched": Meaning("The answer does not say which customer it means.", _LOOK),
    "unreadable": Meaning("The answer for this customer has no known shape.", _LOOK),
    "child_count": Meaning("The answer's count of children does not add up.", _LOOK),
    "family.not_told": Meaning(
        "The answer speaks of the customer in whose element this one was sent, and says nothing of this one.", _LOOK
    ),
    "batch_error": Meaning(
        "The API refused the whole request for the sake of one of its customers.", "Send the customer again alone."
    ),
}

_DECIDE = (
    "Ask Capillary's support whether the request of this time and request id was applied, then "
    "`bulkload settle RUN --as accepted` or `--as not-sent`."
)

# What became of a row in doubt when its customer was looked up (transforms/lookup.py).
LOOKS: dict[str, Meaning] = {
    "looked_up": Meaning("No answer said so, but the customer was looked up and has what was sent.", "Nothing."),
    "look_up.part_missing": Meaning(
        "The customer was looked up: the points were credited, and of the rest not everything is there.",
        "Compare the stored customer with the row, and send what is missing by a job without points.",
    ),
    "look_up.untouched": Meaning(
        "The customer was looked up twice, or by a person, and nothing of the row was there.",
        "Nothing where the row is sent again; a member of a family goes only with its parent: `bulkload retry RUN`.",
    ),
    "look_up.not_confirmed": Meaning(
        "The customer was looked up twice, and only the second time nothing of the row was there.",
        "Run `bulkload settle RUN`, which looks again.",
    ),
    "look_up.no_identifier": Meaning(
        "The row has no identifier by which the API can be asked for its customer.",
        f"Map a mobile, an e-mail or an external id too. {_DECIDE}",
    ),
    "look_up.unreadable": Meaning(
        "The customer could not be looked up.",
        "Check that these credentials may read customers and points, then run `bulkload settle RUN`.",
    ),
    "look_up.ledger_unreadable": Meaning(
        "The customer's points ledger cannot be read back to the time of the request, or does not tell its zone.",
        _DECIDE,
    ),
    "look_up.clock_unknown": Meaning(
        "The API's answers do not tell its time, so that before and after the request cannot be told apart.", _DECIDE
    ),
    "look_up.customer_differs": Meaning(
        "The customer is not as the row wants it, and was written to since the request or at an unknown time.",
        f"Look at the stored customer. {_DECIDE}",
    ),
    "look_up.family_not_seen": Meaning("The customer is there; whether the family is, no read tells.", _DECIDE),
    "look_up.credit_not_seen": Meaning(
        "The points are not in the customer's ledger, or not all of them, and may still be booked.",
        f"Run `bulkload settle RUN` later, which looks again. {_DECIDE}",
    ),
    "look_up.other_credits": Meaning(
        "Since the request the customer's ledger has other credits than the row's, or more of them.", _DECIDE
    ),
    "look_up.other_customer": Meaning(
        "Another identifier of the row leads to another customer, or may: the points may have gone there.", _DECIDE
    ),
    "look_up.merged": Meaning(
        "The customer was merged into another, who does not have the row's identifiers.",
        f"Look at the surviving customer. {_DECIDE}",
    ),
}


def explain_ours(code: str) -> Meaning:
    """Cause and fix of one of our codes; one that has no words yet is told by its name."""
    known = WHOLE | FAMILIES | LINES | ANSWERS | LOOKS
    if code in known:
        return known[code]
    if code.startswith("http_"):
        return Meaning(f"The API answered HTTP {code.removeprefix('http_')} and did not say why.", _ASK)
    kind, _, detail = code.partition(": ")
    if detail and kind in ANSWERS:
        return Meaning(f"{ANSWERS[kind].cause.rstrip('.')}: {detail}.", ANSWERS[kind].fix)
    subject, _, why = code.rpartition(".")
    meaning = WHY.get(why, Meaning("{subject}: " + why.replace("_", " ") + ".", _CORRECT))
    return Meaning(meaning.cause.format(subject=subject or "the row"), meaning.fix)


def is_of_a_value(code: str) -> bool:
    """Whether the code tells what cleaning found in a value, and so nothing of what became of the row when sent."""
    return code.rpartition(".")[2] in WHY
