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
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data" / "samples"
# First digits of Indian mobiles; phonenumbers calls all 10**8 numbers behind each a valid mobile (tested).
MOBILE_PREFIXES = (60, 69, 70, *range(90, 100))

# ---- the sample: few rows, every kind of mess once, described in data/samples/planted.yaml

ROWS = 2_000
CUSTOMERS = (
    "member_no first_name last_name phone email sex birth_date city store till card_no card_series sms_ok "
    "phone_verified kids status registered_at updated_at"
).split()
LOYALTY = "member_no points tier tier_until points_until statement_no".split()
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
    spec = yaml.safe_load((SAMPLES / "planted.yaml").read_text(encoding="utf-8"))
    rng = random.Random(20260301)
    rows = [_person(rng, number, spec["people"]) for number in range(ROWS)]
    plants = [Plant(**plant) for plant in spec["plants"]]
    for plant in plants:
        _put(rng, plant, rows)
    _copy_older(rng, plants, rows)
    for row in rows:
        written = {name: spec["formats"].get(name, "{value}").format(value=value) for name, value in row.clean.items()}
        row.texts = written | row.texts
    return {
        "customers.csv": b"\xef\xbb\xbf" + _line(CUSTOMERS) + b"".join(_customer_line(row) for row in rows),
        "loyalty.csv": _loyalty(rng, rows, spec["loyalty_rows_without_customer"]),
        "README.md": _readme(spec["about"], plants).encode(),
    }


def _person(rng: random.Random, number: int, people: dict[str, list[str]]) -> Row:
    first, last, city = (rng.choice(people[words]) for words in ("first", "last", "city"))
    day, second = timedelta(days=1), timedelta(seconds=1)
    clean = {
        "member_no": f"{100_000 + 7 * number + rng.randrange(7):07d}",
        "first_name": first,
        "last_name": last,
        # The row's number stands in the middle, so that no two are alike.
        "phone": f"{rng.choice(MOBILE_PREFIXES)}{rng.randrange(100):02d}{number:04d}{rng.randrange(100):02d}",
        "email": f"{first}.{last}{number}@{rng.choice(people['domain'])}".lower(),
        "sex": rng.choice("MF"),
        "birth_date": date(1950, 1, 1) + rng.randrange(20_000) * day,
        "city": city,
        "store": f"{city}-0{rng.randint(1, 4)}",
        "till": rng.choice(people["till"]),
        "card_no": f"6012{rng.randrange(10**8):08d}{number:04d}",
        "card_series": rng.choice(people["series"]),
        "sms_ok": rng.choice("YYN"),
        "phone_verified": rng.choice("YN"),
        "kids": str(rng.choice((0, 1, 1, 2, 2, 3))),
        "status": "ACTIVE",
        "registered_at": datetime(2015, 1, 1) + rng.randrange(3_600 * 86_400) * second,
        "updated_at": datetime(2025, 6, 1) + rng.randrange(250 * 86_400) * second,
        "points": int(math.exp(rng.uniform(3, 9))),
        "tier": rng.choice((1, 1, 1, 2, 2, 3)),
        "tier_until": date(2036, 3, 31) + 365 * rng.randrange(4) * day,
        "points_until": date(2036, 1, 1) + rng.randrange(700) * day,
        "statement_no": f"ST-2026-{number:05d}",
    }
    return Row(clean, loyal=rng.random() < 0.86)


def _put(rng: random.Random, plant: Plant, rows: Sequence[Row]) -> None:
    """Write a plant into rows whose fate is open and whose columns nothing else has touched."""
    loyal = bool(plant.write.keys() & set(LOYALTY[1:])) or plant.loyal
    harmless = plant.fate == "accepted"
    open_rows = [
        row
        for row in rows
        if row.plant is None
        and (loyal is None or row.loyal == loyal)
        and not (row.texts.keys() & plant.write.keys() if harmless else row.texts)
    ]
    for turn, row in enumerate(rng.sample(open_rows, plant.rows)):
        row.plant = None if harmless else plant
        if not plant.copy:
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
        "value": value, "upper": text.upper(), "lower": text.lower(), "local": text.split("@")[0],
        "first": text[:1], "rest": text[1:], "head": text[:4], "a": text[:5], "b": text[5:],
        "arabic": text.translate(ARABIC), "devanagari": text.translate(DEVANAGARI),
        "big": value + 1_000 if isinstance(value, int) else "",
        "serial": (value - date(1899, 12, 30)).days if type(value) is date else "",
    }  # fmt: skip


