"""One call of `yunohost backup create` through our method: its lock waited for, its answer read. Believes no "Success".

`--timeout` makes YunoHost give up while another operation holds its lock; then we wait and ask again. It is never
killed in the middle: what it has mounted would stay.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coloc.command import CommandFailed, Output, Run, run
from coloc.errors import ColocError
from coloc.trusted import require_command

METHOD = "coloc_agent"
_ASK_SECONDS = 20
_BUSY = "already a YunoHost operation running"
_MAX_NAME = 50  # of an archive of YunoHost
_ENGLISH = {"LC_ALL": "C.UTF-8", "LANGUAGE": "en"}


class YunohostBusy(ColocError):
    """Another operation held YunoHost's lock for as long as we may wait."""


@dataclass(frozen=True, slots=True)
class Yunohost:
    """The program `yunohost` of this server. lock_seconds: how long to wait for its lock; call_seconds: one call."""

    program: Path
    lock_seconds: float = 1800.0
    call_seconds: float = 6 * 3600.0
    run: Run = run
    on_wait: Callable[[], None] = lambda: None

    def back_up_app(self, app: str, name: str) -> None:
        """Let the app's own script lay out its backup for our method. Raises ColocError when it failed."""
        self._judge(self._create(name, ["--apps", app]), "apps", [app])

    def back_up_system(self, name: str) -> None:
        """The same for users, permissions, domains, certificates, mail, homes. Raises ColocError."""
        self._judge(self._create(name, ["--system"]), "system", ())

    def do(self, *argv: str, timeout: float = 4 * 3600.0) -> Output:
        """Any other operation that takes the lock. Raises CommandFailed or YunohostBusy."""
        require_command((str(self.program),), "the program yunohost")
        end = time.monotonic() + self.lock_seconds
        while True:
            asked = [str(self.program), "--timeout", str(_ASK_SECONDS), *argv, "--output-as", "json"]
            try:
                return self.run(asked, timeout=timeout, env=_ENGLISH)
            except CommandFailed as error:
                if _BUSY not in error.output.stderr + error.output.stdout:
                    raise
                if time.monotonic() >= end:
                    raise YunohostBusy(
                        f"another YunoHost operation runs since more than {self.lock_seconds / 60:.0f} minutes",
                        hint="look at yunohost log list; the next run tries again",
                    ) from error
                self.on_wait()

    def _create(self, name: str, what: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        try:
            output = self.do(
                *("backup", "create", "--name", name, "--methods", METHOD), *what, timeout=self.call_seconds
            )
        except CommandFailed as error:
            raise ColocError(
                f"YunoHost could not back it up: {last_words(error.output)}", hint="look at yunohost log list"
            ) from error
        return results_of(output.stdout)

    def _judge(self, results: Mapping[str, Mapping[str, str]], kind: str, wanted: Sequence[str]) -> None:
        found = results.get(kind, {})
        bad = [f"{name} {word}" for name, word in sorted(found.items()) if word not in {"Success", "Skipped"}]
        bad += [f"{name} left out" for name in wanted if found.get(name) != "Success" and name not in found]
        if bad or not found:
            raise ColocError(
                f"YunoHost did not back everything up: {', '.join(bad) or 'nothing was collected'}",
                hint="its own script failed: look at yunohost log list",
            )


def results_of(stdout: str) -> Mapping[str, Mapping[str, str]]:
    """`results` of the answer: the last line of stdout, after lines for people. Raises ColocError."""
    line = stdout.strip().rpartition("\n")[2]
    try:
        results = json.loads(line)["results"]
        return {str(kind): {str(k): str(v) for k, v in found.items()} for kind, found in results.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ColocError(
            f"YunoHost gave no answer that I understand: {line[:100]!r}", hint="look at yunohost log list"
        ) from error


def last_words(output: Output) -> str:
    """The last error that YunoHost told, in one line."""
    lines = [line for line in output.stderr.splitlines() if line.strip()]
    told = [line.removeprefix("ERROR ") for line in lines if line.startswith("ERROR ")] or lines[-1:]
    return " / ".join(told)[-300:] or f"it exited with {output.code}"


def call_name(app: str) -> str:
    """The name of our call for an app: the same each night, so that Borg knows the files again by their paths."""
    name = f"coloc-{app}"
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[: _MAX_NAME - 9]}-{hashlib.sha256(app.encode()).hexdigest()[:8]}"
