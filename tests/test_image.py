"""The Dockerfile, as far as it can be tried without a container engine: read it, and do what it says by hand."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="ascii")


@dataclass(frozen=True)
class Stage:
    """One FROM, and the instructions up to the next one."""

    image: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, instruction: str) -> list[str]:
        """What follows each *instruction* of this stage."""
        return [value for name, value in self.instructions if name == instruction]


def parse(text: str) -> list[Stage]:
    stages: list[Stage] = []
    for name, value in re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE):
        if name == "FROM":
            image, _, stage = value.partition(" AS ")
            stages.append(Stage(image, stage))
        elif stages:
            stages[-1].instructions.append((name, value))
    return stages


BUILD, REMEDIATOR, FINAL = parse(DOCKERFILE)
"""The last one is what `docker build` gives by itself."""
PROGRAMS = {"odp-exporter": (FINAL, 9888), "odp-remediator": (REMEDIATOR, 9889)}


def sources(stage: Stage) -> Iterator[str]:
    """What *stage* copies out of the checkout."""
    for value in stage.of("COPY"):
        if not value.startswith("--from"):
            yield from shlex.split(value)[:-1]


def arguments(command: str) -> list[str]:
    """An exec form, which no shell reads."""
    given: list[str] = json.loads(command)
    return given


def health_check(stage: Stage) -> list[str]:
    (value,) = stage.of("HEALTHCHECK")
    return arguments(value.partition(" CMD ")[2])


def test_all_stages_stand_on_one_base_pinned_by_tag_and_digest() -> None:
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", DOCKERFILE, re.MULTILINE)

    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert ["${PYTHON_IMAGE}"] * 3 == [BUILD.image, REMEDIATOR.image, FINAL.image]


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_runs_as_nobody_in_particular(name: str) -> None:
    stage, _ = PROGRAMS[name]

    assert ["65532:65532"] == stage.of("USER")
    assert "USER" == [instruction for instruction, _ in stage.instructions if instruction in {"USER", "RUN"}][-1]


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_started_needs_no_shell(name: str) -> None:
    stage, _ = PROGRAMS[name]

    assert [name, "run"] == [*arguments(*stage.of("ENTRYPOINT")), *arguments(*stage.of("CMD"))]
    assert "python3" == health_check(stage)[0]
    assert [] == FINAL.of("RUN")


def test_all_that_is_copied_exists_and_is_let_in() -> None:
    """.dockerignore keeps out everything but what it names."""
    rules = [line for line in (ROOT / ".dockerignore").read_text(encoding="ascii").splitlines() if line[:1] != "#"]
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]

    assert "*" == rules[0]
    assert sorted(sources(BUILD)) == sorted(let_in)
    assert [] == [source for source in sources(BUILD) if not (ROOT / source).exists()]
    assert [] == [rule for rule in rules[1:] for source in sources(BUILD) if fnmatch(source, rule)]


@pytest.mark.timeout(180)
def test_what_the_build_installs_runs(tmp_path: Path) -> None:
    """The RUN line, on nothing but the copied files; what it would download comes from this environment."""
    for source in sources(BUILD):
        target = tmp_path / "src" / source
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / source, target)
    (run,) = BUILD.of("RUN")
    (variable,) = BUILD.of("ENV")
    install = [argument.replace("/install", str(tmp_path / "install")) for argument in arguments(run)]

    subprocess.run(  # noqa: S603 - the Dockerfile's own command
        [sys.executable, "-m", *install, "-qq", "--ignore-installed", "--no-deps", "--no-build-isolation"],
        cwd=tmp_path / "src",
        env={**os.environ, **dict([variable.split("=")]), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        check=True,
        timeout=150,
    )
    (packages,) = tmp_path.glob("install/lib/python3*/site-packages")
    done = {name: version(tmp_path / "install/bin" / name, packages) for name in PROGRAMS}

    assert dict.fromkeys(PROGRAMS, (0, "")) == {name: (it.returncode, it.stderr) for name, it in done.items()}
    assert [] == [name for name, it in done.items() if not it.stdout.startswith(f"{name}, version ")]


def version(program: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    """What an installed *program* says of itself, with nothing else of ours in reach."""
    here = sysconfig.get_path("purelib")
    code = (
        f"import runpy, sys; sys.path += [{str(packages)!r}, {here!r}]; "
        f"runpy.run_path({str(program)!r}, run_name='__main__')"
    )
    return subprocess.run(  # noqa: S603 - what was just built
        [sys.executable, "-I", "-S", "-c", code, "--version"],
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def server(status: int) -> Iterator[int]:
    """An HTTP server that answers /-/healthy with *status*, on the port that it gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_asks_the_program(name: str, status: int, code: int) -> None:
    """Its own words, with another port."""
    stage, usual = PROGRAMS[name]
    with server(status) as port:
        command = [argument.replace(str(usual), str(port)) for argument in health_check(stage)]
        done = subprocess.run([sys.executable, *command[1:]], check=False, timeout=20)  # noqa: S603 - the Dockerfile's own command

    assert code == done.returncode
    assert [str(usual)] == stage.of("EXPOSE")
