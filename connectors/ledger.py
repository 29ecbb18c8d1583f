"""What was sent, and what became of it: durable before the first byte leaves and before the next decision.

One file per home, one writer at a time; `connectors.scribe` writes it from an asyncio loop.
"""

from connectors.ledger_batches import RESULTS, Batches
from connectors.ledger_file import LedgerStopped
from connectors.ledger_files import Files
from connectors.ledger_memory import Memory
from connectors.ledger_people import People
from connectors.ledger_recall import Recall
from connectors.ledger_runs import RunRecord
from connectors.ledger_vanished import LoadedLast
from connectors.ledger_watermarks import Watermarks

__all__ = ["RESULTS", "Ledger", "LedgerStopped", "RunRecord"]


class Ledger(Batches, Files, Memory, Recall, People, Watermarks, LoadedLast):
    """The ledger at a path, made if there is none. Close it. Every method may raise LedgerStopped or WrongInput.

    Whoever took its lease writes only as long as nobody else has taken it: LeaseLost, and nothing is written.
    """
