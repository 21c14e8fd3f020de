"""Work on many items by several processes, on one machine or on a cluster of Ray.

Ray places the processes (`console.ray_engine`) and knows when one dies. This module
says what they do: items go out in batches of about equal work, and the items of a dead
process go to others. In memory are the items of a window, never all.
"""

import collections
import contextlib
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from console.errors import InputError
from console.prefetch import Prefetch
from console.progress import Progress, say, warn

# Items that are sorted by their work at a time.
WINDOW = 2048
# Batches of a window for each process, so that all end at about the same time.
ROUNDS = 4
# Batches that a process has at a time: it works on one, and the next is there.
DEPTH = 2
# Processes that an item may end, for example because memory runs out, before it is
# left out. Machines that fail count, too.
DEATHS = 3
SECONDS_UNTIL_REMINDER = 30.0


@dataclasses.dataclass
class Member:
    """A process of the cluster, as the driver knows it.

    Attributes:
        handle: The engine's.
        node: Name of its machine.
        futures: The futures of the batches that it has, in their order.
    """

    handle: Any
    node: str = ""
    futures: list[Any] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Task:
    """Items that go to one process, and how many processes died with them."""

    items: list[Any]
    deaths: int = 0


class Crew:
    """The processes that share the work.

    Attributes:
        note: The `note` of the workers.
        retried: Items whose process died.
    """

    def __init__(self, engine: Any, what: str) -> None:
        """Asks for no process yet.

        Args:
            engine: Places the processes; see `console.ray_engine.RayEngine`.
            what: Name of the work, for the progress.
        """
        self.engine, self.what = engine, what
        self.members: list[Member] = []
        self.refused: list[Member] = []
        self.hired: dict[Any, Member] = {}
        self.tasks: dict[Any, tuple[Member, Task]] = {}
        self.again: collections.deque[Task] = collections.deque()
        self.retried: list[Any] = []
        self.said: set[str] = set()
        self.note, self.failed = "", 0
        self.last = time.monotonic()

    def take(
        self,
        items: Iterable[Any],
        count: int,
        weigh: Callable[[Any], float],
        most: tuple[float, int],
        name: Callable[[Any], object],
    ) -> Iterator[tuple[Any, Any]]:
        """Does the work, and yields what becomes of each item, in any order.

        Args:
            items: The items; they are taken when there is room for them.
            count: Number of items.
            weigh: The work of an item, in any unit.
            most: The most work and the most items of a batch.
            name: Names an item in messages.

        Yields:
            An item and its row; None in place of a row if too many processes died with
            it, of which a warning tells.

        Raises:
            InputError: The work cannot go on.
        """
        with (
            contextlib.closing(self._make_batches(items, weigh, most)) as batches,
            Progress(count, self.what) as progress,
        ):
            self._hire(count)
            while self._assign(batches):
                for future in self._wait():
                    if future in self.hired:
                        self._welcome(future)
                        self._hire(count - progress.done)
                        continue
                    for item, row in self._collect(future, name):
                        progress.advance()
                        yield item, row
                nodes = len({member.node for member in self.members})
                progress.tell_helpers(f"{nodes} machine{'s' * (nodes != 1)}")

    def close(self) -> None:
        """Ends all processes."""
        handles = [member.handle for member in self.members]
        self.engine.close(handles, list(self.tasks))

    def _make_batches(self, items, weigh, most):
        """Yields lists of items of about equal work, the largest of a window first."""

        def weigh_all(window):
            weighed = [(weigh(item), item) for item in window]
            return sorted(weighed, key=lambda pair: -pair[0])

        iterator = iter(items)
        windows = iter(lambda: list(itertools.islice(iterator, WINDOW)), [])
        with Prefetch(weigh_all, windows, workers=1, depth=2) as weighed:
            for _, get in weighed:
                window = get()
                # Before all processes have begun, as many as may be.
                among = ROUNDS * max(1, len(self.members) + len(self.hired))
                work = min(most[0], sum(weight for weight, _ in window) / among)
                length = min(most[1], -(-len(window) // among))
                yield from _cut(window, work, length)

    def _assign(self, batches):
        """Gives processes what they have room for; returns whether work is left."""
        for depth, member in itertools.product(range(DEPTH), self.members):
            if len(member.futures) > depth:
                continue
            task = self._find_next(batches)
            if task is None:
                break
            future = self.engine.send(member.handle, task.items)
            self.tasks[future] = member, task
            member.futures.append(future)
        if not self.tasks and (task := self._find_next(batches)) is not None:
            self.again.appendleft(task)
        return bool(self.tasks or self.again)

    def _find_next(self, batches):
        if self.again:
            return self.again.popleft()
        return next(map(Task, batches), None)

    def _hire(self, left):
        """Asks for processes, always for one more than the free resources allow.

        It begins where resources become free, for example on a new machine.
        """
        while (
            len(self.hired) < max(1, self.engine.count_free()) and self.failed < DEATHS
        ):
            if len(self.members) + len(self.hired) >= max(1, left):
                return
            handle, future = self.engine.add()
            self.hired[future] = Member(handle)

    def _wait(self):
        if not self.members and time.monotonic() - self.last > SECONDS_UNTIL_REMINDER:
            self.last = time.monotonic()
            say("Waiting for the first process, on a machine with free resources.")
        return self.engine.wait([*self.tasks, *self.hired], 1.0)

    def _welcome(self, future):
        """Takes a process that has begun among the members."""
        member, greeting = self.hired.pop(future), self.engine.get(future)
        if greeting is None:
            self.failed += 1
            if self.failed == DEATHS and not self.members:
                raise InputError(
                    f"--cluster: {DEATHS} processes died while they began. Perhaps "
                    "memory ran out, or this repository has another path there; Ray's "
                    "logs (/tmp/ray/session_latest/logs on each machine) tell more."
                )
            return
        self.failed = 0
        member.node = greeting.node
        if greeting.refusal is not None:
            if not greeting.is_late:
                raise InputError(greeting.refusal)
            # It stays, without work, so that its place is not asked for again.
            self.refused.append(member)
            self._say([(True, f"not used: {greeting.refusal}")], once=True)
            return
        self._say(greeting.lines, once=True)
        self.note = greeting.note
        self.members.append(member)

    def _collect(self, future, name):
        """Yields the items and the rows of a batch, or gives its items to others."""
        if future not in self.tasks:  # It went with the others of a dead process.
            return
        member, _ = self.tasks[future]
        # In the order in which they were sent; those behind an answer may be lost.
        for sent in member.futures[: member.futures.index(future) + 1]:
            answer = self.engine.get(sent)
            if answer is None:
                yield from self._bury(member, name)
                return
            _, task = self.tasks.pop(sent)
            member.futures.remove(sent)
            self._say(answer.lines)
            if answer.error is not None:
                raise answer.error
            yield from zip(task.items, answer.rows, strict=True)

    def _bury(self, member, name):
        """Gives the unanswered batches of a dead process to others."""
        self.members.remove(member)
        # It may live on behind a lost connection, and would keep its place.
        self.engine.drop(member.handle)
        warn(f"a process on {member.node} died; others take its images.")
        # The first is what it worked on. It is done again item by item, since one of
        # them may be the cause.
        first, *others = (self.tasks.pop(future)[1] for future in member.futures)
        self.again.extend(others)
        self.retried += [item for task in (first, *others) for item in task.items]
        deaths = first.deaths + 1
        if deaths < DEATHS:
            self.again.extend(Task([item], deaths) for item in first.items)
            return
        for item in first.items:
            warn(
                f"left out: {name(item)}: {deaths} processes died that worked on it, "
                "perhaps because memory ran out."
            )
            yield item, None

    def _say(self, lines, once=False):
        for is_warning, text in lines:
            if not once or text not in self.said:
                (warn if is_warning else say)(text)
            if once:
                self.said.add(text)


def _cut(weighed, most, length):
    """Cuts (weight, item) into lists of a weight and a length of at most these."""
    batch: list[Any] = []
    work = 0.0
    for weight, item in weighed:
        if batch and (work + weight > most or len(batch) >= length):
            yield batch
            batch, work = [], 0.0
        batch.append(item)
        work += weight
    if batch:
        yield batch
