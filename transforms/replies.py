"""An answer of the bulk API becomes one verdict on the batch, and one reply per row where it speaks of rows.

Rows are matched by position and identifier, which must agree. What is not certain is in doubt.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from schemas.codes import NO_CODE, CodeClass, Operation
from schemas.outcomes import BatchReply, Fate, RowReply, Verdict
from schemas.replies import Answer, Element, Envelope, Problem, Sent, count, read_answer, stated
from transforms.reply_families import read_family
from transforms.reply_rows import (
    Echoes,
    EmptyErrorPolicy,
    Judged,
    Terms,
    doubted,
    fate_of_warnings,
    has_failed,
    judge_error,
    judge_warning,
    read_row,
)

# Here the status alone decides, whatever the body says.
_BY_STATUS = {
    401: Verdict.UNAUTHENTICATED,
    404: Verdict.MISCONFIGURED,
    405: Verdict.MISCONFIGURED,
    406: Verdict.MISCONFIGURED,
    408: Verdict.IN_DOUBT,  # a gateway may say so of a request that it had passed on
    410: Verdict.MISCONFIGURED,
    413: Verdict.TOO_LARGE,
    414: Verdict.MISCONFIGURED,
    415: Verdict.MISCONFIGURED,
    429: Verdict.THROTTLED,
    431: Verdict.MISCONFIGURED,
    499: Verdict.IN_DOUBT,  # as 408
}
# What a refusal of the whole batch means by the class of its worst code, the worst first.
_BY_CLASS = {
    CodeClass.RECONCILE: Verdict.IN_DOUBT,
    CodeClass.UNKNOWN: Verdict.IN_DOUBT,
    CodeClass.AUTH: Verdict.UNAUTHENTICATED,
    CodeClass.CONFIG: Verdict.MISCONFIGURED,
    CodeClass.LIMIT: Verdict.TOO_LARGE,
    CodeClass.DATA: Verdict.REFUSED,
    CodeClass.SETUP: Verdict.REFUSED,
    CodeClass.DUPLICATE: Verdict.REFUSED,
    CodeClass.DONE: Verdict.REFUSED,
    CodeClass.RETRY: Verdict.LATER,
}
_WORST_FIRST = list(_BY_CLASS)
_FATES_WORST_FIRST = [Fate.IN_DOUBT, Fate.ACCEPTED_WITH_LOSS, Fate.ACCEPTED]


def read_reply(
    status: int,
    body: bytes,
    sent: Sequence[Sent],
    operation: Operation,
    empty_error_policy: EmptyErrorPolicy = "reconcile",
    *,
    points: bool = False,
    children: Sequence[Sequence[Sent]] = (),
) -> BatchReply:
    """Read one answer; `sent` holds the identifiers of each row in batch order. Whatever came, it does not raise.

    `empty_error_policy` says what an error without code and text (`"errors": [{}]`) makes of its row; `points`
    says that the batch credits points: an applied row is then in doubt where theirs is not known. `children` holds
    those of each row's children, who get replies of their own; it is empty where no row has any.
    """
    answer = read_answer(body)
    refusal = _refusal(answer, operation)
    # 1060 comes with any status, and neither it nor 401 is about single rows.
    if {kind for _, kind in refusal} in ({CodeClass.LIMIT}, {CodeClass.AUTH}):
        return _by_worst_code(refusal)
    elements = _elements(status, answer, len(sent))
    if elements is not None:
        reply = _read_rows(answer, elements, sent, children, Terms(operation, empty_error_policy, points))
        is_plain_refusal = 400 <= status < 500 and (refusal or not elements)
        if reply.verdict is Verdict.ANSWERED or not is_plain_refusal:
            return reply
    return _read_whole(status, answer, refusal)


def _elements(status: int, answer: Answer, n_sent: int) -> Sequence[Element | None] | None:
    """What the answer says row by row; None where it does not, or where the status is not the API's own."""
    is_read = 200 <= status < 300 or status in (500, 521) or (400 <= status < 500 and status not in _BY_STATUS)
    if not is_read or status == 403:
        return None
    if answer.elements is not None and (answer.elements or not answer.whole.errors):
        return answer.elements
    # A lone error under 400 or 521 is the batch's, even a batch of one.
    is_a_row = answer.whole.names_a_customer or (answer.whole.errors and (status < 300 or status == 500))
    return [answer.whole] if n_sent == 1 and is_a_row else None


# The batch as a whole


def _refusal(answer: Answer, operation: Operation) -> list[Judged]:
    """The codes of an answer that holds nothing but errors; none where a part of it speaks of something else."""
    if answer.elements:
        if not all(element and element.all_errors for element in answer.elements):
            return []
        errors = [problem for element in answer.elements if element for problem in element.all_errors]
    else:
        errors = [] if answer.whole.names_a_customer else stated(answer.whole.errors)
    return [judge_error(problem, operation) for problem in errors if not problem.is_empty]


def _by_worst_code(refusal: list[Judged]) -> BatchReply:
    code, kind = min(refusal, key=lambda judged: _WORST_FIRST.index(judged[1]))
    return BatchReply(_BY_CLASS[kind], code)


def _read_whole(status: int, answer: Answer, refusal: list[Judged]) -> BatchReply:
    """The verdict where no row can be told from another (contract: section 4.2)."""
    if 200 <= status < 300:
        flaw = answer.flaw or "unknown_shape"
        return _by_worst_code(refusal) if refusal else BatchReply(Verdict.IN_DOUBT, flaw)
    code = next((code for code, _ in refusal if code != NO_CODE), f"http_{status}")
    if status in _BY_STATUS:
        return BatchReply(_BY_STATUS[status], code)
    if 400 <= status < 500 and status != 403:
        return _read_bad_request(status, answer, refusal, code)
    return BatchReply(_by_text(status, answer, refusal), code)


