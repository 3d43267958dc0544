"""Which reader reads which dictionary: the first whose recogniser knows it."""

from __future__ import annotations

from collections.abc import Callable

from apps.aws.stream.context import Context
from apps.aws.stream.protocols import (
    agui,
    anthropic,
    builders,
    frameworks,
    google,
    jsonrpc,
    langchain,
    models,
    openai,
    strands,
    vercel,
)
from apps.aws.stream.values import JsonObject

Recogniser = Callable[[JsonObject], bool]
Reader = Callable[[JsonObject, Context], None]

TABLE: tuple[tuple[Recogniser, Reader], ...] = (
    (strands.is_bedrock, strands.read_bedrock),
    (agui.is_agui, agui.read_agui),
    (jsonrpc.is_jsonrpc, jsonrpc.read_jsonrpc),
    (jsonrpc.has_a2a_kind, jsonrpc.read_a2a),
    (openai.is_chat, openai.read_chat),
    (openai.is_responses, openai.read_responses),
    (anthropic.is_anthropic, anthropic.read_anthropic),
    (langchain.is_message, langchain.read_message),
    (langchain.is_event, langchain.read_event),
    (langchain.is_part, langchain.read_part),
    (langchain.is_patch, langchain.read_patch),
    (strands.is_multi_agent, strands.read_multi_agent),
    (frameworks.is_llama_index, frameworks.read_llama_index),
    (frameworks.is_pydantic_ai, frameworks.read_pydantic_ai),
    (frameworks.is_autogen, frameworks.read_autogen),
    (frameworks.is_crew, frameworks.read_crew),
    (frameworks.is_microsoft, frameworks.read_microsoft),
    (frameworks.is_agno, frameworks.read_agno),
    (frameworks.is_ollama, frameworks.read_ollama),
    (frameworks.is_smolagents, frameworks.read_smolagents),
    (builders.is_builder, builders.read_builder),
    (models.is_cohere, models.read_cohere),
    (models.is_titan, models.read_titan),
    (models.has_bytes, models.read_bytes_chunk),
    (vercel.is_vercel, vercel.read_vercel),
    (strands.is_converse_body, strands.read_converse_body),
    (anthropic.is_agent_sdk, anthropic.read_agent_sdk),
    (strands.is_callback, strands.read_callback),
    (strands.is_strands, strands.read_strands),
    (jsonrpc.is_mcp, jsonrpc.read_mcp),
    (jsonrpc.is_a2a, jsonrpc.read_a2a),
    (google.is_google, google.read_google),
    (langchain.is_state, langchain.read_state),
    (frameworks.is_haystack, frameworks.read_haystack),
    (frameworks.is_role_message, frameworks.read_role_message),
)


# The keys whose texts recognisers look at; of the others only whether they are there and what kind of value they have.
DISCRIMINATORS = frozenset({"type", "kind", "event", "event_kind", "role", "object", "chunk_type", "status", "author"})


def reader_of(value: JsonObject) -> Reader | None:
    """The reader of a dictionary, None for one of a shape that has no name."""
    return next((read for is_known, read in TABLE if is_known(value)), None)
