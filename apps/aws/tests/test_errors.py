from __future__ import annotations

import re

import aiohttp
import pytest
from botocore import exceptions as botocore_errors

from apps.aws.errors import (
    ERROR_BY_CODE,
    AccessDeniedError,
    AgentFailedError,
    AwsError,
    ConflictError,
    ConnectFailedError,
    ConnectionLostError,
    CredentialsError,
    InvalidRequestError,
    NotFoundError,
    QuotaExceededError,
    ThrottledError,
    TimedOutError,
    UnavailableError,
    translate,
    translated,
)

SECRET = "the prompt nobody may see"
ENDPOINT = "https://bedrock-agentcore.us-east-1.amazonaws.com"


def answer(code: str, status: int, message: str = "Because.") -> botocore_errors.ClientError:
    return botocore_errors.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "request-1"},  # type: ignore[typeddict-item]
        },
        "InvokeAgentRuntime",
    )


@pytest.mark.parametrize(
    ("code", "status", "expected", "did_not_run"),
    [
        ("ValidationException", 400, InvalidRequestError, False),
        ("ThrottlingException", 400, ThrottledError, True),
        ("ExpiredTokenException", 403, CredentialsError, False),
        ("UnrecognizedClientException", 403, CredentialsError, False),
        ("UnauthorizedException", 401, AccessDeniedError, False),
        ("ServiceQuotaExceededException", 402, QuotaExceededError, False),
        ("AccessDeniedException", 403, AccessDeniedError, False),
        ("ResourceNotFoundException", 404, NotFoundError, False),
        ("ConflictException", 409, ConflictError, False),
        ("RetryableConflictException", 409, ConflictError, True),
        ("RuntimeClientError", 424, AgentFailedError, False),
        ("ThrottlingException", 429, ThrottledError, True),
        ("InternalServerException", 500, UnavailableError, False),
        ("SomethingNew", 400, InvalidRequestError, False),
        ("SomethingNew", 409, ConflictError, False),
        ("SomethingNew", 424, AgentFailedError, False),
        ("429", 429, ThrottledError, True),
        ("401", 401, CredentialsError, False),
        ("402", 402, QuotaExceededError, False),
        ("404", 404, NotFoundError, False),
        ("503", 503, UnavailableError, False),
        ("504", 504, UnavailableError, False),
        ("599", 599, UnavailableError, False),
        ("418", 418, AwsError, False),
    ],
)
def test_answers_by_code_then_by_status(code: str, status: int, expected: type[AwsError], *, did_not_run: bool) -> None:
    """S1-055, S1-061: every category of error has its class, and only what provably did not run says so."""
    error = translate(answer(code, status))

    assert type(error) is expected
    assert (error.code, error.http_status, error.request_id) == (code, status, "request-1")
    assert error.did_not_run is did_not_run
    assert error.advice


@pytest.mark.parametrize(
    ("error", "expected", "did_not_run"),
    [
        (botocore_errors.EndpointConnectionError(endpoint_url=ENDPOINT, error=OSError()), ConnectFailedError, True),
        (botocore_errors.ConnectTimeoutError(endpoint_url=ENDPOINT, error="x"), ConnectFailedError, True),
        (botocore_errors.ProxyConnectionError(proxy_url="http://proxy", error="x"), ConnectFailedError, True),
        (aiohttp.ConnectionTimeoutError(), ConnectFailedError, True),
        # aiobotocore uses the same exception for a connection that broke after the request.
        (
            botocore_errors.EndpointConnectionError(endpoint_url=ENDPOINT, error=aiohttp.ClientOSError()),
            ConnectionLostError,
            False,
        ),
        (botocore_errors.SSLError(endpoint_url=ENDPOINT, error=OSError()), ConnectionLostError, False),
        (botocore_errors.ConnectionClosedError(endpoint_url=ENDPOINT), ConnectionLostError, False),
        (botocore_errors.HTTPClientError(error="x"), ConnectionLostError, False),
        (botocore_errors.ResponseStreamingError(error="x"), ConnectionLostError, False),
        (botocore_errors.IncompleteReadError(actual_bytes=1, expected_bytes=2), ConnectionLostError, False),
        (aiohttp.ClientPayloadError("x"), ConnectionLostError, False),
        (aiohttp.ServerDisconnectedError(), ConnectionLostError, False),
        (ConnectionResetError(), ConnectionLostError, False),
        (botocore_errors.ReadTimeoutError(endpoint_url=ENDPOINT, error="x"), TimedOutError, False),
        (aiohttp.SocketTimeoutError(), TimedOutError, False),
        (TimeoutError(), TimedOutError, False),
        (botocore_errors.NoCredentialsError(), CredentialsError, False),
        (botocore_errors.PartialCredentialsError(provider="env", cred_var="x"), CredentialsError, False),
        (botocore_errors.ParamValidationError(report="x"), InvalidRequestError, False),
        (AttributeError("x"), AwsError, False),
    ],
)
def test_failures_without_an_answer(error: Exception, expected: type[AwsError], *, did_not_run: bool) -> None:
    """S1-055: a connection that failed proves nothing unless it was never made."""
    translated_error = translate(error)

    assert type(translated_error) is expected
    assert translated_error.did_not_run is did_not_run
    assert translated_error.http_status is None
    assert translated_error.code == type(error).__name__


