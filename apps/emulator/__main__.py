"""`python -m apps.emulator`: run the emulator from a shell."""

from __future__ import annotations

import argparse

from apps.emulator.config import EmulatorConfig, EmulatorConfigError
from apps.emulator.server import serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m apps.emulator", description="AgentCore and CloudWatch Logs on localhost."
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=8770, help="0 takes a free one")
    parser.add_argument("--seed", type=int, help="makes every delay the same again; printed at the start")
    parser.add_argument("--time-scale", type=float, default=1.0, help="multiplies provisioning and agent delays")
    parser.add_argument(
        "--log-delay-scale", type=float, default=1.0, help="multiplies the ingestion delay of log lines"
    )
    parser.add_argument(
        "--runtimes", default="", help='real agents: "name=http://127.0.0.1:8080, other=cmd:python main.py"'
    )
    parser.add_argument(
        "--clock-skew-ms", type=float, default=15.0, help="standard deviation of an environment's clock"
    )
    parser.add_argument(
        "--shifts", default="", help='answer later by milliseconds, scaled: "name=150, name:endpoint=20"'
    )
    parser.add_argument("--no-quotas", action="store_true", help="never throttle")
    parser.add_argument(
        "--print-port", action="store_true", help="print the port alone on a line of its own, after the start-up line"
    )
    options = parser.parse_args()
    try:
        config = EmulatorConfig(
            host=options.host,
            port=options.port,
            seed=options.seed,
            time_scale=options.time_scale,
            log_delay_scale=options.log_delay_scale,
            runtimes=options.runtimes,
            clock_skew_ms=options.clock_skew_ms,
            has_quotas=not options.no_quotas,
            shifts=options.shifts,
        )
        serve(config, print_port=options.print_port)
    except EmulatorConfigError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
