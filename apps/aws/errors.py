"""Everything that can go wrong between Loom and AWS, as one family of exceptions.

`translate` turns what botocore, aiobotocore and aiohttp raise into it. Messages are AWS's own words where AWS spoke,
else ours; a request's or an answer's content never gets into one, which is why callers raise `from None`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import aiohttp
from botocore import exceptions as botocore_errors

_LONGEST_MESSAGE = 500


class AwsError(Exception):
    """A call to AWS failed.

    `code` is AWS's error code, or the name of the local cause; `http_status` is None where no answer came;
    `did_not_run` is True only for what provably did not run: throttling, a retryable conflict, a failed connect;
    `advice` tells a developer in a sentence or two what it means and what to do.
    """

    default_advice: ClassVar[str] = "AWS answered with an error Loom does not know. Give the request id to AWS support."

    def __init__(
        self,
        message: str,
        *,
        code: str,
        http_status: int | None = None,
        request_id: str = "",
        did_not_run: bool = False,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.http_status = http_status
        self.request_id = request_id
        self.did_not_run = did_not_run
        self.advice = self.default_advice if advice is None else advice


class InvalidRequestError(AwsError):
    """AWS, or botocore before sending, refused the request's parameters."""

    default_advice = (
        "AWS refused the request as malformed. Check the ARN, the endpoint, the session id and the payload."
    )


class AccessDeniedError(AwsError):
    """The credentials are valid but may not do this."""

    default_advice = (
        "The credentials in use may not do this. Grant the action in IAM on the runtime's ARN and on <ARN>/*, "
        "because an invocation is checked on the runtime and on its endpoint."
    )


class NotFoundError(AwsError):
    """What the call names does not exist in this account and region."""

    default_advice = "It does not exist in this account and region. Check the ARN, and whether it has been deleted."


class ConflictError(AwsError):
    """The resource or session is in a state that forbids this now."""

    default_advice = "Something else is changing this resource right now. Wait until it has finished, then try again."


class ThrottledError(AwsError):
    """Too many requests; this one did not run."""

    default_advice = "AWS is limiting the rate of requests. Wait a moment, or ask for a higher quota."


class QuotaExceededError(AwsError):
    """An account's quota is used up."""

    default_advice = (
        "A quota of the account is used up, for example active sessions (idle ones count). "
        "Stop sessions that are no longer needed, or ask for a higher quota."
    )


class AgentFailedError(AwsError):
    """The agent's own code failed, or its container did not start (HTTP 424)."""

    default_advice = (
        "The agent's code answered with an error, or its container did not start in time. "
        "Its CloudWatch logs say why; READY proves nothing about the container."
    )


class UnavailableError(AwsError):
    """AgentCore or CloudWatch failed on its side (HTTP 5xx); whether the request ran is not known."""

    default_advice = "AWS failed on its side; the agent may or may not have run. Try again."


class CredentialsError(AwsError):
    """There are no usable credentials: none found, expired, or refused."""

    default_advice = (
        "Loom has no valid AWS credentials. Set AWS_PROFILE or the keys of a role, check them with "
        "`aws sts get-caller-identity`, and try again."
    )


class RoleRefusedError(CredentialsError):
    """The role of an account did not let Loom's own identity in; nothing was asked of the account."""

    default_advice = (
        "Check three things: the role exists in that account, its trust policy names Loom's own identity with this "
        "external id, and that identity is granted sts:AssumeRole on the role (iac/policies/assume.json)."
    )


class ConnectFailedError(AwsError):
    """No connection could be made, so nothing was sent."""

    default_advice = (
        "No connection could be made, so nothing ran. Check the network, the proxy, and that the region exists."
    )


class ConnectionLostError(AwsError):
    """The connection broke after the request was sent; whether it ran is not known."""

    default_advice = (
        "The connection broke; it is not known whether the agent ran. What arrived is kept; resend if needed."
    )


class TimedOutError(AwsError):
    """Nothing arrived for the whole read timeout; the agent may still be running."""

    default_advice = (
        "Nothing arrived in time; the agent may still be running. "
        "Raise the agent's timeout if it needs longer, or let it send something while it works."
    )


