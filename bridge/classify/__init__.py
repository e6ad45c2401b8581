"""Which messages are significant, and why. Pure: text in, verdict out.

:func:`parse_policy` reads a policy, :class:`RuleClassifier` applies it, :class:`InForce` puts it in
force for groups. The order of reading: :mod:`.policy`, :mod:`.rules`, :mod:`.weigh`,
:mod:`.context`, :mod:`.conversation`, :mod:`.classifier`, :mod:`.in_force`. Nothing here opens a
file or looks at a clock.
"""

from bridge.classify.amend import Override, Seniors, amended
from bridge.classify.classifier import RuleClassifier
from bridge.classify.in_force import InForce
from bridge.classify.policy import Policy, parse_policy

__all__ = ["InForce", "Override", "Policy", "RuleClassifier", "Seniors", "amended", "parse_policy"]
