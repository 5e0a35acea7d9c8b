"""What shall be reached, held against what was measured."""

from typing import NamedTuple


class Goal(NamedTuple):
    """`figure` is a path into the line for programs. It is held up to `limit`, or from it on; `calls`: in data of at least
    so many calls, for what takes a moment whatever the data is would weigh too much in less."""

    name: str
    figure: tuple
    limit: float
    unit: str
    from_it_on: bool = False
    calls: int = 0

    def held(self, figure):
        return figure >= self.limit if self.from_it_on else figure <= self.limit


def times(name, *figure, limit):
    return Goal(name, figure, limit, "times", from_it_on=True, calls=1_000_000)


GOALS = (
    Goal("a function answers after its start", ("functions", "slowest_answer_ms"), 50, "ms"),
    Goal("the largest executable", ("functions", "largest_mib"), 20, "MiB"),
    Goal("a page of the list", ("service", "list_ms"), 20, "ms"),
    Goal("a change is on the wire", ("service", "sse_ms"), 1000, "ms"),
    Goal("a create call", ("service", "create_ms"), 100, "ms"),
    Goal("a tick claims what is due", ("schedules", "claim_ms"), 1000, "ms"),
    Goal("a preview of retention", ("schedules", "preview_ms"), 100, "ms"),
    times("a backup as fast as pg_dump -Fc", "full", "vs_pg_dump_fc", limit=6),
    times("a backup as fast as pg_dump | zstd", "full", "vs_pg_dump_zstd", limit=1.3),
    times("a backup as fast as raw COPY", "full", "vs_copy", limit=0.5),
    Goal("memory of a backup", ("full", "peak_mb"), 150, "MB"),
    Goal("bytes stored, of pg_dump -Fc's", ("full", "bytes_vs_fc"), 1.1, "times"),
    Goal("memory of a backup into S3", ("full_s3", "peak_mb"), 150, "MB"),
    times("a restore as fast as pg_restore -j2", "restore", "vs_pg_restore", limit=1),
    Goal("readers wait for a restore in place", ("restore", "merge_reader_stall_ms"), 100, "ms"),
    Goal("rovodev status", ("status_s",), 0.3, "s"),
    Goal("bin/dev again", ("dev_s",), 10, "s"),
)


def missed(answer):
    """Prints a line for each goal that was measured; returns how many were missed."""
    count = 0
    for goal in GOALS:
        figure = answer
        for step in goal.figure:
            figure = figure.get(step, {})
        if figure == {} or answer["calls"] < goal.calls:
            continue
        held = goal.held(figure)
        count += not held
        bound = "at least" if goal.from_it_on else "at most"
        print(f"{'held  ' if held else 'MISSED'} {goal.name}: {figure} {goal.unit}, {bound} {goal.limit} wanted")
    return count
