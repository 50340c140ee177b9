"""Pictures and events to object storage that speaks S3."""

from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from kplate.errors import KplateError
from kplate.events import without_credentials
from kplate.sinks.base import Picture
from kplate.sinks.courier import Undelivered
from kplate.sinks.store import Waiting

_OPTIONS: Final = ("endpoint", "region")


class ObjectStorage:
    """A bucket."""

    def __init__(self, url: str) -> None:
        """Prepare for storing.

        Args:
            url: ``s3://BUCKET/PREFIX?endpoint=http://host:9000&region=ap-northeast-2``. Keys come from the
                environment (``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``) or the machine's role.

        Raises:
            KplateError: The address is none, or obstore is not installed.
        """
        self.name = without_credentials(url)
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        options = dict(parse_qsl(parts.query))
        unknown = [name for name in options if name not in _OPTIONS]
        if not parts.netloc or "@" in parts.netloc:
            raise KplateError(
                f"{self.name}: not an address such as s3://bucket/prefix; keys come from the environment "
                "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
            )
        if unknown:
            raise KplateError(f"{self.name}: unknown option {unknown[0]!r}; there are {', '.join(_OPTIONS)}")
        try:
            from obstore.store import S3Store
        except ImportError:
            raise KplateError(
                "object storage needs obstore, which is not installed: pip install 'kplate[objects]'"
            ) from None
        endpoint = options.get("endpoint")
        config: dict[str, Any] = {"region": options["region"]} if "region" in options else {}
        if endpoint:
            config["endpoint"] = endpoint
        try:
            self._store = S3Store(
                parts.netloc,
                prefix=unquote(parts.path).strip("/") or None,
                # The courier tries again for ever, and tells why; the library would be silent meanwhile.
                retry_config={"max_retries": 0},
                client_options={"timeout": "30s", "connect_timeout": "5s", "allow_http": bool(endpoint)},
                **config,
            )
        except Exception as error:
            raise KplateError(f"{self.name}: {_reason(error)}") from None

    def send(self, item: Waiting, pictures: list[Picture]) -> None:
        """Store the pictures of an event, and then the event as JSON beside them.

        Raises:
            Undelivered: The storage is away, or does not let us.
        """
        import obstore

        try:
            for picture in pictures:
                obstore.put(self._store, picture.key, picture.data, attributes={"Content-Type": "image/jpeg"})
            if pictures:
                key = f"{pictures[0].key.rpartition('/')[0]}/{item.event}.json"
                obstore.put(
                    self._store, key, item.body.encode(), attributes={"Content-Type": "application/json"}
                )
        except Exception as error:  # the library has a class for each service's failures
            raise Undelivered(_reason(error)) from None


def _reason(error: Exception) -> str:
    """Return the first sentence of a failure; the library adds its whole state, with addresses."""
    text = str(error).strip().partition("\n")[0]
    for word, told in _PLAIN.items():
        if word in str(error):
            return told
    return text[:200] or type(error).__name__


_PLAIN: Final = {
    "NoSuchBucket": "the bucket does not exist",
    "AccessDenied": "the storage refuses: access denied",
    "InvalidAccessKeyId": "the storage does not know the access key",
    "SignatureDoesNotMatch": "the storage refuses the secret key",
    # Where a machine asks for its role when it has no keys.
    "169.254.169.254": "there are no keys (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    "Connection refused": "cannot connect: connection refused",
    "timed out": "cannot connect: timed out",
}
