"""From addresses and paths to open sinks."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from kplate.errors import KplateError
from kplate.events import without_credentials
from kplate.files import StrPath
from kplate.sinks.base import Log, Output
from kplate.sinks.courier import Carrier, Courier, Postman
from kplate.sinks.fan import Sinks, StoreOutput, log_warning
from kplate.sinks.files import CsvFile, JsonLinesFile, LineFile, PictureFolder
from kplate.sinks.privacy import Privacy
from kplate.sinks.store import Store

#: The store where no other is named.
DEFAULT_STORE: Final = "kplate-events.db"
#: Where events wait for receivers on the network when no store is among the sinks, and for how long what was
#: delivered is remembered there.
DEFAULT_SPOOL: Final = "kplate-spool.db"
_SPOOL_KEEP: Final = timedelta(days=7)
_STORE_SUFFIXES: Final = (".db", ".sqlite", ".sqlite3")
_FILES: Final[dict[str, Callable[[Path], LineFile]]] = {
    ".jsonl": JsonLinesFile,
    ".ndjson": JsonLinesFile,
    ".csv": CsvFile,
}
_NETWORK: Final = ("mqtt", "mqtts", "http", "https", "s3")
TARGETS: Final = "FILE.db, FILE.jsonl, FILE.csv, FOLDER/ (pictures), " + ", ".join(
    f"{name}://" for name in _NETWORK
)


@dataclass(frozen=True, slots=True)
class _Remote:
    """A receiver on the network.

    Attributes:
        name: Without credentials; what waits is kept under it.
        carrier: The way there.
        pictures: Whether it takes pictures.
    """

    name: str
    carrier: Carrier
    pictures: bool


def open_sinks(
    targets: Sequence[str],
    *,
    spool: StrPath | None = None,
    privacy: Privacy | None = None,
    keep: timedelta | None = None,
    log: Log = log_warning,
) -> Sinks:
    """Open sinks and return them as one.

    A receiver on the network need not be there: what is written waits in the store (or, where none is among
    the targets, in the spool) until it is, also from one run to the next.

    Args:
        targets: What to write to: ``events.db`` (an SQLite store), ``events.jsonl``, ``events.csv``,
            ``pictures/`` (a folder), ``mqtt://broker/base``, ``https://host/path``, ``s3://bucket/prefix``.
        spool: File in which events wait for the network when no store is among the targets.
        privacy: What is not told.
        keep: Age at which events and stored pictures are deleted; None: never.
        log: Told once what goes wrong, in sentences without credentials, from any thread.

    Raises:
        KplateError: A target is none, cannot be written to, or needs a library that is not installed.
    """
    stores = [_local_path(target) for target in targets if _kind(target) == "store"]
    if len(stores) > 1:
        raise KplateError(f"only one store of events can be written to, not {' and '.join(stores)}")
    outputs: list[Output] = [_file(target) for target in targets if _kind(target) == "file"]
    remote_targets = [target for target in targets if _kind(target) == "network"]
    if not stores and not remote_targets:
        return Sinks(outputs, privacy=privacy, keep=keep, log=log)
    path = Path(stores[0] if stores else spool or DEFAULT_SPOOL)
    remotes = [_remote(target, path) for target in remote_targets]
    store = Store(path)
    pictures = any(remote.pictures for remote in remotes)
    # The store comes first: what waits there is safe before anything else is tried.
    output = StoreOutput(store, [remote.name for remote in remotes], wants_pictures=pictures)
    return Sinks(
        [output, *outputs],
        store=store,
        couriers=[Courier(store, remote.name, remote.carrier, log) for remote in remotes],
        privacy=privacy,
        keep=keep if stores else min(keep or _SPOOL_KEEP, _SPOOL_KEEP),
        log=log,
    )


def _kind(target: str) -> str:
    """Say what a target is: ``network``, ``store`` or ``file``.

    Raises:
        KplateError: It is nothing of these.
    """
    scheme, separator, _ = target.partition("://")
    if separator and scheme.lower() in _NETWORK:
        return "network"
    if separator and scheme.lower() != "sqlite":
        raise KplateError(f"{without_credentials(target)}: events cannot go there; there are {TARGETS}")
    if scheme.lower() == "sqlite" or Path(target).suffix.lower() in _STORE_SUFFIXES:
        return "store"
    return "file"


def _local_path(target: str) -> str:
    return target.partition("://")[2] if target.lower().startswith("sqlite://") else target


def _file(target: str) -> Output:
    path = Path(target)
    opened = _FILES.get(path.suffix.lower())
    if opened is not None:
        return opened(path)
    if target and (target.endswith(("/", os.sep)) or path.is_dir()):
        return PictureFolder(path)
    if target and path.exists() and not path.is_file():  # a pipe or a device such as /dev/stdout
        return JsonLinesFile(path)
    raise KplateError(f"{without_credentials(target)!r}: events cannot go there; there are {TARGETS}")


def _remote(target: str, store: Path) -> _Remote:
    scheme = target.partition("://")[0].lower()
    if scheme in ("mqtt", "mqtts"):
        from kplate.sinks.mqtt import MqttCarrier
        from kplate.sinks.mqtt_client import Broker, client_name

        broker = Broker.parse(target)
        return _Remote(
            broker.name, MqttCarrier(broker, client_name(f"{store.resolve()} {broker.name}")), False
        )
    if scheme == "s3":
        from kplate.sinks.objects import ObjectStorage

        storage = ObjectStorage(target)
        return _Remote(storage.name, Postman(storage.send, with_pictures=True), True)
    from kplate.sinks.webhook import Webhook

    webhook = Webhook(target, os.environ.get("KPLATE_WEBHOOK_SECRET"))
    return _Remote(webhook.name, Postman(webhook.send), False)
