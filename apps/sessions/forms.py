from __future__ import annotations

import uuid
from typing import Any

from django import forms

from apps.agents.forms import PromptField
from apps.agents.payload import PayloadError, check_payload
from apps.core.exceptions import LoomError, MissingError
from apps.sessions.invoking import Request, invoke
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.typed_ahead import send_or_add


class InvokeForm(forms.Form):
    """The next request of a session: a prompt, a whole body as raw JSON, or an earlier request once more.

    With `later` it waits where the session is answering, instead of being refused.

    `request_key` marks the form as it was shown: sent twice, it is one run.
    """

    mode = forms.ChoiceField(choices=[("prompt", "Prompt"), ("json", "Raw JSON")], required=False)
    prompt = PromptField(required=False)
    payload = forms.CharField(label="Raw JSON", required=False, strip=False)
    later = forms.BooleanField(required=False)
    again = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    request_key = forms.CharField(required=False, max_length=64)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("again") or self.errors:
            return cleaned
        if cleaned.get("mode") == "json":
            try:
                check_payload(cleaned["payload"])
            except PayloadError as error:
                self.add_error("payload", str(error))
        elif not cleaned["prompt"].strip():
            self.add_error("prompt", "Type a prompt.")
        return cleaned

    def refuse(self, error: LoomError) -> None:
        """Say beside what was typed why it was not sent."""
        self.add_error("payload" if self.is_json else "prompt", error.text())

    @property
    def is_json(self) -> bool:
        """The whole body is typed, not a prompt."""
        return bool(self["mode"].value() == "json")

    @property
    def fresh_key(self) -> str:
        """The key of the form as it is shown now."""
        return str(uuid.uuid4())

    @property
    def problems(self) -> list[str]:
        """Every error, whichever field it belongs to."""
        return [str(message) for messages in self.errors.values() for message in messages]

    def send(self, session: Session) -> Invocation | QueuedPrompt:
        """Send it, or let it wait; raises LoomError, also where an earlier request is not known any more."""
        request = self._request(session)
        if self.cleaned_data["later"]:
            return send_or_add(session=session, request=request)
        return invoke(
            session=session, prompt=request.prompt, payload=request.payload, request_key=request.key,
            repeated_from=request.repeated_from,
        )  # fmt: skip

    def _request(self, session: Session) -> Request:
        cleaned, key = self.cleaned_data, self.cleaned_data["request_key"]
        if cleaned["again"]:
            earlier = session.invocations.filter(pk=cleaned["again"], content_removed_at=None).first()
            if earlier is None:
                raise MissingError("What was sent then is not known any more.", advice="Type the prompt again.")
            return Request(earlier.prompt, earlier.payload or None, key, repeated_from=earlier)
        if cleaned["mode"] == "json":
            return Request("", cleaned["payload"], key)
        return Request(cleaned["prompt"], None, key)
