"""Faults by name: which texts are faults, and when they strike."""

import pytest

from connectors.sandbox.faults import FAULTS, Fault, FaultError, Faults, parse_fault, parse_faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("502", Fault("502")),
        ("lost:2", Fault("lost", first=2)),
        ("slow=3:0.05", Fault("slow", seconds=3.0, rate=0.05)),
        ("502@reads:1", Fault("502", scope="reads", first=1)),
        ("expiry=0.5@token", Fault("expiry", seconds=0.5, scope="token")),
        ("429:1.0", Fault("429")),
        ("slow", Fault("slow", seconds=1.0)),
    ],
)
def test_a_text_becomes_a_fault(text, fault):
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("los", "'los' is not known; allowed are 429, 500"),
        ("502@write", "allowed are writes, reads, token, all"),
        ("502=3", "only slow, expiry, 429, 503 take =seconds"),
        ("502:1.5", "1.5 is neither a rate"),
        ("502:0", "0 is neither a rate"),
        ("502 now", "names are 429, 500"),
    ],
)
def test_a_wrong_text_is_told_what_is_allowed(text, told):
    with pytest.raises(FaultError, match="fault") as caught:
        parse_fault(text)
    assert told in str(caught.value)


def test_commas_part_several_faults_in_one_text():
    assert [fault.name for fault in parse_faults(["502,lost:2", "slow"])] == ["502", "lost", "slow"]


def test_the_same_seed_strikes_the_same_requests():
    def struck(seed):
        faults = Faults(["502:0.3", "lost:0.1"], seed)
        return [tuple(faults.pick("writes")) for _ in range(200)]

    assert struck(7) == struck(7)
    assert struck(7) != struck(8)
    assert 30 < sum("502" in names for names in struck(7)) < 90


def test_a_count_strikes_the_first_requests_of_its_scope():
    faults = Faults(["502@reads:2"])
    assert [bool(faults.pick(scope)) for scope in ("writes", "reads", "reads", "reads")] == [False, True, True, False]


def test_a_header_adds_to_the_flags():
    assert set(Faults(["slow"]).pick("reads", "lost, 429")) == {"lost", "429"}


def test_every_fault_says_whether_anything_was_applied():
    untold = {name for name, text in FAULTS.items() if "applied" not in text}
    assert untold == {"slow", "expiry"}
