"""Full backups: ours against pg_dump and against raw COPY, into a directory and into the local S3."""

import shlex
import shutil
from functools import partial

from .dataset import TABLES
from .measure import folder_mb

OURS = "rovodev backup"
FC = "pg_dump -Fc"
ZSTD = "pg_dump | zstd -3"
COPY = "raw COPY, 2 connections"


def into_directory(stack, dataset):
    name, pg_dump = dataset.database, stack.program("pg_dump")

    def ours(folder):
        return stack.rovodev(["backup", "--json"], dataset.database, folder)

    def custom(folder):
        return stack.measured([pg_dump, "-Fc", "-f", folder / "dump", name])

    def zstd(folder):
        return stack.shell(f"{quoted(pg_dump, name)} | zstd -q -3 > {quoted(folder / 'dump')}")

    def stored(program):
        folder = stack.work / "target"
        folder.mkdir()
        measured = program(folder)
        measured.stored_mb = folder_mb(folder)
        shutil.rmtree(folder)
        return measured

    return {
        OURS: partial(stored, ours),
        FC: partial(stored, custom),
        ZSTD: partial(stored, zstd),
        COPY: partial(raw_copy, stack, dataset),
    }


def into_s3(stack, dataset):
    name, pg_dump, bucket = dataset.database, stack.program("pg_dump"), stack.s3["bucket"]
    runs = iter(range(1_000_000))

    def ours(prefix):
        return stack.rovodev(["backup", "--json"], dataset.database, f"s3://{bucket}/{prefix}")

    def piped(command, prefix):
        return stack.shell(f"{command} | rclone rcat {quoted(f'local:{bucket}/{prefix}/dump')}")

    def stored(program):
        prefix = f"run{next(runs)}"
        measured = program(prefix)
        folder = f"{stack.s3['folder']}/{prefix}"
        measured.stored_mb = folder_mb(folder)
        shutil.rmtree(folder)
        return measured

    return {
        OURS: partial(stored, ours),
        FC: partial(stored, partial(piped, quoted(pg_dump, "-Fc", name))),
        ZSTD: partial(stored, partial(piped, f"{quoted(pg_dump, name)} | zstd -q -3")),
        COPY: partial(raw_copy, stack, dataset),
    }


def raw_copy(stack, dataset):
    """Each connection reads half of each table and throws it away: the bound for any reader."""
    halves = zip(*(dataset.halves(table) for table in TABLES))
    readers = []
    for conditions in halves:
        statements = [
            f"COPY (SELECT * FROM ONLY {table} WHERE {condition}) TO STDOUT"
            for table, condition in zip(TABLES, conditions)
        ]
        arguments = [part for s in statements for part in ("-c", s)]
        psql = quoted(stack.program("psql"), "-Xq", "-v", "ON_ERROR_STOP=1", "-d", dataset.database, *arguments)
        readers.append(f"{psql} > /dev/null &")
    script = f"{readers[0]} one=$!; {readers[1]} two=$!; wait $one && wait $two"
    return stack.shell(script)


def quoted(*words):
    return shlex.join(map(str, words))
