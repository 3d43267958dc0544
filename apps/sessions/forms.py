from __future__ import annotations

from django import forms


class InvokeForm(forms.Form):
    """The next prompt of a session."""

    prompt = forms.CharField(
        label="Prompt",
        strip=False,
        max_length=100_000,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Ask the agent…", "aria-label": "Prompt"}),
    )

    def clean_prompt(self) -> str:
        prompt: str = self.cleaned_data["prompt"]
        if not prompt.strip():
            raise forms.ValidationError("Type a prompt.")
        return prompt
