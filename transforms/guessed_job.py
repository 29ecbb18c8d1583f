"""A job file out of guesses: what is sure is mapped, the rest stands commented out; each line with its reason."""

from collections.abc import Iterator, Mapping, Sequence

from schemas.guessed_names import EXTENDED
from schemas.guessing import Guess, Guessed, Setting
from schemas.job_text import Entry
from transforms.yaml_words import can_be_written, scalar

IDENTIFIERS = ("externalId", "mobile", "email")
CONSENTS = ("verified", "subscribed")
_host = "host: ${CAPILLARY_HOST:-eu.api.capillarytech.com}"
_oauth = 'auth: {oauth: {key: "${CAPILLARY_KEY}", secret: "${CAPILLARY_SECRET}"}}'
ENROLLMENT = ("loyaltyPoints", "pointsExpiryDate", "tierNumber", "tierExpiryDate")


def blocks_of(name: str, table: Sequence[Entry], guessed: Guessed, tested: Sequence[str] = ()) -> Iterator[Entry]:
    """The lines of a job called `name` that reads `table`; `tested` is told at its top."""
    guesses = {target: guess for target, guess in guessed.guesses.items() if can_be_written(guess.column)}
    yield _top(guessed, tested)
    yield Entry(f"name: {name}", "the ledger remembers what was accepted under this name")
    yield Entry("mode: sync", "what changed since it was last accepted; migrate: every row, once")
    yield Entry("source:", children=(Entry("customers:", children=tuple(table)),))
    yield Entry("locale:", children=tuple(_locale(guessed)))
    key = _key(guesses, guessed)
    yield Entry(f"key: {scalar(key.column)}", "one customer, one key")
    yield Entry("map:", children=tuple(_map(guesses, key)))
    if points := guesses.get("points_id"):
        yield _asleep(f"points_id: {scalar(points.column)}", points, "a credit is sent once for each of its values")
    if rules := tuple(_rules(guesses)):
        yield Entry("rules:", children=rules)
    yield Entry("destination:", children=tuple(_destination(guesses)))
    yield from _rest(guessed, guesses)


def _top(guessed: Guessed, tested: Sequence[str]) -> Entry:
    said = [
        f"Guessed by `bulkload init` from {guessed.rows:,} rows and the names of {len(guessed.columns):,} columns.",
        "Behind each guess stands how sure it is, from 0 to 1, and why. A line that begins with # is not used:",
        "take the # away to use it. Read all of it before the first run; `bulkload preview` shows what it makes.",
        *tested,
    ]
    return Entry(why=said[0], children=tuple(Entry(why=line) for line in said[1:]))


def _locale(guessed: Guessed) -> Iterator[Entry]:
    for word, setting in (("country", guessed.country), ("timezone", guessed.timezone), ("dates", guessed.dates)):
        yield _setting(word, setting)


def _setting(word: str, setting: Setting) -> Entry:
    examples = {"country": "IN", "timezone": "UTC", "dates": "iso"}
    live = setting.value is not None and (setting.is_sure or word == "dates")
    return Entry(
        f"{word}: {setting.value or setting.perhaps or examples[word]}",
        f"{setting.confidence:.2f}, {setting.reason}",
        live,
    )


def _key(guesses: Mapping[str, Guess], guessed: Guessed) -> Guess:
    """The surest identifier in the order in which they tell customers apart; of none, what repeats least."""
    known = [guesses[target] for word in IDENTIFIERS if (target := f"identifiers.{word}") in guesses]
    sure = [guess for guess in known if guess.is_sure]
    return (sure or [guessed.least_repeated])[0]


def _map(guesses: Mapping[str, Guess], key: Guess) -> Iterator[Entry]:
    yield Entry("identifiers:", children=tuple(_identifiers(guesses, key)))
    yield from _names(guesses)
    if channels := tuple(_channels(guesses)):
        yield Entry("commChannels:", "where messages go, and whether they may: consent is not guessed", False, channels)
    if store := guesses.get("store"):
        yield _asleep(f"fields: {{store_code: {scalar(store.column)}}}", store, "fields have your organisation's names")
    extended = [
        _mapped(word, guesses[target], kind)
        for word, kind in EXTENDED.items()
        if (target := f"extendedFields.{word}") in guesses
    ]
    if extended:
        yield Entry("extendedFields:", children=tuple(extended))
    for word in ("associatedWith", "createDate"):
        if guess := guesses.get(word):
            yield _mapped(word, guess)
    if any(word in guesses for word in ENROLLMENT):
        yield _enrollments(guesses)


def _names(guesses: Mapping[str, Guess]) -> Iterator[Entry]:
    for word in ("firstName", "lastName"):
        if guess := guesses.get(word):
            yield _mapped(word, guess)
    whole = guesses.get("name")
    if whole and "firstName" in guesses:
        yield Entry(why=f"{scalar(whole.column)} is left out, a whole name: {_why(whole)}")
    elif whole:
        yield _asleep(f"firstName: {scalar(whole.column)}", whole, "a whole name, which the API has no word for")


