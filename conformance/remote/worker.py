"""A child process: started, asked line by line, watched, and killed with all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.remote.limits import FAREWELL, LOOK, TAIL
from conformance.remote.messages import LONGEST_LINE

try:
    import fcntl
    import resource
except ImportError:  # where there are none, memory is not limited, and a child must notice by itself that it is alone
    fcntl = resource = None  # type: ignore[assignment]

MIB = 1 << 20


class Died(Exception):
    """A child did not answer as it must. `what` is crash, timeout, memory or protocol; the message says how, in one line."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


class Worker:
    """One child process. It is killed at the latest when the worker is forgotten or this process ends, in whatever way."""

    def __init__(self, command: Sequence[str], memory: int, environment: Mapping[str, str] | None = None) -> None:
        """Start the command.

        Raises:
            OSError: it cannot be started.
        """
        self.memory = memory
        theirs, ours = os.pipe()
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                start_new_session=True, bufsize=0, pass_fds=(theirs,),
            )  # fmt: skip
            self._finalizer = weakref.finalize(self, _kill, self.process, ours)
            _tie(self.process.pid, theirs)
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        _limit(self.process.pid, memory)
        self.stdin, self.stdout, self.stderr = (_descriptor(self.process, name) for name in ("stdin", "stdout", "stderr"))
        self.selector = selectors.DefaultSelector()
        for stream in (self.stdout, self.stderr):
            self.selector.register(stream, selectors.EVENT_READ)
        self.unsent = b""
        self.buffer = bytearray()
        self.tail = bytearray()
        self.searched = 0  # bytes of the buffer that hold no end of a line
        self.looked = time.monotonic()

    # -- talking ---------------------------------------------------------------------------------------------------------

    def send(self, line: bytes) -> None:
        """Hand over a line; it is written while answers are waited for, so that neither side waits for the other."""
        self.unsent += line + b"\n"
        with contextlib.suppress(KeyError):
            self.selector.register(self.stdin, selectors.EVENT_WRITE)

    def line(self, deadline: float) -> bytes:
        """The next line of the child, which has so many seconds for it.

        Raises:
            Died: it took too long, too much memory, ended, closed its output or wrote a line without an end.
        """
        end = time.monotonic() + deadline
        while True:
            line = self._take()
            if line is not None:
                return line
            now = time.monotonic()
            if now >= end:
                raise Died("timeout", f"no answer within {deadline:g} s")
            self._turn(min(LOOK, end - now))
            if time.monotonic() - self.looked >= LOOK:
                self._weigh()

    def leftover(self) -> bool:
        """Whether the child has written what nobody asked for."""
        if not self.buffer and any(key.fd == self.stdout for key, _ in self.selector.select(0)):
            self._read_answers(silently=True)
        return bool(self.buffer)

    def _take(self) -> bytes | None:
        """A whole line from what was read."""
        end = self.buffer.find(b"\n", self.searched)
        if end < 0:
            self.searched = len(self.buffer)
            if len(self.buffer) > LONGEST_LINE:
                raise Died("protocol", f"a line of more than {LONGEST_LINE // MIB} MiB")
            return None
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 1]
        self.searched = 0
        return line

    def _turn(self, seconds: float) -> None:
        """Read and write what can be, once."""
        for key, _ in self.selector.select(seconds):
            if key.fd == self.stdout:
                self._read_answers()
            elif key.fd == self.stderr:
                self._read_words()
            else:
                self._write()

    def _read_answers(self, *, silently: bool = False) -> None:
        data = os.read(self.stdout, 1 << 16)
        self.buffer += data
        if not data and not silently:
            raise self._ended()

    def _read_words(self) -> None:
        data = os.read(self.stderr, 1 << 16)
        if not data:
            self.selector.unregister(self.stderr)
        self.tail += data
        del self.tail[:-TAIL]

    def _write(self) -> None:
        try:
            self.unsent = self.unsent[os.write(self.stdin, self.unsent[: 1 << 20]) :]
        except BrokenPipeError:  # that it ended, or closed its output too, is seen there
            self.unsent = b""
        if not self.unsent:
            self.selector.unregister(self.stdin)

    # -- watching --------------------------------------------------------------------------------------------------------

    def _weigh(self) -> None:
        """Look at the memory of the child and of its children."""
        self.looked = time.monotonic()
        held = sum(map(resident, family(self.process.pid)))
        if held > self.memory * MIB:
            raise Died("memory", f"more than {self.memory} MiB")

    def _ended(self) -> Died:
        """Why the child's output ended."""
        try:
            status = self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            return Died("protocol", "closed its standard output")
        self.last_words()
        if status < 0:
            return Died("crash", f"killed by {_name_of_signal(-status)}")
        if status > 128:  # so a shell reports a signal
            return Died("crash", f"exit status {status}, as of {_name_of_signal(status - 128)}")
        return Died("crash", f"ended with exit status {status}")

    def last_words(self) -> str:
        """The end of what the child wrote to its standard error."""
        while self.stderr in self.selector.get_map() and any(key.fd == self.stderr for key, _ in self.selector.select(0)):
            self._read_words()
        return self.tail.decode(errors="replace")

    # -- ending ----------------------------------------------------------------------------------------------------------

    def kill(self) -> None:
        """End the child and all that it started, at once."""
        self._finalizer()
        self.selector.close()

    @property
    def alive(self) -> bool:
        """Whether the child may still be asked."""
        return self._finalizer.alive


def _descriptor(process: subprocess.Popen[bytes], name: str) -> int:
    """One of the child's pipes, which never makes us wait."""
    descriptor: int = getattr(process, name).fileno()
    os.set_blocking(descriptor, False)
    return descriptor


def _tie(pid: int, pipe: int) -> None:
    """Have the system kill the process group of `pid`, which holds this end of a pipe, as soon as the other end is closed.

    That is when this process ends, however it ends. A child that hangs in native code, with the lock of its interpreter or
    without any, could not see by itself that it is alone. (The signal that Linux sends when a parent dies comes when the parent's
    *thread* ends, and reaches the child alone, not what that has started.)
    """
    if not hasattr(fcntl, "F_SETSIG"):
        return
    with contextlib.suppress(OSError):
        for what, value in ((fcntl.F_SETOWN, -pid), (fcntl.F_SETSIG, signal.SIGKILL), (fcntl.F_SETFL, os.O_ASYNC)):
            fcntl.fcntl(pipe, what, value)


def _kill(process: subprocess.Popen[bytes], ours: int) -> None:
    """Kill a process group, collect the child and close its pipes."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    os.close(ours)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _limit(pid: int, memory: int) -> None:
    """Twice the memory cannot even be asked for, so that nothing is lost between two looks; and no core is dumped."""
    if resource is None or not hasattr(resource, "prlimit"):
        return
    bound = (2 * memory + 1024) * MIB
    for kind, most in ((resource.RLIMIT_DATA, bound), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, kind, (most, most))


def family(pid: int) -> Iterator[int]:
    """A process and all below it, as far as the system tells."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _name_of_signal(number: int) -> str:
    """SIGSEGV rather than 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
