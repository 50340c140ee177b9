"""Watches rendered clips of passing cars and tells how many were read rightly, how often, and how fast.

kplate synth clip --out clip
python tools/measure_watch.py clip
"""

import argparse
import json
import resource
import time
from collections import Counter
from pathlib import Path

import cv2

import kplate
from kplate.live.files import VideoFile
from kplate.live.pipeline import recognised
from kplate.live.telling import sighting_event
from kplate.live.watcher import Watcher


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, help="of `kplate synth clip`")
    parser.add_argument("--workers", type=int, default=2, help="threads that recognise (default: 2)")
    parser.add_argument("--every", type=int, default=1, help="read every Nth frame only")
    parser.add_argument("--weights", help="folder with the networks to use")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    recognizer = kplate.Recognizer(weights=args.weights, threads=1)
    for folder in args.folders:
        measure(folder, recognizer, args.workers, args.every)


def measure(folder: Path, recognizer: kplate.Recognizer, workers: int, every: int) -> None:
    """Watch one clip, from decoding to events as JSON, and compare with its labels."""
    watcher, told, frames = Watcher(), [], 0
    began, used = time.perf_counter(), time.process_time()
    with VideoFile(folder / "clip.mp4", every=every) as video:
        for frame, recognition in recognised(video, recognizer, workers=workers):
            told += watcher.update(frame, recognition).settled
            frames += 1
    told += watcher.finish()[0]
    lines = [sighting_event(sighting, video.name, repeatable=True).to_json() for sighting in told]
    seconds, used = time.perf_counter() - began, time.process_time() - used
    head = (folder / "clip.jsonl").read_text(encoding="utf-8").partition("\n")[0]
    truth = {car["text"]: car for car in json.loads(head)["cars"]}
    texts = Counter(sighting.text for sighting in told)
    right = [text for text in truth if texts[text] == 1]
    wrong = [text for text in texts if text not in truth]
    missed = [
        f"{text} ({car['kind']}{', night' * car['night']})" for text, car in truth.items() if not texts[text]
    ]
    print(
        f"{folder}: {len(right)} of {len(truth)} cars right, {texts.total() - len(texts)} told twice, "
        f"wrong: {', '.join(wrong) or 'none'}; missed: {', '.join(missed) or 'none'}"
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  {frames} frames, {len(lines)} events: {frames / seconds:.1f} frames/s, "
        f"{used / frames * 1000:.1f} ms of CPU a frame, {used / seconds:.2f} cores, {memory:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
