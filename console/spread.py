"""Divides the work on many files between processes that share a folder."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar

from console.errors import InputError
from console.progress import say
from console.settings import Settings, is_given, option

T = TypeVar("T")
LOCAL, AUTO = "local", "auto"


class Chosen(Collection[T]):
    """Items that a function chooses, found anew each time.

    A list would hold them all; this holds none.
    """

    def __init__(
        self,
        find_items: Callable[[], Iterable[T]],
        is_chosen: Callable[[T], bool] = lambda _: True,
        count: int | None = None,
    ) -> None:
        """Counts the chosen items.

        Args:
            find_items: Finds all items; called for each iteration.
            is_chosen: Whether to choose an item.
            count: Number of the chosen items; None to count them.
        """
        self.find_items, self.is_chosen = find_items, is_chosen
        self.count = sum(1 for _ in self) if count is None else count

    def __iter__(self) -> Iterator[T]:
        return filter(self.is_chosen, self.find_items())

    def __contains__(self, item: object) -> bool:
        return any(each == item for each in self)

    def __len__(self) -> int:
        return self.count  # Of those that were chosen at first.


def choose(
    items: Collection[T], is_chosen: Callable[[T], bool], count: int | None = None
) -> Collection[T]:
    """Returns the chosen items: a list of a list, or else `Chosen`."""
    if isinstance(items, list):
        return list(filter(is_chosen, items))
    return Chosen(lambda: items, is_chosen, count)


@dataclasses.dataclass(frozen=True)
class SpreadSettings(Settings):
    """Whether several processes or machines share the work."""

    shown = ("cluster", "shard")

    cluster: str | None = option(
        None,
        "Work on a cluster of Ray (requirements-cluster.txt): local for this machine, "
        "auto for the cluster that this machine belongs to, or an address. All "
        "machines must see the folders and this repository under the same paths.",
    )
    cluster_cpus: int | None = option(
        None,
        "Cores of each process of --cluster; if not given, 4, or all of the smallest "
        "machine. With --use_gpu, each GPU has a process.",
    )
    shard: str | None = option(
        None,
        "Take a part of the pictures only: 3/16 is the third of 16, chosen by a digest "
        "of their names. The parts may run at the same time on different machines.",
    )

    def check(self) -> None:
        """See `Settings.check`."""
        if self.cluster_cpus is not None and self.cluster is None:
            raise InputError("--cluster_cpus needs a --cluster.")
        if self.shard is None:
            return
        found = re.fullmatch(r"([0-9]+)/([0-9]+)", self.shard)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise InputError(
                f"--shard={self.shard}: expected a part and the number of parts, from "
                "1/16 to 16/16 for example."
            )

    def refuse(self, reason: str) -> None:
        """Refuses the flags, for a reason."""
        for name in ("cluster", "shard"):
            if is_given(name):
                raise InputError(f"--{name}: {reason}; leave the flag out.")

    @property
    def writer(self) -> str | None:
        """Names this process in the records of a shared folder; None if it is alone."""
        return None if self.shard is None else self.shard.replace("/", "-")

    def take_share(
        self, items: Collection[T], name: Callable[[T], object]
    ) -> Collection[T]:
        """Returns the items of --shard; all without it.

        Args:
            items: Items that can be iterated several times.
            name: Names an item, equally on all machines.
        """
        if self.shard is None:
            return items
        part, parts = map(int, self.shard.split("/"))

        def is_mine(item):
            digest = hashlib.sha256(os.fsencode(str(name(item)))).digest()
            return int.from_bytes(digest[:8]) % parts == part - 1

        chosen = choose(items, is_mine)
        say(f"--shard={self.shard}: {len(chosen)} of {len(items)} pictures.")
        return chosen
