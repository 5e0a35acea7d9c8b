"""The service over HTTP: a page of the list, the create call, events, many at once, and the main job under writers."""

import json
import random
import statistics
import threading
import time

from .client import Client
from .dataset import TABLES
from .meanwhile import Meanwhile
from .measure import Failed
from .readers import Conversation

LIVE = "bench_service"
EXPECTED = "bench_expected"
CATALOG = "postgres"
BACKUPS = 10_000
CALLS = 50
AT_ONCE = 200
WRITERS = (1, 2)
EVENTS = 20
FILL = f"""
    INSERT INTO backups (tenant_id, name, backup_path, backup_type, status, manifest_key, finished_at, created_at)
    SELECT t.id, 'backup ' || n, 'x', 'database', 'completed', 'x', now(), now() - n * interval '1 minute'
    FROM rovodev_tenants t, generate_series(1, {BACKUPS}) n WHERE t.slug = 'default';
    ANALYZE backups"""
PENDING = """
    INSERT INTO backups (tenant_id, name, backup_path, backup_type)
    SELECT id, 'watched', 'x', 'database' FROM rovodev_tenants WHERE slug = 'default' RETURNING id"""


def measured(stack, dataset, writers):
    """`writers` is the script that makes them. What the line for programs says of the service."""
    live(stack, dataset, LIVE, writers)
    client = Client(stack.project)
    answer = {}

    def told(title, figure):
        answer[title] = figure
        print(f"  {title:14} {json.dumps(figure)}", flush=True)

    told("main_job", main_job(stack, dataset, client, writers))
    told("create_ms", create(client))
    stack.psql(CATALOG, FILL, superuser=True)
    median, requests = page(stack, client)
    told("list_ms", median)
    told("list_requests", requests)
    told("at_once", at_once(client))
    told("sse_ms", events(stack, client))
    return answer


def live(stack, dataset, name, writers):
    dataset.drop(name)
    dataset.create(name, dataset.database)
    stack.psql(name, file=writers)


def main_job(stack, dataset, client, script):
    """A backup and a restore in place while writers go on; everything is checked by doing their steps again."""
    with Writers(stack) as writers:
        begun = time.perf_counter()
        backup = client.demand("POST", "/api/backups/create", {"type": "database"})["id"]
        client.completed(backup)
        backed_up = time.perf_counter() - begun
        time.sleep(1)
        begun = time.perf_counter()
        client.demand("POST", f"/api/backups/{backup}/restore", {"mode": "exact"})
        client.completed(backup)
        restored = time.perf_counter() - begun
        time.sleep(1)
    steps = dict(map(int, line.split("|")) for line in stack.psql(LIVE, "SELECT writer, k FROM bench_steps").split())
    if sum(steps.values()) >= writers.done():
        raise Failed("the restore brought nothing back: no step of the writers was undone")
    live(stack, dataset, EXPECTED, script)
    again = [f"SELECT count(bench_step({w})) FROM generate_series(1, {k})" for w, k in steps.items()]
    stack.psql(EXPECTED, *again)
    for table in TABLES:
        if dataset.digest(LIVE, table) != dataset.digest(EXPECTED, table):
            raise Failed(f"{table} is not what the snapshot had and the writers did since")
    dataset.drop(LIVE)
    dataset.drop(EXPECTED)
    return {
        "backup_s": round(backed_up, 2), "restore_s": round(restored, 2), "steps": writers.done(),
        "undone": writers.done() - sum(steps.values()), "refused": writers.refused, "equal": True,
    }


class Writers(Meanwhile):
    """Step after step, each in a transaction, while the `with` block runs."""

    def __init__(self, stack):
        self.stack = stack
        self.steps = {w: 0 for w in WRITERS}
        self.refused = 0
        super().__init__((self._write, writer) for writer in WRITERS)

    def done(self):
        return sum(self.steps.values())

    def _write(self, writer):
        def step(conversation):
            if conversation.ask(f"SELECT bench_step({writer})") == "0":
                self.refused += 1
            else:
                self.steps[writer] += 1
            time.sleep(0.002)

        self._talk(Conversation(self.stack, LIVE), step)


def milliseconds(seconds):
    return round(seconds * 1e3, 1)


def create(client):
    """Median; each when the one before is done."""
    times = []
    for _ in range(10):
        status, text, seconds = client.timed("POST", "/api/backups/create", {"type": "config"})
        if status != 202:
            raise Failed(f"create: {status} {text}")
        times.append(seconds)
        client.completed(json.loads(text)["id"])
    return milliseconds(statistics.median(times))


def page(stack, client):
    """Median of the whole call, connection and all, and the requests to PostgREST of one."""
    times = []
    before = stack.catalog_requests()
    for _ in range(CALLS):
        status, text, seconds = client.timed("GET", "/api/backups/list")
        if status != 200 or json.loads(text)["total"] < BACKUPS:
            raise Failed(f"list: {status} {text[:500]}")
        times.append(seconds)
    requests = (stack.catalog_requests() - before) / CALLS
    return milliseconds(statistics.median(times)), requests


def events(stack, client):
    """The longest time from a change in the catalog to the event that tells it."""
    backup = stack.psql(CATALOG, PENDING, superuser=True).splitlines()[0]
    stream = client.open("GET", f"/api/backups/{backup}/restore/status", accept="text/event-stream")
    times = []
    change = "UPDATE backups SET progress = jsonb_build_object('current', {}, 'total', 1000, 'step', 'x') WHERE id = '{}'"
    for number in range(1, EVENTS + 1):
        time.sleep(random.uniform(0, 0.5))
        stack.psql(CATALOG, change.format(number, backup), superuser=True)
        begun = time.perf_counter()
        while not (line := stream.readline()).startswith(b"data: ") or current(line) != number:
            if not line:
                raise Failed("the stream of events ended before its backup did")
        times.append(time.perf_counter() - begun)
    stack.psql(CATALOG, f"UPDATE backups SET status = 'cancelled' WHERE id = '{backup}'", superuser=True)
    stream.close()
    return milliseconds(max(times))


def current(line):
    progress = json.loads(line.removeprefix(b"data: "))["progress"]
    return progress["current"]


def at_once(client):
    """Answers that are no success, and the time within which 95 of 100 came."""
    first = client.demand("GET", "/api/backups/list?limit=1")["backups"][0]["id"]
    paths = ["/api/backups/list", f"/api/backups/{first}/details", f"/api/backups/{first}/restore/status",
             "/api/status/health"]
    answers = []
    together = threading.Barrier(AT_ONCE)

    def ask(path):
        together.wait()
        try:
            answers.append(client.timed("GET", path))
        except OSError as error:
            answers.append((0, str(error), 0.0))

    threads = [threading.Thread(target=ask, args=(paths[n % len(paths)],)) for n in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(seconds for _, _, seconds in answers)
    errors = sum(status != 200 for status, _, _ in answers)
    return {"calls": AT_ONCE, "errors": errors, "p95_ms": milliseconds(times[int(AT_ONCE * 0.95) - 1])}
