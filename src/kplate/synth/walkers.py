"""Draws people on foot, walking or standing, as a camera over a car park sees them."""

from dataclasses import dataclass

import numpy as np

from kplate.images import Image
from kplate.synth.painter import Camera, Points, blend, fill, smooth

Tone = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Walker:
    """A person on the way from one place to another.

    Attributes:
        start: Place on the ground (x, z), metres.
        end: Likewise.
        begin: Second at which the way begins.
        speed: Metres a second.
        wait: Seconds that the person stands half way.
        height: Metres.
        coat: BGR.
        trousers: BGR.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    begin: float
    speed: float = 1.3
    wait: float = 0.0
    height: float = 1.7
    coat: Tone = (70.0, 60.0, 50.0)
    trousers: Tone = (50.0, 45.0, 45.0)

    @property
    def seconds(self) -> float:
        """How long the way takes."""
        return (
            float(np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1])) / self.speed + self.wait
        )

    def place(self, time: float) -> tuple[float, float, float]:
        """Return x and z at a time, and the metres walked so far."""
        walking = self.seconds - self.wait
        gone = time - self.begin
        moving = min(gone, walking / 2) + max(0.0, gone - walking / 2 - self.wait)
        share = min(max(moving / walking, 0.0), 1.0)
        x = self.start[0] + (self.end[0] - self.start[0]) * share
        z = self.start[1] + (self.end[1] - self.start[1]) * share
        return x, z, share * walking * self.speed


def draw_walker(image: Image, camera: Camera, walker: Walker, time: float) -> None:
    """Paint a person, in place."""
    x, z, walked = walker.place(time)
    h = walker.height

    def see(points: list[tuple[float, float]]) -> Points:
        return camera.outline(np.array([(x + px, py, z) for px, py in points]))

    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    shadow = np.column_stack((x + 0.3 * np.cos(angles), np.zeros(14), z + 0.16 * np.sin(angles)))
    blend(image, camera.outline(shadow), (12, 12, 12), 0.5, blur=2)
    swing = 0.22 * np.sin(walked / 0.72 * np.pi)
    for side in (-1, 1):
        foot = side * swing + 0.05 * side
        hip = 0.07 * side
        leg = [(hip - 0.07, h * 0.5), (hip + 0.07, h * 0.5), (foot + 0.06, 0.0), (foot - 0.06, 0.0)]
        fill(image, see(leg), np.array(walker.trousers) * (1.0 if side > 0 else 0.75))
        hand = -side * swing * 0.8
        arm = [
            (0.16 * side, h * 0.8),
            (0.22 * side, h * 0.8),
            (0.24 * side + hand, h * 0.46),
            (0.17 * side + hand, h * 0.46),
        ]
        fill(image, see(arm), np.array(walker.coat) * 0.8)
    torso = [(-0.2, h * 0.82), (0.2, h * 0.82), (0.18, h * 0.46), (-0.18, h * 0.46)]
    fill(image, smooth(see(torso), 1), walker.coat)
    head = [(0.1 * np.cos(a), h * 0.92 + 0.12 * np.sin(a)) for a in angles]
    fill(image, see(head), (140, 165, 205))
    hair = [(0.105 * np.cos(a), h * 0.945 + 0.105 * np.sin(a)) for a in angles[: len(angles) // 2 + 1]]
    fill(image, see(hair), (25, 25, 28))
