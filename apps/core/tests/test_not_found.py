from __future__ import annotations

from typing import Any

import pytest
from django.test import AsyncClient, Client

ADDRESSES = ["/nowhere/", "/sessions/9ecbbc48-2d7e-4f16-bd4b-209d5e88657d/", "/agents/999999/", "/admin/nowhere/"]


@pytest.mark.parametrize("is_debug", [True, False])
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_leads_nowhere_shows_the_same_page_in_development(
    client: Client, carol: Any, settings: Any, address: str, is_debug: bool
) -> None:
    settings.DEBUG = is_debug
    carol.is_superuser = True
    carol.save()
    client.force_login(carol)
    answer = client.get(address)

    assert (answer.status_code, "There is nothing here" in answer.content.decode()) == (404, True)
    assert "URLconf" not in answer.content.decode()


async def test_it_does_so_for_the_server_too_and_leaves_json_alone(db: None, settings: Any) -> None:
    settings.DEBUG = True
    client = AsyncClient()
    page, data = await client.get("/nowhere/"), await client.get("/api/nowhere")

    assert "There is nothing here" in page.content.decode()
    assert data["Content-Type"].startswith("application/json")
