"""Says why a camera cannot be opened: OpenCV only says that it cannot."""

import base64
import hashlib
import re
import socket
from typing import Final
from urllib.parse import unquote, urlsplit

from kplate.events.urls import without_credentials, without_login
from kplate.files import reason_of

_PORTS: Final = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}
_SECONDS: Final = 3.0
#: What a server of RTSP (RFC 2326) or HTTP answers, in words.
_ANSWERS: Final = {
    401: "it asks for another user name or password",
    403: "it refuses access",
    404: "it has no such stream",
    453: "it has no bandwidth left",
    503: "it is not ready",
}


def why_unreachable(address: str | int, name: str) -> str:
    """Return a sentence that says why a camera could not be opened.

    Args:
        address: Of the camera, as it was tried.
        name: What people call it: no credentials.
    """
    if isinstance(address, int):
        return f"cannot open {name}: this machine has no such camera, or another program uses it"
    try:
        # Without credentials: a password with a slash in it would look like a host.
        parts = urlsplit(without_credentials(address))
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return f"cannot open {name}: this is no address of a camera"
    if not host or not port:
        return f"cannot open {name}: this is no address of a camera"
    try:
        with socket.create_connection((host, port), _SECONDS) as link:
            answer = _status(link, address) if parts.scheme == "rtsp" else None
    except socket.gaierror:
        return f"cannot reach {name}: nobody knows a host named {host}"
    except TimeoutError:
        return f"cannot reach {name}: no answer from {host} within {_SECONDS:.0f} s"
    except OSError as error:
        return f"cannot reach {name}: {reason_of(error)}"
    if answer is None or answer == 200:
        return f"cannot open {name}: it answers, but sends no video that can be decoded"
    return f"cannot open {name}: {_ANSWERS.get(answer, 'it refuses')} (status {answer})"


def _status(link: socket.socket, address: str) -> int | None:
    """Ask an RTSP server to describe a stream and return the status of its answer, None where it has none.

    A server that wants to know who asks is told, or a wrong path would look like a wrong password.
    """
    bare = without_login(address)
    status, challenge = _ask(link, bare)
    if status == 401:
        told = _authorization(challenge, bare, *_login(address))
        if told:
            status, _ = _ask(link, bare, f"CSeq: 2\r\nAuthorization: {told}\r\n")
    return status


def _ask(link: socket.socket, address: str, headers: str = "CSeq: 1\r\n") -> tuple[int | None, str]:
    """Send a request and return the status of the answer and how the server wants to be told who asks."""
    link.sendall(f"DESCRIBE {address} RTSP/1.0\r\n{headers}Accept: application/sdp\r\n\r\n".encode())
    try:
        answer = link.recv(4096).decode("latin-1")
    except TimeoutError:
        return None, ""
    status = re.match(r"RTSP/\S+ (\d+)", answer)
    challenges = re.findall(r"^WWW-Authenticate: *(.*?)\r?$", answer, re.MULTILINE | re.IGNORECASE)
    challenges.sort(key=lambda text: not text.lower().startswith("digest"))
    return (int(status[1]) if status else None), (challenges or [""])[0]


def _login(address: str) -> tuple[str, str]:
    """Return user name and password of an address, empty where it has none."""
    user, _, password = (address.partition("://")[2].rpartition("@")[0]).partition(":")
    return unquote(user), unquote(password)


def _authorization(challenge: str, address: str, user: str, password: str) -> str | None:
    """Answer a challenge of RFC 2617, which RTSP uses; None where that cannot be done."""
    if not user:
        return None
    if challenge.lower().startswith("basic"):
        return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    values = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not challenge.lower().startswith("digest") or not {"realm", "nonce"} <= values.keys():
        return None

    def digest(*parts: str) -> str:
        return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()

    realm, nonce = values["realm"], values["nonce"]
    response = digest(digest(user, realm, password), nonce, digest("DESCRIBE", address))
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{address}", response="{response}"'
    )
