"""A local AWS for the demo and the tests: ministack as a child process on a free loopback port.

ministack rather than moto's server: of thousands of objects it brought every one to the queue by all six of our
routes, a few hundred a second within 80 MB. moto's server took 110 MB for about fifty a second, lost what EventBridge
sends to SNS, and handed one message to two receivers at once.
"""

import importlib.util
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from stream.demo.lifeline import child_environ, command
from stream.errors import ConfigError, TrailstreamError

ACCOUNT_ID: Final = "111122223333"
"""The account that owns everything in the emulator; one of those that AWS's documentation uses."""

REGION: Final = "us-east-1"

_START_TIMEOUT_S: Final = 30.0
_ATTEMPTS: Final = 3
# All that the child inherits: nobody's credentials, profiles, proxies or settings of a LocalStack reach it.
_INHERITED: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")


class EmulatorError(TrailstreamError):
    """The emulator did not start; the message ends with the last lines that it wrote."""


class Emulator:
    """A context manager: inside it the emulator answers, after it the process and its files are gone.

    Attributes:
        endpoint: `http://127.0.0.1:<port>`, for every service.
        environ: `AWS_*` variables for a client of it; merge them into `os.environ` or a child's environment.
        pid: of the child process.

    Raises:
        ConfigError: the `demo` extra is not installed.
        EmulatorError: no answer within half a minute.
    """

    def __init__(self, within: Path | None = None) -> None:
        """Keep its files in a folder of their own, in the system's place for temporary ones.

        Or inside a temporary folder of the caller's, `within`, which is removed too if the caller can't any more.
        """
        if importlib.util.find_spec("ministack") is None:
            raise ConfigError("The embedded AWS is not installed: pip install 'trailstream[demo]'")
        self.endpoint = ""
        self._within = within
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """Variables that point a client at the emulator, whatever the machine's own say."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Neither a profile nor a proxy of the machine may come between.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    @property
    def pid(self) -> int:
        """Of the child process; RuntimeError outside the context."""
        if self._process is None:
            raise RuntimeError("the emulator is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="trailstream-aws-", dir=self._within)
        try:
            self._start(Path(self._folder.name))
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def reset(self) -> None:
        """Forget every bucket, queue, topic and rule."""
        request = urllib.request.Request(f"{self.endpoint}/_ministack/reset", method="POST")  # noqa: S310 - loopback
        with _DIRECT.open(request, timeout=10):
            pass

    def _start(self, folder: Path) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            port = free_port()
            self.endpoint = f"http://127.0.0.1:{port}"
            log = folder / "emulator.log"
            with log.open("wb") as output:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments, no shell
                    command(self._within or folder, "ministack"),
                    stdin=subprocess.PIPE,  # the lifeline
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=self._child_environ(folder, port),
                )
            if self._answers():
                return
            # Between our look for a free port and the child's bind somebody else may have taken it.
            taken = self._process.poll() is not None and b"already in use" in log.read_bytes()
            self._kill()
            if not taken or attempt == _ATTEMPTS:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
                raise EmulatorError(f"the embedded AWS did not start:\n{tail}")

    @staticmethod
    def _child_environ(folder: Path, port: int) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return child_environ(inherited) | {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",  # the host in every queue URL
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "MINISTACK_REGION": REGION,
            "LOG_LEVEL": "WARNING",
            "S3_PERSIST": "0",
            "PERSIST_STATE": "0",
            # Listeners on fixed ports, which nobody here needs.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # At start and stop it removes containers labelled as its own: they'd be somebody else's.
            "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
        }

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                with _DIRECT.open(f"{self.endpoint}/_ministack/health", timeout=5):
                    return True
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.02)
        return False

    def _kill(self) -> None:
        if self._process is None:
            return
        self._process.kill()  # all its state is in memory and in our folder: there is nothing to save
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None

    def _stop(self) -> None:
        self._kill()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
