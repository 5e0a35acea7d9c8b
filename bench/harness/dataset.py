"""The benchmark's data: made once per size and server version, and kept."""

import hashlib

from .measure import Failed

TABLES = ("calls", "call_events")


def demand_file(folder):
    """The script that makes the data, in a folder that the caller named."""
    file = folder / "dataset.sql"
    if not file.is_file():
        raise Failed(f"no data set: {file} is missing; name its folder with --dataset DIR")
    return file


class Dataset:
    def __init__(self, stack, file, calls):
        self.stack = stack
        self.file = file
        self.calls = calls
        self.database = f"bench_{calls}"

    def prepare(self):
        """The comment is written last: it stands only on complete data of this very file."""
        stamp = hashlib.sha256(self.file.read_bytes()).hexdigest()
        asked = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{self.database}'"
        if self.stack.psql("postgres", asked, superuser=True) == stamp:
            return
        print(f"making the data set: {self.calls} calls, once", flush=True)
        self.drop(self.database)
        self.create(self.database)
        self.stack.psql(self.database, file=self.file, variables=[f"n={self.calls}"])
        note = f"COMMENT ON DATABASE {self.database} IS '{stamp}'"
        self.stack.psql("postgres", note, superuser=True)

    def warm(self):
        """Reads everything once, so that no contestant pays for a cold cache."""
        for table in TABLES:
            self.digest(self.database, table)

    def create(self, database, template="template1"):
        sql = f"CREATE DATABASE {database} OWNER postgres TEMPLATE {template}"
        self.stack.psql("postgres", sql, superuser=True)

    def drop(self, database):
        self.stack.psql("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)", superuser=True)

    def digest(self, database, table):
        """Count and order-independent hash of a table's rows."""
        sql = f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM ONLY {table} t"
        return self.stack.psql(database, sql)

    def demand_equal(self, database):
        """A restore that is fast and wrong has not won."""
        for table in TABLES:
            expected, found = self.digest(self.database, table), self.digest(database, table)
            if found != expected:
                raise Failed(f"{database}: {table} is not what was backed up ({found}, not {expected})")

    def halves(self, table):
        """Conditions that cut a table's heap into two equal parts."""
        pages = int(self.stack.psql(self.database, f"SELECT pg_relation_size('{table}') / 8192"))
        return [f"ctid < '({pages // 2},0)'", f"ctid >= '({pages // 2},0)'"]

