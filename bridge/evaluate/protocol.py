"""The measures of the scoring protocol, by the names in which they are asked for.

Ranking measures set their threshold on the data given. Null labels are never scored; they count
in keep-rates. Intervals are over conversations, drawn again in each file by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from zlib import crc32

from bridge.evaluate import ranking
from bridge.evaluate.bootstrap import DRAWS, Figure, Sample, Weights, figure, sample_of
from bridge.evaluate.heads import AMI, GOV, INQUIRY, IRC, SMS
from bridge.evaluate.results import Result

UNLABELLED = "gov_email_threads_unlabelled"
_LENGTHS = (4, 8, 12, 16, 20, 25, 30, 35)
_NEGATIVES_PER_POSITIVE = 3

Test = Callable[[Result], bool]


class Protocol:
    """The measures of one set of results."""

    def __init__(self, results: Sequence[Result], *, draws: int = DRAWS) -> None:
        self._results = results
        self._draws = draws
        self._gov = self._of(GOV, lambda r: r.message.label is not None, _is_significant)
        self._gov_context = self._of(
            GOV,
            lambda r: r.message.label is not None and r.message.needs_context,
            _is_significant,
        )
        self._inquiry = self._of(INQUIRY, _is_significant, _is_significant)

    def metrics(self) -> Mapping[str, Figure]:
        """Every measure by its name."""
        return {
            "auc_gov": self._auc(self._gov),
            "auc_gov_needs_context": self._auc(self._gov_context),
            "r_gov_at_fk10": self._recall_at_fk10(self._gov_positives()),
            "r_gov_needs_context_at_fk10": self._recall_at_fk10(
                self._gov_positives(needing_context=True)
            ),
            "r_inq_at_fk10": self._recall_at_fk10(self._inquiry),
            "r_inq_needs_context_at_fk10": self._recall_at_fk10(
                self._of(INQUIRY, lambda r: _is_significant(r) and r.message.needs_context)
            ),
            "fk_gov_at_r_gov95": self._fk_at_recall95(self._gov_positives(), self._gov_negatives()),
            "fk_gov_at_r_inq95": self._fk_at_recall95(self._inquiry, self._gov_negatives()),
            "fk_sms_at_r_inq95": self._fk_at_recall95(self._alone(INQUIRY, 1), self._alone(SMS, 0)),
            "keep_unlabelled_at_r_inq95": self._fk_at_recall95(
                self._inquiry, self._of(UNLABELLED, _always)
            ),
            "vote_auc": self._auc(
                self._of(
                    IRC,
                    lambda r: r.message.kind in {"vote", "vote_noproposal"},
                    lambda r: r.message.kind == "vote",
                )
            ),
            "r_irc_action_at_keep20": self._action_at_keep20(),
            "ami_length_matched_auc": self._auc(self._length_matched(AMI)),
        }

    def recalls(self) -> Mapping[str, Figure]:
        """Recall at a 20 % keep-rate by kind, and recall at several false-keep rates."""
        found: dict[str, Figure] = {}
        for kind in ("decision", "proposal", "vote"):
            found[f"r_irc_{kind}_at_keep20"] = self._action_at_keep20(kind)
        for share in (0.05, 0.2):
            percent = round(share * 100)
            found[f"r_gov_at_fk{percent}"] = self._recall_at_fk10(self._gov_positives(), share)
            found[f"r_inq_at_fk{percent}"] = self._recall_at_fk10(self._inquiry, share)
        return found

    def _of(self, file: str, wanted: Test, sought: Test | None = None) -> Sample:
        return sample_of(
            [
                (r.message.conversation, r.score, sought is None or sought(r))
                for r in self._results
                if r.message.file == file and wanted(r)
            ]
        )

    def _gov_positives(self, *, needing_context: bool = False) -> Sample:
        return self._of(
            GOV,
            lambda r: r.message.label == 1 and (r.message.needs_context or not needing_context),
        )

    def _gov_negatives(self) -> Sample:
        return self._of(GOV, lambda r: r.message.label == 0)

    def _alone(self, file: str, label: int) -> Sample:
        return sample_of(
            [
                (r.message.conversation, r.alone, True)
                for r in self._results
                if r.message.file == file and r.message.label == label and r.alone is not None
            ]
        )

    def _figure(self, measure: Callable[[Weights], float], samples: Sequence[Sample]) -> Figure:
        units = [sample.units for sample in samples]
        return figure(measure, units, len(samples[0].scored), draws=self._draws)

    def _auc(self, sample: Sample) -> Figure:
        return self._figure(lambda w: ranking.auc(sample.scored, w[0]), [sample])

    def _recall_at_fk10(self, positives: Sample, share: float = 0.1) -> Figure:
        negatives = self._gov_negatives()

        def measure(weights: Weights) -> float:
            threshold = ranking.threshold_keeping(negatives.scored, weights[1], share)
            return ranking.share_above(positives.scored, weights[0], threshold)

        return self._figure(measure, [positives, negatives])

    def _fk_at_recall95(self, positives: Sample, kept: Sample) -> Figure:
        def measure(weights: Weights) -> float:
            threshold = ranking.threshold_recalling(positives.scored, weights[0], 0.95)
            return ranking.share_from(kept.scored, weights[1], threshold)

        return self._figure(measure, [positives, kept])

    def _action_at_keep20(self, kind: str = "action") -> Figure:
        everything = self._of(IRC, _always, lambda r: r.message.kind == kind)
        sought = [one for one in everything.scored if one.positive]

        def measure(weights: Weights) -> float:
            threshold = ranking.threshold_keeping(everything.scored, weights[0], 0.2)
            return ranking.share_above(sought, weights[0], threshold)

        return figure(measure, [everything.units], len(sought), draws=self._draws)

    def _length_matched(self, file: str) -> Sample:
        labelled = [
            r for r in self._results if r.message.file == file and r.message.label is not None
        ]
        matched: list[Result] = []
        for bin_ in range(len(_LENGTHS) + 1):
            inside = [r for r in labelled if _length_bin(r) == bin_]
            positives = [r for r in inside if r.message.label == 1]
            negatives = sorted((r for r in inside if r.message.label == 0), key=_lot)
            if positives:
                matched += positives
                matched += negatives[: _NEGATIVES_PER_POSITIVE * len(positives)]
        return sample_of([(r.message.conversation, r.score, r.message.label == 1) for r in matched])


def _is_significant(result: Result) -> bool:
    return result.message.label == 1


def _always(_: Result) -> bool:
    return True


def _length_bin(result: Result) -> int:
    words = len(result.message.text.split())
    return sum(words >= length for length in _LENGTHS)


def _lot(result: Result) -> int:
    return crc32(f"{result.message.conversation}#{result.message.turn}".encode())


def shares(values: Iterable[bool]) -> float | None:
    """The part that is true."""
    listed = list(values)
    return round(sum(listed) / len(listed), 4) if listed else None
