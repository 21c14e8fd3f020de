"""What the driver of a cluster does, with processes that are played by one object."""

import itertools
import re

import pytest

from console import cluster, progress
from console.cluster import DEATHS, DEPTH, WINDOW, Crew
from console.cluster_messages import Answer, Greeting
from console.errors import InputError


class Played:
    """An engine whose processes work when the driver waits for them.

    Attributes:
        places: Number of processes that find a place.
        dies: From (process, item) to whether the process dies of it.
    """

    def __init__(self, places=2, dies=lambda process, item: False, **greetings):
        self.places, self.dies, self.greetings = places, dies, greetings
        self.count, self.sent, self.closed = 0, [], None
        self.pending, self.dead, self.most = {}, set(), 0
        self.futures, self.dropped = itertools.count(), []

    def count_free(self):
        return max(0, self.places - self.count)

    def add(self):
        self.count += 1
        future = f"greeting {self.count}"
        return self.count, future

    def send(self, handle, batch):
        future = f"batch {next(self.futures)}"
        self.pending[future] = handle, batch
        self.sent.append((handle, batch))
        per_process = [h for h, _ in self.pending.values()]
        self.most = max(self.most, per_process.count(handle))
        return future

    def wait(self, futures, seconds):
        ready = [f for f in futures if f in self.pending]
        greeting = [
            f for f in futures if f not in ready and int(f.split()[1]) <= self.places
        ]
        return [(greeting or ready)[0]]

    def get(self, future):
        if future.startswith("greeting"):
            number = int(future.split()[1])
            return self.greetings.get(f"at_{number}", Greeting(f"machine {number}"))
        handle, batch = self.pending.pop(future)
        if handle in self.dead or any(self.dies(handle, item) for item in batch):
            self.dead.add(handle)
            self.places += 1  # Another process takes the place.
            return None
        return Answer([-item for item in batch])

    def drop(self, handle):
        self.dropped.append(handle)

    def close(self, handles, futures):
        self.closed = handles, futures


def take(engine, items, most=(10**9, 4), weigh=lambda item: 1, count=None):
    crew = Crew(engine, "Working")
    try:
        count = len(items) if count is None else count
        return dict(crew.take(items, count, weigh, most, lambda item: f"item {item}"))
    finally:
        crew.close()


def test_each_item_is_done_once():
    engine = Played(3)
    assert take(engine, range(1, 50)) == {n: -n for n in range(1, 50)}
    done = [item for _, batch in engine.sent for item in batch]
    assert sorted(done) == list(range(1, 50))
    assert engine.closed == ([1, 2, 3], [])
    # Each was given work, and never more than there is room for.
    assert {handle for handle, _ in engine.sent} == {1, 2, 3} and engine.most == DEPTH


def test_no_items_are_no_work():
    assert take(Played(1), []) == {}


def test_the_largest_go_first_in_batches_of_equal_work():
    engine = Played(1)
    take(engine, [1, 9, 2, 8, 3, 30, 7], (10, 3), weigh=float)
    batches = [batch for _, batch in engine.sent]
    assert batches[0] == [30] and sorted(map(max, batches), reverse=True) == [
        max(batch) for batch in batches
    ]
    assert all(sum(batch) <= 10 or len(batch) == 1 for batch in batches)


def test_the_list_is_read_no_further_than_there_is_work_for():
    read = itertools.count()
    engine = Played(2)
    outcomes = Crew(engine, "Working").take(
        (next(read) for _ in range(10 * WINDOW)), 10 * WINDOW, lambda _: 1, (9, 9), str
    )
    for _ in range(5):
        next(outcomes)
    assert next(read) <= 3 * WINDOW
    outcomes.close()


def test_the_items_of_a_dead_process_are_done_by_others(capsys):
    deadly = iter([True])
    engine = Played(2, lambda process, item: item == 7 and next(deadly, False))
    assert take(engine, range(1, 30)) == {n: -n for n in range(1, 30)}
    err = capsys.readouterr().err
    assert err.count("died; others take its images") == 1
    # In its place another process began, in the end with as many as there is room for.
    assert len(engine.closed[0]) == 2
    assert engine.dropped == list(engine.dead) and len(engine.dead) == 1


def test_an_item_that_ends_every_process_is_left_out(capsys):
    engine = Played(2, lambda process, item: item == 7)
    rows = take(engine, range(1, 30))
    assert rows == {n: -n for n in range(1, 30) if n != 7} | {7: None}
    assert len(engine.dead) == DEATHS
    err = capsys.readouterr().err
    assert f"left out: item 7: {DEATHS} processes died that worked on it" in err


def test_what_waits_behind_a_deadly_item_is_not_blamed():
    """The second batch of a dead process was only in its queue."""
    engine = Played(1, lambda process, item: item == 1)
    rows = take(engine, [1, 2], (1, 1))
    assert rows == {1: None, 2: -2}
    assert [batch for _, batch in engine.sent if batch == [2]] != []


def test_a_process_that_joins_late_gets_work():
    engine = Played(1)
    crew = Crew(engine, "Working")
    outcomes = crew.take(range(1, 200), 199, lambda _: 1, (9, 4), str)
    for _ in range(40):
        next(outcomes)
    assert {handle for handle, _ in engine.sent} == {1}
    engine.places = 2
    rest = [row for _, row in outcomes]
    assert len(rest) == 159 and {handle for handle, _ in engine.sent} == {1, 2}


def test_a_machine_that_differs_is_refused_at_the_beginning():
    engine = Played(2, at_2=Greeting("b", "b has TensorFlow 1"))
    with pytest.raises(InputError, match="b has TensorFlow 1"):
        take(engine, range(1, 30))
    assert engine.closed is not None


def test_a_machine_that_differs_and_comes_late_is_not_used(capsys):
    engine = Played(2, at_2=Greeting("b", "b has TensorFlow 1", is_late=True))
    assert len(take(engine, range(1, 30))) == 29
    assert {handle for handle, _ in engine.sent} == {1}
    assert "not used: b has TensorFlow 1" in capsys.readouterr().err


def test_an_error_of_the_work_ends_it():
    engine = Played(1)
    engine.get = lambda future: (
        Greeting("a") if "greeting" in future else Answer(None, InputError("no scores"))
    )
    with pytest.raises(InputError, match="no scores"):
        take(engine, range(1, 5))


def test_processes_that_die_at_once_end_the_work():
    engine = Played(9, **{f"at_{n}": None for n in range(1, 10)})
    with pytest.raises(InputError, match="3 processes died while they began"):
        take(engine, range(1, 5))


def test_lines_of_processes_are_said_by_the_driver(capsys):
    said = [(False, "a line"), (True, "a warning")]
    engine = Played(2, at_1=Greeting("a", lines=said), at_2=Greeting("b", lines=said))
    take(engine, range(1, 5))
    out, err = capsys.readouterr()
    assert (out, err) == ("a line\n", "Warning: a warning\n")


def test_the_progress_tells_the_machines_and_the_speed(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    take(Played(2), range(1, 30))
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(
        r"Working: 28/29 images, [\d.e+]+ a second on 2 machines, \d+s left", line
    )


def test_who_waits_for_machines_says_so(capsys, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_UNTIL_REMINDER", -1)
    engine = Played(0)

    def wait(futures, seconds):
        engine.places = 1
        del engine.wait
        return []

    engine.wait = wait
    assert len(take(engine, [1, 2])) == 2
    assert "Waiting for the first process" in capsys.readouterr().out
