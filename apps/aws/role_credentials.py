"""Credentials of a role: botocore's own, which it renews in time for as long as the session lives.

A session gets them by a provider in place of botocore's chain, so nothing of the surroundings can sign for the account.
AssumeRole itself is signed by another session, the one of Loom's own identity.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import botocore.session
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioCredentialResolver,
    AioDeferredRefreshableCredentials,
)
from aiobotocore.session import AioSession
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)

from apps.aws.roles import Role

# CloudTrail of the account shows it behind the role's name.
SESSION_NAME = "loom"

ClientCreator = Callable[..., Any]


class RoleProvider(CredentialProvider):
    """Signs boto3's requests as a role. None where Loom's own identity is not known."""

    METHOD = "assume-role"

    def __init__(self, role: Role, source: botocore.session.Session, create_client: ClientCreator) -> None:
        super().__init__(source)
        self._role = role
        self._source = source
        self._create_client = create_client

    def load(self) -> DeferredRefreshableCredentials | None:
        own = self._source.get_credentials()
        if own is None:
            return None
        fetcher = AssumeRoleCredentialFetcher(
            self._create_client, own, self._role.arn, extra_args=_arguments(self._role), cache={}
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


class AsyncRoleProvider(CredentialProvider):
    """The same for aiobotocore."""

    METHOD = "assume-role"

    def __init__(self, role: Role, source: AioSession, create_client: ClientCreator) -> None:
        super().__init__(source)
        self._role = role
        self._source = source
        self._create_client = create_client

    async def load(self) -> AioDeferredRefreshableCredentials | None:
        own = await self._source.get_credentials()
        if own is None:
            return None
        fetcher = AioAssumeRoleCredentialFetcher(
            self._create_client, own, self._role.arn, extra_args=_arguments(self._role), cache={}
        )
        return AioDeferredRefreshableCredentials(fetcher.fetch_credentials, self.METHOD)


def sign_as(
    session: botocore.session.Session, role: Role, source: botocore.session.Session, create_client: ClientCreator
) -> None:
    """Have everything that `session` sends signed as `role`; `create_client` makes the STS client, out of `source`."""
    # botocore logs a refusal with its traceback at every try; who asked is told the same.
    logging.getLogger("botocore.credentials").setLevel(logging.ERROR)
    resolver: CredentialResolver
    if isinstance(source, AioSession):
        resolver = AioCredentialResolver([AsyncRoleProvider(role, source, create_client)])
    else:
        resolver = CredentialResolver([RoleProvider(role, source, create_client)])
    session.register_component("credential_provider", resolver)


def _arguments(role: Role) -> dict[str, str]:
    external = {"ExternalId": role.external_id} if role.external_id else {}
    return {"RoleSessionName": SESSION_NAME, **external}
