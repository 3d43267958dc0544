"""In which formats a session and a run can be taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings

from apps.agentcore.models import Runtime
from apps.sessions.models import Invocation, Session
from apps.takeout.exceptions import ContentRemovedError, NotOnAgentCoreError, UnknownFormatError
from apps.takeout.exporting.downloads import Document, file_name
from apps.takeout.exporting.html import session_html
from apps.takeout.exporting.jsons import run_json, session_json
from apps.takeout.exporting.markdown import run_markdown, session_markdown
from apps.takeout.exporting.reading import recorded
from apps.takeout.exporting.snippets import SNIPPETS, TO_AWS, Sent


@dataclass(frozen=True, slots=True)
class Kind:
    """A format of a session: the end of its name, its type, and who writes it."""

    suffix: str
    content_type: str
    write: Callable[[Session], Iterable[str]]


SESSION_FORMATS: Mapping[str, Kind] = {
    "markdown": Kind("md", "text/markdown", session_markdown),
    "json": Kind("json", "application/json", session_json),
    "html": Kind("html", "text/html", session_html),
}
_SNIPPET_FILES = {
    "curl": ("sh", "text/x-shellscript"),
    "cli": ("sh", "text/x-shellscript"),
    "boto3": ("py", "text/x-python"),
    "loom_client": ("py", "text/x-python"),
}
RUN_FORMATS = ("markdown", "json", *SNIPPETS)


def session_document(session: Session, wanted: str) -> Document:
    """The session as a file; raises UnknownFormatError."""
    kind = SESSION_FORMATS.get(wanted)
    if kind is None:
        raise UnknownFormatError.among(wanted, list(SESSION_FORMATS))
    title = session.title or session.agent.name
    name = file_name(title, str(session.public_id)[:8], suffix=kind.suffix)
    return Document(name, kind.content_type, kind.write(session))


def run_document(run: Invocation, wanted: str, *, loom_url: str) -> Document:
    """The run (with everything loaded) as a file; raises UnknownFormatError, and what `snippet` does."""
    stem = (run.session.agent.name, str(run.session.public_id)[:8], run.number)
    if wanted == "markdown":
        return Document(file_name(*stem, suffix="md"), "text/markdown", [run_markdown(recorded(run))])
    if wanted == "json":
        return Document(file_name(*stem, suffix="json"), "application/json", run_json(recorded(run)))
    if wanted not in SNIPPETS:
        raise UnknownFormatError.among(wanted, [*RUN_FORMATS, "evidence"])
    suffix, content_type = _SNIPPET_FILES[wanted]
    text = snippet(run, wanted, loom_url=loom_url)
    return Document(file_name(*stem, wanted, suffix=suffix), content_type, [text])


def snippet(run: Invocation, wanted: str, *, loom_url: str) -> str:
    """The run as a program that sends it again; raises ContentRemovedError and NotOnAgentCoreError."""
    if run.content_removed_at is not None:
        raise ContentRemovedError
    runtime: Runtime | None = getattr(run.session.agent, "runtime", None)
    if runtime is None and wanted in TO_AWS:
        raise NotOnAgentCoreError
    is_emulated = run.session.agent.origin == "emulator"
    sent = Sent(
        agent_id=run.session.agent_id,
        qualifier=run.session.qualifier,
        prompt=run.prompt,
        payload=run.payload,
        loom_url=loom_url.rstrip("/"),
        arn=runtime.arn if runtime else "",
        region=runtime.region if runtime else "",
        aws_url=settings.EMULATOR_URL if is_emulated else "",
    )
    return SNIPPETS[wanted](sent)


def snippets_of(run: Invocation, *, loom_url: str) -> dict[str, str]:
    """Every snippet that there is of a run; none where its content is gone."""
    if run.content_removed_at is not None:
        return {}
    has_runtime = hasattr(run.session.agent, "runtime")
    wanted = [name for name in SNIPPETS if has_runtime or name not in TO_AWS]
    return {name: snippet(run, name, loom_url=loom_url) for name in wanted}
