"""Points within a payload: taken out of it whole, or of some programmes only.

`loyaltyProgramEnrollments` is the last member of every payload (`transforms.mapping`), and its objects are flat;
in JSON no text can hold the quotes that are looked for here.
"""

import re
from collections.abc import Collection

ENROLLMENTS = b',"loyaltyProgramEnrollments":['
# Points and their expiry are one credit. Both stand behind the programme, each with its comma before it.
_CREDIT = re.compile(rb',"(?:loyaltyPoints":-?\d+|pointsExpiryDate":"[^"]*")')
_ENROLLMENT = re.compile(rb'\{"programId":(\d+)[^}]*\}')


def without_points(payload: bytes) -> bytes:
    """The customer as it is, whatever is credited to it."""
    at = payload.rfind(ENROLLMENTS)
    return payload if at < 0 else payload[:at] + _CREDIT.sub(b"", payload[at:])


def without_credits(payload: bytes, programmes: Collection[str]) -> bytes:
    """The payload without what it credits in some programmes."""

    def bare(enrolment: re.Match[bytes]) -> bytes:
        return _CREDIT.sub(b"", enrolment[0]) if enrolment[1].decode() in programmes else enrolment[0]

    at = payload.rfind(ENROLLMENTS)
    return payload if at < 0 else payload[:at] + _ENROLLMENT.sub(bare, payload[at:])
