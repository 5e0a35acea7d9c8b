"""What people wait for each day: `rovodev status`, and `bin/dev` where it has been up before."""

import shutil
import signal
import statistics
import subprocess
import time

from .measure import Failed
from .stack import PROJECT

RUNS = 11
UP = "up in "
TIMEOUT_SECONDS = 600


def status(stack, dataset):
    """Median in seconds, with one backup in a directory."""
    store = stack.work / "status"
    stack.rovodev(["backup", "--json"], dataset.database, store)
    # No settle: a person asks at any time.
    times = [stack.rovodev(["status"], dataset.database, store, settled=False).wall for _ in range(RUNS)]
    shutil.rmtree(store)
    return round(statistics.median(times), 3)


def dev(rounds):
    """Median in seconds from the call of `bin/dev` until it says that it is up; a run before makes and builds everything."""
    up()
    return round(statistics.median(up() for _ in range(rounds)), 2)


def up():
    begun = time.perf_counter()
    child = subprocess.Popen([PROJECT / "bin" / "dev"], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        for line in child.stdout:
            if line.startswith(UP):
                return time.perf_counter() - begun
        raise Failed("bin/dev ended before it was up")
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=TIMEOUT_SECONDS)
