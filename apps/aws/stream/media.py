"""Pictures, sounds and files inside of answers and tool results: named by kind and size, their bytes are not shown."""

from __future__ import annotations

from apps.aws.stream.values import JsonObject, dict_at, key_at, text_at

_BEDROCK = ("image", "document", "video", "audio")
_TYPED = {
    "image": "image", "image_url": "image", "input_image": "image", "output_image": "image", "media": "file",
    "audio": "audio", "input_audio": "audio", "output_audio": "audio", "video": "video", "file": "file",
    "document": "document", "binary": "file", "data": "file", "uri": "file",
    "resource": "file", "resource_link": "file", "image_file": "image",
}  # fmt: skip
_TYPE_KEYS = ("media_type", "mimeType", "mime_type", "mediaType", "contentType")
_A2A_KEYS = frozenset({"mediaType", "media_type", "filename"})
_DATA_KEYS = ("bytes", "data", "base64", "blob", "b64_json", "file_data", "file_with_bytes", "raw")
_ADDRESS_KEYS = ("url", "uri", "fileUri", "file_uri", "fileWithUri", "file_with_uri", "file_id", "filename", "name")


def media_text(part: JsonObject) -> str:
    """`[image png, 8 bytes]` for a part that is media, empty for any other."""
    for kind in _BEDROCK:
        inner = part.get(kind)
        if isinstance(inner, dict) and ("source" in inner or "format" in inner):
            return _placeholder(kind, inner, dict_at(inner, "source"))
    for key in ("inlineData", "inline_data", "fileData", "file_data"):
        inner = part.get(key)
        if isinstance(inner, dict):
            return _placeholder("", inner, inner)
    kind = text_at(part, "type", "kind", "content_type", "block_type")
    if not kind and isinstance(part.get("raw", part.get("url")), str) and not _A2A_KEYS.isdisjoint(part):
        return _placeholder("", part, part)
    if (
        kind not in _TYPED
        or isinstance(part.get(kind), list)
        or (kind == "data" and isinstance(part.get(kind), dict))
        or isinstance(part.get("text"), str)
    ):
        return ""
    for key in (kind, "source", "image_url", "file", "resource", "input_audio"):
        inner = part.get(key)
        if isinstance(inner, dict):
            return "" if _has_text(inner) else _placeholder(_TYPED[kind], {**part, **inner}, {**part, **inner})
        if isinstance(inner, str) and key in ("image_url", "image"):
            return _placeholder(_TYPED[kind], part, {"url": inner})
    return _placeholder(_TYPED[kind], part, part) if any(isinstance(part.get(key), str) for key in _SIGNS) else ""


_SIGNS = (*_TYPE_KEYS, "bytes", "base64", "blob", "url", "uri", "file_id", "fileUri")


def sized(kind: str, size: int) -> str:
    """The placeholder of media whose bytes came by themselves."""
    return f"[{kind}, {size:,} bytes]" if size != 1 else f"[{kind}, 1 byte]"


def kind_of(media_type: str) -> str:
    """`image png` of `image/png`."""
    main, _, sub = media_type.partition(";")[0].strip().lower().partition("/")
    kind = main if main in ("image", "audio", "video") else "file"
    return f"{kind} {sub}".strip() if sub and sub != "octet-stream" else kind


def _has_text(resource: JsonObject) -> bool:
    return isinstance(resource.get("text"), str)


def _placeholder(kind: str, described: JsonObject, source: JsonObject) -> str:
    media_type = text_at(described, *_TYPE_KEYS) or text_at(source, *_TYPE_KEYS)
    url = text_at(source, "url")
    data = text_at(source, *_DATA_KEYS)
    if url.startswith("data:"):
        head, _, data = url.partition(",")
        media_type = media_type or head.removeprefix("data:").partition(";")[0]
        url = ""
    named = kind_of(media_type) if media_type else f"{kind or 'file'} {text_at(described, 'format')}".strip()
    if kind and media_type and named.startswith("file"):
        named = f"{kind} {named.removeprefix('file').strip()}".strip()
    if data:
        return sized(named, _size(data))
    address = url or text_at(dict_at(source, "s3Location"), "uri") or key_at(source, *_ADDRESS_KEYS)
    return f"[{named}, {address}]" if address else f"[{named}]"


def _size(data: str) -> int:
    """The bytes that a text in base64 stands for, or those of Python's `b'…'`."""
    if data.startswith(("b'", 'b"')):
        return len(data) - 3
    return max(len(data) * 3 // 4 - data[-2:].count("="), 0)
