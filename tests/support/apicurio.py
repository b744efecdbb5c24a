"""A real schema registry for tests: Apicurio Registry from Maven Central, where Java 17 and Maven are present. Kept in .cache between runs."""

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.ports import free_port
from tests.support.bundled import eventually

VERSION = "3.0.9"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
CACHE = Path(__file__).parents[2] / ".cache" / f"apicurio-{VERSION}"
JAR = f"apicurio-registry-app-{VERSION}-runner.jar"


def _java() -> str:
    java = shutil.which("java")
    if java is None or shutil.which("mvn") is None:
        pytest.skip("no schema registry: Java 17 and Maven are needed and not found")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < 17:
        pytest.skip(f"no schema registry: Java 17 or newer is needed, found {told.splitlines()[:1]}")
    return java


def _fetch() -> Path:
    """The unpacked registry, from the cache or from Maven Central."""
    jar = CACHE / JAR
    if not jar.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        for goal in (["get", "-Dtransitive=false"], ["copy", f"-DoutputDirectory={CACHE}"]):
            command = ["mvn", "-q", "-B", f"dependency:{goal[0]}", f"-Dartifact={ARTIFACT}", *goal[1:]]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=CACHE)
            if done.returncode:
                pytest.skip(f"no schema registry: Maven could not fetch {ARTIFACT}")
        archive = CACHE / f"apicurio-registry-app-{VERSION}-all.tar.gz"
        with tarfile.open(archive) as packed:
            packed.extractall(CACHE, filter="data")
        archive.unlink()
    return jar


@contextmanager
def apicurio() -> Iterator[str]:
    """A running registry with nothing in it: the address of its Confluent interface. Skips by name where it cannot be had."""
    java, jar = _java(), _fetch()
    port, management = free_port(), free_port()
    environ = {
        **os.environ,
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "h2",
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
        "QUARKUS_MANAGEMENT_PORT": str(management),
    }
    with (CACHE / "registry.log").open("wb") as log:
        process = subprocess.Popen([java, "-Xmx384m", "-jar", str(jar)], cwd=CACHE, env=environ, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    try:
        eventually(lambda: process.poll() is not None or _answers(url), "the schema registry answers", 120)
        assert process.poll() is None, "the schema registry ended by itself; see .cache"
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/subjects", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
