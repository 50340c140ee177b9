"""Addresses with credentials, told without them."""

import re
from typing import Final

#: ``scheme://user:password@``, also inside a sentence and with a slash too few. A password may hold ``@`` and
#: ``/`` that nobody escaped: everything up to the last ``@`` before a blank or a quote counts as credentials.
_USER: Final = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]+:/{1,3})[^\s\"'<>?#]*@")
#: Parameters of an address that are secrets by their names. Recorders take them in the path as well:
#: ``rtsp://10.0.0.5/user=admin&password=secret&channel=1``.
_SECRET: Final = re.compile(
    r"(?P<name>[?&;/](?:[a-z_-]*(?:pass|pwd|passwd|password|secret|token|signature|apikey|api_key|key|auth"
    r"|user|usr|username|login)))=[^&#\s\"'<>]*",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """Return an address, or a sentence with addresses in it, without user names, passwords and keys.

    >>> without_credentials("rtsp://admin:se@cret@10.0.0.5/stream?token=abc&channel=1")
    'rtsp://10.0.0.5/stream?token=***&channel=1'
    """
    return _SECRET.sub(r"\g<name>=***", without_login(text))


def without_login(text: str) -> str:
    """Return an address without user name and password before the host, as servers are asked for it.

    >>> without_login("rtsp://admin:se@cret@10.0.0.5/stream?token=abc")
    'rtsp://10.0.0.5/stream?token=abc'
    """
    return _USER.sub(r"\g<scheme>", text)
