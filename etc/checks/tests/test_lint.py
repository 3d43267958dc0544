"""Every rule of `make lint` and every import contract, each broken once on a sample tree (S0-038, S0-114, S0-116)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etc.checks import lint

ROOT = Path(__file__).resolve().parent.parent.parent.parent
Write = Callable[[str, str], Path]

# Put together here, so that the scan of this repository does not find them.
KEY_ID = "AKIA" + "QWERTYUIOPASDFG2"
RANDOM = "wJ4lrXUtnFEMI" + "K7MDENGbPxRfiCY9zT2Kq"
ACCOUNT = "9" + "81726354091"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.fixture
def write(tree: Path) -> Write:
    def write_file(path: str, text: str) -> Path:
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write_file


def found(tree: Path) -> list[str]:
    return [str(finding) for finding in lint.lint(tree)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("rows = Agent.objects.raw('SELECT 1')", "raw"),
        ("rows = Agent.objects.extra(where=['1=1'])", "extra"),
        ("with connection.cursor() as cursor:\n        pass", "cursor"),
        ("value = expressions.RawSQL('1', [])", "RawSQL"),
        ("from django.db.models.expressions import RawSQL as Plain", "RawSQL"),
        ("operation = migrations.RunSQL('DELETE')", "RunSQL"),
    ],
)
def test_raw_sql_is_found_where_it_stands(tree: Path, write: Write, line: str, what: str) -> None:
    """S0-038: ORM only."""
    write("apps/agents/migrations/0002_x.py", f"def function():\n    {line}\n")

    assert found(tree) == [f"apps/agents/migrations/0002_x.py:2: {what}: no raw SQL, use the ORM"]


def test_an_error_in_words_of_its_own_is_found(tree: Path, write: Write) -> None:
    text = 'note = f"Not read. {error.text()}"\nadvice = error.advice\nnote = f"{error}" f" {error.advice or str()}"\n'
    for path in ("apps/agents/views.py", "apps/core/exceptions.py", "apps/aws/errors.py"):
        write(path, text)

    assert found(tree) == ["apps/agents/views.py:3: an error in words of its own: use its text()"]


@pytest.mark.parametrize(
    ("markup", "message"),
    [
        ("<script>alert(1)</script>", "an inline script: put it into static/js"),
        ('<script\n type="module">x</script>', "an inline script: put it into static/js"),
        ("<style>p {}</style>", "an inline style sheet: put it into static/css"),
        ('<p class="a"\n style="color: red">', "a style attribute: use a class"),
        ('<button onclick="go()">', "an event attribute: listen in static/js"),
        ('<a title="1 > 0" onfocus=go>', "an event attribute: listen in static/js"),
        ('<p {% if a > b %}class="x"{% endif %} onclick="go()">', "an event attribute: listen in static/js"),
        ('<p hx-on::after-swap="go()">', "hx-on runs text as script: listen in static/js"),
        ('<p data-hx-on:click="go()">', "hx-on runs text as script: listen in static/js"),
        ("{{ answer|safe }}", "unescaped output: make it a SafeString where it is made safe"),
        ("{% firstof a | safe b %}", "unescaped output: make it a SafeString where it is made safe"),
        ("{% autoescape off %}", "unescaped output: make it a SafeString where it is made safe"),
    ],
)
def test_markup_that_the_browser_would_refuse_is_found(tree: Path, write: Write, markup: str, message: str) -> None:
    write("templates/agents/page.html", f"<h1>Agents</h1>\n{markup}\n")

    assert found(tree) == [f"templates/agents/page.html:2: {message}"]


def test_markup_that_only_looks_alike_is_left_alone(tree: Path, write: Write) -> None:
    write(
        "templates/agents/page.html",
        """{# <script>a comment</script> |safe #}{% comment %}<style>{% endcomment %}<!-- <p style="x"> -->
        <script type="module" src="{% static "js/live.js" %}"></script>
        <p title="set style=, onclick=go or hx-on:x" data-one="1" class="{% if a > b %}on{% endif %}">5 > 4</p>
        <a href="{% url "agents:list" %}?style=plain" hx-get="/x" x-online="1">{{ value|safety }}</a>
        """,
    )

    assert found(tree) == []


@pytest.mark.parametrize(
    ("path", "line", "message"),
    [
        ("etc/requirements/run.txt", "--index-url https://example.com/simple", "a URL or an index in a lock"),
        ("etc/requirements/run.txt", "x @ https://example.com/x.whl", "a URL or an index in a lock"),
        ("uv.lock", 'source = "https://example.com"', "a URL or an index in a lock"),
        ("docs/install.md", "from " + "pypi" + ".org", "names a package registry"),
    ],
)
def test_an_install_tied_to_one_host_is_found(tree: Path, write: Write, path: str, line: str, message: str) -> None:
    """S0-028: a lock without URLs."""
    write(path, f"first\n{line}\n")

    assert found(tree) == [f"{path}:2: {message}"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (KEY_ID, "looks like an AWS access key id: keep it out of the repository and replace it"),
        (
            "-----BEGIN RSA " + "PRIVATE KEY-----",
            "looks like a private key: keep it out of the repository and replace it",
        ),
        (f"export SECRET_KEY={RANDOM}", "looks like a secret: read it from the environment"),
        (f'"api_key": "{RANDOM}",', "looks like a secret: read it from the environment"),
        ("db_password = '" + "5d41402abc4b2a76b9719d911017c592'", "looks like a secret: read it from the environment"),
        (f"DATABASE_URL=postgres://loom:{RANDOM}@db/loom", "looks like a secret: read it from the environment"),
        (f"arn:aws:iam::{ACCOUNT}:role/x", "looks like an AWS account id: use 111122223333 or 123456789012"),
        (f"account {ACCOUNT}.", "looks like an AWS account id: use 111122223333 or 123456789012"),
        (f"{ACCOUNT}.dkr.ecr.us-east-1", "looks like an AWS account id: use 111122223333 or 123456789012"),
    ],
)
def test_a_secret_is_found_and_not_repeated(
    tree: Path, write: Write, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    """S0-114, S0-116: the scan names the place, never the secret."""
    write("etc/settings.txt", f"first\n{line}\n")

    assert lint.main(["secrets"], tree) == 1
    assert capsys.readouterr().out == f"etc/settings.txt:2: {message}\n"


@pytest.mark.parametrize(
    "line",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234",
        "next_token = next_token_of_the_newest_page",
        "password = env('LOOM_DATABASE_PASSWORD')",
        "output_token_count=invocation.output_token_count",
        "postgres://user:password@host:5432/loom",
        "SECRET_KEY: only-for-tests-xxxxxxxxxxxxxxxxxxxxxxxx",
        "7e8d25b7-d525-5b9d-0000-" + "9" * 12,
    ],
)
def test_what_only_looks_like_a_secret_is_left_alone(tree: Path, write: Write, line: str) -> None:
    write("etc/settings.txt", line)

    assert found(tree) == []


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz_", min_size=20, max_size=60))
def test_no_name_is_taken_for_a_secret(name: str) -> None:
    assert not lint.looks_random(name)


def test_the_secret_scan_reports_nothing_else(tree: Path, write: Write) -> None:
    write("templates/page.html", "<script>x</script>")

    assert lint.main(["secrets"], tree) == 0
    assert lint.main([], tree) == 1


@pytest.mark.parametrize("path", ["static/js/htmx.min.js", "static/vendor/chart.js", "static/css/site.css.map"])
def test_third_party_files_are_found(tree: Path, write: Write, path: str) -> None:
    write(path, "")

    assert found(tree) == [f"{path}:1: third-party or built file: let a dependency or make bring it"]


@pytest.mark.parametrize("path", ["/home" + "/al/loom", "/Users" + "/al/loom", "/work" + "/loom", "C:\\" + "Users\\al"])
def test_a_path_of_one_machine_is_found(tree: Path, write: Write, path: str) -> None:
    write("docs/start.md", f"Then\nopen {path}\n")

    assert found(tree) == ["docs/start.md:2: a path of one machine"]


def test_a_file_is_too_long_from_line_401_on(tree: Path, write: Write) -> None:
    write("apps/short.py", "\n" * 400)
    write("apps/long.py", "\n" * 401)
    write("apps/agents/migrations/0001_initial.py", "\n" * 401)

    assert found(tree) == ["apps/long.py:401: 401 lines, 400 are the limit: split it"]


def test_files_that_git_ignores_are_not_read(tree: Path, write: Write) -> None:
    write(".gitignore", "etc/environment.sh\n")
    write("etc/environment.sh", KEY_ID)
    write("etc/picture.png", "").write_bytes(b"\x89PNG\xff" + KEY_ID.encode())

    assert found(tree) == []


def test_an_unknown_word_is_answered_with_the_usage(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint.main(["secret"], tree) == 2
    assert capsys.readouterr().err == "usage: python -m etc.checks.lint [secrets | types | manage COMMAND …]\n"


def test_manage_needs_no_environment_and_raises_warnings(
    tree: Path, write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    write(
        "manage.py",
        "import os, sys, warnings\nprint(os.environ['DATABASE_URL'][:10], sys.argv[1:])\nwarnings.warn('old')\n",
    )

    assert lint.main(["manage", "check", "--deploy"], tree) == 1
    printed = capfd.readouterr()
    assert printed.out == "sqlite:/// ['check', '--deploy']\n"
    assert printed.err.splitlines()[-1] == "UserWarning: old"


def test_types_are_checked_in_a_clone_that_was_never_started(
    tree: Path, write: Write, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("SECRET_KEY", "LOOM_AWS", "DATABASE_URL"):
        monkeypatch.delenv(name)
    write("pyproject.toml", '[tool.mypy]\nfiles = ["wrong.py"]\nplugins = ["reads_settings.py"]\n')
    write(
        "reads_settings.py",
        "import os\nfrom mypy.plugin import Plugin\nos.environ['SECRET_KEY']\ndef plugin(version): return Plugin\n",
    )
    write("wrong.py", "length: int = 'long'\n")

    assert lint.main(["types"], tree) == 1
    assert capfd.readouterr().out.splitlines()[0].startswith("wrong.py:1: error: Incompatible types in assignment")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's Python files with one import of each forbidden kind."""
    folder = tmp_path_factory.mktemp("sources")
    for name in ("apps", "loom", "packages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path, line in {
        "apps/agents/broken.py": "import apps.sessions.models, loom.settings, apps.emulator.config, boto3",
        "apps/agents/payload.py": "import apps.agents.views",
        "apps/aws/broken.py": "import django, apps.core.exceptions",
        "apps/emulator/broken.py": "import apps.aws.clients, channels",
        "apps/weavers/__init__.py": "",
        "packages/loom_client/broken.py": "import django",
        "packages/loom_events/broken.py": "import apps.aws.arn, loom_client.run",
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(line + "\n")
    return folder


def test_every_import_contract_breaks_on_a_wrong_import(sources: Path) -> None:
    program = Path(sys.executable).with_name("lint-imports")
    # Before the .pth file of .venv, which leads to the packages of the project itself.
    environment = {**os.environ, "PYTHONPATH": str(sources / "packages")}
    result = subprocess.run(
        [program, "--no-cache"], cwd=sources, env=environment, capture_output=True, text=True, check=False
    )
    flat = " ".join(result.stdout.split())

    assert result.returncode == 1
    for broken in (
        "apps.agents.broken -> apps.sessions.models",
        "apps is not allowed to import loom",
        "apps.agents.broken -> apps.emulator.config",
        "apps.agents.broken -> boto3",
        "apps.agents.payload is not allowed to import apps.agents.views",
        "not listed as layers: - apps.agents.broken",
        "apps.aws is not allowed to import django",
        "apps.aws is not allowed to import apps.core",
        "apps.emulator is not allowed to import apps.aws",
        "apps.emulator is not allowed to import channels",
        "not listed as layers: - apps.weavers",
        "loom_client is not allowed to import django",
        "loom_events is not allowed to import apps",
        "loom_events is not allowed to import loom_client",
    ):
        assert broken in flat
