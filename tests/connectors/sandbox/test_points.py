"""Points are credited, not set: every application is an entry that nothing takes back."""

from datetime import UTC, datetime, timedelta

WHO = {"identifierName": "externalId", "identifierValue": "C-1"}
LEDGER = "/v2/pointsLedger/getCustomerLedgerInfo"


def test_sending_points_again_credits_them_again(serve_with, one, points):
    served = serve_with()
    served.sandbox.preload(["C-1", "C-2"])
    for _ in range(2):
        served.send(one("C-1", **points(100)))
    served.send(one("C-2", **points(7)))
    assert served.books.points_of("externalId", "C-1") == [(1016, 100), (1016, 100)]
    assert served.books.credits()[1016] == (3, 207, 2)
    assert [(row.times, row.points) for row in served.books.credited_twice()] == [(2, 200)]


def test_a_known_enrolment_is_ignored_when_told_to(serve_with, one, points):
    served = serve_with(credits_again=False)
    served.sandbox.preload(["C-1"])
    for _ in range(2):
        served.send(one("C-1", **points(100)))
    assert served.books.points_of("externalId", "C-1") == [(1016, 100)]


def test_tier_and_expiry_are_set_once(plain, one, points):
    plain.send(one("C-2", **points(1, tierNumber=2)))
    plain.send(one("C-2", **points(1, tierNumber=3)))
    assert plain.books.customer("externalId", "C-2").programmes[1016].tier_number == 2


def test_enrolments_on_put_can_be_ignored(serve_with, one, points):
    served = serve_with(enrollments_on_put=False)
    served.sandbox.preload(["C-1"])
    assert served.send(one("C-1", **points(5))).json()[0]["errors"] == []
    assert served.books.credits() == {}


def test_the_ledger_proves_one_credit_or_two(plain, one, points):
    for sent in (30, 12):
        plain.send(one("C-1", **points(sent)))
    entries = plain.get(LEDGER, ledgerEntryType="CREDIT", limit=10, **WHO).json()["ledgerEntries"]
    assert [entry["netPointsOnEvent"] for entry in entries] == ["12.000", "30.000"]
    assert entries[0]["entryDetails"] == [
        {"ledgerEntryType": "CREDIT", "points": "12.000", "pointsCategory": "Main", "programId": 1016}
    ]


def test_the_ledger_tells_times_with_and_without_their_zone(plain, one, points):
    plain.send(one("C-4", **points(5)))
    (entry,) = plain.get(LEDGER, **WHO | {"identifierValue": "C-4"}).json()["ledgerEntries"]
    bare, zoned = (datetime.fromisoformat(entry[name]) for name in ("ledgerCreatedDate", "ledgerCreatedDateISO"))
    assert bare.replace(tzinfo=UTC) == zoned
    assert abs(zoned - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_ledger_gives_at_most_ten(plain, codes):
    assert codes(plain.get(LEDGER, limit=11, **WHO).json()) == [8101]


def test_the_ledgers_offset_counts_pages(plain, one, points):
    for sent in range(1, 6):
        plain.send(one("C-5", **points(sent)))

    def page(**query):
        return plain.get(LEDGER, limit=2, **WHO | {"identifierValue": "C-5"}, **query).json()

    pages = [page(offset=number) for number in range(4)]
    assert [[int(float(e["netPointsOnEvent"])) for e in told["ledgerEntries"]] for told in pages] == [
        [5, 4],
        [3, 2],
        [1],
        [],
    ]
    assert pages[1]["ledgerDetails"] == {"pageNumber": 1, "pageSize": 2, "totalEntries": 5, "pageCount": 3}
    assert [e["netPointsOnEvent"] for e in page(order="ASC")["ledgerEntries"]] == ["1.000", "2.000"]


def test_loyalty_details_have_a_row_per_programme(plain, one, points):
    plain.send(one("C-3", **points(5)), one("C-3", **points(9, program=2077, tierNumber=2)))
    who = WHO | {"identifierValue": "C-3"}
    rows = plain.get("/v2/customers/lookup/loyaltyDetails", **who).json()["data"]
    assert [(row["programId"], row["loyaltyPoints"], row["currentSlab"]) for row in rows] == [
        (1016, 5, "Blue"),
        (2077, 9, "Silver"),
    ]


def test_points_show_only_after_their_delay(serve_with, one, points, eventually):
    served = serve_with(points_delay_s=0.4)
    served.sandbox.preload(["C-1"])
    served.send(one("C-1", **points(5)))
    assert served.get(LEDGER, **WHO).json()["ledgerEntries"] == []
    assert eventually(lambda: len(served.get(LEDGER, **WHO).json()["ledgerEntries"]) == 1)


def test_a_refused_batch_credits_nothing_at_all(plain, one, points):
    before = plain.books.credits()
    plain.send(*(one(f"X-{number}", **points(5)) for number in range(5)))
    assert plain.books.credits() == before
