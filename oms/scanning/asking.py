"""The questions that the texts of a page or a file raise, one for each kind, and the answers to them. No database."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _, gettext_lazy, ngettext

from oms.scanning.kinds import KINDS
from oms.scanning.ranges import Range
from oms.scanning.reading import LEAVE, PROPOSED, TAKE, Asked, Refused, Taken, Verdict

SHOWN = 20
"""How many texts a question names."""
_ROUNDS = 8
"""A list may hold ranges, and a scan may be asked about in several ways: so many answers follow one another."""
ANSWER, ASKED = "answer-", "asked"
_TOO_DEEP = gettext_lazy("“%(text)s” is too much in one: put each serial in a line of its own.")
_LEAVE_OUT = gettext_lazy("Leave them out")


@dataclass(frozen=True, slots=True)
class Entry:
    """A text, where it stands (a line of a document, a row of a file) and the questions answered by "as it is"."""

    text: str
    place: Any = None
    settled: frozenset[str] = frozenset()


Judge = Callable[[Sequence[Entry]], Sequence[Verdict]]


@dataclass(frozen=True, slots=True)
class Given:
    """Answers: the token of a question → what was chosen. A token is made of the texts that it was asked about."""

    answers: Mapping[str, str] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()


def answers_of(data: Any) -> Given:
    """The answers in what a form sent, or in an address. `data` is a QueryDict."""
    names = [name for name in data if name.startswith(ANSWER)]
    answers = {name.removeprefix(ANSWER): data[name] for name in names if data[name] in {TAKE, PROPOSED, LEAVE}}
    return Given(answers, frozenset(data.getlist(ASKED)))


@dataclass
class Question:
    """One kind of question about some texts. `token` names just these texts; `chosen` is empty until it is answered."""

    code: str
    token: str
    words: list[str]
    choices: list[str]
    chosen: str = ""
    was_shown: bool = False

    @property
    def name(self) -> str:
        """The form's field for the answer."""
        return f"{ANSWER}{self.token}"

    @property
    def title(self) -> str:
        """What it is about, with the number of texts."""
        return str(KINDS[self.code].title % {"n": len(self.words)})

    @property
    def options(self) -> list[tuple[str, str, bool]]:
        """(value, label, whether it is chosen) of each answer."""
        labels = {**KINDS[self.code].labels, LEAVE: _LEAVE_OUT}
        return [(choice, str(labels[choice]), choice == self.chosen) for choice in self.choices]

    @property
    def shown(self) -> list[str]:
        """The first texts."""
        return self.words[:SHOWN]

    @property
    def more(self) -> int:
        """How many there are beside them."""
        return max(0, len(self.words) - SHOWN)


def question(code: str, texts: Mapping[str, str], choices: Sequence[str], given: Given) -> Question:
    """One question about `texts`: what each is → the words that name it. Its answer counts for just these."""
    token = _token(code, texts)
    answer = given.answers.get(token, "")
    return Question(
        code, token, list(texts.values()), list(choices), answer if answer in choices else "", token in given.shown
    )


