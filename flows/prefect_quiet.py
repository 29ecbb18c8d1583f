"""Prefect, told to be quiet and to stay at home; imported before Prefect is, because it reads this once."""

import os

for name, value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # A temporary server would take 15 s to start, for a run that nobody could look at afterwards.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
}.items():
    os.environ.setdefault(name, value)
