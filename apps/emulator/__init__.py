"""Amazon Bedrock AgentCore and CloudWatch Logs on localhost, for development and tests. No Django in here."""

from __future__ import annotations
