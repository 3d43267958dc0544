"""A mail server on loopback that speaks as much SMTP as it takes to hand a mail over."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class MailSink:
    """Where it listens and what it got; `refusal` is what it says to recipients while it is set."""

    port: int = 0
    mails: list[tuple[list[str], str]] = field(default_factory=list)
    refusal: str = ""


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    sink = MailSink()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink")
            recipients: list[str] = []
            while line := self.rfile.readline().decode().strip():
                command = line[:4].upper()
                if command == "DATA":
                    self._say("354 go on")
                    lines: list[str] = []
                    while (text := self.rfile.readline().decode()) != ".\r\n":
                        lines.append(text)
                    sink.mails.append((recipients, "".join(lines)))
                    recipients = []
                    self._say("250 taken")
                elif command == "RCPT" and sink.refusal:
                    self._say(sink.refusal)
                elif command == "RCPT":
                    recipients.append(line.partition("<")[2].rstrip(">"))
                    self._say("250 ok")
                elif command == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 ok")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()
