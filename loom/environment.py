"""What Loom reads at start: the process environment first, then `etc/environment.sh`.

The file holds plain `export NAME=value` lines. It is read here and not included by make, because make's `include`
would override the process environment. Every wrong or missing value is reported at once, with its name, the reason and
an example.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values

from apps.aws.arn import is_valid_region
from apps.core.network import is_loopback
from loom import mail, values

Value = TypeVar("Value")

BASE_DIR = Path(__file__).resolve().parent.parent

EXAMPLES = {
    "LOOM_AWS": "emulator or aws",
    "LOOM_DATA_PLANE": "wire or botocore",
    "AWS_REGION": "us-east-1",
    "AWS_PROFILE": "my-profile",
    "DATABASE_URL": "sqlite:///loom.db or postgres://user:password@host:5432/loom",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "SECRET_KEY": "50 random characters; remove etc/environment.sh and run `make dev` to get one",
    "SECRET_ENCRYPTION_KEYS": "what `manage.py rotate_secrets --new-key` prints; newer ones first, by commas",
    "DEBUG": "1 or 0",
    "AUTH_DISABLED": "0, or 1 together with DEBUG=1 and BACKEND_HOST=127.0.0.1",
    "BACKEND_HOST": "127.0.0.1",
    "BACKEND_PORT": "8000",
    "PUBLIC_URL": "https://loom.example.com",
    "ALLOWED_HOSTS": "loom.example.com,10.0.0.5",
    "ALLOWED_NETWORKS": "10.20.0.0/16,fd12:3456::/32",
    "EMAIL_URL": "smtp://user:password@mail.example.com:587?tls=starttls&from=loom@example.com",
    "FRONTEND_PORT": "5173",
    "LOG_LEVEL": "info",
    "LOG_FORMAT": "pretty or json",
    "CLOUDWATCH_METRICS": "Loom",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    "EMULATOR_PORT": "8770",
    "EMULATOR_RUNTIMES": "my_agent=http://127.0.0.1:8080",
    "EMULATOR_OPTIONS": "--seed 7 --time-scale 0.5",
    "CONTENT_RETENTION_DAYS": "90",
    "MAX_REQUESTS": "64",
    "MAX_CONNECTIONS": "900",
    "MAX_QUEUED_RUNS": "50",
    "LOOM_SERVER": "uvicorn or daphne",
    "WEB_PROCESSES": "2",
    "RUNNERS": "1",
    "AGENTCORE_VCPU_HOUR_USD": "0.0895",
    "AGENTCORE_GB_HOUR_USD": "0.00945",
    "STATIC_ROOT": "/var/lib/loom/static",
    "DEMO_HISTORY": "1 or 0",
}

_ASSIGNMENT = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=", re.MULTILINE)


_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")


class EnvironmentInvalidError(Exception):
    """Some values of the environment are wrong or missing; the message lists all of them."""


def setting(read: values.Reader[Value], default: Any = MISSING, *, is_secret: bool = False) -> Value:
    """A field that `read` reads, and that has to be there without a default. No secret one is in `repr`."""
    found: Value = field(default=default, repr=not is_secret, metadata={"read": read})
    return found


def _region(text: str) -> str:
    if not is_valid_region(text):
        raise ValueError("this is not the name of an AWS region")
    return text


def _address(text: str) -> str:
    """Scheme and name alone, without a slash at the end."""
    parts = urlsplit(text.strip())
    host, port = parts.hostname, parts.port  # raises ValueError where the port is none
    if parts.scheme not in {"https", "http"} or not host or parts.username or not _HOST.fullmatch(host):
        raise ValueError("it is the address that people open, with https:// and a name")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("Loom needs a name of its own: it does not work below a path such as /loom")
    name = f"[{host}]" if ":" in host else host
    is_usual = port in {None, 443 if parts.scheme == "https" else 80}
    return f"{parts.scheme}://{name}" + ("" if is_usual else f":{port}")


def _collector(text: str) -> str:
    try:
        is_installed = find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # a package that it would be in
        is_installed = False
    if not is_installed:
        raise ValueError("what sends spans is not installed; run `make otlp`")
    return values.url("http", "https")(text)


def _namespace(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.#:/-]{1,255}", text) or text.startswith("AWS/"):
        raise ValueError("it is a namespace of CloudWatch: letters, digits and ._-#:/, and not one of AWS's own")
    return text


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The typed values; field names are the environment's names in lower case."""

    loom_aws: str = setting(values.one_of("emulator", "aws"), "emulator")
    loom_data_plane: str = setting(values.one_of("wire", "botocore"), "wire")
    aws_region: str = setting(_region)
    aws_profile: str | None = setting(str, None)
    database_url: str = setting(
        values.url("sqlite", "postgres", "postgresql", said=("sqlite", "postgres")), "", is_secret=True
    )
    redis_url: str | None = setting(values.url("redis", "rediss", "unix"), None, is_secret=True)
    secret_key: str = setting(values.long_enough(32), is_secret=True)
    secret_encryption_keys: tuple[str, ...] = setting(values.keys, (), is_secret=True)
    debug: bool = setting(values.switch, False)
    auth_disabled: bool = setting(values.switch, False)
    backend_host: str = setting(str, "127.0.0.1")
    backend_port: int = setting(values.whole_number(1, 65535), 8000)
    public_url: str = setting(_address, "")
    allowed_hosts: tuple[str, ...] = setting(values.words, ())
    allowed_networks: tuple[values.Network, ...] = setting(values.networks, ())
    email_url: mail.Mail | None = setting(mail.mail_url, None, is_secret=True)  # noqa: RUF009 -- a field
    frontend_port: int = setting(values.whole_number(1, 65535), 5173)
    log_level: str = setting(values.one_of("debug", "info", "warning", "error", "critical", any_case=True), "info")
    log_format: str = setting(values.one_of("pretty", "json"), "pretty")
    cloudwatch_metrics: str = setting(_namespace, "")
    otel_exporter_otlp_endpoint: str = setting(_collector, "", is_secret=True)
    emulator_port: int = setting(values.whole_number(1, 65535), 8770)
    emulator_runtimes: str = setting(str, "")
    emulator_options: str = setting(values.options, "")
    content_retention_days: int | None = setting(values.whole_number(0), None)
    max_requests: int = setting(values.whole_number(1), 64)
    max_connections: int = setting(values.whole_number(1), 900)
    max_queued_runs: int = setting(values.whole_number(1), 50)
    loom_server: str = setting(values.one_of("uvicorn", "daphne"), "uvicorn")
    web_processes: int | None = setting(values.whole_number(1, 64), None)
    runners: int | None = setting(values.whole_number(0), None)
    # Amazon Bedrock AgentCore pricing, section Runtime, as published for us-east-1 in November 2026.
    agentcore_vcpu_hour_usd: Decimal = setting(values.amount, Decimal("0.0895"))  # noqa: RUF009 -- a field
    agentcore_gb_hour_usd: Decimal = setting(values.amount, Decimal("0.00945"))  # noqa: RUF009 -- a field
    demo_history: bool = setting(values.switch, True)
    static_root: Path | None = setting(Path, None)  # noqa: RUF009 -- a field

    @property
    def database(self) -> str:
        """The database's URL: each mode has its own default file, so that no figure mixes them."""
        return self.database_url or f"sqlite:///{'loom-demo' if self.loom_aws == 'emulator' else 'loom'}.db"

    @property
    def emulator_url(self) -> str:
        return f"http://127.0.0.1:{self.emulator_port}"


