"""Everything that ``verify`` can say of a store, one code and one sentence each."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What was found. Those in :data:`LISTED` are told and leave the archive intact."""

    CHECKPOINT_MISSING = "checkpoint_missing"
    CHECKPOINT_MALFORMED = "checkpoint_malformed"
    CHECKPOINT_ORIGIN = "checkpoint_origin"
    CHECKPOINT_SIGNATURE = "checkpoint_signature"
    KEY_RETIRED = "key_retired"
    ROLLED_BACK = "rolled_back"
    FORKED = "forked"
    ROOT_MISMATCH = "root_mismatch"
    TILE_MISSING = "tile_missing"
    TILE_MISMATCH = "tile_mismatch"
    BUNDLE_MISSING = "bundle_missing"
    BUNDLE_MALFORMED = "bundle_malformed"
    BUNDLE_MISMATCH = "bundle_mismatch"
    LEAF_MALFORMED = "leaf_malformed"
    NUMBER_REPEATED = "number_repeated"
    NUMBER_MISSING = "number_missing"
    TOTAL_MISMATCH = "total_mismatch"
    STREAM_UNOPENED = "stream_unopened"
    REF_INVALID = "ref_invalid"
    STORED_MISMATCH = "stored_mismatch"
    LEAF_REPEATED = "leaf_repeated"
    NEVER_STORED = "never_stored"
    OBJECT_MISSING = "object_missing"
    OBJECT_MISMATCH = "object_mismatch"
    RECORD_MALFORMED = "record_malformed"
    RECORD_MISMATCH = "record_mismatch"
    MEDIA_MISSING = "media_missing"
    MEDIA_MISMATCH = "media_mismatch"
    MANIFEST_MALFORMED = "manifest_malformed"
    MANIFEST_MISMATCH = "manifest_mismatch"
    ACT_MALFORMED = "act_malformed"
    ACT_MISMATCH = "act_mismatch"
    ANCHOR_MISMATCH = "anchor_mismatch"
    EXTRA_COPY = "extra_copy"
    EXTRA = "extra"
    HIDDEN = "hidden"
    VERSION_MISMATCH = "version_mismatch"
    RETENTION_MISSING = "retention_missing"
    RETENTION_SHORTENED = "retention_shortened"

    NUMBER_OPEN = "number_open"
    NUMBER_REPEATED_EXCUSED = "number_repeated_excused"
    STREAM_OPENING = "stream_opening"
    UNSTORED = "unstored"
    UNLOGGED = "unlogged"
    ABSENT_IN_ORDER = "absent_in_order"
    MEDIA_LEFT = "media_left"
    MARKER_PAST = "marker_past"
    NOT_LOCKED = "not_locked"
    RETENTION_NOT_ENFORCED = "retention_not_enforced"
    FOREIGN_SIGNATURE = "foreign_signature"
    NOT_CHECKED = "not_checked"


LISTED = frozenset(list(Code)[list(Code).index(Code.NUMBER_OPEN) :])
"""What is in order, or what nothing proves yet."""