def _copy_older(rng: random.Random, plants: Sequence[Plant], rows: Sequence[Row]) -> None:
    """Rows set aside for copies become older states of other members, each of a different one."""
    used: list[Row] = []
    for plant in (plant for plant in plants if plant.copy):
        # A member number with blanks around it would or would not find its loyalty row: none of these has one.
        spaced = "member_no" in plant.write
        free = [row for row in rows if row.plant is None and not (spaced and row.loyal) and row not in used]
        copies = [row for row in rows if row.plant is plant]
        for turn, (copy, newer) in enumerate(zip(copies, rng.sample(free, plant.rows), strict=True)):
            used.append(newer)
            earlier = newer.clean["updated_at"] - timedelta(days=rng.randint(5, 90), seconds=rng.randrange(86_400))
            copy.clean, copy.loyal = newer.clean | {"updated_at": earlier}, False
            copy.texts = newer.texts | _planted(plant, turn, copy.clean)


def _line(values: Sequence[str], end: str = "\r\n", encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerow(values)
    return text.getvalue().encode(encoding)


def _customer_line(row: Row) -> bytes:
    values, broken = [row.texts[column] for column in CUSTOMERS], row.plant.line if row.plant else ""
    values = values[:-5] if broken == "too_few" else [*values, "", "see letter"] if broken == "too_many" else values
    return _line(values, encoding="cp1252" if broken == "cp1252" else "utf-8")


def _loyalty(rng: random.Random, rows: Sequence[Row], strangers: int) -> bytes:
    """One line per loyal member, in no order, and some of members that no customer row has."""
    written = [[row.texts[column] for column in LOYALTY] for row in rows if row.loyal]
    written += [[f"0{999_001 + n}", "250", "1", "31/03/2037", "01/07/2036", f"ST-2025-{n:05d}"] for n in range(strangers)]
    rng.shuffle(written)
    return b"".join(_line(values, "\n") for values in [LOYALTY, *written])


def _shown(text: str) -> str:
    short = text if len(text) <= 40 else text[:40] + "…"
    return "`" + json.dumps(short, ensure_ascii=False).replace("\u00a0", "\\u00a0").replace("|", "\\|") + "`"


def _readme(about: str, plants: Sequence[Plant]) -> str:
    fates = Counter({plant.fate: 0 for plant in plants if plant.fate != "accepted"})
    for plant in plants:
        fates[plant.fate] += plant.rows if plant.fate in fates else 0
    fates["accepted"] = ROWS - fates.total()
    return "\n".join(
        [
            about, "| fate | rows |", "|---|---|", *(f"| {fate} | {count:,} |" for fate, count in fates.items()),
            f"| all | {ROWS:,} |", "", "| planted | rows | for example | fate |", "|---|---|---|---|",
            *(f"| {plant.what} | {plant.rows} | {plant.example} | {plant.fate} |" for plant in plants), "",
        ]
    )  # fmt: skip


# ---- the messy file: any number of rows in flat memory; about 98 % of them can be sent

CHUNK = 50_000
MESSY_FILE = "../../benchmarks/work/messy.csv"  # as data/jobs/messy.yaml names it
SPACE = len(MOBILE_PREFIXES) * 10**8  # as many members, each with a mobile of their own
MESSY = (
    "member_no first_name last_name phone email sex birth_date wedding_date city state zip kids last_visit store "
    "legacy_id till card_no card_series sms_ok phone_verified points tier tier_until points_until"
).split()


def messy_chunks(rows: int, seed: int) -> Iterator[bytes]:
    """A CSV file in pieces. Row n is the same member with the same mobile whatever the seed; the rest differs."""
    if rows > SPACE:
        raise ValueError(f"{rows:,} rows: there are mobiles for {SPACE:,}")
    people = yaml.safe_load((SAMPLES / "planted.yaml").read_text(encoding="utf-8"))["people"]
    yield (",".join(MESSY) + "\n").encode()
    for start in range(0, rows, CHUNK):
        columns = _Mess(np.random.default_rng([seed, start]), start, min(CHUNK, rows - start)).columns(people)
        *values, last = (columns[name] for name in MESSY)
        lines = _join(*values, _join(last, "\n"), between=",")
        assert lines.null_count == 0
        yield lines.buffers()[2].to_pybytes()


def _join(*parts: pa.Array | str, between: str = "") -> pa.Array:
    return pc.binary_join_element_wise(*parts, between)


def _text(numbers: np.ndarray, width: int = 1) -> pa.Array:
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


class _Mess:
    """One piece's columns; values that a CSV file quotes are quoted here."""

    def __init__(self, rng: np.random.Generator, start: int, size: int) -> None:
        self.rng, self.size = rng, size
        # 3**18 has no factor in common with SPACE: no number comes twice.
        self.number = np.arange(start, start + size, dtype=np.int64) * 3**18 % SPACE

    def which(self, shares: Sequence[float]) -> np.ndarray:
        return np.searchsorted(np.cumsum(shares) / sum(shares), self.rng.random(self.size), side="right")

    def draw(self, *forms: tuple[float, Sequence[str] | pa.Array]) -> pa.Array:
        """A word per row; forms are lists of one length with the share of rows that draws from each."""
        table = pa.concat_arrays([pa.array(words, pa.string()) for _, words in forms])
        words = len(table) // len(forms)
        return table.take(pa.array(self.which([s for s, _ in forms]) * words + self.rng.integers(words, size=self.size)))

    def mix(self, *forms: tuple[float, pa.Array | str]) -> pa.Array:
        """Each row takes one spelling of itself, by share."""
        spellings = (pa.scalar(form) if isinstance(form, str) else form for _, form in forms)
        return pc.choose(pa.array(self.which([share for share, _ in forms])), *spellings)

    def days(self, first: str, days: int, bad: float) -> pa.Array:
        span = pa.array(np.datetime64(first, "D") + np.arange(days))
        day_first, iso, named = (pc.strftime(span, form) for form in ("%d/%m/%Y", "%Y-%m-%d", "%d-%b-%Y"))
        return self.draw((0.62, day_first), (0.25, iso), (0.13 - bad, named), (bad, ["31/02/2040"] * days))

    def name(self, words: list[str], odd: str) -> pa.Array:
        upper, blank, odds = [w.upper() for w in words], [f" {w}" for w in words], [odd] * len(words)
        return self.draw((0.9, words), (0.08, upper), (0.018, blank), (0.002, odds))

    def phone(self) -> pa.Array:
        """1.2 % are no mobiles; SPACE's first digits are an index into the prefixes."""
        own = _text(np.array(MOBILE_PREFIXES)[self.number // 10**8] * 10**8 + self.number % 10**8)
        head, a, b = (pc.utf8_slice_codeunits(own, *at) for at in ((0, 4), (0, 5), (5, 10)))
        spelled = self.mix(
            (0.55, own), (0.18, _join("+91 ", a, "-", b)), (0.1, _join("91", own)), (0.08, _join("0", own)),
            (0.05, _join(a, " ", b)), (0.028, _join(own, ".0")), (0.004, ""), (0.003, _join("9.1", head, "E+11")),
            (0.003, a), (0.002, "call again"),
        )  # fmt: skip
        digits = self.rng.random(self.size) < 0.0005
        return pc.replace_with_mask(spelled, digits, pa.array([t.translate(ARABIC) for t in own.filter(digits).to_pylist()], pa.string()))

    def columns(self, people: dict[str, list[str]]) -> dict[str, pa.Array]:
        rng, size, own = self.rng, self.size, _text(self.number, 10)
        email = _join(self.draw((1, [first.lower() for first in people["first"]])), own, "@example.com")
        points = np.exp(rng.uniform(3, 9, size)).astype(np.int64)
        flags = (0.9, ["Y", "N"]), (0.05, ["yes", "no"]), (0.048, ["1", "0"]), (0.002, ["maybe", "?"])
        carded = rng.random(size) < 0.6
        visit = pa.array(np.datetime64("2023-01-01", "s") + rng.integers(94_000_000, size=size))
        return {
            "member_no": self.mix((0.999, own), (0.001, "")),
            "first_name": self.name(people["first"], '"Anil ""Sunny"", Jr"'),
            "last_name": self.name(people["last"], "राव"),
            "phone": self.phone(),
            "email": self.mix((0.8, email), (0.15, ""), (0.045, pc.utf8_upper(email)), (0.005, _join(own, "@"))),
            "sex": self.draw((0.85, ["M", "F"]), (0.1, ["Male", "female"]), (0.05, ["", "?"])),
            "birth_date": self.days("1950-01-01", 20_000, 0.003),
            "wedding_date": self.mix((0.3, self.days("1990-01-01", 12_000, 0.003)), (0.7, "")),
            "city": self.draw((1, people["city"])),
            "state": self.draw((1, ["Karnataka", "Delhi", "Maharashtra", "Tamil Nadu", "Telangana"])),
            "zip": _text(rng.integers(110_001, 855_118, size)),
            "kids": self.draw((1, ["", "0", "1", "2"])),
            "last_visit": pc.strftime(visit, "%Y-%m-%d %H:%M:%S"),
            "store": self.draw((1, [f"{city}-{n:02d}" for city in people["city"] for n in range(40)])),
            "legacy_id": _join("CRM1-", _text(self.number * 7 % 10**9, 9)),
            "till": self.draw((1, people["till"])),
            "card_no": pc.if_else(carded, _join("601234", own), ""),
            "card_series": pc.if_else(carded, self.draw((1, people["series"])), ""),
            "sms_ok": self.draw(*flags),
            "phone_verified": self.draw(*flags),
            "points": self.mix((0.8, _text(points)), (0.1, _join(_text(points), ".0")), (0.05, _join('"1,', _text(points % 1000, 3), '"')), (0.049, ""), (0.001, "abc")),
            "tier": self.draw((0.9, ["1", "1", "1", "2", "2", "3"]), (0.1, ["1.0", "1.0", "1.0", "2.0", "2.0", "3.0"])),
            "tier_until": self.days("2036-01-01", 1_500, 0.0005),
            "points_until": self.days("2036-01-01", 1_500, 0.0005),
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
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
