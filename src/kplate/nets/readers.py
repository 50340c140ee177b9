"""The networks that can read, by name."""

from typing import Final

from kplate.nets.lprnet import LprNet, LprNetConfig
from kplate.nets.lprnet_published import LprNetPublished, published_config

ReaderNet = LprNet | LprNetPublished

#: The network that ships as kplate's reader.
DEFAULT: Final = "kplate-lprnet"
#: LPRNet as it was published.
PUBLISHED: Final = "lprnet"
READERS: Final = (DEFAULT, PUBLISHED)


def default_config(name: str, kinds: int) -> LprNetConfig:
    """Return the sizes that a network has unless something else is asked for.

    Args:
        name: One of :data:`READERS`.
        kinds: Number of plate kinds, for networks that tell them.
    """
    return published_config() if name == PUBLISHED else LprNetConfig(kinds=kinds)


def build_reader(name: str, config: LprNetConfig) -> ReaderNet:
    """Build a network.

    Raises:
        ValueError: There is none of this name, or it cannot have these sizes.
    """
    if name not in READERS:
        raise ValueError(f"there is no reader network {name!r}: the names are {', '.join(READERS)}")
    return LprNetPublished(config) if name == PUBLISHED else LprNet(config)