SENTENCES: dict[Code, str] = {
    Code.CHECKPOINT_MISSING: "The store has objects and no checkpoint.",
    Code.CHECKPOINT_MALFORMED: "The checkpoint is not a signed note of three lines, byte for byte"
    " its own re-encoding.",
    Code.CHECKPOINT_ORIGIN: "The checkpoint is one of another log than the key's.",
    Code.CHECKPOINT_SIGNATURE: "The checkpoint is not signed by the key.",
    Code.KEY_RETIRED: "The checkpoint is signed by a key that a `key` leaf replaced.",
    Code.ROLLED_BACK: "The log has fewer leaves than a checkpoint that is known.",
    Code.FORKED: "The log's first leaves do not give the root of a checkpoint that is known.",
    Code.ROOT_MISMATCH: "Neither the leaves nor the tiles give the checkpoint's root.",
    Code.TILE_MISSING: "A tile that the checkpoint needs is not there.",
    Code.TILE_MISMATCH: "A tile does not hold the hashes of the leaves.",
    Code.BUNDLE_MISSING: "A bundle of leaves that the checkpoint needs is not there.",
    Code.BUNDLE_MALFORMED: "A bundle is not a sequence of leaves with their lengths.",
    Code.BUNDLE_MISMATCH: "A bundle holds another leaf than the one in the log.",
    Code.LEAF_MALFORMED: "A leaf is not canonical JSON with exactly the fields of its kind.",
    Code.NUMBER_REPEATED: "Two `seen` leaves have one number of one stream.",
    Code.NUMBER_MISSING: "A number below a stream's highest has no `seen` leaf.",
    Code.TOTAL_MISMATCH: "A stream's numbers do not fit the total of its `close`.",
    Code.STREAM_UNOPENED: "A stream has no `open` leaf, over 24 hours after its first event.",
    Code.REF_INVALID: "A leaf refers to something other than an earlier `seen` leaf.",
    Code.STORED_MISMATCH: "A `stored` leaf has another digest than the `seen` leaf it refers to.",
    Code.LEAF_REPEATED: "Two leaves name one object.",
    Code.NEVER_STORED: "What was to be kept has no `stored` leaf after 24 hours, and nothing in"
    " the log says why.",
    Code.OBJECT_MISSING: "An object that a leaf names is not there, and the log does not allow"
    " that.",
    Code.OBJECT_MISMATCH: "An object's bytes are not those whose digest stands in its leaf.",
    Code.RECORD_MALFORMED: "A record is not a canonical document of its format.",
    Code.RECORD_MISMATCH: "A record's stream, number or key does not fit its leaf.",
    Code.MEDIA_MISSING: "An attachment that a record names is not there.",
    Code.MEDIA_MISMATCH: "An attachment's bytes are not those that its record names.",
    Code.MANIFEST_MALFORMED: "A manifest part is not a canonical document of its format.",
    Code.MANIFEST_MISMATCH: "A manifest row says something else than the leaves.",
    Code.ACT_MALFORMED: "An act is not a canonical document of its format.",
    Code.ACT_MISMATCH: "An act says something else than its leaf.",
    Code.ANCHOR_MISMATCH: "An anchor does not prove the checkpoint it is named for.",
    Code.EXTRA_COPY: "An object that no leaf names has the bytes of one that a leaf names.",
    Code.EXTRA: "An object that no leaf names is older than the checkpoint, or is no plain file"
    " with a name in UTF-8.",
    Code.HIDDEN: "A delete marker hides an object that must stand.",
    Code.VERSION_MISMATCH: "A later version of an object has other bytes.",
    Code.RETENTION_MISSING: "The store does not keep an object that its leaf says is kept.",
    Code.RETENTION_SHORTENED: "The store keeps an object for less long than its leaf says.",
    Code.NUMBER_OPEN: "A number has no `seen` leaf yet; it may still come.",
    Code.NUMBER_REPEATED_EXCUSED: "A lost journal and its successor both used a number; an"
    " `open` act says so.",
    Code.STREAM_OPENING: "A stream's `open` leaf is not there yet.",
    Code.UNSTORED: "What is to be kept is not stored yet, or the log says why it never was.",
    Code.UNLOGGED: "An object is newer than the checkpoint; its leaf is not out yet.",
    Code.ABSENT_IN_ORDER: "An object is gone, as the log allows.",
    Code.MEDIA_LEFT: "An attachment still stands whose record is gone in order.",
    Code.MARKER_PAST: "An object was once hidden by a delete marker and stands again.",
    Code.NOT_LOCKED: "Acts, manifest parts or tiles stand without a lock.",
    Code.RETENTION_NOT_ENFORCED: "The store cannot keep retentions; those in the leaves are not"
    " enforced.",
    Code.FOREIGN_SIGNATURE: "The checkpoint also has a signature of a key that was not given.",
    Code.NOT_CHECKED: "A cosignature, timestamp or known checkpoint could not be checked with what"
    " was given or stands there.",
}
"""One sentence for each code, as ``docs/formats.md`` prints them."""
