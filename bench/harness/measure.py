"""One program run, measured: wall time, CPU of its process tree and of the server, peak memory."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

TIMEOUT_SECONDS = 3600
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A contestant or a tool failed; the message is for people."""


@dataclass
class Run:
    """Seconds; megabytes (10^6 bytes) of the largest process and of what was stored (None: nothing)."""

    wall: float
    client_cpu: float
    server_cpu: float
    peak_mb: float
    stored_mb: float | None = None


def run(argv, env, postmaster, cwd, allowed=(0,)):
    """Runs `argv` and returns its Run. A shell pipeline counts with all its processes."""
    with tempfile.TemporaryFile() as told:
        server_before = server_cpu(postmaster)
        begun = time.perf_counter()
        child = subprocess.Popen(
            argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True
        )
        killer = threading.Timer(TIMEOUT_SECONDS, os.killpg, (child.pid, signal.SIGKILL))
        killer.start()
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            killer.cancel()
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in allowed:
            told.seek(0)
            text = told.read().decode(errors="replace")[-4000:]
            raise Failed(f"{' '.join(map(str, argv))[:300]} ended with {child.returncode}:\n{text}")
        return Run(
            wall=wall,
            client_cpu=used.ru_utime + used.ru_stime,
            server_cpu=server_cpu(postmaster) - server_before,
            peak_mb=used.ru_maxrss * 1024 / 1e6,
        )


def server_cpu(postmaster):
    """CPU seconds of all of the server's processes, those that ended included."""
    own, reaped, _ = _stat(postmaster)
    total = own + reaped
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                cpu, _, parent = _stat(name)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == postmaster:
                total += cpu
    return total


def _stat(process):
    """CPU seconds of a process, of its children that it has waited for, and its parent."""
    with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    utime, stime, cutime, cstime = (int(f) / TICKS for f in fields[11:15])
    return utime + stime, cutime + cstime, int(fields[1])


def folder_mb(folder):
    """Megabytes of all files below, without the store's own hidden book-keeping."""
    total = 0
    for path, _, names in os.walk(folder):
        total += sum(os.path.getsize(os.path.join(path, n)) for n in names if not n.startswith("."))
    return total / 1e6
