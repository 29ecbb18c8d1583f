"""What each fault does to an answer: before anything is applied, or to the reply of what was applied."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.sandbox.codes import note
from connectors.sandbox.faults import Fault

HTML = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>gateway</body></html>"
TITLES = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}
REFUSALS = ("429", "500", "502", "503", "504", "503-auth")
LATE_STATUS = ("500-after", "502-after", "503-after", "504-after")

encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Answer:
    """An answer before it is sent; `payload` is JSON to be, or bytes that are sent as they are."""

    status: int
    payload: Any
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def body(self) -> bytes:
        """The bytes to send."""
        return self.payload if isinstance(self.payload, bytes) else encode(self.payload)


def failure(status: int, code: int | None = None, detail: str = "") -> Answer:
    """A request-level error in shape S5 (contract §4.1)."""
    return Answer(status, {"errors": [note(code or status, detail)]})


def html(status: int) -> Answer:
    """A page of a gateway that knows nothing of JSON."""
    title = TITLES.get(status, "Welcome")
    return Answer(status, HTML.format(title).encode(), content_type="text/html")


def gateway(name: str) -> Answer:
    """The answer of a fault that is named for its status."""
    if name == "503-auth":
        return Answer(503, {"errors": [{"status": False, "code": 503, "message": "authorization status unavailable"}]})
    status = int(name[:3])
    if status == 500:
        return Answer(500, {"errors": [{"status": False, "code": 500, "message": "All requests failed due to errors"}]})
    return failure(429) if status == 429 else html(status)


def refused(met: Mapping[str, Fault]) -> Answer | None:
    """The answer of a fault that keeps the request from being applied, if one was met."""
    name = next((name for name in REFUSALS if name in met), None)
    if name is None:
        return None
    answer = gateway(name)
    if met[name].seconds:
        answer.headers["Retry-After"] = str(math.ceil(met[name].seconds))
    return answer


def broken(answer: Answer, met: Mapping[str, Fault]) -> Answer:
    """The answer as the faults leave it; what was applied stays applied."""
    for name in LATE_STATUS:
        if name in met:
            return gateway(name)
    if "html" in met:
        return html(200)
    if "garbage" in met:
        return Answer(200, b"\x00\xff\xfe\x9c" + bytes(range(128, 160)))
    _break_elements(_elements(answer.payload), met)
    if "500-applied" in met:
        answer.status = 500
    if "truncated" in met:
        whole = answer.body()
        return Answer(answer.status, whole[: len(whole) // 2])
    return answer


def _break_elements(elements: list[dict[str, Any]], met: Mapping[str, Fault]) -> None:
    """Change the list in place; the faults may come together."""
    if "short" in met and elements:
        elements.pop()
    if "shuffled" in met and elements:
        elements.append(elements.pop(0))
    if "empty-error" in met:
        for element in elements:
            element["errors"] = element.get("errors") or [{}]


def _elements(payload: Any) -> list[dict[str, Any]]:
    """The reply's elements, where it has any: the list itself, so that changes reach the payload."""
    if isinstance(payload, dict):
        payload = payload.get("response")
    return payload if isinstance(payload, list) else []
