"""Which messages are significant, and why. Pure: text in, verdict out.

:func:`parse_policy` reads a policy, :class:`RuleClassifier` applies it. The order of reading:
:mod:`.policy`, :mod:`.rules`, :mod:`.weigh`, :mod:`.context`, :mod:`.conversation`,
:mod:`.classifier`. Nothing here opens a file or looks at a clock.
"""

from bridge.classify.classifier import RuleClassifier
from bridge.classify.policy import Policy, parse_policy

__all__ = ["Policy", "RuleClassifier", "parse_policy"]
