"""What the driver of a cluster and its processes say to each other."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol


class StoppedError(Exception):
    """The driver asked a process to stop; raised between two pieces of work."""


class Worker(Protocol):
    """Does the work in one process.

    Attributes:
        way: What a result depends on besides its item, such as the weights; must be the
            driver's.
        note: Text for the driver.
    """

    way: str
    note: str

    def take(self, batch: Sequence[Any], done: Callable[[], None]) -> list[Any]:
        """Does a batch.

        Args:
            batch: The items.
            done: To be called often; may raise `StoppedError`.

        Returns:
            A small row for each item, in their order.
        """


@dataclasses.dataclass(frozen=True)
class Share:
    """What a process has of its machine.

    Attributes:
        memory: Share of the machine's memory, up to 1.
        writer: Name of the machine in the records of a folder; None for a process that
            works alone.
    """

    memory: float = 1.0
    writer: str | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What each process needs to begin; it is sent to all machines.

    Attributes:
        script: The script's file.
        maker: Name of its function from a `Share` to a `Worker`.
        argv: Its command line.
        folder: The current folder.
        seen: Paths that each machine must see.
        way: See `Worker`.
        versions: What must be equal on all machines.
        told: Describes the versions.
    """

    script: str
    maker: str
    argv: tuple[str, ...]
    folder: str
    seen: tuple[str, ...]
    way: str
    versions: tuple[str, ...]
    told: str


@dataclasses.dataclass
class Greeting:
    """What a process says once it has begun.

    Attributes:
        node: Name of its machine.
        refusal: Why it cannot take part; None if it can.
        is_late: Whether its machine joined the cluster after the run began.
        note: See `Worker`.
        lines: See `console.progress.lines_caught`.
    """

    node: str
    refusal: str | None = None
    is_late: bool = False
    note: str = ""
    lines: Sequence[tuple[bool, str]] = ()


@dataclasses.dataclass
class Answer:
    """The result of a batch.

    Attributes:
        rows: A row for each item; None after an error that ends the work.
        lines: See `Greeting`.
    """

    rows: list[Any] | None
    error: Exception | None = None
    lines: Sequence[tuple[bool, str]] = ()


class Unseen:
    """In place of a `Progress`, in a process of a cluster."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.done, self.check = 0, check

    def advance(self, count: int = 1) -> None:
        """Counts, and stops if the driver asks for it."""
        self.done += count
        self.check()
