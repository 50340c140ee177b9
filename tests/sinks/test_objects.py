"""Pictures to a real S3-compatible server."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kplate.errors import KplateError
from kplate.events import Event, EventPicture
from kplate.sinks import open_sinks

from .conftest import Log, event, free_port, wait_until


def target(bucket: Any, name: str = "pictures") -> str:
    return f"s3://{name}/park?endpoint={bucket.endpoint}&region=us-east-1"


def test_pictures_and_events_are_stored(bucket: Any, tmp_path: Path, log: Log) -> None:
    happened = event(1, pictures=(EventPicture("vehicle", (10.0, 20.0, 110.0, 80.0)),))
    image = np.full((60, 100, 3), (200, 30, 30), np.uint8)
    with open_sinks([str(tmp_path / "events.db"), target(bucket)], log=log) as sinks:
        sinks.write(happened, {"vehicle": image})
        sinks.write(event(2))  # without pictures there is nothing to store
        assert wait_until(lambda: set(sinks.waiting.values()) == {0})
    assert log == []
    folder = "park/2026-03-01/gate"
    keys = [item["Key"] for item in bucket.list_objects_v2(Bucket="pictures")["Contents"]]
    assert sorted(keys) == [f"{folder}/{happened.id}-vehicle.jpg", f"{folder}/{happened.id}.json"]
    stored = bucket.get_object(Bucket="pictures", Key=f"{folder}/{happened.id}-vehicle.jpg")
    assert stored["ContentType"] == "image/jpeg"
    shown = cv2.imdecode(np.frombuffer(stored["Body"].read(), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (60, 100, 3)
    assert np.abs(shown.astype(int) - image).max() < 12
    told = json.load(bucket.get_object(Bucket="pictures", Key=f"{folder}/{happened.id}.json")["Body"])
    assert Event.from_dict(told).pictures[0].key == f"2026-03-01/gate/{happened.id}-vehicle.jpg"

    log.clear()
    with open_sinks([target(bucket, "nothere")], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(happened, {"vehicle": image})
        assert wait_until(lambda: bool(log))
    assert log.has("the bucket does not exist")


def test_pictures_wait_for_a_storage_that_is_away(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed: pip install 'kplate[objects]'")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "topsecret")
    url = f"s3://pictures?endpoint=http://127.0.0.1:{free_port()}&region=us-east-1"
    with open_sinks([url], spool=tmp_path / "spool.db", log=log) as sinks:
        sinks.write(event(1), {"vehicle": np.zeros((9, 9, 3), np.uint8)})
        assert wait_until(lambda: log.has("cannot connect"))
    assert log.has("1 events wait")
    assert not log.has("topsecret")


@pytest.mark.parametrize("url", ["s3://", "s3://key:secret@bucket/", "s3://bucket/?acl=public"])
def test_wrong_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(KplateError) as caught:
        open_sinks([url], spool=tmp_path / "spool.db")
    assert "secret@" not in str(caught.value)