def _identifiers(guesses: Mapping[str, Guess], key: Guess) -> Iterator[Entry]:
    if not key.is_sure:
        yield Entry(
            f"externalId: {scalar(key.column)}", "nothing looks like an identifier, and a job needs one: choose"
        )
    for word in IDENTIFIERS:
        guess = guesses.get(f"identifiers.{word}")
        if guess and (key.is_sure or guess.column != key.column):
            yield _mapped(word, guess)
    if card := guesses.get("identifiers.cardnumber"):
        series = guesses.get("cardnumber.seriesCode")
        code = f"{{column: {scalar(series.column)}}}" if series else "{value: SERIES}"
        missing = "" if series else "; write the series of your cards"
        line = f"cardnumber: {{column: {scalar(card.column)}, seriesCode: {code}}}"
        yield Entry(line, _why(card) + missing, live=card.is_sure and series is not None and series.is_sure)


def _channels(guesses: Mapping[str, Guess]) -> Iterator[Entry]:
    for channel in ("mobile", "email"):
        address = guesses.get(f"identifiers.{channel}")
        flags = [(flag, guesses[of]) for flag in CONSENTS if (of := f"commChannels.{channel}.{flag}") in guesses]
        if address and address.is_sure:
            consents = [f"{flag}: {{column: {scalar(guess.column)}}}" for flag, guess in flags]
            words = [f"column: {scalar(address.column)}", *consents]
            why = "; ".join(f"{scalar(guess.column)} {_why(guess)}" for _, guess in flags)
            yield Entry(f"{channel}: {{{', '.join(words)}}}", why)


def _enrollments(guesses: Mapping[str, Guess]) -> Entry:
    programme = guesses.get("programId")
    first = f"column: {scalar(programme.column)}" if programme else "value: 0"
    why = _why(programme) if programme else "write the number of your programme"
    lines = [Entry(f"- programId: {{{first}}}", why)]
    mapped = {word: guesses[word] for word in ENROLLMENT if word in guesses}
    lines += [Entry(f"  {word}: {scalar(guess.column)}", _why(guess)) for word, guess in mapped.items()]
    told = (
        "points are credited, not set: every run that sends them gives them. Decide, then set destination.enrollments"
    )
    return Entry("loyaltyProgramEnrollments:", told, live=False, children=tuple(lines))


def _rules(guesses: Mapping[str, Guess]) -> Iterator[Entry]:
    if status := guesses.get("status"):
        column = status.column if status.column.isidentifier() else f"column({status.column!r})"
        yield _asleep("filter: " + scalar(f"{column} == '…'"), status, "which rows are sent, if not all")
    if updated := guesses.get("updated_at"):
        line = f"duplicates: {{keep: latest, by: {scalar(updated.column)}}}"
        yield Entry(line, "of several rows of a customer the one changed last: " + _why(updated), live=updated.is_sure)


def _destination(guesses: Mapping[str, Guess]) -> Iterator[Entry]:
    yield Entry(_host, "your cluster's, if it is another")
    yield Entry("operation: update", "customers whom the API knows; register makes new ones, upsert does both")
    yield Entry(_oauth, "set both in the environment")
    if any(word in guesses for word in ENROLLMENT):
        yield Entry("enrollments: true", "with map.loyaltyProgramEnrollments", live=False)


def _rest(guessed: Guessed, guesses: Mapping[str, Guess]) -> Iterator[Entry]:
    """What the rows tell besides, and which columns are not mapped."""
    told = {guess.column for guess in (*guesses.values(), *guessed.others)}
    unknown = [column for column in guessed.columns if column not in told]
    lines = [*guessed.remarks]
    for guess in guessed.others:
        word = guess.target.rpartition(".")[2]
        lines.append(f"Not mapped, because another column is {word}: {scalar(guess.column)} ({_why(guess)})")
    if unknown:
        lines.append(f"Not mapped, because nothing is known of them: {', '.join(scalar(c) for c in unknown)}")
    if lines:
        yield Entry(why=lines[0], children=tuple(Entry(why=line) for line in lines[1:]))


def _mapped(word: str, guess: Guess, kind: str = "") -> Entry:
    column = scalar(guess.column)
    value = f"{{column: {column}, as: {kind}}}" if kind not in ("", "text") else column
    if kind == "gender" and not guess.is_sure:
        value = f"{{column: {column}, as: gender, values: {{M: MALE, F: FEMALE}}}}"
        return Entry(f"{word}: {value}", f"write its words under values: {_why(guess)}", live=False)
    return Entry(f"{word}: {value}", _why(guess), live=guess.is_sure)


def _asleep(text: str, guess: Guess, because: str) -> Entry:
    return Entry(text, f"{because}: {_why(guess)}", live=False)


def _why(guess: Guess) -> str:
    return f"{guess.confidence:.2f}, {guess.reason}"
