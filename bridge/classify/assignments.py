"""Whether a text gives somebody a piece of work, by its form alone.

Minutes say it in two ways, whoever the person and whatever the subject: "Name to do something",
and the bare order "Do something". Which words are names is never known; which are not is.
"""

from __future__ import annotations

from collections.abc import Sequence

_WITHIN = 8
"""How far into a text the first "to" is looked for."""

_NAME = "<name>"

_WORK = """
    add address agree amend analyse analyze announce answer apply approach appoint arrange ask
    assess assign assist attend book brief bring build call cancel change chase check circulate
    clarify clean clear close collate collect compare compile complete confirm consider consult
    contact convene coordinate copy correct create decide define delete deliver describe design
    develop discuss distribute document draft edit email ensure escalate establish explain explore
    extend file finalise finalize find finish fix follow forward gather give identify implement
    include inform investigate invite issue join keep lead liaise list look make merge meet modify
    monitor move notify obtain open organise organize outline ping plan post prepare present produce
    propose provide publish pull push put raise record refer release remove rename reopen reply
    report request research resolve respond review revise rewrite schedule seek send set share sign
    speak submit suggest summarise summarize take talk tell test tidy track transfer update upload
    verify work write
"""

_COMMON = """
    i you he she it they we me him her us them this that these those there is are was were be been
    am i'm i've i'd i'll we're we've we'll you're have has had do does did can could would should
    will shall may might must need needs want wants wanted like likes try trying tried going go goes
    gone come comes how what when where who why which if because as so but or not no yes ok okay hi
    hello thanks thank please sorry right true able ready happy glad good great nice hard easy
    possible up due back according similar related agreed used use way just seems seem sounds looks
    time also only then than for of in on at from with by about into here hope don't it's that's
    what's let's lets plus reason reasons chance
"""

_DEEDS = frozenset(_WORK.split())
_NO_NAMES = frozenset(_COMMON.split())


def assigns(words: Sequence[str]) -> bool:
    """Whether the words of a text have the form of a task that is given. A question has not."""
    if not words or words[-1] == "?":
        return False
    if words[0] in _DEEDS:
        return len(words) > 1 and words[1] != "to"
    for at, word in enumerate(words[:_WITHIN]):
        if word == "to":
            return at > 0 and at + 1 < len(words) and words[at + 1] in _DEEDS
        if word in _NO_NAMES or not (word[0].isalpha() or word == _NAME):
            return False
    return False
