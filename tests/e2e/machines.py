"""A cluster of several raylets on this machine, which tests add, remove and kill."""

import os
import signal
import threading
from contextlib import contextmanager

from tests.e2e.owners import owner

# The head has no cores: it lets the driver in, and actors run on the other nodes.
OWNER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
nodes = {}
print(cluster.address, flush=True)
for line in sys.stdin:
    word, name = line.split()
    if word == "add":
        nodes[name] = cluster.add_node(num_cpus=1, include_dashboard=False)
    elif word == "remove":
        cluster.remove_node(nodes.pop(name))
    pids = [info.process.pid for node in nodes.values() for info in node.all_processes.get("raylet", [])]
    print(*pids, flush=True)
cluster.shutdown()
"""


class Machines:
    """The cluster, from another process.

    Attributes
    ----------
    address : str
        For ``--address``.
    raylets : list of int
        Their processes, those of the head apart.
    """

    def __init__(self, process):
        self._process = process
        self._lock = threading.Lock()
        self.raylets = []
        self.address = process.stdout.readline().strip()

    def add(self, name):
        self._tell("add", name)

    def remove(self, name):
        self._tell("remove", name)

    def kill_raylet(self, which):
        os.kill(self.raylets[which], signal.SIGKILL)

    def _tell(self, word, name):
        with self._lock:
            self._process.stdin.write(f"{word} {name}\n")
            self._process.stdin.flush()
            self.raylets = [int(pid) for pid in self._process.stdout.readline().split()]


@contextmanager
def machines(*names):
    """Give a cluster with these nodes of one core each."""
    with owner(OWNER) as process:
        made = Machines(process)
        for name in names:
            made.add(name)
        yield made
