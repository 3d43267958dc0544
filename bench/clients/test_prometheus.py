"""prometheus-client's own parser reads what /metrics tells."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.clients.running import Loom


def test_what_is_told_can_be_read(loom: Loom) -> None:
    response = httpx.get(f"{loom.url}/metrics", headers={"Authorization": f"Bearer {loom.token}"})
    families = {family.name: family for family in text_string_to_metric_families(response.text)}

    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert families["loom_processes"].type == "gauge"
    assert {sample.labels["kind"] for sample in families["loom_processes"].samples} == {"web", "runner", "worker"}
    assert families["loom_http_requests"].type == "counter"
    assert families["loom_http_response_seconds"].type == "histogram"
