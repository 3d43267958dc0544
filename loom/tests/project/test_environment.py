from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from loom.environment import BASE_DIR, EnvironmentInvalidError, load, unknown_names
from loom.first_use import create_environment_file
from loom.tests.running import Running

NAMES = [
    "LOOM_AWS",
    "AWS_REGION",
    "DATABASE_URL",
    "SECRET_KEY",
    "SECRET_ENCRYPTION_KEYS",
    "DEBUG",
    "AUTH_DISABLED",
    "BACKEND_HOST",
    "BACKEND_PORT",
    "EMULATOR_PORT",
    "LOG_LEVEL",
    "RUNNERS",
]
KEY = "k" * 40
NO_NAMESPACE = "it is a namespace of CloudWatch: letters, digits and ._-#:/, and not one of AWS's own"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def write(folder: Path, *lines: str) -> Path:
    file = folder / "environment.sh"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_every_error_is_reported_at_once_with_a_reason_and_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOM_AWS", "cloud")
    monkeypatch.setenv("BACKEND_PORT", "eighty")
    monkeypatch.setenv("DATABASE_URL", "mysql://somewhere")

    with pytest.raises(EnvironmentInvalidError) as caught:
        load()

    assert str(caught.value).splitlines() == [
        "Loom cannot start; mend these in the environment or in etc/environment.sh:",
        "  LOOM_AWS: it is emulator or aws. Example: emulator or aws",
        "  AWS_REGION: is missing. Example: us-east-1",
        "  DATABASE_URL: the scheme must be sqlite or postgres. "
        "Example: sqlite:///loom.db or postgres://user:password@host:5432/loom",
        "  SECRET_KEY: is missing. "
        "Example: 50 random characters; remove etc/environment.sh and run `make dev` to get one",
        "  BACKEND_PORT: it is a whole number from 1 to 65535. Example: 8000",
    ]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("BACKEND_PORT", "0", "it is a whole number from 1 to 65535"),
        ("BACKEND_PORT", "65536", "it is a whole number from 1 to 65535"),
        ("MAX_REQUESTS", "-1", "it is a whole number of 1 or more"),
        ("MAX_REQUESTS", "\u0663", "it is a whole number of 1 or more"),
        ("DEBUG", "maybe", "it is 1 or 0"),
        ("LOG_LEVEL", "loud", "it is debug, info, warning, error or critical"),
        ("LOG_FORMAT", "xml", "it is pretty or json"),
        ("CLOUDWATCH_METRICS", "AWS/Loom", NO_NAMESPACE),
        ("CLOUDWATCH_METRICS", "my loom", NO_NAMESPACE),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "the scheme must be http or https"),
        ("AGENTCORE_GB_HOUR_USD", "NaN", "it is a number of 0 or more"),
        ("AGENTCORE_GB_HOUR_USD", "-0.1", "it is a number of 0 or more"),
        ("AGENTCORE_GB_HOUR_USD", "cheap", "it is a number of 0 or more"),
        ("DATABASE_URL", "postgres://loom:[sesame]x@db/loom", "it is no URL"),
        ("REDIS_URL", "http://:sesame@cache", "the scheme must be redis, rediss or unix"),
        ("SECRET_ENCRYPTION_KEYS", "sesame", "each key has 44 characters of URL-safe base 64"),
        (
            "ALLOWED_NETWORKS",
            "10.0.0.1/8",
            "they are networks in CIDR form, with no bit set behind the length, by commas",
        ),
        (
            "ALLOWED_NETWORKS",
            "intranet",
            "they are networks in CIDR form, with no bit set behind the length, by commas",
        ),
        ("EMAIL_URL", "mail.example.com", "it begins with smtp:// or smtps:// and names a server"),
        ("EMAIL_URL", "smtp://u:sesame@h?from=a@b&bcc=c@d", "behind the server stand ?tls= and &from= alone"),
        ("EMAIL_URL", "smtp://sesame@h?from=a@b", "a user has a password, and a password a user"),
        ("EMAIL_URL", "smtp://h", "&from= has to name the address that mail comes from"),
        ("EMAIL_URL", "smtps://h?tls=none&from=a@b", "tls is starttls or none, and goes with smtp:// only"),
        (
            "EMAIL_URL",
            "smtp://u:sesame@h?tls=none&from=a@b",
            "without TLS a password would be read on the way: use smtps:// or tls=starttls",
        ),
        (
            "EMAIL_URL",
            "smtp://u:[sesame@h?from=a@b",
            "it is no URL; a sign of a password such as @, / or : is written as %40, %2F or %3A",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_should_be(
    name: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv(name, value)

    with pytest.raises(EnvironmentInvalidError) as caught:
        load()

    (line,) = str(caught.value).splitlines()[1:]
    assert line.startswith(f"  {name}: {reason}. Example: ")
    assert "sesame" not in line


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("on", True), ("0", False), ("No", False)])
def test_a_switch_is_on_or_off_by_a_figure_or_a_word(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("DEBUG", text)

    assert load().debug is value


def test_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("BACKEND_PORT", "")
    monkeypatch.setenv("RUNNERS", "")

    assert (load().backend_port, load().runners) == (8000, None)


def test_a_wrong_value_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")

    with pytest.raises(EnvironmentInvalidError) as caught:
        load()

    assert "SECRET_KEY" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_command_ends_with_the_list_instead_of_a_traceback() -> None:
    with Running("manage.py", "check", environment={"SECRET_KEY": "", "LOG_LEVEL": "loud"}) as running:
        assert running.wait_for_end() == 1
        assert [line.split(":")[0] for line in running.output] == [
            "Loom cannot start; mend these in the environment or in etc/environment.sh",
            "  SECRET_KEY",
            "  LOG_LEVEL",
        ]


def test_a_start_that_is_to_send_spans_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    assert load().otel_exporter_otlp_endpoint == "http://127.0.0.1:4318"
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto", None)  # as where the extra is not there

    with pytest.raises(EnvironmentInvalidError, match="run `make otlp`"):
        load()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_a_file_in_another_encoding_is_named_with_what_to_do(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "environment.sh"
    file.write_bytes(f"export SECRET_KEY={KEY}ä\r\n".encode(encoding))

    with pytest.raises(EnvironmentInvalidError) as caught:
        load(file)

    assert "environment.sh" in str(caught.value) and "UTF-8" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("region", ["us-east-1", "eusc-de-east-1", "us-isob-east-1", "us-gov-west-1", "ap-southeast-7"])
def test_a_region_of_any_partition_is_taken(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("AWS_REGION", region)

    assert load().aws_region == region


@pytest.mark.parametrize("region", ["us-east", "us-east-1a", "Virginia", "us_east_1", "moon-1"])
def test_what_is_no_region_is_refused(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("AWS_REGION", region)

    with pytest.raises(EnvironmentInvalidError, match="AWS_REGION: this is not the name of an AWS region"):
        load()


def test_names_that_mean_nothing_are_told_once(tmp_path: Path) -> None:
    file = write(
        tmp_path, f"export SECRET_KEY={KEY}", "export AWS_REGIN=x", " backend_ports = 1", "# export NO=1", "EDITOR=vi"
    )

    said = [line.removeprefix(f"{file}: ") for line in unknown_names(file)]
    assert said == [
        "AWS_REGIN is no setting of Loom and has no effect. Did you mean AWS_REGION?",
        "backend_ports is no setting of Loom and has no effect. Did you mean BACKEND_PORT?",
        "EDITOR is no setting of Loom and has no effect. See etc/environment.sh.example for what it knows.",
    ]
    for told, count in (({}, 3), ({"LOOM_UNKNOWN_NAMES_TOLD": "1"}, 0)):
        with Running("manage.py", "check", environment={"LOOM_ENVIRONMENT_FILE": str(file), **told}) as running:
            assert running.wait_for_end() == 0
            assert len([line for line in running.output if "no setting of Loom" in line]) == count


def test_the_example_holds_only_names_that_mean_something() -> None:
    assert unknown_names(BASE_DIR / "etc" / "environment.sh.example") == []


def test_the_process_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S0-015, S0-033"""
    file = write(tmp_path, f"export SECRET_KEY={KEY}", "export BACKEND_PORT=8000", "export LOG_LEVEL=debug")
    monkeypatch.setenv("BACKEND_PORT", "9000")

    environment = load(file)

    assert (environment.backend_port, environment.log_level, environment.secret_key) == (9000, "debug", KEY)


def test_another_file_or_none_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, f"export SECRET_KEY={KEY}", 'export EMULATOR_RUNTIMES="a=http://127.0.0.1:1, b=cmd:x y"')
    monkeypatch.setenv("LOOM_ENVIRONMENT_FILE", str(file))
    assert load().emulator_runtimes == "a=http://127.0.0.1:1, b=cmd:x y"

    monkeypatch.setenv("LOOM_ENVIRONMENT_FILE", "")
    with pytest.raises(EnvironmentInvalidError, match="SECRET_KEY: is missing"):
        load()


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ({"AUTH_DISABLED": "1"}, "AUTH_DISABLED: everyone would be signed in: only with DEBUG=1"),
        ({"AUTH_DISABLED": "1", "DEBUG": "0"}, "AUTH_DISABLED: everyone would be signed in: only with DEBUG=1"),
        (
            {"AUTH_DISABLED": "1", "DEBUG": "1", "BACKEND_HOST": "192.0.2.1"},
            "BACKEND_HOST: with AUTH_DISABLED=1 strangers on the network would be signed in: use 127.0.0.1",
        ),
        (
            {"AUTH_DISABLED": "1", "DEBUG": "1", "BACKEND_HOST": "::"},
            "BACKEND_HOST: with AUTH_DISABLED=1 strangers on the network would be signed in: use 127.0.0.1",
        ),
    ],
)
def test_signing_everyone_in_is_refused_where_strangers_could_come(
    values: dict[str, str], refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SECRET_KEY": KEY, **values}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(EnvironmentInvalidError) as caught:
        load()

    assert [line.split(". Example")[0].strip() for line in str(caught.value).splitlines()[1:]] == [refusal]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_signing_everyone_in_is_allowed_on_loopback(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SECRET_KEY": KEY, "AUTH_DISABLED": "1", "DEBUG": "1", "BACKEND_HOST": host}.items():
        monkeypatch.setenv(name, value)

    assert load().auth_disabled is True


@pytest.mark.parametrize(("mode", "url"), [("emulator", "sqlite:///loom-demo.db"), ("aws", "sqlite:///loom.db")])
def test_each_mode_has_its_own_database(mode: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """S0-032"""
    for name, value in {"SECRET_KEY": KEY, "LOOM_AWS": mode, "AWS_REGION": "eu-central-1"}.items():
        monkeypatch.setenv(name, value)

    assert load().database == url


def test_first_use_makes_a_private_file_that_starts_and_is_never_overwritten(tmp_path: Path) -> None:
    """S0-015"""
    example = (BASE_DIR / "etc" / "environment.sh.example").read_text()
    (tmp_path / "environment.sh.example").write_text(example)
    file = tmp_path / "environment.sh"

    assert create_environment_file(tmp_path) is True
    first = file.read_text()
    assert create_environment_file(tmp_path) is False

    assert file.read_text() == first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    environment = load(file)
    assert (environment.loom_aws, environment.debug, environment.auth_disabled) == ("emulator", True, True)
    assert Fernet(environment.secret_encryption_keys[0])
    made = {"SECRET_KEY": environment.secret_key, "SECRET_ENCRYPTION_KEYS": environment.secret_encryption_keys[0]}
    for name, value in made.items():
        example = example.replace(f"export {name}=\n", f"export {name}={value}\n")
    assert first == example


def test_every_first_use_gets_a_key_of_its_own(tmp_path: Path) -> None:
    keys = set()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "environment.sh.example").write_text("export SECRET_KEY=\n")
        create_environment_file(folder)
        keys.add(load(folder / "environment.sh").secret_key)

    assert len(keys) == 2


def test_options_of_the_emulator_are_words_of_a_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("EMULATOR_OPTIONS", "--seed 7 '--time-scale")

    with pytest.raises(EnvironmentInvalidError, match=r"EMULATOR_OPTIONS: No closing quotation\. Example: --seed 7"):
        load()


def test_what_is_secret_is_not_shown_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's debug page prints every setting; S0-115."""
    monkeypatch.setenv("SECRET_KEY", KEY)
    monkeypatch.setenv("DATABASE_URL", "postgres://loom:open-sesame@db/loom")
    monkeypatch.setenv("REDIS_URL", "redis://:open-sesame@cache/0")

    environment = load()

    assert environment.database.endswith("@db/loom")
    assert KEY not in repr(environment) and "open-sesame" not in repr(environment)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("https://loom.example.com", "https://loom.example.com"),
        ("https://Loom.Example.com/", "https://loom.example.com"),
        (" https://loom.example.com:443 ", "https://loom.example.com"),
        ("https://loom.example.com:8443", "https://loom.example.com:8443"),
        ("http://10.0.0.5:8000", "http://10.0.0.5:8000"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("", ""),
    ],
)
def test_the_public_address_is_a_scheme_and_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, address: str
) -> None:
    monkeypatch.setenv("PUBLIC_URL", value)

    assert load(write(tmp_path, f"export SECRET_KEY={KEY}")).public_url == address


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("loom.example.com", "it is the address that people open, with https:// and a name"),
        ("https://", "it is the address that people open, with https:// and a name"),
        ("https:///agents", "it is the address that people open, with https:// and a name"),
        ("ftp://loom.example.com", "it is the address that people open, with https:// and a name"),
        ("https://user:secret@loom.example.com", "it is the address that people open, with https:// and a name"),
        ("https://*.example.com", "it is the address that people open, with https:// and a name"),
        ("https://loom example.com", "it is the address that people open, with https:// and a name"),
        ("https://example.com/loom", "Loom needs a name of its own: it does not work below a path such as /loom"),
        ("https://example.com/?a=b", "Loom needs a name of its own: it does not work below a path such as /loom"),
        ("https://example.com:99999", "Port out of range 0-65535"),
        ("https://[::1", "Invalid IPv6 URL"),
    ],
)
def test_another_public_address_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, reason: str
) -> None:
    monkeypatch.setenv("PUBLIC_URL", value)
    with pytest.raises(EnvironmentInvalidError) as caught:
        load(write(tmp_path, f"export SECRET_KEY={KEY}"))

    assert f"  PUBLIC_URL: {reason}. Example: https://loom.example.com" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "followed"),
    [
        ("https://loom.example.com:8443", (True, True, 31_536_000, ["https://loom.example.com:8443"], True)),
        ("http://loom.example.com", (False, False, 0, ["http://loom.example.com"], True)),
        ("", (False, False, 0, [], False)),
    ],
)
def test_what_follows_from_the_public_address(address: str, followed: tuple[object, ...]) -> None:
    code = (
        "from loom import settings as s; print((s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS, "
        "s.CSRF_TRUSTED_ORIGINS, 'loom.example.com' in s.ALLOWED_HOSTS))"
    )
    with Running("-c", code, environment={"PUBLIC_URL": address, "SECRET_KEY": KEY}) as run:
        assert (run.wait_for_end(), run.output) == (0, [str(followed)])
