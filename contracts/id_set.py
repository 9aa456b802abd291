"""Which of very many ids were met: a bit for each, so that reading a whole shop takes no memory worth counting."""

from typing import Final

_IDS: Final = 1024
"""Ids of a block. Shops count up, so the ids of one window fill their blocks: 10,000 of them take some 3 KB."""


class IdSet:
    """A set of whole numbers of 0 or more that lie close together; it only grows."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}

    def add(self, number: int) -> None:
        """Raises `ValueError` for a number below 0."""
        if number < 0:
            raise ValueError(f"{number} is no id")
        block, bit = divmod(number, _IDS)
        known = self._blocks.get(block)
        if known is None:
            known = self._blocks[block] = bytearray(_IDS // 8)
        known[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, number: int) -> bool:
        block, bit = divmod(number, _IDS)
        found = self._blocks.get(block)
        return found is not None and bool(found[bit >> 3] & 1 << (bit & 7))