def _read_bad_request(status: int, answer: Answer, refusal: list[Judged], code: str) -> BatchReply:
    """4xx: not applied, unless the body says that it may have been, or might say so if it were whole."""
    if answer.flaw == "broken_json":
        return BatchReply(Verdict.IN_DOUBT, answer.flaw)
    if status == 461:
        return BatchReply(Verdict.LATER, code)
    if answer.whole.names_a_customer:
        return BatchReply(Verdict.IN_DOUBT, "unknown_shape")
    known = [judged for judged in refusal if judged[1] is not CodeClass.UNKNOWN]
    return _by_worst_code(known) if known else BatchReply(Verdict.REFUSED, code)


def _by_text(status: int, answer: Answer, refusal: list[Judged]) -> Verdict:
    """Statuses that the API shares with gateways: only its own words tell that nothing was applied."""
    problems = [*stated(answer.whole.errors), Problem(message=answer.whole.message)]
    says = " ".join(problem.text for problem in problems).lower()
    if status == 403 and "mandatory" in says:
        return Verdict.REFUSED
    if status == 403 or 300 <= status < 400:
        return Verdict.MISCONFIGURED
    is_later = (status == 503 and "authori" in says) or (
        status == 521 and {kind for _, kind in refusal} == {CodeClass.RETRY}
    )
    return Verdict.LATER if is_later else Verdict.IN_DOUBT


# Row by row


def _read_rows(
    answer: Answer,
    elements: Sequence[Element | None],
    sent: Sequence[Sent],
    children: Sequence[Sequence[Sent]],
    terms: Terms,
) -> BatchReply:
    if len(elements) != len(sent):
        return BatchReply(Verdict.IN_DOUBT, "row_count")
    if not any(elements):
        return BatchReply(Verdict.IN_DOUBT, "unknown_shape")
    if not _adds_up(answer.whole, elements):
        return BatchReply(Verdict.IN_DOUBT, "sums")
    echoes = Echoes(sent)
    told = [echoes.agree(element, number) for number, element in enumerate(elements)]
    if False in told:
        return BatchReply(Verdict.IN_DOUBT, "shuffled")
    if children:
        families = zip(elements, children, strict=True)
        rows = [read_family(one, kids, terms) if kids else read_row(one, terms) for one, kids in families]
    else:
        rows = [read_row(element, terms) for element in elements]
    if None in told:
        rows = _place_silent(rows, told)
    if answer.elements is not None:
        rows = _heed_whole(rows, answer.whole, terms)
    return BatchReply(Verdict.ANSWERED, rows=tuple(rows))


def _adds_up(whole: Envelope, elements: Sequence[Element | None]) -> bool:
    """`totalCount` and `failureCount` are what is listed; an error that says nothing may count as either."""
    total, failures = count(whole.total_count), count(whole.failure_count)
    if total not in (None, len(elements)) or failures is None:
        return total in (None, len(elements))
    failed = sum(has_failed(element) for element in elements)
    if failed == failures:
        return True
    vague = sum(element is None or bool(element.all_errors) for element in elements if not has_failed(element))
    return failed <= failures <= failed + vague


def _place_silent(rows: list[RowReply], told: list[bool | None]) -> list[RowReply]:
    """Elements that echo no identifier are told by position only where that can mix up no fates.

    That is so when every one of them is refused: those that speak have their places, and the rest is alike.
    A batch of one has nothing to mix up, but a success without an identifier needs an id.
    """
    if len(rows) == 1 and (rows[0].entity_id is not None or not rows[0].fate.applied):
        return rows
    silent = [row for row, echoed in zip(rows, told, strict=True) if echoed is None]
    if any(one.fate is not Fate.REFUSED for row in silent for one in row.family):
        return [doubted(r, "unmatched") if echoed is None else r for r, echoed in zip(rows, told, strict=True)]
    retry = all(row.retry for row in silent)
    return [replace(r, retry=retry) if echoed is None else r for r, echoed in zip(rows, told, strict=True)]


def _heed_whole(rows: list[RowReply], whole: Envelope, terms: Terms) -> list[RowReply]:
    """An envelope's warnings hold for every customer that was applied; its error makes them doubtful."""
    if stated(whole.errors) or (whole.says_no and all(row.fate.applied for row in rows)):
        return [_each(row, _doubted_by_whole) for row in rows]
    warnings = [judge_warning(problem, terms) for problem in stated(whole.warnings)]
    if not warnings:
        return rows
    codes, fate = tuple(code for code, _ in warnings), fate_of_warnings({kind for _, kind in warnings})

    def warned(one: RowReply) -> RowReply:
        if not one.fate.applied:
            return one
        return RowReply(min(one.fate, fate, key=_FATES_WORST_FIRST.index), one.codes + codes, one.entity_id)

    return [_each(row, warned) for row in rows]


def _doubted_by_whole(one: RowReply) -> RowReply:
    return one if one.fate is Fate.REFUSED else doubted(one, "batch_error")


def _each(row: RowReply, heed: Callable[[RowReply], RowReply]) -> RowReply:
    """Row and children, each by itself."""
    return replace(heed(row), children=tuple(map(heed, row.children)))