FIELDS: dict[str, Field[Any]] = {one.name.upper(): one for one in fields(Environment)}
"""What means something to Loom, by its name in the environment."""


def load(file: Path | None = None) -> Environment:
    """Read the environment.

    Raises EnvironmentInvalidError with every wrong value. `LOOM_ENVIRONMENT_FILE` names another file, or none when
    empty.
    """
    path = file or environment_file()
    try:
        told = dotenv_values(path, encoding="utf-8") if path and path.is_file() else {}
    except UnicodeDecodeError:
        raise EnvironmentInvalidError(
            f"Loom cannot start: {path} is not text in UTF-8. Save it as UTF-8; the bytes at its beginning say what an "
            "editor made of it."
        ) from None
    texts = {name.upper(): text for source in (told, os.environ) for name, text in source.items() if text}
    found, wrong = _read(texts)
    if wrong:
        raise EnvironmentInvalidError(_describe(wrong))
    return Environment(**found)


def _read(texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values that are set, and what is wrong, by the environment's names in the order of the fields."""
    found: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, one in FIELDS.items():
        if name in texts:
            try:
                found[one.name] = one.metadata["read"](texts[name])
            except ValueError as error:
                wrong[name] = str(error)
        elif name == "AWS_REGION" and texts.get("LOOM_AWS", "emulator") == "emulator":
            # The emulator has one home region; on AWS a guessed region would look into the wrong account corner without
            # a word.
            found[one.name] = "us-east-1"
        elif one.default is MISSING:
            wrong[name] = "is missing"
    if found.get("auth_disabled"):
        if not found.get("debug"):
            wrong["AUTH_DISABLED"] = "everyone would be signed in: only with DEBUG=1"
        elif not is_loopback(found.get("backend_host", "127.0.0.1")):
            wrong["BACKEND_HOST"] = "with AUTH_DISABLED=1 strangers on the network would be signed in: use 127.0.0.1"
    return found, {name: wrong[name] for name in FIELDS if name in wrong}


def _describe(wrong: Mapping[str, str]) -> str:
    lines = [
        f"  {name}: {reason}. Example: {EXAMPLES.get(name, 'see etc/environment.sh.example')}"
        for name, reason in wrong.items()
    ]
    return "Loom cannot start; mend these in the environment or in etc/environment.sh:\n" + "\n".join(lines)


def environment_file() -> Path | None:
    """The file that is read beside the process environment; None where none is wanted."""
    named = os.environ.get("LOOM_ENVIRONMENT_FILE")
    return BASE_DIR / "etc" / "environment.sh" if named is None else Path(named) if named else None


def unknown_names(file: Path) -> list[str]:
    """A line for each name in the file that means nothing to Loom, with the one that was meant if there is one like it.

    They are no error: a shell may source the file for more than Loom.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    known = list(FIELDS)
    lines = []
    for name in dict.fromkeys(_ASSIGNMENT.findall(text)):
        if name.upper() not in known:
            like = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.75)
            meant = f" Did you mean {like[0]}?" if like else " See etc/environment.sh.example for what it knows."
            lines.append(f"{file}: {name} is no setting of Loom and has no effect.{meant}")
    return lines
