"""Agent runtime ARNs, and the other identifiers a caller may type.

The shapes are those of the service model `bedrock-agentcore-control`: a runtime id is the agent's name, a hyphen and
ten characters; an endpoint ARN carries the qualifier; a version is never part of an ARN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote

DEFAULT_QUALIFIER = "DEFAULT"
# Of every partition: eusc-de-east-1, us-gov-west-1 and us-isob-east-1 are regions, us-east-1a and us-east are none.
REGION_PATTERN = r"[a-z]{2,4}(?:-[a-z]{2,})?-(?:central|(?:north|south)(?:east|west)?|east|west)-[1-9][0-9]?"

_QUALIFIER = r"[a-zA-Z][a-zA-Z0-9_]{0,47}"
QUALIFIER_PATTERN = f"^{_QUALIFIER}$"
QUALIFIER_PATTERN = f"^{_QUALIFIER}$"
_RUNTIME_ID = r"[a-zA-Z][a-zA-Z0-9_]{0,99}-[a-zA-Z0-9]{10}"
_SUFFIX_LENGTH = len("-") + 10

_ARN_PATTERN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z0-9-]+)?):bedrock-agentcore:(?P<region>[a-z0-9-]+):(?P<account_id>[0-9]{12})"
    rf":runtime/(?P<runtime_id>{_RUNTIME_ID})"
    # OpenTelemetry's cloud.resource_id repeats the endpoint's name after a colon.
    rf"(?:/runtime-endpoint/(?P<qualifier>{_QUALIFIER})(?::(?P=qualifier))?)?"
)
_QUALIFIER_PATTERN = re.compile(_QUALIFIER)
_PARTITION_PATTERN = re.compile(r"aws(?:-[a-z0-9-]+)?")
_REGION_PATTERN = re.compile(REGION_PATTERN)
_ACCOUNT_PATTERN = re.compile(r"[0-9]{12}")
_RUNTIME_ID_PATTERN = re.compile(_RUNTIME_ID)
_LEGACY_PATTERN = re.compile(r"agent(?:Endpoint)?/[0-9a-fA-F-]+(?::[0-9]+)?")
_VERSION_PATTERN = re.compile(rf"runtime/{_RUNTIME_ID}(?:/runtime-endpoint/{_QUALIFIER})?:[0-9]+")

# What people copy with an ARN: JSON and shell around it, typographic quotes, characters that nobody sees.
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_ARN_IN_TEXT = re.compile(
    r"(?<![A-Za-z0-9])arn:[^\s\"'`´,;()\[\]{}<>|\\?!&\u2018-\u201f\u00ab\u00bb\u2039\u203a\u3000-\u303f\uff00-\uffef]+",
    re.IGNORECASE,
)
_AROUND = " \t\r\n\"'`´,;()[]{}<>|\\\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"

_EXAMPLE = "arn:aws:bedrock-agentcore:us-east-1:111122223333:runtime/my_agent-AbCdEf1234"


class InvalidArnError(ValueError):
    """A text that is not the ARN of an agent runtime; the message says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class RuntimeArn:
    """One agent runtime, with the endpoint that the ARN named, if it named one."""

    partition: str
    region: str
    account_id: str
    runtime_id: str
    qualifier: str | None = None

    @classmethod
    def parse(cls, text: str) -> RuntimeArn:
        """Read a runtime ARN, an endpoint ARN or OpenTelemetry's `cloud.resource_id`, as people paste them.

        What stands around it does not matter: quotes, commas, a name before it. Raises `InvalidArnError` for anything
        else, and for two of them.
        """
        candidate = _only_arn(text)
        match = _ARN_PATTERN.fullmatch(candidate)
        if match is None or _REGION_PATTERN.fullmatch(match["region"]) is None:
            _refuse(candidate)
        return cls(**match.groupdict())

    @property
    def runtime_arn(self) -> str:
        """The ARN of the runtime itself, without an endpoint."""
        return f"arn:{self.partition}:bedrock-agentcore:{self.region}:{self.account_id}:runtime/{self.runtime_id}"

    @property
    def name(self) -> str:
        """The agent's name: the runtime id without the ten characters that AWS appended."""
        return self.runtime_id[:-_SUFFIX_LENGTH]

    def endpoint_arn(self, qualifier: str) -> str:
        """The ARN of one endpoint of this runtime."""
        return f"{self.runtime_arn}/runtime-endpoint/{qualifier}"

    def log_group(self, qualifier: str = DEFAULT_QUALIFIER) -> str:
        """The CloudWatch log group that AWS creates for one endpoint."""
        return f"/aws/bedrock-agentcore/runtimes/{self.runtime_id}-{qualifier}"

    def __str__(self) -> str:
        return self.runtime_arn if self.qualifier is None else self.endpoint_arn(self.qualifier)


