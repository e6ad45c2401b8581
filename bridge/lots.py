"""Which discards are drawn by lot, so that a person sees what the rules would have let go.

A lot depends on the journal's seed, the stream and the number alone: judged again after a crash, a
message is drawn again or not, as before. Nobody without the seed can tell which will be.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace

from bridge.model import Outcome, Reason, Verdict

CODE = "AUDIT"
_ALL = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Lots:
    """Draws ``percent`` of what it is asked about. ``seed`` is 32 bytes."""

    seed: bytes = field(repr=False)
    percent: float

    def draws(self, stream: str, n: int) -> bool:
        """Whether event ``n`` of ``stream`` is drawn. MUST be the same at every call."""
        digest = hmac.digest(self.seed, f"{stream}\0{n}".encode(), "sha256")
        return int.from_bytes(digest[:8], "big") < self.percent / 100 * _ALL

    def audited(self, verdict: Verdict, stream: str, n: int) -> Verdict:
        """``verdict``, or a review in place of a discard that is drawn. Its score stays."""
        if verdict.outcome is not Outcome.DISCARD or not self.draws(stream, n):
            return verdict
        reason = Reason(code=CODE, rule="sample")
        return replace(verdict, outcome=Outcome.REVIEW, reasons=(reason, *verdict.reasons))
