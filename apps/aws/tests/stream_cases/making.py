"""Events as the protocols make them."""

from __future__ import annotations

PNG = "iVBORw0KGgo="
AGENT = "<strands.agent.agent.Agent object at 0x7f11aa22bb33>"


def chunk(content: object, **more: object) -> dict[str, object]:
    return {"content": content, "type": "AIMessageChunk", "id": "run--7", "additional_kwargs": {}, **more}


def constructor(name: str, **kwargs: object) -> dict[str, object]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": kwargs}


def rpc(result: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": "1", "result": result}


def artifact(text: str, **more: object) -> dict[str, object]:
    parts = [{"kind": "text", "text": text}]
    return {"kind": "artifact-update", "taskId": "t", "artifact": {"artifactId": "a", "parts": parts}, **more}


def status(state: str, text: str = "", **more: object) -> dict[str, object]:
    message = {"message": {"role": "agent", "parts": [{"kind": "text", "text": text}]}} if text else {}
    return {"kind": "status-update", "taskId": "t", "status": {"state": state, **message}, **more}


def adk(*parts: object, **more: object) -> dict[str, object]:
    return {"content": {"parts": list(parts), "role": "model"}, "author": "guide", "invocationId": "e", **more}


def delta(index: int = 0, **fields: object) -> dict[str, object]:
    return {"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": index, "delta": fields}]}


def block(index: int, **fields: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


def node(name: str, event: object) -> dict[str, object]:
    return {"type": "multiagent_node_stream", "node_id": name, "event": event}


def part_delta(text: str) -> dict[str, object]:
    return {"event_kind": "part_delta", "index": 0, "delta": {"part_delta_kind": "text", "content_delta": text}}


def callback(piece: str) -> str:
    return (
        f"{{'data': {piece!r}, 'delta': {{'text': {piece!r}}}, 'agent': {AGENT}, "
        "'event_loop_cycle_id': UUID('0c1d2e3f-aaaa-4bbb-8ccc-0123456789ab'), 'request_state': {}}"
    )


def raw(*words: str) -> bytes:
    return b"".join(f"data: {word}\n\n".encode() for word in words)
