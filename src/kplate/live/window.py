"""A window that shows frames. Tk comes with Python; OpenCV's small wheels have no windows."""

from typing import Any, Final

import cv2

from kplate.errors import KplateError
from kplate.images import Image

#: Frames are shrunk to this width, in px: Tk is slow with large ones.
_WIDEST: Final = 1280


class Window:
    """A window. Whoever opened it shows frames from the same thread."""

    def __init__(self, title: str) -> None:
        """Open the window.

        Args:
            title: Its title.

        Raises:
            KplateError: There is no screen, or Python came without Tk.
        """
        try:
            import tkinter
        except ImportError as error:
            raise KplateError(
                "--show needs Tk, which this Python has not; on Debian: apt-get install python3-tk"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise KplateError(f"--show needs a screen: {error}") from error
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self._closed)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self._photo: Any = None
        self._make: Any = tkinter.PhotoImage
        self.open = True

    def show(self, image: Image) -> bool:
        """Show a frame, uint8 H x W x 3 BGR; return false when the user has closed the window."""
        if not self.open:
            return False
        height, width = image.shape[:2]
        if width > _WIDEST:
            image = cv2.resize(image, (_WIDEST, round(height * _WIDEST / width)))  # type: ignore[assignment]
            height, width = image.shape[:2]
        data = b"P6 %d %d 255 " % (width, height) + cv2.cvtColor(image, cv2.COLOR_BGR2RGB).tobytes()
        self._photo = self._make(data=data, format="PPM")
        self._label.configure(image=self._photo)
        self._root.update()
        return self.open

    def close(self) -> None:
        """Close the window."""
        if self.open:
            self._closed()

    def _closed(self) -> None:
        self.open = False
        self._root.destroy()