ERROR_BY_CODE: dict[str, type[AwsError]] = {
    "AccessDenied": AccessDeniedError,
    "AccessDeniedException": AccessDeniedError,
    "BadRequestException": InvalidRequestError,
    "ConflictException": ConflictError,
    "ExpiredToken": CredentialsError,
    "ExpiredTokenException": CredentialsError,
    "IncompleteSignature": CredentialsError,
    "InternalFailure": UnavailableError,
    "InternalServerError": UnavailableError,
    "InternalServerException": UnavailableError,
    "InvalidClientTokenId": CredentialsError,
    "InvalidParameterException": InvalidRequestError,
    "InvalidSignatureException": CredentialsError,
    "LimitExceededException": QuotaExceededError,
    "MissingAuthenticationToken": CredentialsError,
    "MissingAuthenticationTokenException": CredentialsError,
    "OperationAbortedException": ConflictError,
    "RequestExpired": CredentialsError,
    "RequestLimitExceeded": ThrottledError,
    "ResourceNotFoundException": NotFoundError,
    "RetryableConflictException": ConflictError,
    "RuntimeClientError": AgentFailedError,
    "SerializationException": InvalidRequestError,
    "ServiceQuotaExceededException": QuotaExceededError,
    "ServiceUnavailable": UnavailableError,
    "ServiceUnavailableException": UnavailableError,
    "SignatureDoesNotMatch": CredentialsError,
    "Throttling": ThrottledError,
    "ThrottlingException": ThrottledError,
    "TooManyRequestsException": ThrottledError,
    "UnauthorizedException": AccessDeniedError,
    "UnrecognizedClientException": CredentialsError,
    "ValidationException": InvalidRequestError,
}
"""The one table of AWS's error codes, for the services that Loom calls."""

_ERROR_BY_STATUS: dict[int, type[AwsError]] = {
    400: InvalidRequestError,
    401: CredentialsError,
    402: QuotaExceededError,
    403: AccessDeniedError,
    404: NotFoundError,
    408: TimedOutError,
    409: ConflictError,
    424: AgentFailedError,
    429: ThrottledError,
}

_ADVICE_BY_CODE = {
    "RetryableConflictException": (
        "The session is just being provisioned or torn down, so nothing ran. Try again in a few seconds."
    ),
    "RequestExpired": "AWS found the request too old. Set this machine's clock right and try again.",
    "InvalidSignatureException": (
        "AWS does not accept the signature. Check the secret key, and that this machine's clock is right."
    ),
    "UnauthorizedException": (
        "This runtime expects an OAuth (JWT) bearer token instead of IAM credentials; it takes only one of the two."
    ),
}
_MMDS_ADVICE = (
    "AgentCore no longer invokes runtimes without MMDSv2. Update the runtime with "
    "metadataConfiguration.requireMMDSV2 = true."
)

_READING_ADVICE: dict[type[AwsError], str] = {
    InvalidRequestError: "AWS refused the request as malformed. Check the ARN and the region.",
    AccessDeniedError: "The credentials in use may not read this. Grant them the action that AWS names.",
    QuotaExceededError: "A quota of the account is used up. Wait a moment, or ask for a higher quota.",
    UnavailableError: "AWS failed on its side. Nothing was changed. Try again in a moment.",
    ConnectionLostError: "The connection broke before the answer was complete. Nothing was changed. Try again.",
    TimedOutError: "AWS did not answer in time. Nothing was changed. Try again in a moment.",
}
"""Advice where no agent was to run; the default one of these classes speaks of an invocation."""

_NO_CREDENTIALS_ERRORS = (
    botocore_errors.NoCredentialsError,
    botocore_errors.PartialCredentialsError,
    botocore_errors.CredentialRetrievalError,
    botocore_errors.MetadataRetrievalError,
    botocore_errors.ProfileNotFound,
    botocore_errors.ConfigParseError,
    botocore_errors.InvalidConfigError,
)
_SIGN_IN_EXPIRED_ERRORS = (
    botocore_errors.SSOError,
    botocore_errors.TokenRetrievalError,
    botocore_errors.NoAuthTokenError,
)
_CONNECTION_LOST_ERRORS = (
    botocore_errors.ConnectionError,
    botocore_errors.HTTPClientError,
    botocore_errors.IncompleteReadError,
    aiohttp.ClientError,
    OSError,
)


@contextmanager
def translated(profile: str | None) -> Iterator[None]:
    """Raise whatever botocore raises inside the block, which only reads, as an `AwsError` with advice for readers.

    `profile` is named in the advice.
    """
    try:
        yield
    except (AwsError, botocore_errors.BotoCoreError, botocore_errors.ClientError) as error:
        found = translate(error, profile=profile)
        if found.advice == found.default_advice:
            found.advice = _READING_ADVICE.get(type(found), found.advice)
        raise found from None


