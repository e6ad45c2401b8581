"""Logs that were signed as they are, and whose leaves do not fit each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bridge.canonical.json import Json
from bridge.model import Digest
from tests.vectors.form import Vector
from tests.vectors.scene import A, B, C, Scene, record, record_key
from tests.vectors.whole import WHOLE_LISTED, Whole, whole

Change = Callable[[Scene, Whole], object]
NEXT = 6
"""The next number of the open stream."""

TIME = "2026-03-02T10:00:00.000Z"


def _vector(
    name: str,
    what: str,
    change: Change,
    *codes: str,
    listed: tuple[str, ...] = WHOLE_LISTED,
) -> Vector:
    log = whole()
    change(log.scene, log)
    log.scene.publish()
    return log.scene.vector(name, what, *codes, base="whole", listed=listed)


def malformed() -> Iterator[Vector]:
    """A last leaf that says what a leaf may say, or nearly, in another way."""
    stream = A.stream.encode()
    rest = b'"after":5,"k":"gap","s":"%s","t":"%s","v":1,"why":"x"' % (stream, TIME.encode())
    leaves = {
        "leaf-space": ("It has a space.", b"{ " + rest + b"}"),
        "leaf-order": (
            "Its fields are in another order.",
            b'{"k":"gap",' + rest.replace(b',"k":"gap"', b"") + b"}",
        ),
        "leaf-field-twice": ("One field stands there twice.", b'{"after":5,' + rest + b"}"),
        "leaf-float": (
            "A whole number has a fraction.",
            b"{" + rest.replace(b":5", b":5.0") + b"}",
        ),
        "leaf-escape": (
            "A letter is written as an escape.",
            b"{" + rest.replace(b'"x"', b'"\\u0078"') + b"}",
        ),
        "leaf-surrogate": (
            "Half a character stands in a text.",
            b"{" + rest.replace(b'"x"', b'"\\ud800"') + b"}",
        ),
        "leaf-null": (
            "An absent field is null.",
            b"{" + rest.replace(b'"k"', b'"from":null,"k"') + b"}",
        ),
        "leaf-field-unknown": ("It has a field that its kind has not.", b"{" + rest + b',"x":1}'),
        "leaf-field-missing": ("It lacks a field.", b"{" + rest.replace(b',"why":"x"', b"") + b"}"),
        "leaf-kind-unknown": ("Its kind is unknown.", b"{" + rest.replace(b"gap", b"gaq") + b"}"),
        "leaf-time": ("Its time is none.", b"{" + rest.replace(b"-02T", b"-32T") + b"}"),
        "leaf-large-number": (
            "A number is too large for JSON.",
            b"{" + rest.replace(b":5", b":9007199254740992") + b"}",
        ),
        "leaf-not-json": ("It is no JSON.", b"gap"),
        "leaf-empty": ("It has no bytes.", b""),
    }
    for name, (what, leaf) in leaves.items():

        def change(scene: Scene, _: Whole, leaf: bytes = leaf) -> None:
            scene.raw(leaf)

        yield _vector(name, f"The last leaf is not in its form. {what}", change, "leaf_malformed")


def numbers() -> Iterator[Vector]:
    """Numbers that are missing, or stand there twice."""

    def later(scene: Scene, **span: int) -> None:
        scene.seen(A, NEXT + 1, "discard")
        scene.wait(**span)
        scene.leaf("gap", s=A.stream, after=NEXT + 1, why="history_refused")

    yield _vector(
        "number-open",
        "A number is missing below one whose leaf is 9 minutes older than the newest.",
        lambda scene, _: later(scene, minutes=9),
        listed=(*WHOLE_LISTED, "number_open"),
    )
    yield _vector(
        "number-missing",
        "A number is missing below one whose leaf is 11 minutes older than the newest.",
        lambda scene, _: later(scene, minutes=11),
        "number_missing",
    )
    yield _vector(
        "number-twice",
        "Two events have one number.",
        lambda scene, _: scene.seen(A, 1, "discard", body="Another one."),
        "number_repeated",
    )
    yield _vector(
        "number-twice-excused",
        "Two events have one number, and an `open` act says that the journal was lost.",
        lambda scene, _: (
            scene.seen(A, 1, "discard", body="Another one."),
            scene.open(C, previous={"stream": A.stream, "last_n": 5}),
        ),
        listed=(*WHOLE_LISTED, "number_repeated_excused"),
    )
    yield _vector(
        "total-too-small",
        "A stream has an event more than it was closed with.",
        lambda scene, _: scene.seen(B, 1, "discard"),
        "total_mismatch",
    )
    for name, minutes, codes, listed in (
        ("total-not-reached-yet", 9, (), ("number_open",)),
        ("total-not-reached", 11, ("number_missing",), ()),
    ):

        def close(scene: Scene, _: Whole, minutes: int = minutes) -> None:
            total = NEXT + 1
            scene.act("close", {"stream": A.stream, "total": total}, s=A.stream, total=total)
            scene.wait(minutes=minutes)
            scene.leaf("late", ref=3, ms=1)

        what = f"A stream was closed, {minutes} minutes ago, with an event more than it has."
        yield _vector(name, what, close, *codes, listed=(*WHOLE_LISTED, *listed))


def streams() -> Iterator[Vector]:
    """A stream that nobody opened, and a close that disagrees with itself."""
    for name, hours, codes, listed in (
        ("stream-opening", 23, (), ("stream_opening",)),
        ("stream-unopened", 25, ("stream_unopened",), ()),
    ):

        def begin(scene: Scene, _: Whole, hours: int = hours) -> None:
            scene.seen(C, 0, "discard")
            scene.wait(hours=hours)
            scene.leaf("late", ref=3, ms=1)

        what = f"A stream began {hours} hours ago, and no leaf opened it."
        yield _vector(name, what, begin, *codes, listed=(*WHOLE_LISTED, *listed))
    yield _vector(
        "closed-twice",
        "A stream was closed a second time, with another total.",
        lambda scene, _: scene.act("close", {"stream": B.stream, "total": 2}, s=B.stream, total=2),
        "total_mismatch",
    )


def references() -> Iterator[Vector]:
    """Leaves that refer to something other than an event before them."""

    def dangling(kind: str, **fields: Json) -> Change:
        return lambda scene, _: scene.leaf(kind, **fields)

    yield _vector(
        "ref-later",
        "A `late` leaf refers to a leaf that comes after it.",
        lambda scene, _: (
            scene.leaf("late", ref=len(scene.leaves) + 1, ms=1),
            scene.seen(A, NEXT, "discard"),
        ),
        "ref_invalid",
    )
    yield _vector(
        "ref-beyond", "A leaf refers past the end.", dangling("late", ref=999, ms=1), "ref_invalid"
    )
    yield _vector(
        "ref-act",
        "A decision refers to a leaf that is of an act.",
        dangling("decision", ref=0, c="discard", cl="p+m", by="policy"),
        "ref_invalid",
    )
    yield _vector(
        "stored-other",
        "Another file than the one that was seen was stored.",
        lambda scene, _: scene.stored(scene.seen(A, NEXT, "capture"), A, NEXT, body="Another."),
        "stored_mismatch",
    )
    yield _vector(
        "act-two-leaves",
        "Two leaves name the first act.",
        lambda scene, _: scene.raw(scene.leaves[0]),
        "leaf_repeated",
    )
    yield _vector(
        "stored-two-leaves",
        "One file was put twice, by a recorder whose journal was restored.",
        lambda scene, log: scene.stored(log.captured, A, 1),
    )


def storing() -> Iterator[Vector]:
    """What was to be kept, and was not stored."""

    def wait(scene: Scene, hours: int, outcome: str = "capture") -> None:
        scene.seen(A, NEXT, "discard")
        ref = scene.seen(A, NEXT + 1, outcome)
        scene.wait(hours=hours)
        if outcome == "discard":
            scene.leaf("decision", ref=ref, c="capture", cl="p+m", by="policy")
        scene.leaf("late", ref=3, ms=1)

    yield _vector(
        "unstored",
        "What is to be kept has not been stored for 23 hours.",
        lambda scene, _: wait(scene, 23),
    )
    yield _vector(
        "never-stored",
        "What is to be kept has not been stored for 25 hours.",
        lambda scene, _: wait(scene, 25),
        "never_stored",
    )
    yield _vector(
        "promoted-later",
        "An event of 25 hours ago was discarded, and is to be kept since a second ago.",
        lambda scene, _: wait(scene, 25, "discard"),
    )

    def explained(scene: Scene, _: Whole) -> None:
        scene.leaf("gap", s=A.stream, after=NEXT + 1, why="store_refused")
        wait(scene, 25)

    yield _vector(
        "never-stored-explained",
        "What is to be kept has not been stored for 25 hours, and a gap says why.",
        explained,
    )


def records() -> Iterator[Vector]:
    """Records under keys, and with numbers, that are not theirs."""

    def under(key: str, body: bytes | None = None) -> Change:
        def change(scene: Scene, _: Whole) -> None:
            data = record(A, NEXT) if body is None else body
            digest = Digest.of(data).hex
            ref = scene.leaf("seen", s=A.stream, n=NEXT, d=digest, c="capture", cl="p+m")
            scene.placed("stored", key, data, ref=ref)

        return change

    own = record_key(A, NEXT)
    for name, what, key, body, code in (
        ("record-of-other-number", "Its number is another.", own, record(A, 9), "mismatch"),
        ("record-of-other-group", "Its stream is another.", own, record(B, NEXT), "mismatch"),
        (
            "record-under-other-number",
            "It stands under the key of another number.",
            record_key(A, 9),
            None,
            "mismatch",
        ),
        (
            "record-under-other-group",
            "It stands under the key of another group.",
            own.replace(A.gid, B.gid),
            None,
            "mismatch",
        ),
        (
            "record-under-other-day",
            "It stands under another day.",
            own.replace("/03/02/", "/03/03/"),
            None,
            "mismatch",
        ),
        (
            "record-not-canonical",
            "It ends with a newline.",
            own,
            record(A, NEXT) + b"\n",
            "malformed",
        ),
    ):
        yield _vector(name, f"A record that was signed. {what}", under(key, body), f"record_{code}")
