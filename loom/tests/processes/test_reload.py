"""What somebody who works on Loom sees of a change without starting it anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

from loom.processes.source import SourceWatch
from loom.tests.processes.test_supervisor import SUPERVISE
from loom.tests.running import Running, wait_until

LOADERS = [
    (
        "template_partials.loader.Loader",
        [("loom.web.fresh_templates.FreshLoader", ["django_cotton.cotton_loader.Loader"])],
    )
]


def write(path: Path, text: str, at_s: int) -> None:
    """Write a file as if it had been changed at an instant of its own: the clocks of file systems are coarse."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(at_s * 10**9, at_s * 10**9))


def test_a_page_shows_what_was_changed_in_its_template_and_in_what_it_is_made_of(tmp_path: Path, settings: Any) -> None:
    libraries = ["django_cotton.templatetags.cotton", "template_partials.templatetags.partials"]
    options = {"loaders": LOADERS, "builtins": libraries}
    backend = "django.template.backends.django.DjangoTemplates"
    settings.TEMPLATES = [{"BACKEND": backend, "DIRS": [tmp_path], "OPTIONS": options}]
    write(tmp_path / "base.html", "base 1 {% block content %}{% endblock %}", 1)
    write(tmp_path / "part.html", "part 1", 1)
    write(tmp_path / "components" / "box.html", "box 1 {{ slot }}", 1)
    page = "{% extends 'base.html' %}{% block content %}{% include 'part.html' %} <c-box>in it</c-box>{% endblock %}"
    write(tmp_path / "page.html", page, 1)

    def parsed(name: str) -> Any:
        template: Any = get_template(name)
        return template.template.nodelist

    def shown() -> str:
        return get_template("page.html").render()

    assert shown() == "base 1 part 1 box 1 in it"
    for number, name in enumerate(("base.html", "part.html", "components/box.html"), start=2):
        path = tmp_path / name
        write(path, path.read_text().replace("1", str(number)), number)
    assert shown() == "base 2 part 3 box 4 in it"
    assert parsed("part.html") is parsed("part.html")  # kept as long as it is the same
    (tmp_path / "part.html").unlink()
    with pytest.raises(TemplateDoesNotExist):
        shown()
    write(tmp_path / "part.html", "back", 9)
    assert "back" in shown()


def test_the_watch_tells_of_python_files_of_loom_alone(tmp_path: Path) -> None:
    for name in ("apps/a.py", "apps/tests/test_a.py", "loom/b.py", "packages/c/d.py", "docs/e.py"):
        write(tmp_path / name, "", 1)
    watch = SourceWatch(tmp_path, look_every_s=0)
    assert watch.changes() == ""

    for name in ("apps/tests/test_a.py", "docs/e.py", "apps/page.html"):
        write(tmp_path / name, "", 2)
    assert watch.changes() == ""
    write(tmp_path / "loom/b.py", "", 2)
    assert (watch.changes(), watch.changes()) == ("loom/b.py changed", "")
    write(tmp_path / "apps/new/f.py", "", 2)
    (tmp_path / "packages/c/d.py").unlink()
    assert watch.changes() == "apps/new/f.py and 1 more changed"


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc")
def test_servers_start_again_when_the_source_changes_and_no_other(tmp_path: Path) -> None:
    source, count = tmp_path / "loom" / "a.py", tmp_path / "count"
    write(source, "", 1)
    server = (
        f"import signal, sys; open({str(count)!r}, 'a').write('.')\n"
        "def end(*_): print('finished what ran'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up')\nwhile True: signal.pause()"
    )
    body = f"""
from pathlib import Path
from loom.processes.source import SourceWatch
other = supervisor.start(spec("emulator", "import signal; print('up'); signal.pause()", ready_line="up"))
server = supervisor.start(spec("web", {server!r}, ready_line="up"))
supervisor.wait_until_ready(other, server)
watch = SourceWatch(Path({str(tmp_path)!r}), look_every_s=0.1)
supervisor.say("all ready")
supervisor.watch(watch.changes, [server])
"""
    indented = "\n".join("    " + line for line in body.strip().splitlines())
    with Running("-c", SUPERVISE + indented) as running:
        running.wait_for_line("all ready")
        before = set(running.pids())
        write(source, "x = 1", 2)
        running.wait_for_line("loom/a.py changed: web starts again")
        running.wait_for_line("web      | finished what ran")
        wait_until(lambda: count.exists() and count.read_text() == "..", "it was started a second time")
        wait_until(lambda: len(running.pids()) == 3, "it runs")

        assert len(before & set(running.pids())) == 2  # the supervisor and the emulator
        assert not [line for line in running.output if "ended with" in line]
