"""Live readers beside a restore: how long the longest simple read took, and when the merge ran."""

import random
import subprocess
import time

from .measure import Failed
from .meanwhile import Meanwhile

READ_EVERY = 0.01
WATCH_EVERY = 0.005
READS = {
    "calls": "SELECT count(*) FROM calls WHERE id = '{id}'",
    "call_events": "SELECT count(*) FROM call_events WHERE call_id = '{id}'",
}
# The merge, and nothing else, holds writers of the tables off.
LOCKED = (
    "SELECT count(*) FROM pg_locks WHERE granted AND mode IN ('ShareRowExclusiveLock', 'ExclusiveLock', "
    "'AccessExclusiveLock') AND relation IN ('public.calls'::regclass, 'public.call_events'::regclass)"
)


class Conversation:
    """One `psql` that answers a line per question."""

    def __init__(self, stack, database):
        self.psql = subprocess.Popen(
            [stack.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database],
            env=stack.environment(**stack.as_owner), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )

    def ask(self, sql):
        self.psql.stdin.write(sql + ";\n")
        answer = self.psql.stdout.readline()
        if not answer:
            raise Failed("a reader lost its connection")
        return answer.strip()

    def close(self):
        self.psql.stdin.close()
        self.psql.wait(timeout=30)


class Readers(Meanwhile):
    """Runs while the `with` block does. `reads`: (begin, seconds) of each; `merge`: its begin and end."""

    def __init__(self, stack, database):
        ids = stack.psql(database, "SELECT id FROM calls WHERE random() < 0.01 LIMIT 1000").split()
        self.ids = ids
        self.reads = []
        self.merge = None
        work = [(self._read, sql) for sql in READS.values()] + [(self._watch, LOCKED)]
        super().__init__((self._converse, Conversation(stack, database), *step) for step in work)

    def longest(self):
        return max(wait for _, wait in self.reads)

    def longest_in_merge(self):
        """Of the reads that overlap the merge."""
        begin, end = self.merge
        return max(wait for at, wait in self.reads if at + wait >= begin and at <= end)

    def _converse(self, conversation, step, sql):
        self._talk(conversation, lambda connected: step(connected, sql), first="SELECT 1")

    def _read(self, conversation, sql):
        begun = time.perf_counter()
        conversation.ask(sql.format(id=random.choice(self.ids)))
        self.reads.append((begun, time.perf_counter() - begun))
        time.sleep(READ_EVERY)

    def _watch(self, conversation, sql):
        before = time.perf_counter()
        if conversation.ask(sql) != "0":
            after = time.perf_counter()
            # The lock may have been there since the last look, and until the next.
            first = self.merge[0] if self.merge else before - WATCH_EVERY
            self.merge = (first, after + WATCH_EVERY)
        time.sleep(WATCH_EVERY)
