"""What no error may hold: not in its words, nor in what a traceback of it shows."""

import traceback


def told_without(error, *secrets):
    """Check an error with all that it is chained to."""
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert [secret for secret in secrets if secret in shown] == []
