"""Welsh. The commands are the same words in every language."""

from __future__ import annotations

from bridge.answers.words import Answers
from bridge.model import GroupState, NoticeState, Outcome

ANSWERS = Answers(
    keep="Bydd y neges honno'n cael ei chadw fel cofnod.",
    kept_already="Mae'r neges honno eisoes yn cael ei chadw fel cofnod.",
    held_apart=(
        "Mae'r neges honno'n cael ei chadw ar wahân nes i'r sawl sy'n gyfrifol am hynny benderfynu"
        " yn ei chylch."
    ),
    reply_to_one="Atebwch y neges dan sylw gyda !record {word}.",
    not_held=(
        "Nid yw'r neges honno gennyf: fe'i hanfonwyd cyn i mi ymuno, neu ni chafodd ei chadw ac mae"
        " wedi'i dinistrio erbyn hyn."
    ),
    not_decided="Nid oes penderfyniad eto ynghylch y neges honno.",
    outcomes={
        Outcome.CAPTURE: "Mae'r neges honno'n cael ei chadw fel cofnod.",
        Outcome.REVIEW: "Mae'r neges honno'n cael ei chadw nes i berson ei hadolygu.",
        Outcome.DISCARD: (
            "Nid yw'r neges honno'n cael ei chadw fel cofnod; bydd yn cael ei dinistrio."
        ),
    },
    why="{outcome} Pam:\n{reasons}\n{by}",
    no_reason="- nid oes rheswm wedi'i nodi",
    decided_by="Penderfynwyd o dan y polisi {policy}.",
    states={
        GroupState.PROPOSED: "wedi'i gynnig",
        GroupState.APPROVED: "wedi'i gymeradwyo",
        GroupState.ACTIVE: "yn digwydd",
        GroupState.NOT_RECORDING: "ddim yn digwydd",
        GroupState.PAUSED: "wedi'i oedi",
        GroupState.REMOVED: "ddim yn digwydd, am fod y cofnodwr wedi'i dynnu o'r grŵp",
        GroupState.CLOSED: "wedi dod i ben",
    },
    notices={
        NoticeState.DUE: "heb ei bostio eto",
        NoticeState.POSTED: "wedi'i bostio",
        NoticeState.REFUSED: "gwrthodwyd ei bostio",
    },
    status=(
        "Cofnodi: {state}. Hysbysiad: {notice}. Negeseuon a digwyddiadau a welwyd yma: {seen}. O'r"
        " rhain, yn cael eu cadw: {captured}; yn cael eu cadw nes eu hadolygu: {review}; heb eu"
        " cadw: {discarded}; heb benderfyniad eto: {undecided}. Wedi'u storio: {stored}. Bylchau"
        " hysbys: {gaps}."
    ),
    help=(
        "Yr hyn y gallwch ei ofyn i'r cofnodwr:\n"
        "!record keep, fel ateb: cadw'r neges honno fel cofnod (lle mae adwaith 📌 ar gael, mae'n"
        " gwneud yr un peth)\n"
        "!record why, fel ateb: pam mae'r neges honno'n cael ei chadw neu beidio\n"
        "!record status: yr hyn a gofnodwyd yma\n"
        "!record help: y testun hwn\n"
        "Nid oes modd tynnu dim oddi ar y cofnod o'r fan hon."
    ),
)