def arns_in(text: str) -> list[str]:
    """The ARNs that a text holds, in their order, without what stands around them; unchecked.

    Where it holds some of runtimes, those alone: a description names roles and images, too.
    """
    text = _INVISIBLE.sub("", text)
    if "arn%3a" in text.lower():
        text = unquote(text)  # the address of an invocation
    found = [f"arn{arn[3:].partition('/invocations')[0].rstrip('.:/*')}" for arn in _ARN_IN_TEXT.findall(text)]
    return [arn for arn in found if ":bedrock-agentcore:" in arn and ":runtime/" in arn] or found


def _only_arn(text: str) -> str:
    found = list(dict.fromkeys(arns_in(text)))
    if len(found) > 1:
        raise InvalidArnError(f"This holds {len(found)} ARNs. Give one; manage.py register_agents takes a list.")
    if found and _ARN_PATTERN.fullmatch(found[0]) is None:
        unbroken = "".join(_INVISIBLE.sub("", text).split()).strip(_AROUND)  # a terminal breaks long lines
        return unbroken if _ARN_PATTERN.fullmatch(unbroken) else found[0]
    return found[0] if found else _INVISIBLE.sub("", text).strip(_AROUND)


def is_valid_region(text: str) -> bool:
    """Whether this can be the name of a region, in any partition."""
    return _REGION_PATTERN.fullmatch(text) is not None


def is_valid_qualifier(text: str) -> bool:
    """Whether this can be the name of an endpoint: a letter, then up to 47 letters, digits or underscores."""
    return _QUALIFIER_PATTERN.fullmatch(text) is not None


def _refuse(candidate: str) -> NoReturn:
    """Raise with the first thing that is wrong, reading from left to right."""
    if not candidate:
        raise InvalidArnError(f"Enter the ARN of an agent runtime, for example {_EXAMPLE}.")
    parts = candidate.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        raise InvalidArnError(f"This is not an ARN. An agent runtime's ARN looks like {_EXAMPLE}.")
    _, partition, service, region, account_id, resource = parts
    if service != "bedrock-agentcore":
        raise InvalidArnError(
            f"This ARN belongs to the service {service!r}, not to bedrock-agentcore. Copy the ARN of the agent runtime."
        )
    if _PARTITION_PATTERN.fullmatch(partition) is None:
        raise InvalidArnError(f"{partition!r} is not an AWS partition; most ARNs start with arn:aws:.")
    if _REGION_PATTERN.fullmatch(region) is None:
        raise InvalidArnError(f"{region!r} is not an AWS region; write it like us-east-1.")
    if _ACCOUNT_PATTERN.fullmatch(account_id) is None:
        raise InvalidArnError(f"{account_id!r} is not an AWS account id; it has exactly 12 digits.")
    raise InvalidArnError(_what_is_wrong_with_the_resource(resource))


def _what_is_wrong_with_the_resource(resource: str) -> str:
    if _LEGACY_PATTERN.fullmatch(resource):
        return (
            "This is the legacy form agent/<uuid>:<version>, which AgentCore does not serve. "
            "Copy the ARN from GetAgentRuntime or the console; it contains runtime/<name>-<10 characters>."
        )
    if _VERSION_PATTERN.fullmatch(resource):
        return "Remove the version at the end: versions are not part of the ARN; choose an endpoint instead."
    if not resource.startswith("runtime/"):
        kind = resource.split("/", 1)[0]
        return f"This ARN names a {kind!r}, not a runtime. Copy the ARN of the agent runtime."
    runtime_id, _, endpoint = resource.removeprefix("runtime/").partition("/")
    if _RUNTIME_ID_PATTERN.fullmatch(runtime_id) is None:
        return (
            f"{runtime_id!r} is not a runtime id: it is a name of letters, digits and underscores that starts with a "
            "letter, then a hyphen and 10 letters or digits."
        )
    return (
        f"{endpoint!r} does not name an endpoint. After the runtime id only /runtime-endpoint/<name> may follow, "
        "the name being letters, digits and underscores, at most 48."
    )
