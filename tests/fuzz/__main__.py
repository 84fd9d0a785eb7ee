"""Fuzz one parser, and keep what reaches new code: ``python -m tests.fuzz token --seconds 300``.

Needs the extra ``fuzz``. The inputs that reach new code are written to the corpus, which is made
small again. An input that fails is printed; add it to the corpus once its cause is fixed.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import atheris

CORPUS = Path(__file__).parent / "corpus"

#: Longer ones reach nothing new: the longest text that matters is a header of four kilobytes.
_MAX_BYTES = 4400


def main() -> None:
    """Fuzz the target that the command line names."""
    with atheris.instrument_imports(include=["secure_dbstorage"]):
        from tests.fuzz.targets import TARGETS
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=300)
    # libFuzzer calls this again with its flags.
    options, flags = parser.parse_known_args()
    check, seeds = TARGETS[options.target]
    if flags:
        _fuzz(options.target, check, flags)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        grown, smallest = Path(directory, "grown"), Path(directory, "smallest")
        for folder in (grown, smallest):
            folder.mkdir()
        for number, seed in enumerate(seeds):
            (grown / f"seed-{number}").write_bytes(seed)
        kept = CORPUS / options.target
        kept.mkdir(parents=True, exist_ok=True)
        _run(options.target, f"-max_total_time={options.seconds}", grown, kept)
        _run(options.target, "-merge=1", smallest, kept, grown)
        for old in kept.iterdir():
            old.unlink()
        for new in smallest.iterdir():
            (kept / new.name[:12]).write_bytes(new.read_bytes())


def _run(target: str, *arguments: str | Path) -> None:
    """Run libFuzzer in a separate process, because it ends its process."""
    command = [sys.executable, "-m", "tests.fuzz", target, *map(str, arguments)]
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _fuzz(target: str, check: Callable[[bytes], None], flags: list[str]) -> NoReturn:
    itself = f"{sys.executable} -m tests.fuzz {target}"
    atheris.Setup([itself, f"-max_len={_MAX_BYTES}", "-artifact_prefix=fuzz-", *flags], check)
    atheris.Fuzz()
    raise AssertionError("libFuzzer has ended the process")


if __name__ == "__main__":
    main()
