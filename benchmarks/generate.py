"""Invented customers: the committed sample (`samples`) and any number of messy rows to measure with (`messy`)."""

import argparse
import csv
import io
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data" / "samples"
# First digits of Indian mobiles: phonenumbers calls every number behind them one (asked for all of 7 leading digits).
MOBILE_PREFIXES = (60, 69, 70, *range(90, 100))
ROWS = 2_000  # of the sample
LOCAL_2015 = datetime.fromisoformat("2015-01-01")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
DEVANAGARI = str.maketrans("0123456789", "०१२३४५६७८९")


@dataclass(slots=True)
class Plant:
    """One kind of mess: what is written into how many rows, and what becomes of them."""

    what: str
    rows: int
    write: dict[str, str | list[str]]
    fate: str = "accepted"
    line: str = ""  # too_few | too_many | cp1252: how the line itself is broken
    copy: bool = False  # an older copy of another row
    loyal: bool | None = None  # False: only members without a loyalty row
    example: str = ""


@dataclass(slots=True)
class Row:
    """A customer: the clean values, and the texts written where something is planted."""

    clean: dict[str, Any]
    loyal: bool
    texts: dict[str, str] = field(default_factory=dict)
    plant: Plant | None = None  # the one that decides the row's fate


def sample_files() -> dict[str, bytes]:
    """The sample's files by name, always the same bytes."""
    spec, rng = _spec(), random.Random(20260301)
    rows = [_person(rng, number, spec["people"]) for number in range(ROWS)]
    plants = [Plant(**plant) for plant in spec["plants"]]
    for plant in plants:
        _put(rng, plant, rows)
    columns, formats = spec["columns"], spec["formats"]
    for row in rows:
        row.texts = {c: formats.get(c, "{value}").format(value=v) for c, v in row.clean.items()} | row.texts
    loyalty = [[row.texts[column] for column in columns["loyalty"]] for row in rows if row.loyal] + spec["strangers"]
    rng.shuffle(loyalty)
    return {
        "customers.csv": b"\xef\xbb\xbf" + _customers(rows, columns["customers"]),
        "loyalty.csv": b"".join(_line(values, "\n") for values in [columns["loyalty"], *loyalty]),
        "README.md": _readme(spec["about"], plants).encode(),
    }


def _spec() -> dict[str, Any]:
    return yaml.safe_load((SAMPLES / "planted.yaml").read_text(encoding="utf-8"))


def _person(rng: random.Random, number: int, people: dict[str, list[str]]) -> Row:
    words = {column: rng.choice(choices) for column, choices in people.items()}
    clean = words | {
        "member_no": f"{100_000 + 7 * number + rng.randrange(7):07d}",
        # The row's number stands in the middle, so that no two are alike.
        "phone": f"{rng.choice(MOBILE_PREFIXES)}{rng.randrange(100):02d}{number:04d}{rng.randrange(100):02d}",
        "email": f"{words['first_name']}.{words['last_name']}{number}@{words['domain']}".lower(),
        "birth_date": date(1950, 1, 1) + timedelta(rng.randrange(20_000)),
        "store": f"{words['city']}-0{rng.randint(1, 4)}",
        "card_no": f"6012{rng.randrange(10**8):08d}{number:04d}",
        "registered_at": LOCAL_2015 + timedelta(seconds=rng.randrange(3_600 * 86_400)),
        "updated_at": LOCAL_2015 + timedelta(3_800, rng.randrange(250 * 86_400)),
        "points": int(math.exp(rng.uniform(3, 9))),
        "tier_until": date(2036, 3, 31) + timedelta(365 * rng.randrange(4)),
        "points_until": date(2036, 1, 1) + timedelta(rng.randrange(700)),
        "statement_no": f"ST-2026-{number:05d}",
    }
    return Row(clean, loyal=rng.random() < 0.86)


def _put(rng: random.Random, plant: Plant, rows: Sequence[Row]) -> None:
    """Write a plant into rows whose fate is open and whose columns nothing else has touched."""
    loyal = True if plant.write.keys() & {"points", "tier", "tier_until", "points_until"} else plant.loyal
    harmless = plant.fate == "accepted"
    undecided = [row for row in rows if row.plant is None and loyal in (None, row.loyal)]
    free = [row for row in undecided if not (row.texts.keys() & plant.write.keys() if harmless else row.texts)]
    chosen = rng.sample(free, plant.rows * 2 if plant.copy else plant.rows)
    for turn, row in enumerate(chosen[: plant.rows]):
        row.plant = None if harmless else plant
        if plant.copy:
            newer = chosen[plant.rows + turn].clean
            earlier = newer["updated_at"] - timedelta(days=rng.randint(5, 90), seconds=rng.randrange(86_400))
            row.clean, row.loyal = newer | {"updated_at": earlier}, False
            # Touched: from now on nothing else decides the newer row's fate.
            chosen[plant.rows + turn].texts["updated_at"] = f"{newer['updated_at']:%Y-%m-%d %H:%M:%S}"
        row.texts |= _planted(plant, turn, row.clean)


