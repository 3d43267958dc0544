"""Evidence that somebody brings back: whether it is as it was made, whether here, and the figures computed again.

Nothing of it is stored. Of what was altered nothing is computed.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from apps.takeout.evidence.canonical import is_as_written, read_json, sha256
from apps.takeout.evidence.figures import figures_of
from apps.takeout.evidence.making import FORMAT, PARTS, is_signed_here
from apps.takeout.exceptions import EvidenceError

_KEYS = frozenset({"format", "made_at", "hashes", "signature", "digest", "contents"})
_HEX_LENGTH = 64
# What a reader wants to know first, of what is in `run` and `request`.
_RUN_FACTS = ("status", "error_code", "http_status", "content_type", "request_id", "invoked_at", "version", "source")
_REQUEST_FACTS = ("agent_name", "origin", "agent_runtime_arn", "qualifier", "session_id", "invocation")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What evidence is worth. `figures` and `run` are None where it was altered.

    `is_signed_here` says that a Loom with this one's key made it; without that it is whole, and may be anybody's.
    `are_figures_same` says that they come out now as they did then.
    """

    is_intact: bool
    is_signed_here: bool
    figures: dict[str, Any] | None = None
    are_figures_same: bool | None = None
    run: dict[str, Any] | None = None
    made_at: str = ""
    problems: list[str] = field(default_factory=list)


def check_evidence(data: bytes) -> Verdict:
    """Read and check evidence as it was downloaded; raises EvidenceError for what is none."""
    evidence = read_json(data)
    _check_shape(evidence)
    head = {key: evidence[key] for key in ("format", "made_at", "hashes")}
    problems = [
        _("The part “%(part)s” was altered: its hash is another.") % {"part": part}
        for part in PARTS
        if not _is_same(evidence["hashes"][part], sha256(evidence["contents"][part]))
    ]
    seal = {**head, "signature": evidence["signature"]}
    if not _is_same(evidence["digest"], sha256(seal)):
        problems.append(_("The hashes, the signature or the time of making were altered: their own hash is another."))
    if not problems and not is_as_written(evidence, data):
        problems.append(
            _(
                "It says what it said, but was altered: its bytes are not those that Loom or a program would write. "
                "Send the file as it was downloaded."
            )
        )
    signed = is_signed_here(head, evidence["signature"])
    if problems:
        return Verdict(is_intact=False, is_signed_here=False, problems=problems)
    return _recomputed(evidence, is_signed=signed)


def _recomputed(evidence: dict[str, Any], *, is_signed: bool) -> Verdict:
    contents = evidence["contents"]
    try:
        figures = figures_of(contents)
        run = {
            **{key: contents["request"].get(key) for key in _REQUEST_FACTS},
            **{key: contents["run"].get(key) for key in _RUN_FACTS},
        }
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise EvidenceError(_("Its hashes are right, but its contents are not those of a run.")) from error
    is_same = sha256(figures) == evidence["hashes"]["figures"]
    problems = [] if is_same else [_("The figures come out otherwise than when it was made.")]
    if not is_signed:
        problems.append(_("It was not signed by this Loom: whoever made it could have made anything up."))
    return Verdict(
        is_intact=True,
        is_signed_here=is_signed,
        figures=figures,
        are_figures_same=is_same,
        run=run,
        made_at=evidence["made_at"],
        problems=problems,
    )


def _check_shape(evidence: Any) -> None:
    if not isinstance(evidence, dict):
        raise EvidenceError(_("This is no evidence: it is no JSON object."))
    if evidence.get("format") != FORMAT:
        raise EvidenceError(
            _("This is no evidence that this Loom knows."),
            advice=_("Its format has to be %(format)s.") % {"format": FORMAT},
        )
    if evidence.keys() != _KEYS:
        raise EvidenceError(_("This is no whole evidence: its keys are not those that belong there."))
    hashes, contents = evidence["hashes"], evidence["contents"]
    if not isinstance(hashes, dict) or not isinstance(contents, dict):
        raise EvidenceError(_("This is no whole evidence: hashes or contents are no objects."))
    if hashes.keys() != set(PARTS) or contents.keys() != set(PARTS):
        raise EvidenceError(_("This is no whole evidence: parts are missing, or there are more."))
    words = [evidence["signature"], evidence["digest"], *hashes.values()]
    if not all(isinstance(word, str) and len(word) == _HEX_LENGTH for word in words):
        raise EvidenceError(_("This is no whole evidence: a hash is none."))
    if not isinstance(evidence["made_at"], str):
        raise EvidenceError(_("This is no whole evidence: it does not say when it was made."))


def _is_same(said: str, computed: str) -> bool:
    return hmac.compare_digest(said.encode(), computed.encode())
