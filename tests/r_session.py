"""One R process for many scripts: to start R and load glmnet takes longer than to fit."""

from __future__ import annotations

import subprocess

# Each script in an environment of its own; a mark ends what it prints.
SERVE = """
input <- file("stdin", "r")
while (length(folder <- readLines(input, 1)) > 0) {
  setwd(folder)
  say <- function(e) cat("failed", conditionMessage(e))
  tryCatch(source("run.R", local = new.env()), error = say)
  cat("\\ndone\\n")
  flush(stdout())
}
"""


class RSession:
    """Stands in for `regpath.benchmark.glmnet_r._rscript`, without a new process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, script: str, *, cwd: str) -> subprocess.CompletedProcess[str]:
        """Run ``run.R`` of a folder."""
        assert script == "run.R"
        if self._process is None:
            self._process = subprocess.Popen(
                ["Rscript", "--vanilla", "-e", SERVE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        print(cwd, file=self._process.stdin, flush=True)
        lines = []
        while (line := self._process.stdout.readline()) != "done\n":
            assert line, "R has ended"
            lines.append(line)
        out = "".join(lines)
        return subprocess.CompletedProcess(script, int(out.startswith("failed")), out, out)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
