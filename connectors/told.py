"""What file servers' libraries raise, told in words of ours: theirs may hold a password or a signature."""

import errno
import re
import socket
from collections.abc import Mapping

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
_MISSING = "does not exist"
# How s3fs tells a request that the server will never take.
_REFUSALS = (errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.EREMCHG)
# By class name, nearest class first, because the libraries may not be installed.
_WORDS = {
    "NoCredentialsError": _CLOUD,
    "PartialCredentialsError": _CLOUD,
    "ProfileNotFound": "there is no such profile; look at AWS_PROFILE",
    "DefaultCredentialsError": _CLOUD,
    "ClientAuthenticationError": _CLOUD,
    "ParamValidationError": "the bucket's name is not one the store accepts; look at its spelling",
    "SFTPPermissionDenied": "no permission",
    "SFTPNoSuchFile": _MISSING,
    "SFTPNoSuchPath": _MISSING,
    "SFTPWriteProtect": "no permission",
    "SFTPNoSpaceOnFilesystem": "the server's disk is full",
    "SFTPQuotaExceeded": "the server's disk is full",
    "SFTPFailure": "the server refuses it",
    "SFTPOpUnsupported": "the server cannot do it",
    "ChannelOpenError": "the server opens no SFTP session for this user",
    "FileNotFoundError": _MISSING,
    "NotADirectoryError": "is no folder",
    "IsADirectoryError": "is a folder",
    "PermissionError": "no permission",
    "error_perm": "the server refuses it: there is no such file, or no right to it",
    "SSLCertVerificationError": _CERTIFICATE,
    "ClientConnectorCertificateError": _CERTIFICATE,
    "ClientConnectorSSLError": "speaks no TLS that is safe",
    "UnicodeDecodeError": "a name there is no UTF-8; have it changed on the server",
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
    "ServiceRequestError": "the server cannot be reached",
    "ServiceResponseError": "the connection broke",
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


def in_words(error: Exception, label: str) -> SourceError | Lost:
    """What to raise instead, outside of the `except`: SourceError is for somebody to mend, Lost may go away by itself.

    Our own errors come back as they are; bugs are raised.
    """
    if isinstance(error, (SourceError, Lost)):
        return error
    if not _is_theirs(error):
        raise error
    deepest = _cause(error)
    to_mend = _to_mend(error, deepest)
    if to_mend:
        return SourceError(f"{label}: {to_mend}")
    lost = next((lost for each in (deepest, error) if (lost := _word(each, _MAY_GO_AWAY))), "")
    if lost:
        return Lost(lost)
    return SourceError(f"{label}: cannot be reached or read ({type(error).__name__}); try it with another program")


def is_missing(error: Exception) -> bool:
    """Whether it says that there is no such file."""
    return _word(error, _WORDS) == _MISSING


def _is_theirs(error: Exception) -> bool:
    return (
        isinstance(error, (OSError, EOFError, UnicodeDecodeError))
        or type(error).__module__.partition(".")[0] in _THEIRS
    )


def _to_mend(error: Exception, deepest: BaseException) -> str:
    if isinstance(deepest, socket.gaierror) and deepest.errno != socket.EAI_AGAIN:
        return "there is no host of this name; look at its spelling"
    if words := _word(error, _WORDS) or _word(deepest, _WORDS):
        return f"{_nearer(words, error)}{_code(error)}"
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        return f"the server refuses the request{_code(error)}; look at region and endpoint"
    return ""


def _nearer(words: str, error: Exception) -> str:
    said = str(error).lower()
    if words == _MISSING and "bucket does not exist" in said:
        return "there is no such bucket; look at its spelling and region"
    if words == "no permission":
        return f"{words}; ask for the right to read, move and write there"
    return words


def _code(error: BaseException) -> str:
    """S3's own word for it, which one can look up."""
    response = getattr(error.__cause__, "response", None) or {}
    code = str(response.get("Error", {}).get("Code", ""))
    return f" ({code})" if re.fullmatch("[A-Za-z]+", code) else ""


def _cause(error: BaseException) -> BaseException:
    seen = {id(error)}
    while (under := error.__cause__ or error.__context__) is not None and id(under) not in seen:
        error = under
        seen.add(id(error))
    return error


def _word(error: BaseException, words: Mapping[str, str]) -> str:
    return next((words[each.__name__] for each in type(error).__mro__ if each.__name__ in words), "")
