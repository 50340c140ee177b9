"""Says why a camera cannot be opened: OpenCV only says that it cannot."""

import socket
from typing import Final
from urllib.parse import urlsplit

from kplate.events.urls import without_credentials
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
    """Ask an RTSP server to describe a stream and return the status of its answer, None where it has none."""
    bare = without_credentials(address)
    link.sendall(f"DESCRIBE {bare} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n".encode())
    try:
        words = link.recv(256).split(maxsplit=2)
    except TimeoutError:
        return None
    return int(words[1]) if len(words) > 1 and words[0].startswith(b"RTSP/") and words[1].isdigit() else None
