"""Commands and the outputs that a document shows of them.

What is compared is standard output, line by line. A line `...` stands for any number of lines, also none, and `...`
within a line for any text. Empty lines, spaces at the ends of lines, and how many seconds something took do not count.
A command whose output is not shown at all may print what it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_MARK = "\x1e"
_SECONDS = re.compile(r"\b\d+(\.\d+)? s\b")


@dataclass(slots=True)
class _Command:
    text: str
    output: list[str] = field(default_factory=list)


def script(body: str) -> str:
    """Return the shell script of a block: all of it, or what follows the prompts, each command after a mark."""
    found = [*_commands(body)]
    if not found:
        return body
    return "".join(f"printf '\\036'\n{command.text}\n" for command in found)


def differences(body: str, output: str, *, printed: str) -> Iterator[str]:
    """Yield how the outputs that a document shows differ from what its commands printed."""
    for command, text in zip(_commands(body), printed.split(_MARK)[1:], strict=False):
        if any(command.output) and (line := _misfit(command.output, text)):
            yield f"`{command.text}` does not print what is shown: {line}"
    if output and (line := _misfit(output.splitlines(), printed)):
        yield f"it does not print what is shown below it: {line}"


def _commands(body: str) -> Iterator[_Command]:
    command: _Command | None = None
    for line in body.splitlines():
        if command is not None and command.text.endswith("\\") and not command.output:
            command.text += f"\n{line}"
        elif line.startswith("$ "):
            if command is not None:
                yield command
            command = _Command(line[2:])
        elif command is not None:
            command.output.append(line)
    if command is not None:
        yield command


def _misfit(lines: list[str], printed: str) -> str:
    """Return the first shown line with which the output no longer fits; empty if all of it does."""
    wanted, text = [*_counted(lines)], "".join(f"{line}\n" for line in _counted(printed.splitlines()))
    patterns = [*map(_pattern, wanted)]
    if re.fullmatch("".join(patterns), text):
        return ""
    fitting = (line for end, line in enumerate(wanted, 1) if not re.match("".join(patterns[:end]), text))
    return f"`{next(fitting, 'the end')}`"


def _counted(lines: list[str]) -> Iterator[str]:
    return (_SECONDS.sub("0 s", line.rstrip()) for line in lines if line.strip())


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    return ".*?".join(re.escape(part) for part in line.split("...")) + r"\n"
