"""The rules of this project that no other tool knows.

    python -m etc.checks.lint             every rule, over every file that git tracks or would track
    python -m etc.checks.lint secrets     only the search for secrets
    python -m etc.checks.lint manage …    a management command in a throw-away environment, its warnings as errors
    python -m etc.checks.lint types       mypy in the same environment, for its Django plugin reads the settings

Each finding names its file and line; the exit status is 1 where there is one. The rules need only Python and git.
"""

from __future__ import annotations

import ast
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from etc.checks.apart import ROOT, throw_away_environment

MAX_LINES = 400
# Modules that may speak SQL themselves. Everything else goes through the ORM.
RAW_SQL_ALLOWED = frozenset(
    {
        "apps/core/notices/changes.py",  # PRAGMA data_version and LISTEN, which the ORM does not know
        "apps/core/prepared.py",  # executes again what the ORM wrote; no statement is written there by hand
        "bench/pages/copying.py",  # a million rows for a benchmark: COPY
        "bench/pages/repeating.py",  # the same inside of SQLite
        "apps/core/search.py",  # full text, of which the ORM knows neither the index nor the question
        "apps/core/running/sqlite_space.py",  # PRAGMA and VACUUM, which the ORM does not know
    }
)
# What speaks of errors in words of its own: the one wording itself, and what knows AWS's errors instead of ours.
WORDS_OF_ERRORS = ("apps/core/", "apps/aws/", "apps/awsverify/")
RAW_SQL_METHODS = frozenset({"raw", "extra", "cursor"})
RAW_SQL_CLASSES = frozenset({"RawSQL", "RunSQL"})
# The account ids of AWS's own documentation; any other one could be somebody's.
DOCUMENTED_ACCOUNTS = frozenset({"000000000000", "111122223333", "123456789012", "444455556666"})

SECRET_NAME = r"[\w.-]*(?:secret|token|password|passwd|api_?key|credential)[\w.-]*"  # noqa: S105 -- a pattern, no secret
SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:AKIA|ASIA)(?![A-Z2-7]*EXAMPLE\b)[A-Z2-7]{16}\b"), "an AWS access key id"),
    (re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY"), "a private key"),
)
ASSIGNED = re.compile(rf"(?i)\b{SECRET_NAME}[\"']?\s*[:=]\s*[\"']?(?P<value>[A-Za-z0-9+/_=-]{{20,}})")
URL_PASSWORD = re.compile(r"://[^\s:/@]*:(?P<value>[^\s:/@]{12,})@")
ACCOUNT = re.compile(r"(?<![\w.-])[0-9]{12}(?!\w|\.[0-9])")

MACHINE_PATH = re.compile(r"(?<![\w.$}~-])(?:/(?:home|Users)/\w[\w.-]*/|/(?:root|work)/\w|[A-Z]:\\Users\\)")
REGISTRY = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg\.com)\b")
URL = re.compile(r"\w+://|--(?:extra-)?index-url|--find-links")
THIRD_PARTY = re.compile(r"\.min\.(?:js|css)$|\.map$|\.woff2?$|\.ttf$|(?:^|/)(?:vendor|node_modules)/")

TEMPLATE_COMMENT = re.compile(r"\{#.*?#\}|\{%\s*comment\b.*?%\}.*?\{%\s*endcomment\s*%\}|<!--.*?-->", re.DOTALL)
TEMPLATE_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
UNESCAPED = re.compile(r"\|\s*safe(?:seq)?\b|^\{%\s*autoescape\s+off\b")
TAG = re.compile(r"<[a-zA-Z](?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
IN_TAG: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^<script\b(?!.*\ssrc\s*=)", re.DOTALL), "an inline script: put it into static/js"),
    (re.compile(r"^<style\b"), "an inline style sheet: put it into static/css"),
    (re.compile(r"\s:?style\s*="), "a style attribute: use a class"),
    (re.compile(r"\s(?:data-)?hx-on\b"), "hx-on runs text as script: listen in static/js"),
    (re.compile(r"\s:?on[a-z]+\s*="), "an event attribute: listen in static/js"),
)


@dataclass(frozen=True, order=True)
class Finding:
    """One place that breaks a rule; as text it is `path:line: message`."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Source:
    """A text file of the project: its path from the project's folder, with slashes, and its text."""

    path: str
    text: str

    @property
    def name(self) -> PurePosixPath:
        return PurePosixPath(self.path)

    def at(self, offset: int, message: str) -> Finding:
        return Finding(self.path, self.text.count("\n", 0, offset) + 1, message)

    def matches(self, pattern: re.Pattern[str], message: str) -> Iterator[Finding]:
        return (self.at(match.start(), message) for match in pattern.finditer(self.text))


