"""Identifiers and channels: which are good, which are dropped with a warning (contract §3, §5, §10.1)."""

import re
from collections.abc import Sequence

from connectors.sandbox import wire
from connectors.sandbox.codes import Notes
from connectors.sandbox.settings import Org

IDENTIFIER_TYPES = frozenset(
    [
        "mobile",
        "email",
        "externalId",
        "wechat",
        "martjackId",
        "fbId",
        "tmall_uname",
        "cuid",
        "ali_uname",
        "jd_uname",
        "vip_uname",
        "mobilePush",
        "line",
        "unionId",
        "cardnumber",
    ]
)
CHANNEL_TYPES = frozenset(["mobile", "email", "wechat", "ios", "android", "line", "mobilePush", "whatsapp"])
# Type -> code that refuses a customer, code that warns that the value was not stored.
BAD_VALUE = {"mobile": (1001, 8056), "email": (1002, 8055), "externalId": (1003, 8064)}
EMAIL = re.compile(r"[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
EMAIL_MAX = 255  # the excess is dropped without a word (contract §10.1)


class Contacts:
    """The organisation's rules for identifiers, compiled once."""

    def __init__(self, org: Org, primary: str | None) -> None:
        self.org = org
        self.primary = primary
        self._mobile = re.compile(org.mobile_pattern).fullmatch
        self._national = re.compile(org.national_pattern).fullmatch
        self._external_id = re.compile(org.external_id_pattern).fullmatch

    def canonical(self, kind: str, value: str) -> str | None:
        """The value as the API stores it; None when it is not one."""
        if kind == "mobile":
            if self._mobile(value):
                return value
            return self.org.country_code + value if self._national(value) else None
        if kind == "email":
            return value[:EMAIL_MAX] if EMAIL.fullmatch(value[:EMAIL_MAX]) else None
        if kind == "externalId":
            return value if self._external_id(value) else None
        return value or None

    def key(self, kind: str, value: str) -> str:
        """Under what a customer is found; `card` and `cardNumber` are spellings of `cardnumber`."""
        kind = "cardnumber" if kind in {"card", "cardNumber"} else kind
        return f"{kind}:{self.canonical(kind, value) or value}"

    def identifiers(self, given: Sequence[wire.Identifier], notes: Notes, *, refuses: bool) -> list[tuple[str, str]]:
        """Good identifiers in the order sent, each once.

        A bad one is dropped with a warning. It is an error when it is the primary one, or when `refuses` is
        set and no good one is left; 8002 when none came at all.
        """
        good: dict[tuple[str, str], None] = {}
        bad: list[str] = []
        for sent in given:
            kind = sent.type or ""
            kind = "cardnumber" if kind in {"card", "cardNumber"} else kind
            if kind not in IDENTIFIER_TYPES:
                notes.error(8093, kind)
                continue
            value = _text(sent.value)
            stored = self.canonical(kind, value)
            if kind == "cardnumber":
                self._card(sent, value, notes)
            if stored is None:
                bad.append(kind)
            else:
                good[kind, stored] = None
        if bad:
            self._tell(bad, notes, refused=refuses and not good)
        if refuses and not good and not notes.errors:
            notes.error(8002)
        return list(good)

    def _tell(self, bad: Sequence[str], notes: Notes, *, refused: bool) -> None:
        for kind in bad:
            as_error, as_warning = BAD_VALUE.get(kind, (8002, 8064))
            if kind == self.primary:
                notes.error(8014, kind)
            elif refused:
                notes.error(as_error)
            else:
                notes.warn(as_warning)

    def _card(self, sent: wire.Identifier, number: str, notes: Notes) -> None:
        if not number:
            notes.error(3028)
        elif not 5 <= len(number) <= 150:
            notes.error(3024)
        if sent.series_code is not None and str(sent.series_code) not in self.org.card_series:
            notes.error(3030)
        if sent.status_label is not None and sent.status_label not in self.org.card_status_labels:
            notes.late_errors.append({"status": False, "code": 3017, "message": "status label invalid"})

    def channels(self, given: Sequence[wire.Channel], notes: Notes) -> list[dict[str, object]]:
        """Good channels as they are stored; a bad address is dropped with 8057 or 8058."""
        kept: list[dict[str, object]] = []
        for sent in given:
            if sent.type not in CHANNEL_TYPES:
                notes.error(8010, sent.type or "")
                continue
            stored = self.canonical(sent.type, _text(sent.value))
            if stored is None:
                notes.warn(8057 if sent.type == "email" else 8058)
                continue
            kept.append(
                {
                    "type": sent.type,
                    "value": stored,
                    "primary": _true(sent.primary),
                    "verified": _true(sent.verified),
                    "subscribed": _true(sent.subscribed),
                    "meta": {"residence": False, "office": False} | (sent.meta or {}),
                    "attributes": sent.attributes or {},
                }
            )
        return kept


def _text(value: wire.Loose) -> str:
    if type(value) is str:
        return value.strip()
    return "" if value is None else str(value)


def _true(flag: wire.Flag) -> bool:
    return flag is True or (flag is not False and str(flag).lower() == "true")
