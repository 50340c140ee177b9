"""Choosing among the few input sizes that some networks' files take."""

from kplate.errors import EngineError

Size = tuple[int, int]


def fitting(sizes: tuple[Size, ...], wanted: int | Size, picture: Size, name: str) -> int | Size:
    """Return the size that a picture is to be brought to.

    Args:
        sizes: Width and height of each input the file takes; empty where it takes any.
        wanted: Px of the longer side, or exact width and height.
        picture: Width and height of the picture.
        name: The file's, for messages.

    Returns:
        What is wanted, where the file takes any size; else, of its sizes that are as long as is wanted, the
        smallest that the picture fills, or the largest of all.

    Raises:
        EngineError: None is.
    """
    if not sizes:
        return wanted
    exact = (wanted, wanted) if isinstance(wanted, int) else wanted
    able = [size for size in sizes if (max(size) == wanted if isinstance(wanted, int) else size == wanted)]
    if not able:
        taken = ", ".join(f"{width}x{height}" for width, height in sizes)
        raise EngineError(f"cannot run {name} at {exact[0]}x{exact[1]} pixels: it is made for {taken}")
    scale = min(exact[0] / picture[0], exact[1] / picture[1])
    least = (round(picture[0] * scale), round(picture[1] * scale))
    able.sort(key=lambda size: size[0] * size[1])
    return next((size for size in able if size[0] >= least[0] and size[1] >= least[1]), able[-1])