class Inquiry:
    """Texts, judged; what is asked about them; and with all answers, what they mean.

    Args:
        entries: the texts in order.
        judge: says what each of some texts is; called once a round, and there are few rounds.
        given: the answers so far. One to a question about other texts is none.
        most: how many serials fit in all; ranges are never written out beyond.
    """

    def __init__(self, entries: Iterable[Entry], judge: Judge, given: Given, *, most: int) -> None:
        self.given, self.most = given, most
        self.questions: list[Question] = []
        self.refused: list[tuple[Any, Refused]] = []
        self.unanswered: list[tuple[Any, Asked]] = []
        self._written = 0
        items: list[Entry | tuple[Any, Taken]] = list(entries)
        count = len(items)
        for _round in range(_ROUNDS):
            waiting = [item for item in items if isinstance(item, Entry)]
            if not waiting:
                break
            items = self._round(items, dict(zip(map(id, waiting), judge(waiting), strict=True)))
        self.taken = [item for item in items if not isinstance(item, Entry)]
        for item in items:
            if isinstance(item, Entry):  # never left out in silence
                self.refused.append((item.place, Refused(item.text, str(_TOO_DEEP) % {"text": item.text[:80]})))
        if len(self.taken) > max(most, count) and not self.refused:
            self._refuse_many(len(self.taken), self.taken[-1][0])

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to say something."""
        return any(not question.chosen for question in self.questions)

    @property
    def is_unanswered(self) -> bool:
        """Whether a question was shown and came back without an answer."""
        return any(question.was_shown and not question.chosen for question in self.questions)

    def _round(
        self, items: Sequence[Entry | tuple[Any, Taken]], verdicts: Mapping[int, Verdict]
    ) -> list[Entry | tuple[Any, Taken]]:
        asked = [(entry, verdict) for entry in items if isinstance(verdict := verdicts.get(id(entry)), Asked)]
        chosen = self._ask([verdict for _entry, verdict in asked])
        after: list[Entry | tuple[Any, Taken]] = []
        for item in items:
            if not isinstance(item, Entry):
                after.append(item)
                continue
            verdict = verdicts[id(item)]
            if isinstance(verdict, Refused):
                self.refused.append((item.place, verdict))
            elif isinstance(verdict, Taken):
                after.append((item.place, verdict))
            else:
                after.extend(self._answered(item, verdict, chosen.get(verdict.code, "")))
        return after

    def _ask(self, asked: Sequence[Asked]) -> dict[str, str]:
        """Code → the answer to this round's question of the kind, where there is one."""
        by_code: dict[str, list[Asked]] = {}
        for each in asked:
            by_code.setdefault(each.code, []).append(each)
        chosen = {}
        for code, own in by_code.items():
            token = _token(code, (each.typed for each in own))
            offered = list(dict.fromkeys(option.choice for each in own for option in each.options))
            answer = self.given.answers.get(token, "")
            answer = answer if answer in offered else ""
            words = [each.words for each in own]
            self.questions.append(Question(code, token, words, offered, answer, token in self.given.shown))
            chosen[code] = answer
        return chosen

    def _answered(self, entry: Entry, asked: Asked, choice: str) -> Iterator[Entry | tuple[Any, Taken]]:
        """What becomes of a text by an answer; nothing while there is none."""
        option = next((option for option in asked.options if option.choice == choice), None)
        if not choice:
            self.unanswered.append((entry.place, asked))
        if option is None or choice == LEAVE:
            return
        if choice == TAKE:
            yield Entry(entry.text, entry.place, entry.settled | {asked.code})
        elif isinstance(option.texts, Range):
            yield from self._written_out(entry, option.texts)
        elif not option.texts:  # the text itself, read as proposed
            yield Entry(entry.text, entry.place, entry.settled | {f"{asked.code}:{PROPOSED}"})
        else:
            yield from (Entry(text, entry.place) for text in option.texts)

    def _written_out(self, entry: Entry, found: Range) -> Iterator[tuple[Any, Taken]]:
        if found.fault:
            self.refused.append((entry.place, Refused(found.text, found.fault)))
            return
        if self._written + found.count > self.most:
            self._refuse_many(self._written + found.count, entry.place)
            return
        self._written += found.count
        yield from ((entry.place, Taken(serial, serial)) for serial in found.serials())

    def _refuse_many(self, total: int, place: Any) -> None:
        words = _("With its ranges and lists this is %(total)s serials, but %(most)s fit.")
        self.refused.append((place, Refused("", words % {"total": f"{total:,}", "most": f"{self.most:,}"})))


def looks_like(asked: Asked) -> str:
    """What a text looks like, in words that go on with "it looks like"."""
    return str(KINDS[asked.code].what)


def _token(code: str, texts: Iterable[str]) -> str:
    """What tells these texts from others: a person's answer is about what they were shown."""
    said = "\n".join((code, *texts))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]


def refused_words(refused: Sequence[Refused], shown: int = SHOWN) -> list[str]:
    """What is wrong with some texts, the first of them, each said once."""
    words = list(dict.fromkeys(each.words for each in refused))
    more = len(words) - shown
    if more > 0:
        said = ngettext("%(count)s more of them.", "%(count)s more of them.", more)
        return [*words[:shown], said % {"count": f"{more:,}"}]
    return words