def project_paths(root: Path) -> list[str]:
    """Every file that git tracks or would track, existing ones only."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    )
    return sorted(path for path in listed.stdout.decode().split("\0") if path and (root / path).is_file())


def read_sources(root: Path, paths: Iterable[str]) -> Iterator[Source]:
    """Read the text files among `paths`; pictures and other bytes are left out."""
    for path in paths:
        try:
            yield Source(path, (root / path).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue


def looks_random(value: str) -> bool:
    """Tell whether `value` could be a key: 32 hexadecimal digits or more, or a mixture of both cases and digits."""
    counts = Counter(value)
    entropy = -sum(count / len(value) * math.log2(count / len(value)) for count in counts.values())
    if re.fullmatch(r"[0-9a-f]{32,}|[0-9A-F]{32,}", value):
        return entropy > 3
    classes = (r"[a-z]", r"[A-Z]", r"\d")
    return entropy > 3.5 and all(re.search(pattern, value) for pattern in classes)


def find_secrets(source: Source) -> Iterator[Finding]:
    """AWS key ids, private keys, random values under a telling name or in a URL, account ids; none is repeated."""
    for pattern, what in SECRETS:
        yield from source.matches(pattern, f"looks like {what}: keep it out of the repository and replace it")
    for pattern in (ASSIGNED, URL_PASSWORD):
        for match in pattern.finditer(source.text):
            if looks_random(match["value"]):
                yield source.at(match.start("value"), "looks like a secret: read it from the environment")
    for match in ACCOUNT.finditer(source.text):
        if match[0] not in DOCUMENTED_ACCOUNTS:
            yield source.at(match.start(), "looks like an AWS account id: use 111122223333 or 123456789012")


def find_raw_sql(source: Source) -> Iterator[Finding]:
    """Calls of raw(), extra(), cursor(), RawSQL() and RunSQL() outside the allow list."""
    if source.name.suffix != ".py" or source.path in RAW_SQL_ALLOWED:
        return
    for node in ast.walk(ast.parse(source.text, source.path)):
        if isinstance(node, ast.ImportFrom):
            names = RAW_SQL_CLASSES.intersection(alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            names = (RAW_SQL_METHODS | RAW_SQL_CLASSES).intersection([node.func.attr])
        else:
            continue
        for name in sorted(names):
            yield Finding(source.path, node.lineno, f"{name}: no raw SQL, use the ORM")


def find_own_wording(source: Source) -> Iterator[Finding]:
    """Texts that put an error's advice beside its message: one of them would forget AWS's request id."""
    if source.name.suffix != ".py" or source.path.startswith(WORDS_OF_ERRORS):
        return
    for text in (node for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.JoinedStr)):
        for node in ast.walk(text):
            if isinstance(node, ast.Attribute) and ast.unparse(node) == "error.advice":
                yield Finding(source.path, node.lineno, "an error in words of its own: use its text()")


def _blank(match: re.Match[str]) -> str:
    """As many characters as the match, lines kept, none of them markup."""
    return re.sub(r"[^\n]", "_", match[0])


def find_unsafe_markup(source: Source) -> Iterator[Finding]:
    """What the content security policy would refuse, and output that is not escaped."""
    if source.name.suffix != ".html":
        return
    uncommented = TEMPLATE_COMMENT.sub(_blank, source.text)
    for code in TEMPLATE_CODE.finditer(uncommented):
        if UNESCAPED.search(code[0]):
            yield source.at(code.start(), "unescaped output: make it a SafeString where it is made safe")
    for tag in TAG.finditer(TEMPLATE_CODE.sub(_blank, uncommented)):
        bare = QUOTED.sub("''", tag[0])
        for pattern, message in IN_TAG:
            if pattern.search(bare):
                yield source.at(tag.start(), message)


def find_registries(source: Source) -> Iterator[Finding]:
    """Names of package registries anywhere, and any URL in a lock: both would tie an install to one host."""
    yield from source.matches(REGISTRY, "names a package registry")
    if source.path.startswith("etc/requirements/") or source.name.suffix == ".lock":
        yield from source.matches(URL, "a URL or an index in a lock")


def find_machine_paths(source: Source) -> Iterator[Finding]:
    """Absolute paths that exist on one machine only."""
    yield from source.matches(MACHINE_PATH, "a path of one machine")


def find_long_files(source: Source) -> Iterator[Finding]:
    """Files that want to be two."""
    if source.name.suffix in {".py", ".html", ".css", ".js"} and "migrations" not in source.name.parts:
        count = source.text.count("\n")
        if count > MAX_LINES:
            yield Finding(source.path, count, f"{count} lines, {MAX_LINES} are the limit: split it")


def find_third_party(path: str) -> Iterator[Finding]:
    """Files that somebody else wrote or a tool built; they come with a dependency or are made by make."""
    if THIRD_PARTY.search(path):
        yield Finding(path, 1, "third-party or built file: let a dependency or make bring it")


RULES: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    find_secrets,
    find_raw_sql,
    find_own_wording,
    find_unsafe_markup,
    find_registries,
    find_machine_paths,
    find_long_files,
)


def lint(root: Path, rules: Iterable[Callable[[Source], Iterator[Finding]]] = RULES) -> list[Finding]:
    """Apply `rules` to the project in `root`, and look for third-party files; findings in the order of their places."""
    paths = project_paths(root)
    findings = {finding for path in paths for finding in find_third_party(path)} if rules is RULES else set()
    for source in read_sources(root, paths):
        findings.update(finding for rule in rules for finding in rule(source))
    return sorted(findings)


def run_apart(root: Path, command: list[str]) -> int:
    """Run a Python command with settings of its own and an empty database; return its exit status."""
    with throw_away_environment() as environment:
        return subprocess.run([sys.executable, *command], cwd=root, env=environment, check=False).returncode


def main(arguments: list[str], root: Path) -> int:
    """The command line; returns the exit status."""
    if arguments[:1] == ["manage"]:
        return run_apart(root, ["-W", "error", "manage.py", *arguments[1:]])
    if arguments == ["types"]:
        return run_apart(root, ["-m", "mypy"])
    if arguments not in ([], ["secrets"]):
        sys.stderr.write("usage: python -m etc.checks.lint [secrets | types | manage COMMAND …]\n")
        return 2
    findings = lint(root, (find_secrets,)) if arguments else lint(root)
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], ROOT))
