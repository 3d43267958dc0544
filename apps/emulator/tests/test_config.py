from __future__ import annotations

import subprocess
import sys

import pytest

from apps.emulator.config import EmulatorConfig, EmulatorConfigError, is_loopback, read_shifts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_a_loopback_host_is_accepted(host: str) -> None:
    assert is_loopback(host)
    assert EmulatorConfig(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "emulator.example", "localhost.example", ""])  # noqa: S104
def test_another_host_is_refused(host: str) -> None:
    with pytest.raises(EmulatorConfigError, match="not a loopback address"):
        EmulatorConfig(host=host)


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [("port", 70000, "port 70000"), ("time_scale", -1, "time_scale"), ("log_delay_scale", -0.1, "log_delay_scale")],
)
def test_a_value_out_of_range_is_refused_by_name(setting: str, value: float, reason: str) -> None:
    with pytest.raises(EmulatorConfigError, match=reason):
        EmulatorConfig(**{setting: value})  # type: ignore[arg-type]


def test_shifts_are_read_by_agent_and_endpoint() -> None:
    assert read_shifts("") == {}
    assert read_shifts("code_tutor=150, code_tutor:prod=2.5") == {"code_tutor": 150.0, "code_tutor:prod": 2.5}


@pytest.mark.parametrize("text", ["code_tutor", "code_tutor=", "=1", "a:b:c=1", "a=-1", "a=1e3", "a=x", "a b=1"])
def test_a_shift_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(EmulatorConfigError, match="shifts: "):
        EmulatorConfig(shifts=text)


def test_the_command_refuses_to_bind_another_host_than_loopback() -> None:
    command = [sys.executable, "-m", "apps.emulator", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104

    finished = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    assert (finished.returncode, finished.stdout) == (2, "")
    assert "host '0.0.0.0' is not a loopback address; the emulator serves this machine only" in finished.stderr
