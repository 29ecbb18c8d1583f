"""Prefect, told to be quiet and to stay at home; imported before Prefect is, because it reads this once."""

import os

import flows.arrow_memory  # noqa: F401  # the same for Arrow

for name, value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    # Where no server is configured Prefect starts one for the run, which has taken 12 to 19 s.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "60",
}.items():
    os.environ.setdefault(name, value)
