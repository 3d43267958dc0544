"""What Loom reads at start: the process environment first, then `etc/environment.sh`.

The file holds plain `export NAME=value` lines. It is read here and not included by make, because make's `include`
would override the process environment. Every wrong or missing value is reported at once, with its name, the reason and
an example.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from apps.aws.arn import is_valid_region
from apps.core.network import is_loopback

BASE_DIR = Path(__file__).resolve().parent.parent

EXAMPLES = {
    "LOOM_AWS": "emulator or aws",
    "AWS_REGION": "us-east-1",
    "AWS_PROFILE": "my-profile",
    "DATABASE_URL": "sqlite:///loom.db or postgres://user:password@host:5432/loom",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "SECRET_KEY": "50 random characters; remove etc/environment.sh and run `make dev` to get one",
    "DEBUG": "1 or 0",
    "AUTH_DISABLED": "0, or 1 together with DEBUG=1 and BACKEND_HOST=127.0.0.1",
    "BACKEND_HOST": "127.0.0.1",
    "BACKEND_PORT": "8000",
    "PUBLIC_URL": "https://loom.example.com",
    "ALLOWED_HOSTS": "loom.example.com,10.0.0.5",
    "FRONTEND_PORT": "5173",
    "LOG_LEVEL": "info",
    "EMULATOR_PORT": "8770",
    "EMULATOR_RUNTIMES": "my_agent=http://127.0.0.1:8080",
    "EMULATOR_OPTIONS": "--seed 7 --time-scale 0.5",
    "CONTENT_RETENTION_DAYS": "90",
    "MAX_REQUESTS": "64",
    "MAX_CONNECTIONS": "900",
    "MAX_QUEUED_RUNS": "50",
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


class Environment(BaseSettings):
    """The typed values; field names are the environment's names in lower case."""

    model_config = SettingsConfigDict(env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True, frozen=True)

    loom_aws: Literal["emulator", "aws"] = "emulator"
    aws_region: str
    aws_profile: str | None = None
    # repr=False: Django's debug page prints every setting, this object among them.
    database_url: Annotated[str, Field(repr=False)] = ""
    redis_url: Annotated[str | None, Field(repr=False)] = None
    secret_key: Annotated[str, Field(min_length=32, repr=False)]
    debug: bool = False
    auth_disabled: bool = False
    backend_host: str = "127.0.0.1"
    backend_port: Annotated[int, Field(ge=1, le=65535)] = 8000
    public_url: str = ""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    frontend_port: Annotated[int, Field(ge=1, le=65535)] = 5173
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    emulator_port: Annotated[int, Field(ge=1, le=65535)] = 8770
    emulator_runtimes: str = ""
    emulator_options: str = ""
    content_retention_days: Annotated[int, Field(ge=0)] | None = None
    max_requests: Annotated[int, Field(ge=1)] = 64
    max_connections: Annotated[int, Field(ge=1)] = 900
    max_queued_runs: Annotated[int, Field(ge=1)] = 50
    runners: Annotated[int, Field(ge=0)] | None = None
    # Amazon Bedrock AgentCore pricing, section Runtime, as published for us-east-1 in November 2026.
    agentcore_vcpu_hour_usd: Annotated[Decimal, Field(ge=0)] = Decimal("0.0895")
    agentcore_gb_hour_usd: Annotated[Decimal, Field(ge=0)] = Decimal("0.00945")
    demo_history: bool = True
    static_root: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_region(cls, values: dict[str, Any]) -> dict[str, Any]:
        # The emulator has one home region; on AWS a guessed region would look into the wrong account corner without a
        # word.
        if values.get("loom_aws", "emulator") == "emulator":
            values.setdefault("aws_region", "us-east-1")
        return values

    @field_validator("aws_region")
    @classmethod
    def _known_region(cls, value: str) -> str:
        if not is_valid_region(value):
            raise ValueError("this is not the name of an AWS region")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str) -> str:
        """Scheme and name alone, without a slash at the end."""
        if not value:
            return value
        parts = urlsplit(value.strip())
        host, port = parts.hostname, parts.port  # raises ValueError where the port is none
        if parts.scheme not in {"https", "http"} or not host or parts.username or not _HOST.fullmatch(host):
            raise ValueError("it is the address that people open, with https:// and a name")
        if parts.path not in {"", "/"} or parts.query or parts.fragment:
            raise ValueError("Loom needs a name of its own: it does not work below a path such as /loom")
        name = f"[{host}]" if ":" in host else host
        is_usual = port in {None, 443 if parts.scheme == "https" else 80}
        return f"{parts.scheme}://{name}" + ("" if is_usual else f":{port}")

    @field_validator("emulator_options")
    @classmethod
    def _words(cls, value: str) -> str:
        shlex.split(value)  # raises ValueError where a quotation is left open
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in {"sqlite", "postgres", "postgresql"}:
            raise ValueError("the scheme must be sqlite or postgres")
        return value

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, value: str | None) -> str | None:
        if value and urlsplit(value).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("the scheme must be redis, rediss or unix")
        return value

    @field_validator("auth_disabled")
    @classmethod
    def _only_in_development(cls, value: bool, info: Any) -> bool:
        if value and not info.data.get("debug"):
            raise ValueError("everyone would be signed in: only with DEBUG=1")
        return value

    @field_validator("backend_host")
    @classmethod
    def _only_on_loopback(cls, value: str, info: Any) -> str:
        if info.data.get("auth_disabled") and not is_loopback(value):
            raise ValueError("with AUTH_DISABLED=1 strangers on the network would be signed in: use 127.0.0.1")
        return value

    @property
    def database(self) -> str:
        """The database's URL: each mode has its own default file, so that no figure mixes them."""
        return self.database_url or f"sqlite:///{'loom-demo' if self.loom_aws == 'emulator' else 'loom'}.db"

    @property
    def emulator_url(self) -> str:
        return f"http://127.0.0.1:{self.emulator_port}"


def _describe(error: ValidationError) -> str:
    lines = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(item["loc"][0]).upper() if item["loc"] else "environment"
        reason = "is missing" if item["type"] == "missing" else item["msg"].removeprefix("Value error, ")
        lines.append(f"  {name}: {reason}. Example: {EXAMPLES.get(name, 'see etc/environment.sh.example')}")
    return "Loom cannot start; mend these in the environment or in etc/environment.sh:\n" + "\n".join(lines)


def load(file: Path | None = None) -> Environment:
    """Read the environment.

    Raises EnvironmentInvalidError with every wrong value. `LOOM_ENVIRONMENT_FILE` names another file, or none when
    empty.
    """
    path = file or environment_file()
    try:
        return Environment(_env_file=path)
    except ValidationError as error:
        raise EnvironmentInvalidError(_describe(error)) from None
    except UnicodeDecodeError:
        raise EnvironmentInvalidError(
            f"Loom cannot start: {path} is not text in UTF-8. Save it as UTF-8; the bytes at its beginning say what an "
            "editor made of it."
        ) from None


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
    known = [name.upper() for name in Environment.model_fields]
    lines = []
    for name in dict.fromkeys(_ASSIGNMENT.findall(text)):
        if name.upper() not in known:
            like = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.75)
            meant = f" Did you mean {like[0]}?" if like else " See etc/environment.sh.example for what it knows."
            lines.append(f"{file}: {name} is no setting of Loom and has no effect.{meant}")
    return lines
