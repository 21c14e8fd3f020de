"""In place of Ray: the processes of a cluster, played by this one in turn."""

import contextlib
import itertools
import os
import sys
from unittest import mock

from console import cluster_member, ray_engine
from console.cluster_member import Member
from tests.scripts import flags_of_its_own


class EngineHere:
    """See `console.ray_engine.RayEngine`; what a process does is `Member`'s own."""

    def __init__(self, spread, plan, uses_gpu, processes=2):
        self.plan, self.processes = plan, processes
        self.futures, self.waiting, self.members = itertools.count(), {}, []

    def count_free(self):
        return self.processes - len(self.members)

    def add(self):
        member, future = Member(self.plan), next(self.futures)
        self.members.append(member)
        if len(self.members) <= self.processes:
            self.waiting[future] = lambda: self._start(member)
        return member, future

    def _start(self, member):
        with (
            flags_of_its_own(),
            mock.patch.object(sys, "argv", sys.argv),
            mock.patch.object(sys, "path", list(sys.path)),
            mock.patch.object(cluster_member, "find_place", lambda *_: (0.5, False)),
            contextlib.chdir(os.getcwd()),
        ):
            return member.start(1, "CPU", set())

    def send(self, handle, batch):
        future = next(self.futures)
        self.waiting[future] = lambda: handle.take(batch)
        return future

    def wait(self, futures, seconds):
        return [future for future in futures if future in self.waiting][:1]

    def get(self, future):
        return self.waiting.pop(future)()

    def drop(self, handle):
        self.members.remove(handle)

    def close(self, handles, futures):
        for handle in handles:
            handle.stop()


@contextlib.contextmanager
def cluster_here(engine=EngineHere):
    """Lets --cluster use processes that this one plays."""
    with mock.patch.object(ray_engine, "RayEngine", engine):
        yield
