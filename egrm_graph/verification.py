"""The output of a run, and the values that it consists of: plain dicts, the same in Python, in JSON, and over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

Route = Literal["direct", "reasoned"]
Status = Literal["ok", "degraded", "abstained"]
Structure = Literal["plain", "breadth", "depth"]
"""How a judgment of candidates is built: in breadth, by many principles; in depth, from a solution of the task."""


class Message(TypedDict):
    """One chat message as servers take it."""

    role: str
    content: str


class Judged(TypedDict):
    """The candidates to judge. All lists except `items` have one entry for each candidate, in the order given."""

    texts: list[str]
    """Each candidate as the model sees it; empty if the model cannot see it."""
    unfit: list[str | None]
    """Why the model cannot see it."""
    same_as: list[int]
    """The candidate that represents all that are equal to it: usually itself."""
    calls: list[list[str]]
    """The names of the tools that it calls."""
    items: list[int]
    """The candidates that are judged, in an order that does not depend on the one given."""
    conversation: list[tuple[str, str]]
    """Who said what."""
    tools: str | None
    """The tools' schemas, as JSON."""
    rubric: str | None
    code: str
    """Marks fences and verdicts; no candidate contains it."""


class Subject(TypedDict):
    """What a task makes of a run's input."""

    question: str
    history: list[Message]
    reference: str | None
    key: str
    """Equal for equal subjects, in whatever order the candidates were given; seeds follow from it."""
    judged: Judged | None


class Asked(Subject):
    """The subject, and what the run started with."""

    run_id: str
    started_at: float
    """Seconds since the epoch."""


class View(TypedDict):
    """One way to show a subject to the model: for candidates, one order of them."""

    variables: dict[str, Any]
    """Fills in the prompt."""
    samples: int
    """How many answers are drawn in this view."""
    history: list[Message]
    labels: list[str]
    """What the model may say, if that is a closed set."""
    outcomes: list[str]
    """What each label means in the output."""
    order: list[str]
    """The candidates in the order in which they appear."""
    label_alone: bool
    """Whether a fast answer starts with its label, so that the next token's probabilities are those of the labels."""
    code: str
    """What a reasoned verdict has to be signed with."""


def view_of(
    variables: Mapping[str, Any],
    samples: int,
    *,
    history: Sequence[Message] = (),
    labels: Sequence[str] = (),
    outcomes: Sequence[str] = (),
    order: Sequence[str] = (),
    label_alone: bool = False,
    code: str = "",
) -> View:
    """A view; what is left out does not apply to the task."""
    return View(
        variables=dict(variables),
        samples=samples,
        history=list(history),
        labels=list(labels),
        outcomes=list(outcomes),
        order=list(order),
        label_alone=label_alone,
        code=code,
    )


class Usage(TypedDict):
    """What was spent. `cancelled_tokens` were generated for samples that were then canceled; they are part of
    `completion_tokens`. `cached_tokens` are the part of `prompt_tokens` that was in the server's prefix cache."""

    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cancelled_tokens: int


class Sample(TypedDict):
    """One fast answer. `answer` is None if none could be read; `error` says why the sample itself is missing."""

    text: str | None
    thinking: str | None
    """What a thinking model thought, if the server returns it separately."""
    answer: str | None
    n_tokens: int | None
    logprobs: list[float] | None
    """The log-probability (nats) of each chosen token, -9999 for log 0; None if not requested, or not given."""
    top_logprobs: list[list[float]] | None
    """For each position, the log-probabilities of the most likely tokens, the largest first; None in the same cases."""
    finish_reason: str | None
    seed: int
    request_id: str
    order: list[str]
    """The candidates in the order in which they appeared; empty without candidates."""
    error: str | None


class Reading(TypedDict):
    """One order of the candidates, and the probabilities that the model gave their labels as its next token."""

    order: list[str]
    probabilities: dict[str, float] | None
    """By outcome, adding up to one; None if the reading was lost."""
    mass: float | None
    """The share of all probability that was on the labels, in [0, 1], before normalization."""
    samples: int
    """How many fast answers it represents."""
    request_id: str
    error: str | None


class PathStep(TypedDict):
    """A step of a path, with its score in [0, 1]."""

    end: int
    """How many characters of what the model wrote, its thinking included, there are up to the step's end."""
    score: float


class Token(TypedDict):
    """A token that a model may write next."""

    id: int
    """In a record without texts, a number that tells the tokens at one place apart: 0 for the one taken."""
    text: str
    """Empty in a record without texts."""
    logprob: float
    """Its log-probability (nats)."""


class Anchor(TypedDict):
    """A token of a path at which the model was unsure. A step ends before it, and the path may branch there."""

    at: int
    """How many tokens of the path come before it."""
    end: int
    """How many characters of the path's text come before it."""
    entropy: float
    """The entropy of the model's next token (nats): the lower bound if only the likeliest tokens are known."""
    entropy_most: float
    """The upper bound; equal to `entropy` if all tokens are known."""
    taken: Token
    others: list[Token]
    """The likeliest other tokens, the likeliest first."""


