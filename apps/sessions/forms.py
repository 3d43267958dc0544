from __future__ import annotations

import uuid
from typing import Any

from django import forms

from apps.agents.forms import PromptField
from apps.agents.payload import PayloadError, check_payload
from apps.core.exceptions import LoomError, MissingError
from apps.sessions.models import Session


class InvokeForm(forms.Form):
    """The next request of a session: a prompt, a whole body as raw JSON, or an earlier request once more.

    `request_key` marks the form as it was shown: sent twice, it is one run.
    """

    mode = forms.ChoiceField(choices=[("prompt", "Prompt"), ("json", "Raw JSON")], required=False)
    prompt = PromptField(required=False)
    payload = forms.CharField(label="Raw JSON", required=False, strip=False)
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

    def request(self, session: Session) -> dict[str, Any]:
        """What `services.invoke` is to send; raises MissingError where the earlier request is not known any more."""
        cleaned, key = self.cleaned_data, self.cleaned_data["request_key"]
        if cleaned["again"]:
            earlier = session.invocations.filter(pk=cleaned["again"], content_removed_at=None).first()
            if earlier is None:
                raise MissingError("What was sent then is not known any more.", advice="Type the prompt again.")
            return {"prompt": earlier.prompt, "payload": earlier.payload or None, "request_key": key}
        if cleaned["mode"] == "json":
            return {"prompt": "", "payload": cleaned["payload"], "request_key": key}
        return {"prompt": cleaned["prompt"], "request_key": key}
