"""The stand-in API as a command; starts quickly, because it knows nothing of loading."""

from connectors.sandbox.faults import FaultError, parse_faults
from connectors.sandbox.server import RunningSandbox, serve
from connectors.sandbox.settings import Settings
from flows.told import Told
from schemas.errors import WrongInput


def sandbox(
    port: int, faults: list[str], creates: bool, requests_per_minute: int | None, max_batch: int, told: Told
) -> None:
    """Serve until a signal."""
    settings = Settings(creates=creates, requests_per_minute=requests_per_minute, max_batch=max_batch)
    key, secret = next(iter(settings.org.clients.items()))

    def ready(running: RunningSandbox) -> None:
        lines = [
            f"sandbox at {running.url}; its books at {running.url}/sandbox/books; stop it with Ctrl-C",
            f"OAuth key {key}, secret {secret}; programmes {', '.join(map(str, settings.org.programmes))}",
        ]
        told.result({"url": running.url, "key": key, "secret": secret}, lambda: iter(lines))

    try:
        parse_faults(faults)
        serve(port, faults, settings=settings, ready=ready)
    except FaultError as error:
        raise WrongInput(str(error)) from None
    except OSError as error:
        raise WrongInput(f"port {port}: {error.strerror}; --port 0 takes a free one") from None
