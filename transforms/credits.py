"""Points within a payload: taken out of it whole, or of some programmes only.

`loyaltyProgramEnrollments` is the last member of every payload (`transforms.mapping`), and its objects are flat;
in JSON no text can hold the quotes that are looked for here.
"""

import re
from collections.abc import Collection, Mapping

from schemas.profiles import Array, Constant, Leaf, Object, Template

ENROLLMENTS = b',"loyaltyProgramEnrollments":['
# Points and their expiry are one credit. Both stand behind the programme, each with its comma before it.
CREDIT = ("loyaltyPoints", "pointsExpiryDate")
_CREDIT = re.compile(rb',"(?:loyaltyPoints":-?\d+|pointsExpiryDate":"[^"]*")')
_ENROLLMENT = re.compile(rb'\{"programId":(\d+)[^}]*\}')
Fleeting = Mapping[bytes, tuple[bytes, ...]]


def fleeting(template: Template) -> Fleeting:
    """Programmes whose enrolment may be told for its points' sake alone, with the words that tell it without points."""
    found: dict[bytes, tuple[bytes, ...]] = {}
    enrolments = dict(template.tree.members).get("loyaltyProgramEnrollments")
    for enrolment in enrolments.elements if isinstance(enrolments, Array) else ():
        assert isinstance(enrolment, Object)
        nodes = dict(enrolment.members)
        programme = nodes["programId"]
        moving = [word for word, node in nodes.items() if isinstance(node, Leaf)]
        if isinstance(programme, Constant) and moving:
            found[str(programme.value).encode()] = tuple(f'"{word}":'.encode() for word in moving if word not in CREDIT)
    return found


def without_points(payload: bytes, told_for_points: Fleeting) -> bytes:
    """The customer as it is, whatever is credited: the payload of the same row with blank points."""
    at = payload.rfind(ENROLLMENTS)
    bare = _CREDIT.sub(b"", payload[at:]) if at >= 0 else b""
    if at < 0 or at + len(bare) == len(payload):
        return payload
    left = [one[0] for one in _ENROLLMENT.finditer(bare) if _stays(one, told_for_points)]
    return payload[:at] + (ENROLLMENTS + b",".join(left) + b"]}" if left else b"}")


def _stays(enrolment: re.Match[bytes], told_for_points: Fleeting) -> bool:
    words = told_for_points.get(enrolment[1])
    return words is None or any(word in enrolment[0] for word in words)


def without_credits(payload: bytes, programmes: Collection[str]) -> bytes:
    """The payload without what it credits in some programmes."""

    def bare(enrolment: re.Match[bytes]) -> bytes:
        return _CREDIT.sub(b"", enrolment[0]) if enrolment[1].decode() in programmes else enrolment[0]

    at = payload.rfind(ENROLLMENTS)
    return payload if at < 0 else payload[:at] + _ENROLLMENT.sub(bare, payload[at:])