@pytest.mark.parametrize(
    "error",
    [
        botocore_errors.UnauthorizedSSOTokenError(),
        botocore_errors.SSOTokenLoadError(profile_name="dev", error_msg="x"),
        botocore_errors.TokenRetrievalError(provider="sso", error_msg="x"),
    ],
)
def test_an_expired_sign_in_names_the_command(error: Exception) -> None:
    """S1-053: expired credentials say how to renew them."""
    expired = translate(error, profile="dev")

    assert isinstance(expired, CredentialsError)
    assert "`aws sso login --profile dev`" in expired.advice
    assert "`aws sso login`" in translate(error).advice


def test_a_missing_profile_is_named() -> None:
    error = translate(botocore_errors.ProfileNotFound(profile="dve"))

    assert isinstance(error, CredentialsError)
    assert error.message == "The AWS profile 'dve' does not exist."


@pytest.mark.parametrize(
    "error",
    [
        answer("500", 500, SECRET),
        botocore_errors.ParamValidationError(report=f"Invalid type for parameter payload, value: {SECRET}"),
        botocore_errors.CredentialRetrievalError(provider="custom-process", error_msg=SECRET),
        botocore_errors.HTTPClientError(error=SECRET),
        aiohttp.ClientPayloadError(SECRET),
        ValueError(SECRET),
    ],
)
def test_no_content_gets_into_an_error(error: Exception) -> None:
    """S1-059: what a body, a payload or a credential process contains stays out of texts that are shown and logged."""
    translated_error = translate(error)

    assert SECRET not in f"{translated_error} {translated_error.message} {translated_error.advice}"


def test_awss_own_words_are_kept_on_one_line_of_bearable_length() -> None:
    error = translate(answer("RuntimeClientError", 424, "Received error (500)\n  from runtime. " + "x" * 1_000))

    assert error.message.startswith("Received error (500) from runtime. xxx")
    assert len(error.message) == 500


def test_a_runtime_without_mmdsv2_gets_the_remedy() -> None:
    error = translate(answer("ValidationException", 400, "This runtime is not MMDSv2-enabled"))

    assert "requireMMDSV2 = true" in error.advice


def test_an_error_is_translated_once() -> None:
    error = ThrottledError("Slow down.", code="ThrottlingException", did_not_run=True)

    assert translate(error) is error


def test_the_block_hides_the_original() -> None:
    with pytest.raises(NotFoundError) as caught, translated(None):
        raise answer("ResourceNotFoundException", 404)

    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "raised",
    [
        answer("AccessDeniedException", 403),
        answer("ValidationException", 400),
        answer("ServiceQuotaExceededException", 402),
        answer("InternalServerException", 500),
        botocore_errors.ReadTimeoutError(endpoint_url=ENDPOINT),
        botocore_errors.ConnectionClosedError(endpoint_url=ENDPOINT),
        UnavailableError("CloudWatch could not read a metric.", code="InternalError"),
    ],
)
def test_a_call_that_only_reads_gives_no_advice_about_a_run(raised: Exception) -> None:
    with pytest.raises(AwsError) as caught, translated(None):
        raise raised

    assert not re.search(r"agent|session|payload|invocation|resend", caught.value.advice)
    assert caught.value.advice != translate(raised).default_advice


def test_what_a_code_or_a_caller_advises_is_kept_for_a_reader() -> None:
    with pytest.raises(AwsError) as caught, translated("dev"):
        raise answer("InvalidSignatureException", 403)
    assert "this machine's clock" in caught.value.advice

    with pytest.raises(AwsError) as caught, translated("dev"):
        raise UnavailableError("Away.", code="Away", advice="Come back on Monday.")
    assert caught.value.advice == "Come back on Monday."


def test_every_class_has_its_own_advice() -> None:
    """S1-061: each category says what to do."""
    advice = {error_class.default_advice for error_class in ERROR_BY_CODE.values()}

    assert len(advice) == len(set(ERROR_BY_CODE.values()))
