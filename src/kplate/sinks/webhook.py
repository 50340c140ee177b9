"""Events to a web address: one POST each, signed as https://www.standardwebhooks.com describes."""

import base64
import binascii
import hashlib
import hmac
import http.client
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from kplate.errors import KplateError
from kplate.events import without_credentials
from kplate.sinks.base import Picture
from kplate.sinks.courier import Refused, Undelivered
from kplate.sinks.store import Waiting

#: Seconds until the receiver must have answered.
_PATIENCE: Final = 15.0
#: Answers that concern this one event and will not change: it is given up, and the next one is sent.
_GIVES_UP: Final = frozenset({400, 413, 415, 422})
#: A receiver may not ask for a longer rest than this, in seconds.
_LONGEST_REST: Final = 3600.0


class Webhook:
    """A receiver of events on the web."""

    def __init__(self, url: str, secret: str | None = None) -> None:
        """Prepare for sending.

        Args:
            url: Where to, ``http://`` or ``https://``; user and password in it go into a header.
            secret: What requests are signed with: any text, or ``whsec_`` and base64. None: they are not.

        Raises:
            KplateError: The address or the secret is none.
        """
        self.name = without_credentials(url)
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            host = port = ""
        if not host:
            raise KplateError(f"{self.name}: not an address such as https://example.com/events")
        host = f"[{host}]" if ":" in host else host
        self._url = parts._replace(netloc=f"{host}{port}", fragment="").geturl()
        self._headers = {"Content-Type": "application/json", "User-Agent": "kplate"}
        if parts.username:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
        self._key = None if not secret else _key(secret)
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(self, item: Waiting, pictures: list[Picture]) -> None:  # noqa: ARG002
        """Send an event.

        Raises:
            Undelivered: The receiver is away, or not ready.
            Refused: It will never take this event.
        """
        body = item.body.encode()
        headers = {**self._headers, **signature(item.event, int(time.time()), body, self._key)}
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
        try:
            with self._opener.open(request, timeout=_PATIENCE) as answer:
                answer.read(1024)
        except urllib.error.HTTPError as error:
            with error:
                raise _judged(error) from None
        except urllib.error.URLError as error:
            raise Undelivered(f"cannot connect: {_reason(error.reason)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise Undelivered(f"the connection broke: {_reason(error)}") from None


def signature(event: str, timestamp: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """Return the headers that name an event and prove where it comes from.

    Args:
        event: Its identifier: the same in every try, so that receivers know what comes again.
        timestamp: Seconds since 1970.
        body: What is sent.
        key: Of the HMAC; None for a request without a signature.
    """
    headers = {"webhook-id": event, "webhook-timestamp": str(timestamp)}
    if key is not None:
        signed = f"{event}.{timestamp}.".encode() + body
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise KplateError("the webhook's secret begins with whsec_, but what follows is no base64") from None


def _judged(error: urllib.error.HTTPError) -> Exception:
    reason = f"the receiver answered {error.code} {error.reason}".rstrip()
    if error.code in _GIVES_UP:
        return Refused(reason)
    return Undelivered(reason, _rest(error.headers.get("Retry-After", "")))


def _rest(asked: str) -> float | None:
    """Return the seconds that a receiver wants to be left alone (RFC 9110: seconds, or a date), or None."""
    if asked.isdecimal():
        return min(float(asked), _LONGEST_REST)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    return min(max(0.0, until.timestamp() - time.time()), _LONGEST_REST)


def _reason(error: Any) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Does not follow: a POST would silently become a GET."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse."""
