"""The stack of the benchmark: built, started, asked, stopped."""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.parse
from pathlib import Path

from .measure import Failed, run

TOOLS = ("rclone", "zstd")
# A fixed key: the same rows get the same segment ids in every run.
STORE_KEY = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
PROJECT = Path(__file__).resolve().parents[2]


def build():
    """Builds the release programs and returns their folder."""
    return built(["-p", "rovodev", "--bin", "rovodev", "-p", "bench-stack", "--bin", "bench-stack"])


def built(programs):
    """Builds these release programs, arguments of `cargo build`, and returns their folder."""
    if subprocess.run(["cargo", "build", "--release", "--locked", *programs], cwd=PROJECT).returncode:
        raise Failed("the release build failed")
    listed = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"],
        cwd=PROJECT, check=True, capture_output=True, timeout=60,
    )
    return Path(json.loads(listed.stdout)["target_directory"]) / "release"


def install_tools():
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if not missing:
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise Failed(f"missing: {', '.join(missing)}; install them and start again")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for step in (["update", "-q"], ["install", "-qy", *missing]):
        if subprocess.run(["apt-get", *step], env=env, stdout=subprocess.DEVNULL, timeout=600).returncode:
            raise Failed(f"apt-get cannot install {', '.join(missing)}")


class Stack:
    def __init__(self, found, programs):
        self.programs = programs
        self.bin = Path(found["bin"])
        self.major = found["major"]
        self.postmaster = found["postmaster"]
        self.owner = found["owner"]
        self.as_superuser = libpq(found["superuser"])
        self.as_owner = libpq(found["owner"])
        self.s3 = found["s3"]
        self.project = found["project"]
        self.server = None
        self.work = Path(found["folder"]) / "work"
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()

    @classmethod
    @contextlib.contextmanager
    def started(cls, programs, project=None):
        """The stack goes down when its standard input ends, so also when this process dies. `project`: the database
        that its functions back up."""
        server = subprocess.Popen(
            [programs / "bench-stack", *(["--project", project] if project else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )
        stack = None
        try:
            line = server.stdout.readline()
            if not line:
                raise Failed("the stack did not start")
            stack = cls(json.loads(line), programs)
            stack.server = server
            yield stack
        finally:
            if stack:
                shutil.rmtree(stack.work, ignore_errors=True)
            server.stdin.close()
            server.wait(timeout=120)

    def url(self, database):
        """The owner's URL, who is no superuser, as on Supabase."""
        return urllib.parse.urlsplit(self.owner)._replace(path=f"/{database}").geturl()

    def catalog_requests(self):
        """How many requests PostgREST was sent so far."""
        self.server.stdin.write(b"\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline())

    def program(self, name):
        return self.bin / name

    def psql(self, database, *statements, superuser=False, file=None, variables=()):
        """Runs statements, or a file, and returns what they answer."""
        role = self.as_superuser if superuser else self.as_owner
        argv = [self.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database]
        argv += [part for v in variables for part in ("-v", v)]
        argv += ["-f", file] if file else [part for s in statements for part in ("-c", s)]
        asked = subprocess.run(
            argv, env=self.environment(**role), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=3600
        )
        if asked.returncode:
            raise Failed(f"psql: {asked.stderr.strip()[-2000:]}")
        return asked.stdout.strip()

    def settle(self):
        """Every run starts with nothing left to write."""
        self.psql("postgres", "CHECKPOINT", superuser=True)
        os.sync()

    def environment(self, **more):
        """For contestants: nothing of the caller's settings but the path."""
        s3 = self.s3
        return {
            "PATH": f"{self.bin}:{os.environ.get('PATH', '')}",
            "HOME": str(self.work),
            "LC_ALL": "C.UTF-8",
            "S3_ENDPOINT": s3["endpoint"],
            "AWS_REGION": s3["region"],
            "AWS_ACCESS_KEY_ID": s3["key"],
            "AWS_SECRET_ACCESS_KEY": s3["secret"],
            "PG_DUMP": str(self.program("pg_dump")),
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_LOCAL_TYPE": "s3",
            "RCLONE_CONFIG_LOCAL_PROVIDER": "Other",
            "RCLONE_CONFIG_LOCAL_ENDPOINT": s3["endpoint"],
            "RCLONE_CONFIG_LOCAL_REGION": s3["region"],
            "RCLONE_CONFIG_LOCAL_ACCESS_KEY_ID": s3["key"],
            "RCLONE_CONFIG_LOCAL_SECRET_ACCESS_KEY": s3["secret"],
            **more,
        }

    def measured(self, argv, settled=True, **environment):
        """Runs one contestant; libpq programs find the server and the owner's password in the environment."""
        if settled:
            self.settle()
        env = self.environment(**(environment or self.as_owner))
        return run(argv, env, self.postmaster, self.work)

    def shell(self, script):
        return self.measured(["bash", "-o", "pipefail", "-c", script])

    def rovodev(self, arguments, database, store, settled=True):
        """Done with warnings is not done: a backup that lacks its schema would compare unfairly."""
        return self.measured(
            [self.programs / "rovodev", *arguments], settled,
            DATABASE_URL=self.url(database), BACKUP_STORE=str(store), STORE_KEY=STORE_KEY,
        )


def libpq(url):
    parts = urllib.parse.urlsplit(url)
    return {
        "PGHOST": parts.hostname, "PGPORT": str(parts.port), "PGUSER": parts.username, "PGPASSWORD": parts.password,
    }
