"""The functions as programs: how large each is, and how soon after its start it answers.

Each is started as Vercel starts it: a port, a socket that it says `server-started` on, and settings. Nothing behind it is
asked, so what is measured is the program alone.
"""

import http.client
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from .measure import Failed
from .stack import PROJECT, built

STARTS = 20
PATIENCE_SECONDS = 30
SETTINGS = {
    "SUPABASE_URL": "http://127.0.0.1:9",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_bench",
    "CRON_SECRET": "a-secret-that-is-long-enough",
}
LIVE = "/api/status/health?probe=live"


def measured():
    """Prints the table; returns the largest program and the slowest median."""
    doors = sorted(str(p.relative_to(PROJECT / "api").with_suffix("")) for p in (PROJECT / "api").rglob("*.rs"))
    names = {door: door.replace("/[id]", "").replace("/", "-") for door in doors}
    programs = built(part for name in names.values() for part in ("--bin", name))
    print(f"\nfunctions, {STARTS} starts each; milliseconds from the start of the process, medians and the longest")
    print(f"  {'':26}{'MiB':>9}{'listens':>9}{'answers':>9}{'longest':>9}")
    sizes, medians = [], []
    for door, name in names.items():
        size = (programs / name).stat().st_size / (1 << 20)
        # The first one reads the file into the page cache.
        starts = [started(programs / name, door) for _ in range(STARTS + 1)][1:]
        listens, answers = (statistics.median(s[at] * 1e3 for s in starts) for at in (0, 1))
        longest = max(answer for _, answer in starts) * 1e3
        print(f"  {door:26}{size:9.1f}{listens:9.1f}{answers:9.1f}{longest:9.1f}")
        sizes.append(size)
        medians.append(answers)
    return {"largest_mib": round(max(sizes), 1), "slowest_answer_ms": round(max(medians), 1)}


def started(program, door):
    """Seconds until it listens, and until it has answered a first request."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as platform:
        path = str(Path(folder) / "platform")
        platform.bind(path)
        platform.listen(1)
        platform.settimeout(PATIENCE_SECONDS)
        port = free_port()
        env = {**SETTINGS, "VERCEL_DEV_PORT": str(port), "VERCEL_IPC_PATH": path}
        begun = time.perf_counter()
        child = subprocess.Popen(
            [program], env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            told, _ = platform.accept()
            with told:
                told.settimeout(PATIENCE_SECONDS)
                if b"server-started" not in told.recv(4096):
                    raise Failed(f"{program} does not say that it listens")
                listens = time.perf_counter() - begun
                ask(port, door)
                return listens, time.perf_counter() - begun
        except TimeoutError:
            raise Failed(f"{program} does not start") from None
        finally:
            child.kill()
            child.wait()


def ask(port, door):
    """Without a token: every function refuses, but for the probe. Either way it has read its settings and the request."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    wanted = 200 if door == "status/health" else 401
    path = LIVE if wanted == 200 else f"/api/{door}".replace("[id]", "01a20274-629d-7958-9acc-7e9f777b6cd9")
    posted = door.rpartition("/")[2] in ("create", "restore", "download")
    headers = {"content-type": "application/json"} if posted else {}
    asked.request("POST" if posted else "GET", path, body="{}" if posted else None, headers=headers)
    answer = asked.getresponse()
    answer.read()
    asked.close()
    if answer.status != wanted:
        raise Failed(f"{door} answers {answer.status} instead of {wanted}")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
