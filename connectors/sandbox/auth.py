"""Who may call: OAuth tokens that expire, and a till's Basic password (contract §7)."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping

from connectors.sandbox.settings import Org

TOKEN_HEADER = "x-cap-api-oauth-token"  # noqa: S105 - a header's name


class Auth:
    """Knows clients by token or password; `now` is in seconds since 1970."""

    def __init__(self, org: Org, now: Callable[[], float]) -> None:
        self._org = org
        self._now = now
        self._secret = secrets.token_bytes(32)
        self._tokens: dict[str, tuple[str, float]] = {}

    def token(self, key: str, secret: str, ttl_s: float) -> str | None:
        """A new token, or None for a wrong key or secret; older ones stay valid until they expire."""
        known = self._org.clients.get(key)
        if known is None or not hmac.compare_digest(known.encode(), secret.encode()):
            return None
        token = self._sign(key, ttl_s)
        self._tokens[token] = (key, self._now() + ttl_s)
        return token

    def revoke_all(self) -> None:
        """Make every token invalid at once: the next call gets 401."""
        self._tokens.clear()

    def client(self, headers: Mapping[str, str]) -> str | None:
        """The client's key or till; None when nobody is known by these headers."""
        token = headers.get(TOKEN_HEADER)
        if token is not None:
            key, expires = self._tokens.get(token, ("", 0.0))
            return key if key and self._now() < expires else None
        scheme, _, coded = headers.get("authorization", "").partition(" ")
        return self._till(coded) if scheme.lower() == "basic" else None

    def _till(self, coded: str) -> str | None:
        """Basic is base64 of till:md5(password), the md5 in lower-case hex."""
        try:
            till, _, digest = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        password = self._org.till_passwords.get(till)
        if password is None:
            return None
        expected = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
        return till if hmac.compare_digest(expected, digest) else None

    def _sign(self, key: str, ttl_s: float) -> str:
        """Shaped like the API's JWT, with its claims; signed with a secret that dies with the process."""
        now = self._now()
        claims = {
            "iss": "sandbox",
            "sub": key,
            "client_id": key,
            "org_id": self._org.org_id,
            "token_use": "access",
            "iat": int(now),
            "exp": int(now + ttl_s),
            "jti": secrets.token_hex(8),
        }
        head = ".".join(_base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{head}.{_base64url(hmac.digest(self._secret, head.encode(), 'sha256'))}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