class Branch(TypedDict):
    """Where a path belongs in an entropy tree."""

    parent: int | None
    """The index in `paths` of the path that it branches from; None for a path that starts a tree."""
    at: int
    """How many of its first tokens it shares with its parent. The next one is where it differs."""
    anchors: list[Anchor]
    """Where the model was unsure, after the shared tokens."""
    shared_ends: list[int]
    """The places of the anchors before those, in characters of the path's text. The last one is where it branches."""
    token_ids: list[int]
    """Its tokens, the shared ones included."""


class JudgmentUnit(TypedDict):
    """What a judge found under one principle."""

    principle: str
    rule: str
    """What the principle asks of a candidate."""
    judgment: str
    """How the candidates meet it. In a record without texts, this and the two before it are empty."""
    sub_verdict: str
    """The outcome that this principle favors, or `MIXED`."""


class PathJudgment(TypedDict):
    """What a path on candidates consists of. Its verdict is the path's answer."""

    structure: Structure
    """`depth` if the task was solved first; `breadth` if there are at least four principles; else `plain`."""
    solution: str | None
    """The solution that the candidates were judged against. A record without texts does not have it."""
    units: list[JudgmentUnit]
    lost: list[str]
    """Why each part that could not be read is missing from the units."""
    consistent: bool | None
    """Whether the majority of the sub-verdicts is the verdict; None if there is no majority or no verdict."""


class Path(Sample):
    """One reasoning path, with its score in [0, 1], or None and the reason."""

    score: float | None
    unscored: str | None
    steps: NotRequired[list[PathStep] | None]
    """The score of each step, if steps are scored. Records of earlier versions do not have this field, or the next
    two."""
    branch: NotRequired[Branch | None]
    """Where it belongs in its tree; None for a path of no tree."""
    judgment: NotRequired[PathJudgment | None]
    """What it consists of, if it judges candidates; None without candidates, and for a lost path."""


class Vote(TypedDict):
    """One class of equivalent answers, written like its first member, and how many voted for it."""

    answer: str
    count: float
    """A whole number if answers were drawn; the expected number of `samples` if probabilities were read."""


class Uncertainty(TypedDict):
    """What the gate saw. `value` is in the units of the measure, and None if nothing could be measured. `samples` is
    the denominator, including lost and unreadable votes. If drawing stopped early, it is less than `planned`: votes
    that were not drawn are not lost."""

    measure: str
    value: float | None
    threshold: float
    votes: list[Vote]
    samples: int
    planned: int
    """The number of fast answers if drawing does not stop early (M)."""
    orders_agree: bool | None
    """Whether every order of the candidates has the same winner; None without two orders to compare."""
    contested: list[str]
    """The candidates that are, or would be, reasoned about; empty without candidates."""


class Verification(TypedDict):
    """The verdict of a run, and everything that led to it."""

    run_id: str
    status: Status
    route: Route
    answer: str | None
    """For candidates: the winner's name (`A` is the first one passed in), `tie`, or the grade."""
    best_guess: str | None
    """The answer that was withheld because its confidence is too low; None if nothing was withheld. Records of earlier
    versions do not have this field."""
    correct: bool | None
    """Whether the answer is equivalent to the reference; None without a reference or an answer, and for candidates."""
    winner: int | None
    """The index of the winning candidate; None for a tie, and without candidates."""
    best_path: int | None
    """The index in `paths` of the path that decided, also for a best guess; None if votes decided."""
    rewards: list[float | None] | None
    """For each candidate, the estimated probability that it is the best, or that it meets the rubric; None if it was
    not judged. None if no candidates were passed in."""
    unrewarded: list[str | None] | None
    """Why a candidate has no reward."""
    tie: float | None
    """The estimated probability of a tie, if the model may call one."""
    confidence: float | None
    """With a calibration, the estimated probability that the answer is right. Without one, on the direct route: the
    share of the votes, which is not calibrated; on the reasoned route: the winner's score or, without scores, the share
    of the paths. For candidates, the winner's reward. If the answer was withheld, the confidence in the best guess."""
    calibrated: bool | None
    """Whether `confidence` is a probability fitted on labeled data: by the calibration, or by a calibrated scorer. A
    share of votes or of evidence is not, so a candidate's reward is not either. None without a calibration and without
    scored paths."""
    uncertainty: Uncertainty
    samples: list[Sample]
    readings: list[Reading]
    paths: list[Path]
    reasons: list[str]
    """What was lost on the way, and why the answer was chosen, as text."""
    reason_codes: NotRequired[list[str]]
    """The code of each reason, a value of `ReasonCode`. Records of earlier versions do not have this field."""
    usage: Usage
    timing_ms: dict[str, float]
