"""Restores: into an empty database against pg_restore, and in place under live readers."""

import statistics

from .measure import Failed
from .readers import Readers

OURS = "rovodev restore"
PG_RESTORE = "pg_restore -j2"
IN_PLACE = "rovodev restore in place"
TARGET = "bench_target"
LIVE = "bench_live"


def into_empty(stack, dataset):
    """The backup and the dump that are read are made beforehand, untimed."""
    store, dump = stack.work / "restore-store", stack.work / "restore.dump"
    stack.rovodev(["backup", "--json"], dataset.database, store)
    stack.measured([stack.program("pg_dump"), "-Fc", "-f", dump, dataset.database])
    target = stack.url(TARGET)

    def ours():
        arguments = ["restore", "--input", "latest", "--target-url", target, "--json"]
        return stack.rovodev(arguments, dataset.database, store)

    def pg_restore():
        return stack.measured([stack.program("pg_restore"), "-j2", "--exit-on-error", "-d", TARGET, dump])

    def checked(program):
        def one():
            dataset.drop(TARGET)
            dataset.create(TARGET, "template0")
            measured = program()
            dataset.demand_equal(TARGET)
            dataset.drop(TARGET)
            return measured

        return one

    return {OURS: checked(ours), PG_RESTORE: checked(pg_restore)}


def in_place(stack, dataset, difference):
    """Returns the contestant and the list of reader stalls that its runs fill, one pair per run."""
    stalls = []
    runs = iter(range(1_000_000))

    def one():
        dataset.drop(LIVE)
        dataset.create(LIVE, dataset.database)
        store = stack.work / f"live-store-{next(runs)}"
        stack.rovodev(["backup", "--json"], LIVE, store)
        stack.psql(LIVE, file=difference)
        with Readers(stack, LIVE) as readers:
            arguments = ["restore", "--input", "latest", "--mode", "exact", "--force", "--json"]
            measured = stack.rovodev(arguments, LIVE, store)
        dataset.demand_equal(LIVE)
        if not readers.merge:
            raise Failed("no merge was seen: no table was locked against writers during the restore")
        stalls.append(readers)
        dataset.drop(LIVE)
        return measured

    return {IN_PLACE: one}, stalls


def stall_lines(stalls):
    """What readers felt, for people."""
    for round_, readers in enumerate(stalls, 1):
        waits = [wait for _, wait in readers.reads]
        yield (
            f"  round {round_}: {len(waits)} reads, median {statistics.median(waits) * 1e3:.2f} ms, "
            f"longest {readers.longest() * 1e3:.1f} ms; during the merge "
            f"({readers.merge[1] - readers.merge[0]:.2f} s) longest {readers.longest_in_merge() * 1e3:.1f} ms"
        )
