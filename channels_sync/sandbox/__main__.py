"""Starts the sandbox; see the package."""

import argparse
import os
import secrets
import signal
import sys
from pathlib import Path
from types import FrameType

from channels_sync.sandbox.server import Sandbox


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="channels_sync.sandbox", description="A small warehouse system.")
    parser.add_argument("--port", type=int, default=8055, help="0 takes any free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="where its state lies")
    parser.add_argument("--delay", type=float, default=3.0, help="seconds until a purchase order is received; -1 never")
    given = parser.parse_args()
    given.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    sandbox = Sandbox((given.host, given.port), given.state, token=_token(given.state), delay=given.delay)
    signal.signal(signal.SIGTERM, _stop)
    sys.stdout.write(f"sandbox warehouse at http://{given.host}:{sandbox.port}\n")
    sys.stdout.flush()
    try:
        sandbox.serve()
    except KeyboardInterrupt:
        sandbox.stop()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _token(state: Path) -> str:
    if given := os.environ.get("LOTLINE_SANDBOX_TOKEN", ""):
        return given
    file = state / "token"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text().strip()


if __name__ == "__main__":
    main()
