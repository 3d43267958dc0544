"""botocore sessions for a connection, and what keeps the surroundings of the process out of them."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import botocore.loaders
import botocore.session
from aiobotocore.session import AioSession
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from apps.aws.role_credentials import sign_as

if TYPE_CHECKING:
    from apps.aws.connection import Connection

# Keys that sign requests to the emulator; it accepts any.
EMULATOR_KEYS = {"aws_access_key_id": "emulator", "aws_secret_access_key": "emulator"}
# STS answers at once, or something is wrong; a prompt may be waiting for it.
_STS_TIMEOUT_S = 5

# botocore and aiobotocore log requests with their bodies at DEBUG, which would put prompts and keys into a log.
_LOGGERS_WITH_CONTENT = ("aiobotocore", "boto3", "botocore", "urllib3")

_Session = TypeVar("_Session", bound=botocore.session.Session)


def sync_session(connection: Connection) -> botocore.session.Session:
    """A new botocore session for boto3 clients of this connection."""
    return _prepared(botocore.session.Session, connection)


def async_session(connection: Connection) -> AioSession:
    """A new aiobotocore session for this connection."""
    return _prepared(AioSession, connection)


def client_arguments(connection: Connection) -> dict[str, Any]:
    """What `create_client` needs beside service, region and config, the same for boto3 and aiobotocore."""
    if connection.origin == "aws":
        return {}
    # Loopback only; and a bundle named by the environment would be read even for plain HTTP.
    emulated = {"endpoint_url": connection.endpoint_url, "verify": False}
    # With a role the session has credentials of its own.
    return emulated if connection.role is not None else {**emulated, **EMULATOR_KEYS}


def config_arguments(connection: Connection) -> dict[str, Any]:
    """What every `Config` of this connection carries, so that the environment cannot redirect a request."""
    if connection.origin == "aws":
        return {"ignore_configured_endpoint_urls": True}
    # An empty mapping, unlike None, keeps botocore from reading HTTP_PROXY and its like.
    return {"ignore_configured_endpoint_urls": True, "proxies": {}}


def _prepared(session_class: type[_Session], connection: Connection) -> _Session:
    for name in _LOGGERS_WITH_CONTENT:
        logging.getLogger(name).setLevel(logging.INFO)
    if connection.origin == "emulator":
        session = session_class(session_vars=_variables_without_environment())
    else:
        session = session_class(profile=connection.profile)
    # Later, because this reads the files of AWS, and what is wrong with them is told when a client is made.
    session.lazy_register_component("data_loader", lambda: _loader(session.get_config_variable("data_path")))
    if connection.role is not None:
        own = replace(connection, role=None)
        source = _prepared(session_class, own)
        if own.origin == "emulator":
            source.set_credentials(*EMULATOR_KEYS.values())
        sign_as(session, connection.role, source, partial(_sts_client, source, own))
    return session


def _sts_client(source: botocore.session.Session, own: Connection, service: str, **keys: Any) -> Any:
    """The client that AssumeRole goes by: of the region's own STS, whose tokens hold in every region."""
    config = Config(
        connect_timeout=_STS_TIMEOUT_S, read_timeout=_STS_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 2}, **config_arguments(own),
    )  # fmt: skip
    arguments = {**client_arguments(own), **keys}
    return source.create_client(service, region_name=own.region, config=config, **arguments)


@cache
def _loader(data_path: str | None) -> botocore.loaders.Loader:
    """What knows AWS's services, the same for every session: one of its own costs 12 MB and 50 ms with each client."""
    return botocore.loaders.create_loader(data_path)


def _variables_without_environment() -> dict[str, tuple[Any, None, Any, Any]]:
    """botocore's table of settings with no environment variable in it, and empty configuration files."""
    variables = {
        name: (config_name, None, default, conversion)
        for name, (config_name, _, default, conversion) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    for name in ("config_file", "credentials_file"):
        variables[name] = (None, None, os.devnull, None)
    return variables
