"""Settings of OpenCV's video functions that hold for the whole process."""

import os
from typing import Final

import cv2

_SETTINGS: Final = {
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # AV_LOG_QUIET
    "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "5",  # seconds until a camera of this machine counts as stalled
}


def quiet_opencv() -> None:
    """Keep OpenCV and its FFmpeg from writing to standard error.

    What they say there is not meant for users, and may hold the address of a camera with its password. OpenCV
    reads the settings when the first video is opened; those that the user has made stay.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
