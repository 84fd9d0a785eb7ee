"""Count the bytecodes that a call takes, by the code that they belong to."""

import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

#: Any that no debugger, coverage or profiler has.
_TOOL = 4


def count_bytecodes(function: Callable[[], object]) -> Counter[CodeType]:
    """Call a function, and return how many bytecodes ran meanwhile in this thread, by code."""
    counts: Counter[CodeType] = Counter()
    (_monitored if sys.version_info >= (3, 12) else _traced)(function, counts)
    return counts


def _monitored(function: Callable[[], object], counts: Counter[CodeType]) -> None:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]  # Python 3.12
    instruction = monitoring.events.INSTRUCTION

    def note(code: CodeType, offset: int) -> None:
        counts[code] += 1

    monitoring.use_tool_id(_TOOL, __name__)
    monitoring.register_callback(_TOOL, instruction, note)
    monitoring.set_events(_TOOL, instruction)
    try:
        function()
    finally:
        monitoring.set_events(_TOOL, 0)
        monitoring.register_callback(_TOOL, instruction, None)
        monitoring.free_tool_id(_TOOL)


def _traced(function: Callable[[], object], counts: Counter[CodeType]) -> None:
    def trace(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        if event == "opcode":
            counts[frame.f_code] += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
