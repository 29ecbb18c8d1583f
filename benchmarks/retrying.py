"""The script of `naive.py` with the retries people add: three more tries, a backoff, a log. The contrast of faults.py.

    python -m benchmarks.retrying FILE LOG --rows-per-request N --timeout S      (SANDBOX_URL says where)

Kept fair: it honours Retry-After, makes a new token after a 401, reads the errors of every element, and logs each
batch. What it cannot know is what became of a request without an answer: it sends it again, as such scripts do.
Exit 0: every batch was answered. 2: some were given up and are in the log.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import requests

from benchmarks.naive import naive_prepare, naive_token

TRIES = 4
BACKOFF_S = 0.5
GIVEN_UP_EXIT = 2


class Loader:
    """One session with its token."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._session = requests.Session()
        self._log_in()

    def _log_in(self) -> None:
        token = naive_token(self._url, "demo", "demo-secret")
        self._session.headers.update({"Content-Type": "application/json", "X-CAP-API-OAUTH-TOKEN": token})

    def send(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The elements of the answer.

        Raises:
            requests.RequestException: no try came to an answer.
        """
        body = json.dumps(batch)
        for tries_left in reversed(range(TRIES)):
            try:
                return self._tried(body)
            except requests.RequestException as error:
                if not (tries_left and is_worth_a_retry(error)):
                    raise
                time.sleep(wait_s(error, TRIES - 1 - tries_left))
        raise AssertionError("the last try returns or raises")

    def _tried(self, body: str) -> list[dict[str, Any]]:
        answer = self._put(body)
        if answer.status_code == 401:
            self._log_in()
            answer = self._put(body)
        answer.raise_for_status()
        elements = answer.json()
        return list(elements["response"] if isinstance(elements, dict) else elements)

    def _put(self, body: str) -> requests.Response:
        return self._session.put(f"{self._url}/v2/bulk?source=INSTORE", data=body, timeout=self._timeout_s)


def is_worth_a_retry(error: requests.RequestException) -> bool:
    """429, 5xx, and whatever came without a status: a timeout, a lost connection, an answer that is no JSON."""
    return error.response is None or error.response.status_code == 429 or error.response.status_code >= 500


def wait_s(error: requests.RequestException, tried: int) -> float:
    """As long as the server asks for; without a wish, twice as long each time."""
    wish = error.response.headers.get("Retry-After") if error.response is not None else None
    return float(wish) if wish else float(BACKOFF_S * 2**tried)


def load(loader: Loader, customers: list[dict[str, Any]], rows_per_request: int, log: TextIO) -> int:
    """Send everything, one log line per batch; how many batches were given up."""
    given_up = 0
    for start in range(0, len(customers), rows_per_request):
        batch = customers[start : start + rows_per_request]
        keys = [customer["profiles"][0]["identifiers"][0]["value"] for customer in batch]
        try:
            elements = loader.send(batch)
            with_errors = {at for at, element in enumerate(elements) if element.get("errors")}
            fates = {key: "refused" if at in with_errors else "accepted" for at, key in enumerate(keys)}
        except requests.RequestException as error:
            print(f"rows {start} to {start + len(batch)}: {type(error).__name__}", file=sys.stderr)
            fates = dict.fromkeys(keys, "not_sent")
            given_up += 1
        log.write(json.dumps(fates) + "\n")
        log.flush()
    return given_up


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--rows-per-request", type=int, required=True)
    parser.add_argument("--timeout", type=float, required=True, help="seconds")
    given = parser.parse_args(arguments)
    customers = naive_prepare(given.file)
    with given.log.open("w", encoding="utf-8") as log:
        given_up = load(Loader(os.environ["SANDBOX_URL"], given.timeout), customers, given.rows_per_request, log)
    sys.exit(GIVEN_UP_EXIT if given_up else 0)


if __name__ == "__main__":
    main()
