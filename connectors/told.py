"""What file servers' libraries raise, told in words of ours: theirs may hold a password or a signature."""

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.landing import Lost
from schemas.errors import SourceError

_THEIRS = {
    "adlfs", "aiobotocore", "aiohttp", "asyncssh", "azure", "botocore", "fsspec", "ftplib", "gcsfs", "google", "s3fs",
    "sshfs", "ssl", "socket",
}  # fmt: skip
_CLOUD = (
    "no credentials for it were found; give them where the cloud's own tools look for them "
    "(environment, profile, the machine's role)"
)
_CERTIFICATE = "its certificate is not trusted; have it mended, or trust its authority on this machine"
# By class name, nearest class first, because the libraries may not be installed.
_WORDS = {
    "NoCredentialsError": _CLOUD,
    "PartialCredentialsError": _CLOUD,
    "ProfileNotFound": "there is no such profile; look at AWS_PROFILE",
    "DefaultCredentialsError": _CLOUD,
    "ClientAuthenticationError": _CLOUD,
    "ParamValidationError": "the bucket's name is not one the store accepts; look at its spelling",
    "SFTPPermissionDenied": "no permission",
    "SFTPNoSuchFile": "does not exist",
    "SFTPNoSuchPath": "does not exist",
    "SFTPWriteProtect": "no permission",
    "SFTPNoSpaceOnFilesystem": "the server's disk is full",
    "SFTPQuotaExceeded": "the server's disk is full",
    "SFTPFailure": "the server refuses it",
    "SFTPOpUnsupported": "the server cannot do it",
    "ChannelOpenError": "the server opens no SFTP session for this user",
    "FileNotFoundError": "does not exist",
    "NotADirectoryError": "is no folder",
    "IsADirectoryError": "is a folder",
    "PermissionError": "no permission",
    "error_perm": "no permission",
    "SSLCertVerificationError": _CERTIFICATE,
    "ClientConnectorCertificateError": _CERTIFICATE,
    "ClientConnectorSSLError": "speaks no TLS that is safe",
    "InvalidURL": "is no URL that can be asked for",
}
# What may go away by itself.
_MAY_GO_AWAY = {
    "ConnectionRefusedError": "the server refuses connections; look at host and port",
    "TimeoutError": "the server does not answer",
    "FSTimeoutError": "the server does not answer",
    "timeout": "the server does not answer",
    "ConnectTimeoutError": "the server does not answer",
    "ReadTimeoutError": "the server does not answer",
    "ServerTimeoutError": "the server does not answer",
    "ConnectionResetError": "the connection broke",
    "BrokenPipeError": "the connection broke",
    "EOFError": "the connection broke",
    "ConnectionLost": "the connection broke",
    "SFTPConnectionLost": "the connection broke",
    "SFTPNoConnection": "the connection broke",
    "DisconnectError": "the server ended the connection",
    "ClientPayloadError": "the connection broke",
    "ServerDisconnectedError": "the connection broke",
    "IncompleteRead": "the connection broke",
    "IncompleteReadError": "the connection broke",
    "ResponseStreamingError": "the connection broke",
    "HTTPClientError": "the server cannot be reached; look at the endpoint",
    "ClientConnectionError": "the connection broke",
    "error_temp": "the server is not ready",
    "error_proto": "the connection broke",
    "error_reply": "the connection broke",
    "OSError": "the server cannot be reached",
}


@contextmanager
def told(label: str) -> Iterator[None]:
    """Raise what libraries raise in words, and let our own errors and bugs pass.

    Raises:
        SourceError: somebody has to do something.
        Lost: it may go away by itself.
    """
    trouble: Exception | None = None
    try:
        yield
    except (SourceError, Lost):
        raise
    except Exception as error:
        if not _is_theirs(error):
            raise
        trouble = error
    if trouble is not None:
        raise _in_words(trouble, label)


def is_missing(error: Exception) -> bool:
    """Whether it says that there is no such file."""
    return _named(error, {"FileNotFoundError", "SFTPNoSuchFile", "SFTPNoSuchPath"}) is not None


def _is_theirs(error: Exception) -> bool:
    return isinstance(error, (OSError, EOFError)) or type(error).__module__.partition(".")[0] in _THEIRS


def _in_words(error: Exception, label: str) -> Exception:
    deepest = _cause(error)
    if isinstance(deepest, socket.gaierror) and deepest.errno != socket.EAI_AGAIN:
        return SourceError(f"{label}: there is no host of this name; look at its spelling")
    if isinstance(deepest, OSError) and deepest.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return Lost("no way leads to the server")
    for each in (error, deepest):
        if isinstance(each, ssl.SSLError) and not isinstance(each, ssl.SSLCertVerificationError):
            return Lost("the connection broke")
        words = _named(each, _WORDS)
        if words is not None:
            return SourceError(f"{label}: {_nearer(_WORDS[words], error)}")
    for each in (deepest, error):
        lost = _named(each, _MAY_GO_AWAY)
        if lost is not None and (lost != "OSError" or each is error):
            return Lost(_MAY_GO_AWAY[lost])
    return SourceError(f"{label}: cannot be read ({type(error).__name__}); look at it with another program")


def _nearer(words: str, error: Exception) -> str:
    said = str(error).lower()
    if words == "does not exist" and "bucket does not exist" in said:
        return "there is no such bucket; look at its spelling and region"
    if words == "no permission":
        return f"{words}; ask for the right to read, move and write there"
    return words


def _cause(error: BaseException) -> BaseException:
    seen = {id(error)}
    while (under := error.__cause__ or error.__context__) is not None and id(under) not in seen:
        error = under
        seen.add(id(error))
    return error


def _named(error: BaseException, names: "set[str] | dict[str, str]") -> str | None:
    return next((each.__name__ for each in type(error).__mro__ if each.__name__ in names), None)
