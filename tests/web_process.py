"""The product's own web server as a process, on the database of a test."""

import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from oms.bootstrap import ROOT
from oms.embedded.children import is_healthy
from oms.embedded.ports import free_port
from oms.embedded.processes import processes
from tests.conftest import PASSWORD
from tests.worker_process import wait_until


@dataclass
class Web:
    """A web server that runs."""

    process: subprocess.Popen
    port: int
    log: object

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def children(self):
        return {each.pid for each in processes() if each.group == self.process.pid} - {self.process.pid}


@contextmanager
def serving(environment, *options):
    """The web server with these variables, ready; it is stopped at the end."""
    port = free_port()
    argv = [sys.executable, "-m", "oms.webserver", f"--port={port}", *options]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            argv, env={**os.environ, **environment}, cwd=ROOT, stderr=log, start_new_session=True
        )
        try:
            wait_until(lambda: is_healthy(port), what="the web server is healthy")
            yield Web(process, port, log)
        finally:
            process.terminate()
            process.wait(30)


def csrf(answer):
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.text)[1]


@contextmanager
def signed_in(web, person, timeout=30.0):
    """An HTTP client with the session of `person`, who signed in over HTTP."""
    with httpx.Client(base_url=web.url, timeout=timeout) as client:
        form = {"username": person.email, "password": PASSWORD, "csrfmiddlewaretoken": csrf(client.get("/sign-in/"))}
        assert client.post("/sign-in/", data=form).status_code == 302
        yield client