def translate(error: Exception, *, profile: str | None = None) -> AwsError:
    """The `AwsError` for what botocore, aiobotocore or aiohttp raised, also while a body was being read.

    Never fails: what is in no table becomes a plain `AwsError` with the exception's name as its code.
    """
    if isinstance(error, AwsError):
        return error
    if isinstance(error, botocore_errors.ClientError):
        return _from_answer(error)
    code = type(error).__name__
    if isinstance(error, botocore_errors.ParamValidationError):
        # botocore's own text quotes the values, and with them the prompt.
        return InvalidRequestError("A parameter does not fit AWS's limits; nothing was sent.", code=code)
    return (
        _from_credentials(error, code, profile)
        or _from_transport(error, code)
        or AwsError(f"The answer could not be handled ({code}).", code=code)
    )


def _from_answer(error: botocore_errors.ClientError) -> AwsError:
    """Read an error answer: by its code, else by its status."""
    details = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    http_status = metadata.get("HTTPStatusCode")
    code = str(details.get("Code") or http_status or "Unknown")
    by_status = _ERROR_BY_STATUS.get(http_status or 0, UnavailableError if (http_status or 0) >= 500 else AwsError)
    error_class = ERROR_BY_CODE.get(code, by_status)
    if error.operation_name == "AssumeRole" and error_class in (AccessDeniedError, InvalidRequestError):
        error_class = RoleRefusedError
    # Without a code nothing shows that the text is AWS's: botocore then takes the whole body, which may be anyone's.
    has_code = not code.isdigit() and code != "Unknown"
    text = " ".join(str(details.get("Message") or "").split())[:_LONGEST_MESSAGE] if has_code else ""
    advice = _MMDS_ADVICE if "MMDSv2" in text else _ADVICE_BY_CODE.get(code)
    return error_class(
        text or f"AWS answered with HTTP {http_status} and no explanation.",
        code=code,
        http_status=http_status,
        request_id=metadata.get("RequestId", ""),
        did_not_run=error_class is ThrottledError or code == "RetryableConflictException",
        advice=advice,
    )


def _from_credentials(error: Exception, code: str, profile: str | None) -> AwsError | None:
    """Missing or expired credentials. The details stay out: a credential process may print secrets."""
    option = f" --profile {profile}" if profile else ""
    if isinstance(error, botocore_errors.LoginError):
        advice = f"The sign-in has expired. Run `aws login{option}` in a terminal, then try again."
        return CredentialsError("The AWS sign-in has expired or is missing.", code=code, advice=advice)
    if isinstance(error, _SIGN_IN_EXPIRED_ERRORS):
        advice = f"The single sign-on session has expired. Run `aws sso login{option}` in a terminal, then try again."
        return CredentialsError("The AWS single sign-on session has expired or is missing.", code=code, advice=advice)
    if isinstance(error, botocore_errors.ProfileNotFound):
        message = f"The AWS profile {error.kwargs.get('profile')!r} does not exist."
        return CredentialsError(message, code=code, advice="Check its name with `aws configure list-profiles`.")
    if isinstance(error, _NO_CREDENTIALS_ERRORS):
        return CredentialsError("No usable AWS credentials were found.", code=code)
    return None


def _from_transport(error: Exception, code: str) -> AwsError | None:
    """Failures of the connection; only one that was never made proves that nothing ran."""
    if isinstance(error, botocore_errors.ConnectTimeoutError | aiohttp.ConnectionTimeoutError):
        return ConnectFailedError("No connection in time.", code=code, did_not_run=True)
    if isinstance(error, botocore_errors.ReadTimeoutError | TimeoutError):
        return TimedOutError("Nothing arrived within the read timeout.", code=code)
    if _is_failed_connect(error):
        return ConnectFailedError("The connection could not be made.", code=code, did_not_run=True)
    if isinstance(error, _CONNECTION_LOST_ERRORS):
        return ConnectionLostError("The connection was lost.", code=code)
    return None


def _is_failed_connect(error: Exception) -> bool:
    """Whether it failed before a connection stood.

    aiobotocore raises `EndpointConnectionError` also for a connection that broke later; what aiohttp raised tells.
    """
    if isinstance(error, botocore_errors.ProxyConnectionError):
        return True
    cause = error
    if isinstance(error, botocore_errors.EndpointConnectionError | botocore_errors.SSLError):
        cause = error.kwargs.get("error", error)
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ClientSSLError)
    return isinstance(error, botocore_errors.EndpointConnectionError)