def _planted(plant: Plant, turn: int, clean: dict[str, Any]) -> dict[str, str]:
    texts = {}
    for column, templates in plant.write.items():
        choices = [templates] if isinstance(templates, str) else templates
        texts[column] = choices[turn % len(choices)].format_map(_spellings(clean[column]))
    plant.example = plant.example or ", ".join(_shown(text) for text in texts.values())
    return texts


def _spellings(value: Any) -> dict[str, Any]:
    """What a plant may say of a column's clean value."""
    text = str(value)
    return {
        "value": value, "upper": text.upper(), "lower": text.lower(), "local": text.partition("@")[0],
        "first": text[:1], "rest": text[1:], "head": text[:4], "a": text[:5], "b": text[5:],
        "arabic": text.translate(ARABIC), "devanagari": text.translate(DEVANAGARI),
        "big": value + 1_000 if isinstance(value, int) else "",
        "serial": (value - date(1899, 12, 30)).days if type(value) is date else "",
    }  # fmt: skip


def _line(values: Sequence[str], end: str = "\r\n", encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerow(values)
    return text.getvalue().encode(encoding)


def _customers(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    lines = [_line(columns)]
    for row in rows:
        values, broken = [row.texts[column] for column in columns], row.plant.line if row.plant else ""
        values = {"too_few": values[:-5], "too_many": [*values, "", "see letter"]}.get(broken, values)
        lines.append(_line(values, encoding="cp1252" if broken == "cp1252" else "utf-8"))
    return b"".join(lines)


def _shown(text: str) -> str:
    shown = json.dumps(text[:40] + "…" * (len(text) > 40), ensure_ascii=False)
    return f"`{shown}`".replace("\u00a0", "\\u00a0")


def _readme(about: str, plants: Sequence[Plant]) -> str:
    fates = Counter(plant.fate for plant in plants for _ in range(plant.rows) if plant.fate != "accepted")
    fates["accepted"] = ROWS - fates.total()
    return "\n".join(
        [
            about, "| fate | rows |", "|---|---|", *(f"| {fate} | {count:,} |" for fate, count in fates.items()),
            f"| all | {ROWS:,} |", "", "| planted | rows | for example | fate |", "|---|---|---|---|",
            *(f"| {plant.what} | {plant.rows} | {plant.example} | {plant.fate} |" for plant in plants), "",
        ]
    )  # fmt: skip


CHUNK = 50_000
MESSY_FILE = "../../benchmarks/made/messy.csv"  # as data/jobs/messy.yaml names it
SPACE = len(MOBILE_PREFIXES) * 10**8  # as many members, each with a mobile of their own


def messy_chunks(rows: int, seed: int) -> Iterator[bytes]:
    """A CSV file in pieces, 98 % of its rows good. Row n has the same member and mobile whatever the seed."""
    if rows > SPACE:
        raise ValueError(f"{rows:,} rows: there are mobiles for {SPACE:,}")
    spec = _spec()
    yield (",".join(spec["columns"]["messy"]) + "\n").encode()
    for start in range(0, rows, CHUNK):
        piece = _Mess(np.random.default_rng([seed, start]), start, min(CHUNK, rows - start)).columns(spec)
        *values, last = (piece[column] for column in spec["columns"]["messy"])
        lines = pc.binary_join_element_wise(*values, _join(last, "\n"), ",")
        assert lines.null_count == 0
        yield lines.buffers()[2].to_pybytes()


def _join(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _text(numbers: np.ndarray, width: int = 1) -> pa.Array:
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


@cache
def _calendar(first: str, days: int) -> list[pa.Array]:
    span = pa.array(np.datetime64(first, "D") + np.arange(days))
    return [pc.strftime(span, form) for form in ("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%Y")]


class _Mess:
    """One piece's columns; values that a CSV file quotes are quoted here."""

    def __init__(self, rng: np.random.Generator, start: int, size: int) -> None:
        self.rng, self.size = rng, size
        # 3**18 has no factor in common with SPACE: no number comes twice.
        self.number = np.arange(start + 1, start + size + 1, dtype=np.int64) * 3**18 % SPACE

    def which(self, shares: Sequence[float]) -> np.ndarray:
        return np.searchsorted(np.cumsum(shares) / sum(shares), self.rng.random(self.size), side="right")

    def draw(self, *forms: tuple[float, Sequence[str] | pa.Array]) -> pa.Array:
        """A word per row; forms are lists of one length with the share of rows that draws from each."""
        table = pa.concat_arrays([pa.array(words, pa.string()) for _, words in forms])
        words = len(table) // len(forms)
        places = self.which([share for share, _ in forms]) * words + self.rng.integers(words, size=self.size)
        return table.take(pa.array(places))

    def mix(self, *forms: tuple[float, pa.Array | str]) -> pa.Array:
        """Each row takes one spelling of itself, by share."""
        spellings = (pa.scalar(form) if isinstance(form, str) else form for _, form in forms)
        return pc.choose(pa.array(self.which([share for share, _ in forms])), *spellings)

    def days(self, first: str, days: int, bad: float) -> pa.Array:
        good = zip((0.62, 0.25, 0.13 - bad), _calendar(first, days), strict=True)
        return self.draw(*good, (bad, ["31/02/2040"] * days))

    def name(self, words: list[str], odd: str) -> pa.Array:
        upper, blank = [word.upper() for word in words], [f" {word}" for word in words]
        return self.draw((0.9, words), (0.08, upper), (0.018, blank), (0.002, [odd] * len(words)))

    def phone(self) -> pa.Array:
        """1.2 % are no mobiles; SPACE's first digits are an index into the prefixes."""
        own = _text(np.array(MOBILE_PREFIXES)[self.number // 10**8] * 10**8 + self.number % 10**8)
        head, a, b = (pc.utf8_slice_codeunits(own, *at) for at in ((0, 4), (0, 5), (5, 10)))
        spelled = self.mix(
            (0.55, own), (0.18, _join("+91 ", a, "-", b)), (0.1, _join("91", own)), (0.08, _join("0", own)),
            (0.05, _join(a, " ", b)), (0.028, _join(own, ".0")), (0.004, ""), (0.003, _join("9.1", head, "E+11")),
            (0.003, a), (0.002, "call again"),
        )  # fmt: skip
        foreign = self.rng.random(self.size) < 0.0005
        digits = [text.translate(ARABIC) for text in own.filter(pa.array(foreign)).to_pylist()]
        return pc.replace_with_mask(spelled, foreign, pa.array(digits, pa.string()))

    def points(self) -> pa.Array:
        plain = _text(np.exp(self.rng.uniform(3, 9, self.size)).astype(np.int64))
        grouped = _join('"1,', _text(self.number % 1_000, 3), '"')
        return self.mix((0.8, plain), (0.1, _join(plain, ".0")), (0.05, grouped), (0.049, ""), (0.001, "abc"))

    def columns(self, spec: dict[str, Any]) -> dict[str, pa.Array]:
        own, people = _text(self.number, 10), spec["people"]
        words = {column: self.draw(*forms) for column, forms in spec["messy_words"].items()}
        days = {column: self.days(*span) for column, span in spec["messy_days"].items()}
        first, last = (self.draw((1, [w.lower() for w in people[c]])) for c in ("first_name", "last_name"))
        email = _join(first, ".", last, own, "@example.com")
        visit = pa.array(np.datetime64("2023-01-01", "s") + self.rng.integers(94_000_000, size=self.size))
        carded = pa.array(self.rng.random(self.size) < 0.7)
        return words | days | {
            "member_no": self.mix((0.999, own), (0.001, "")),
            "first_name": self.name(people["first_name"], '"Anil ""Sunny"", Jr"'),
            "last_name": self.name(people["last_name"], "राव"),
            "phone": self.phone(),
            "email": self.mix((0.8, email), (0.15, ""), (0.045, pc.utf8_upper(email)), (0.005, _join(own, "@"))),
            "wedding_date": self.mix((0.6, days["wedding_date"]), (0.4, "")),
            "zip": _text(self.rng.integers(110_001, 855_118, self.size)),
            "last_visit": _join(visit.cast(pa.string()), "+05:30"),
            "store": _join("STORE-", words["city"], "-", _text(self.rng.integers(1, 60, self.size), 3)),
            "legacy_id": _join("CRM1-2015-IN-", _text(self.number * 7 % 10**9, 9)),
            "card_no": pc.if_else(carded, _join("601234", own), ""),
            "card_series": pc.if_else(carded, words["card_series"], ""),
            "points": self.points(),
        }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("samples", help="write data/samples/ and print what is planted there")
    messy = commands.add_parser("messy", help="write a messy CSV file of 24 columns")
    messy.add_argument("--rows", type=int, required=True)
    messy.add_argument("--seed", type=int, default=1)
    messy.add_argument("-o", "--output", type=Path, required=True)
    messy.add_argument("--job", type=Path, help="also write the job that loads it")
    given = parser.parse_args(arguments)
    if given.command == "samples":
        for name, content in sample_files().items():
            (SAMPLES / name).write_bytes(content)
        print((SAMPLES / "README.md").read_text(encoding="utf-8"))
        return
    with given.output.open("wb") as out:
        out.writelines(messy_chunks(given.rows, given.seed))
    if given.job:
        job = (ROOT / "data/jobs/messy.yaml").read_text(encoding="utf-8")
        given.job.write_text(job.replace(MESSY_FILE, json.dumps(str(given.output.resolve()))), encoding="utf-8")


if __name__ == "__main__":
    main()
