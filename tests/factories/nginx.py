"""The real nginx with deploy/nginx, on ports of loopback, before a server of the tests."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from tests.factories.certificates import own_certificate
from tests.factories.patience import PATIENCE
from tests.factories.ports import free_port

SOURCE = settings.BASE_DIR / "deploy" / "nginx"
PROGRAM = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


@dataclass
class Proxy:
    """A running nginx. `tls` trusts its certificate and nothing else."""

    port: int
    plain_port: int
    tls: ssl.SSLContext
    log: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


def written(folder: Path, *, upstreams: Sequence[str] = ("127.0.0.1:8000",), port: int = 443, plain_port: int = 80) -> Path:
    """The files of deploy/nginx in this folder, where what an operator would change is changed; returns nginx.conf."""
    changes = {
        "/etc/nginx/tls/certificate.pem": str(folder / "certificate.pem"),
        "/etc/nginx/tls/key.pem": str(folder / "certificate.pem"),
        "/etc/nginx/hms": str(folder / "hms"),
        "/dev/stdout": str(folder / "access.log"),
        "/dev/stderr": str(folder / "error.log"),
        "/tmp/": f"{folder}/",  # noqa: S108
        "root /srv/hms;": f"root {settings.STATIC_ROOT.parent};",
        "server 127.0.0.1:8000 max_fails=0;": "\n".join(f"server {one} max_fails=0;" for one in upstreams),
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "listen 80 ": f"listen 127.0.0.1:{plain_port} ",
    }
    own_certificate(folder)
    anything, seen = re.compile("|".join(map(re.escape, changes))), set[str]()
    for source in SOURCE.glob("*.conf"):
        text = source.read_text()
        seen |= {old for old in changes if old in text}
        (folder / source.name).write_text(anything.sub(lambda match: changes[match[0]], text))
    assert seen == set(changes), "deploy/nginx no longer says what is changed here"
    return folder / "nginx.conf"


@contextmanager
def proxied(folder: Path, *upstreams: str) -> Iterator[Proxy]:
    assert PROGRAM
    port, plain_port = free_port(), free_port()
    file = written(folder, upstreams=upstreams, port=port, plain_port=plain_port)
    process = subprocess.Popen([PROGRAM, "-c", str(file), "-p", str(folder), "-g", globals_of_nginx()])
    proxy = Proxy(port, plain_port, ssl.create_default_context(cafile=folder / "certificate.pem"), folder / "access.log")
    try:
        _wait_for(port, process)
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=40)


def globals_of_nginx() -> str:
    """Root's workers would be nobody's, who may not read the folders of a test."""
    return "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("nginx did not come up")
