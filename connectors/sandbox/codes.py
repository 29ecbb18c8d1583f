"""The API's error and warning codes that the sandbox can answer with, and their messages (contract §5)."""

from typing import TypedDict


class Note(TypedDict):
    """One error or warning as the API writes it; `status` is false for warnings too (contract §4.1)."""

    status: bool
    code: int
    message: str


MESSAGES = {
    400: "Invalid input",
    401: "Authentication failed",
    403: "Mandatory field missing",
    404: "Resource not found",
    405: "Method not supported",
    415: "Content type not supported",
    429: "Too many requests",
    521: "Several actions are running for the same customer, try later",
    618: "Customer is marked as fraud",
    1001: "Invalid mobile number",
    1002: "Invalid email id",
    1003: "Invalid external id",
    1004: "Invalid store or till",
    1034: "Registration date outside the limits",
    1060: "Batch limit size exceeded",
    1061: "Attribution lookup headers must come together",
    1213: "Invalid program id",
    1215: "Date is in the past",
    1216: "Invalid date format",
    1217: "Date is more than 100 years ahead",
    1605: "Too many child customers",
    1615: "Invalid role code",
    1616: "Invalid hierarchy code",
    1617: "Child role does not fit the hierarchy",
    1618: "Group is full",
    1621: "Customer does not exist",
    1622: "Companies of parent and child differ",
    1625: "Parent is not mapped to the hierarchy",
    1626: "Customer is already mapped to a different hierarchy",
    1627: "Role of a mapped customer cannot change",
    1628: "Company of a mapped customer cannot change",
    1704: "Company not found",
    3017: "Status label invalid",
    3024: "Card number length outside 5 to 150",
    3028: "Card number missing",
    3030: "Card series invalid",
    8001: "Source missing",
    8002: "No identifier passed",
    8003: "Invalid source passed",
    8006: "Customer already exists in the same source",
    8007: "Update failed, identifier belongs to another profile in the same source",
    8009: "Update failed, Customer not found",
    8010: "Invalid comm channel type",
    8014: "Primary identifier invalid",
    8015: "Customer not found",
    8017: "Registration date invalid",
    8018: "Loyalty customer cannot become non loyalty",
    8026: "Customer is deleted",
    8027: "Parent cannot be added without child context",
    8045: "Account id missing",
    8050: "Same customer found in other sources, profiles combined",
    8051: "Merging with user",
    8055: "Invalid email id",
    8056: "Invalid mobile number",
    8057: "Invalid email id in comm channel",
    8058: "Invalid mobile in comm channel",
    8064: "Invalid external id",
    8065: "Customer not found in this source",
    8069: "Customer is a merged victim, survivor returned",
    8077: "Attribution not updated, invalid till code",
    8086: "Invalid customer status label",
    8089: "Customer is not in the loyalty program",
    8093: "Invalid identifier type",
    8101: "Invalid limit or offset",
    8127: "Invalid account id",
    19223: "Points processing failed",
    91006: "Identifier is not updatable",
    91015: "Extended field update failed",
    91016: "Extended field name is invalid",
}


def note(code: int, detail: str = "") -> Note:
    """One error or warning object; `detail` ends the message (a field's name, a customer's id)."""
    message = MESSAGES[code]
    return {"status": False, "code": code, "message": f"{message}: {detail}" if detail else message}


class Notes:
    """What is wrong with one customer, in the order found; an error keeps the customer from being applied.

    `late_errors` are told beside an applied customer: the API does that with card labels (contract §4.2).
    """

    __slots__ = ("errors", "late_errors", "warnings")

    def __init__(self) -> None:
        self.errors: list[Note] = []
        self.late_errors: list[Note] = []
        self.warnings: list[Note] = []

    def error(self, code: int, detail: str = "") -> None:
        """Note why this customer is refused."""
        self.errors.append(note(code, detail))

    def warn(self, code: int, detail: str = "") -> None:
        """Note what was not stored or went otherwise; the same code twice is told once."""
        if all(held["code"] != code or code == 91016 for held in self.warnings):
            self.warnings.append(note(code, detail))
