"""Welsh. Names stand where nothing mutates them: after a colon, or as the subject."""

from __future__ import annotations

from bridge.notices.words import Sentences, Words, parted

_UNITS = {"day": "diwrnod", "hour": "awr", "minute": "munud", "second": "eiliad"}
_TWO = {"day": "ddiwrnod", "minute": "funud"}


def _days(count: int) -> str:
    return _counted(count, "day")


def _length(seconds: float) -> str:
    return _counted(*parted(seconds))


def _counted(count: int, unit: str) -> str:
    """A number with its noun, which is singular, and softened after two."""
    noun = _TWO.get(unit, _UNITS[unit]) if count == 2 else _UNITS[unit]
    return f"{count} {noun}"


WORDS = Words(
    template="""\
Mae'r grŵp hwn yn cael ei gofnodi. Mae Muniment, cofnodwr sy'n cael ei gyhoeddi'n agored, \
wedi'i ychwanegu at ${group}. Y corff cyfrifol: ${department}.

Beth sy'n cael ei gadw: mae'r cofnodwr yn darllen pob neges a anfonir yma tra bydd yn aelod. \
${kept} Nid yw golygu na dileu neges yma yn dileu'r copi a gofnodwyd, ac nid yw amserydd \
negeseuon sy'n diflannu yn effeithio arno. ${timer}

Eich hawliau: cewch ofyn pa wybodaeth a gedwir amdanoch, a chewch wrthwynebu cael eich cofnodi. \
Cwestiynau neu wrthwynebiadau: ${contact}. I weld beth y gallwch ei ofyn i'r cofnodwr, anfonwch: \
!record help""",
    department="yr adran sy'n gyfrifol am y grŵp hwn",
    group="y grŵp hwn",
    group_named="y grŵp “{name}”",
    contact="gofynnwch i berchennog y grŵp hwn",
    contact_owner="gofynnwch i berchennog y grŵp hwn ({owner})",
    retention="am {days}",
    retention_open="am gyhyd ag y mae ei rheolau'n gofyn",
    days=_days,
    kept_some=(
        "Mae negeseuon sy'n fusnes swyddogol o bwys o dan y polisi {policy} yn cael eu cadw yng"
        " nghofnodion yr adran, gyda'u hamser, eu hanfonwr a'u hatodiadau, {retention}. Os oes"
        " amheuaeth, person sy'n penderfynu. Mae popeth arall yn cael ei ddinistrio ar ôl"
        " {discard_days}."
    ),
    kept_all=(
        "Mae pob neges yn cael ei chadw yng nghofnodion yr adran, gyda'i hamser, ei hanfonwr a'i"
        " hatodiadau, {retention}."
    ),
    overrides={
        "capture": "Yn y grŵp hwn mae'r rhain yn cael eu cadw bob tro: {codes}.",
        "review": "Yn y grŵp hwn person sy'n penderfynu am y rhain: {codes}.",
        "discard": "Yn y grŵp hwn nid yw'r rhain yn cael eu cadw: {codes}.",
    },
    timer="Mae amserydd y grŵp hwn wedi'i osod i {length}.",
    no_timer="Nid oes amserydd o'r fath wedi'i osod yn y grŵp hwn.",
    length=_length,
)

SENTENCES = Sentences(
    moment="{hour:02}:{minute:02} UTC ar {day} {month} {year}",
    months=(
        "Ionawr",
        "Chwefror",
        "Mawrth",
        "Ebrill",
        "Mai",
        "Mehefin",
        "Gorffennaf",
        "Awst",
        "Medi",
        "Hydref",
        "Tachwedd",
        "Rhagfyr",
    ),
    paused="Mae cofnodi'r grŵp hwn wedi'i oedi ers {at}.",
    resumed="Ailddechreuwyd cofnodi'r grŵp hwn am {at}.",
    interrupted=(
        "Amharwyd ar gofnodi'r grŵp hwn, ar y mwyaf rhwng yr amserau hyn: {since}; {until}."
        " Darllenwyd negeseuon a anfonwyd yn y cyfnod hwnnw wedyn, lle'r oedd y platfform yn dal"
        " i'w cadw; gall rhai a oedd eisoes wedi diflannu neu wedi'u dileu fod ar goll o'r cofnod."
    ),
    degraded=(
        "Nid yw cofnodi'r grŵp hwn yn gweithio'n llawn: mae lle'r cofnodwr ar gyfer atodiadau yn"
        " {percent} % llawn. Mae negeseuon testun yn dal i gael eu cofnodi; efallai y bydd"
        " atodiadau'n cael eu casglu'n hwyr, neu ddim o gwbl os nad ydynt ar y platfform mwyach"
        " erbyn hynny."
    ),
    recovered=(
        "Mae gan y cofnodwr le ar gyfer atodiadau eto; byddant yn cael eu cofnodi fel o'r blaen o"
        " hyn ymlaen."
    ),
    newcomers=(
        "I'r rhai a ymunodd yn ddiweddar: mae'r grŵp hwn yn cael ei gofnodi. Mae hysbysiad y"
        " cofnodwr, {at}, yn dweud beth sy'n cael ei gadw ac am ba hyd; mae wedi'i binio lle mae'r"
        " grŵp yn caniatáu hynny. Cwestiynau neu wrthwynebiadau: {contact}. I weld beth y gallwch"
        " ei ofyn i'r cofnodwr, anfonwch: !record help"
    ),
)
