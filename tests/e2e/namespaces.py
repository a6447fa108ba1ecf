"""A cluster whose machines are network namespaces, each with a cable to a hub that tests pull and plug in again.

Needs the right to make namespaces (root, in most places); `possible` says why it cannot be had.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.owners import SETTINGS

ROOT = Path(__file__).parents[2]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
SHARED = f"{tempfile.gettempdir()}/ray"
SUBNET = "10.199.7"
# A machine that is not heard of counts as dead after some five seconds, of Ray's usual half a minute.
MACHINE = {
    **SETTINGS,
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "4",
    "PYTHONPATH": str(ROOT),
}


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def possible():
    """Return why no network can be made here, None if one can."""
    if shutil.which("ip") is None:
        return "there is no ip (iproute2)"
    name = f"nf{secrets.token_hex(4)}"
    try:
        ip("netns", "add", name)
        try:
            ip("-n", name, "link", "add", "name", "hub0", "type", "bridge")
            command = ["ip", "netns", "exec", name, "mount", "-t", "tmpfs", "none", "/mnt"]
            subprocess.run(command, check=True, capture_output=True, text=True)
        finally:
            ip("netns", "del", name)
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not allowed: {error.stderr.strip()}"
    return None


class Network:
    """Machines on one hub. The first is the head, without cores; the others have one core each.

    Attributes
    ----------
    address : str
        Of the head, for ``--address``.
    folder : Path
        Where machines keep what they do not share: sessions of Ray.
    prefix : str
        Of the namespaces' names; the machine's number follows.
    """

    address = f"{SUBNET}.1:6379"

    def __init__(self, folder):
        self.folder, self.prefix = Path(folder), f"nf{secrets.token_hex(3)}"
        self._started = {}
        self._hub = f"{self.prefix}hub"
        ip("netns", "add", self._hub)
        ip("-n", self._hub, "link", "add", "name", "hub0", "type", "bridge")
        ip("-n", self._hub, "link", "set", "hub0", "up")

    def host(self, number):
        return f"{SUBNET}.{number}"

    def plug(self, number):
        """Make a machine, and its cable."""
        name = self._name(number)
        ip("netns", "add", name)
        peer = ["peer", "name", f"port{number}", "netns", self._hub]
        ip("-n", name, "link", "add", "name", "eth0", "type", "veth", *peer)
        ip("-n", name, "addr", "add", f"{self.host(number)}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", name, "link", "set", link, "up")
        ip("-n", name, "route", "add", "default", "via", self.host(254))  # by which Ray tells its own address
        ip("-n", self._hub, "link", "set", f"port{number}", "master", "hub0", "up")
        (self.folder / f"ray{number}").mkdir()

    def start_ray(self, number, before="true"):
        """Start a Ray on a machine: the head's is 1; a shell command may change what it sees first."""
        role = ["--head", "--port", "6379", "--num-cpus", "0", "--include-dashboard", "false"]
        if number != 1:
            role = ["--address", self.address, "--num-cpus", "1"]
        words = ["ray", "start", *role, "--node-ip-address", self.host(number), "--block"]
        words += ["--object-store-memory", "100000000", "--disable-usage-stats"]
        log = open(self.folder / f"log{number}", "w")  # noqa: SIM115
        self._started[number] = self.popen(number, *words, before=before, stdout=log, stderr=log)
        log.close()

    def words(self, number, before="true"):
        """Return a command that runs another one on a machine."""
        own = self.folder / f"ray{number}"
        shell = f'mkdir -p {SHARED}; mount --bind {own} {SHARED}; {before}; exec "$@"'
        return ["ip", "netns", "exec", self._name(number), "sh", "-ec", shell, "sh"]

    def popen(self, number, *words, before="true", settings=None, **options):
        """Start a command on a machine."""
        command = [*self.words(number, before), *map(str, words)]
        environment = {**os.environ, **MACHINE, "PATH": PATH, **(settings or {})}
        return subprocess.Popen(command, env=environment, cwd=ROOT, **options)

    def cut(self, number):
        ip("-n", self._hub, "link", "set", f"port{number}", "down")

    def mend(self, number):
        ip("-n", self._hub, "link", "set", f"port{number}", "up")

    def running(self, number):
        """Return the command of each process of a machine."""
        commands = []
        for process in self._processes(number):
            with suppress(OSError):
                commands.append(Path(f"/proc/{process}/cmdline").read_text().replace("\0", " "))
        return commands

    def _processes(self, number):
        words = ["ip", "netns", "pids", self._name(number)]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()

    def kill(self, number):
        """End all that runs on a machine, as a loss of power does."""
        for process in self._processes(number):
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        if number in self._started:
            self._started.pop(number).wait()

    def renew(self, *numbers):
        """Turn machines off, plug them in and turn them on again."""
        for number in numbers:
            self.kill(number)
            self.mend(number)
        self.wait_for(len(self._started))
        for number in numbers:
            self.start_ray(number)
        self.wait_for(len(self._started))

    def wait_for(self, count):
        """Wait until Ray knows so many machines that live."""
        until = time.monotonic() + 60
        while self._alive() != count:
            assert time.monotonic() < until, self.logs()
            time.sleep(0.5)

    def _alive(self):
        words = [sys.executable, "-c", ALIVE, self.address]
        told = self.popen(1, *words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return int(told.communicate()[0].strip() or -1)

    def logs(self):
        return "\n".join(file.read_text()[-2000:] for file in sorted(self.folder.glob("log*")))

    def close(self):
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            name = line.split()[0]
            if name.startswith(self.prefix):
                if name != self._hub:
                    self.kill(int(name.removeprefix(self.prefix)))
                ip("netns", "del", name)

    def _name(self, number):
        return f"{self.prefix}{number}"


ALIVE = """
import sys
from ray._raylet import GcsClient
print(sum(node.state == 0 for node in GcsClient(address=sys.argv[1]).get_all_node_info().values()))
"""


@contextmanager
def machines(folder, count):
    """Give a hub with so many machines, on which nothing runs."""
    made = Network(folder)
    try:
        for number in range(1, count + 1):
            made.plug(number)
        yield made
    finally:
        made.close()


@contextmanager
def cluster(folder, count):
    """Give a Ray cluster of a head and so many machines of one core."""
    with machines(folder, count + 1) as made:
        made.start_ray(1)
        made.wait_for(1)
        for number in range(2, count + 2):
            made.start_ray(number)
        made.wait_for(count + 1)
        yield made
