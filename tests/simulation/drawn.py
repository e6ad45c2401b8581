"""Plans as Hypothesis draws them: it makes a failing one small."""

from __future__ import annotations

from hypothesis import strategies as st

from bridge.model import Outcome
from tests.simulation.plan import (
    GROUPS,
    STEPS,
    TIMERS,
    Fault,
    FaultKind,
    Key,
    KeyFate,
    Medium,
    MediumFate,
    Plan,
    Utter,
)

LENGTH = 15
MANY_KEYS = 2
LASTING = [kind for kind in FaultKind if kind is not FaultKind.CLOCK]
MOMENTS = st.integers(0, LENGTH * 10).map(lambda tenths: tenths / 10)
GROUP = st.integers(0, GROUPS - 1)
MEDIA = st.builds(
    Medium,
    fate=st.sampled_from(MediumFate),
    after=st.integers(1, 25).map(float),
)
KEYS = st.builds(
    Key,
    fate=st.sampled_from(KeyFate),
    after=st.integers(0, 600).map(lambda tenths: tenths / 10),
)
SAID = st.builds(
    Utter,
    at=MOMENTS,
    group=GROUP,
    outcome=st.sampled_from([*Outcome, None]),
    timer=st.sampled_from(TIMERS),
    backdated=st.sampled_from([0.0, 2.0, 100.0]),
    leans=st.integers(0, 2),
    restricted=st.booleans(),
    media=st.lists(MEDIA, max_size=2).map(tuple),
    key=st.none() | st.integers(0, MANY_KEYS - 1),
)
FAULTS = st.one_of(
    st.builds(
        Fault,
        at=MOMENTS,
        kind=st.sampled_from(LASTING),
        seconds=st.integers(1, 150).map(lambda tenths: tenths / 10),
    ),
    st.builds(Fault, at=MOMENTS, kind=st.just(FaultKind.CLOCK), seconds=st.sampled_from(STEPS)),
)


def plans() -> st.SearchStrategy[Plan]:
    """Any plan in which all groups are recorded throughout."""
    return st.builds(
        Plan,
        seed=st.integers(0, 2**32),
        said=st.lists(SAID, max_size=20).map(tuple),
        faults=st.lists(FAULTS, max_size=6).map(tuple),
        keys=st.lists(KEYS, min_size=MANY_KEYS, max_size=MANY_KEYS).map(tuple),
        forget_after=st.sampled_from([5.0, 3600.0]),
    )
