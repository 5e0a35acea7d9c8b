"""A person who signed in, and calls the functions over HTTP."""

import http.client
import json
import time
import urllib.parse

from .measure import Failed

TIMEOUT_SECONDS = 60
LOOK_EVERY = 0.1
LONGEST_WORK = 900


class Client:
    def __init__(self, project):
        self.address = urllib.parse.urlsplit(project["url"]).netloc
        self.token = None
        asked = {"email": project["email"], "password": project["password"]}
        self.token = self.demand("POST", "/auth/v1/token?grant_type=password", asked)["access_token"]

    @classmethod
    def of(cls, url, token):
        """Whoever shows this."""
        client = cls.__new__(cls)
        client.address, client.token = urllib.parse.urlsplit(url).netloc, token
        return client

    def open(self, method, path, body=None, **headers):
        """The answer, whose body is still to be read; over a connection of its own."""
        connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT_SECONDS)
        text = None if body is None else json.dumps(body)
        if text is not None:
            headers["content-type"] = "application/json"
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        connection.request(method, path, text, headers)
        return connection.getresponse()

    def timed(self, method, path, body=None):
        """Status, text of the answer, and seconds from the connection to the last byte."""
        begun = time.perf_counter()
        answer = self.open(method, path, body)
        text = answer.read()
        return answer.status, text, time.perf_counter() - begun

    def demand(self, method, path, body=None):
        """The JSON of a success."""
        status, text, _ = self.timed(method, path, body)
        if status >= 300:
            raise Failed(f"{method} {path}: {status} {text.decode(errors='replace')[:2000]}")
        return json.loads(text)

    def completed(self, backup):
        """Waits for a backup, or the newest restore of it."""
        path = f"/api/backups/{backup}/restore/status"
        begun = time.perf_counter()
        while time.perf_counter() - begun < LONGEST_WORK:
            told = self.demand("GET", path)
            if told["status"] == "completed":
                return told
            if told["status"] not in ("pending", "in_progress"):
                raise Failed(f"GET {path}: {told}")
            time.sleep(LOOK_EVERY)
        raise Failed(f"GET {path}: not completed within {LONGEST_WORK} s")
