"""All settings, in two classes: what a run may override, and what is fixed when the graph is built."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from egrm_graph.errors import SettingsError

BUNDLED_MODEL = "egrm-tiny"
BUNDLED_JUDGE = f"{BUNDLED_MODEL}-judge"
BUNDLED_MIXED_JUDGE = f"{BUNDLED_MODEL}-mixed-judge"
BUNDLED_SCORER = f"{BUNDLED_MODEL}-scorer"
BUNDLED_TREE_SCORER = f"{BUNDLED_MODEL}-process-scorer"
BUNDLED_MODELS = (BUNDLED_MODEL, BUNDLED_JUDGE, BUNDLED_MIXED_JUDGE)
"""The bundled language models."""

MIN_CONFIDENCE = 0.3
"""Chosen by measurement; see the docs on calibration."""
PATHS = 4
"""The number of paths if all are drawn, as published."""
MOST_PATHS = 8
"""The maximum number of paths if drawing may stop early. Chosen by measurement; see the docs on methods."""

Engine = Literal["auto", "embedded", "vllm", "openai", "chat_model"]
Thinking = Literal["off", "on", "default"]
ReplyForm = Literal["continued", "structured", "free"]
"""How a reply is kept short: the model continues a turn that the prompt started, the server allows only replies of a
certain form, or the prompt alone asks for it."""
TaskName = str
"""The name of a built-in task, or of one passed to `build_graph`."""
Selection = str
"""The name of a selection rule."""
Stopping = str
"""The name of a stopping rule."""
Bundled = Literal["", "sums", "digits"]
"""What a bundled model reads: sums, or the digits and sums of the mixed judge. Empty for every other model."""
TASKS_OF: Mapping[Bundled, TaskName] = MappingProxyType({"": "answer", "sums": "arithmetic", "digits": "pairwise"})
"""The task of each kind of model, if the settings name none."""
Aggregated = Literal["auto", "product", "minimum", "mean", "last", "merged"]
Preset = Literal["default", "published"]
PUBLISHED: Mapping[str, Any] = MappingProxyType(
    {"samples": 5, "measure": "consensus", "threshold": 0.8, "paths": PATHS, "path_stopping": "all"}
)
"""The published setting of E-GRM, whatever the defaults are."""
ToolVotes = Literal["whole", "name", "arguments", "hierarchical"]


class RunSettings(BaseModel):
    """What one run may override, through the graph's context or `configurable["egrm"]`.

    As a context, only the fields that were set count; the others keep the values that the graph was built with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    samples: int = Field(default=5, ge=1, le=1024)
    """Number of fast answers (M). The published setting is 5."""
    stopping: Stopping = "decided"
    """When drawing fast answers stops early: `decided`, once the rest could change neither the route nor a direct
    answer; `beta`, `windows`, `sequential`: by a test of the votes, which may change them; `all`: never; or a rule
    passed to `build_graph`."""
    waves: int = Field(default=2, ge=1)
    """Maximum number of waves of fast answers. Drawing may stop between waves; each wave costs a round trip."""
    single_requests: bool = False
    """Whether each fast answer is a request of its own, canceled as soon as the ones before it are enough. Otherwise a
    wave is one request, with one prefill."""
    speculate: bool = False
    """Whether paths start before the gate decides, if the first wave of fast answers was not enough. They are canceled
    if the answers converge. Not for candidates, nor with `max_completion_tokens`."""
    measure: str = "consensus"
    """How convergence is measured: `consensus`, another built-in measure, or one passed to `build_graph`."""
    threshold: float | None = None
    """Where the gate opens, in the units of the measure. None takes the measure's own threshold; some have none.
    For `consensus` it is 0.9 on a question, so that all five answers have to agree, and the published 0.8 on
    candidates."""
    top_logprobs: int = Field(default=20, ge=1, le=1024)
    """How many of the most likely tokens to request at each position, if the measure needs their log-probabilities.
    vLLM allows 20 unless it is started with a larger `--max-logprobs`."""
    strategy: str = "plain"
    """How reasoning paths are drawn: `plain`, independent paths; `entropy_tree`, paths that branch where the model is
    unsure; `divergent`, several paths in one completion, by a model that follows instructions; for candidates, also
    `breadth`, judgments by many principles, `depth`, judgments against a solution, and `mixed`, the one that fits; or a
    strategy passed to `build_graph`."""
    principles: int = Field(default=5, ge=1, le=20)
    """How many principles a judgment in breadth is asked for. One in depth is asked for at most three."""
    mixed_by: Literal["model", "label", "task"] = "model"
    """Who chooses the structure of judgments for `strategy="mixed"`: the `model`, in each judgment; its `label`, one
    short reply on whether there is one verifiably right answer, for all judgments of a question; or the `task`: depth
    for `tool_calls` and with a reference, otherwise breadth."""
    anchor_entropy: float = Field(default=0.2, ge=0)
    """Where an entropy tree may branch: at tokens whose entropy is above this, in nats. The published threshold is 1.0,
    for a vocabulary of 150,000 tokens; a small one has less entropy."""
    anchor_quantile: float | None = Field(default=None, ge=0, lt=1)
    """If set, an anchor's entropy also has to be above that of this share of its path's tokens."""
    anchor_alternatives: int = Field(default=1, ge=1, le=4)
    """How many other tokens an entropy tree may try at an anchor, the likeliest first."""
    anchor_exempt: tuple[str, ...] = ()
    """Tokens that are never anchors, such as punctuation, without the white space around them."""
    anchor_pattern: str | None = None
    r"""If set, only tokens whose text this regular expression finds are anchors: with `[-+*/=\d]`, those of a
    calculation."""
    anchor_order: Literal["entropy", "first", "probability", "score"] = "entropy"
    """Which branch of an entropy tree is drawn next: at the anchor with the largest `entropy`, at the `first` one, the
    branch with the largest `probability`, or, as a best-first search, after the steps with the best `score`."""
    prune_below: float | None = Field(default=None, ge=0, le=1)
    """An entropy tree does not branch after a step with a score below this. The published value is 0.2. None: it
    branches everywhere."""
    branch_temperature: float = Field(default=0.0, ge=0, le=2)
    """Sampling temperature inside the branches of an entropy tree, instead of `path_temperature`. 0 decodes greedily,
    as published."""
    paths: int | None = Field(default=None, ge=1, le=256)
    """Maximum number of reasoning paths if the fast answers do not converge. None: 8 if drawing may stop early, and
    otherwise 4."""
    path_stopping: Stopping = "auto"
    """When drawing paths stops early: `posterior`, once an answer is right with a probability of `path_confidence`, by
    calibrated scores; `beta`, `windows`, `sequential`: by a test of the votes of the paths; `all`, never, and all are
    drawn at once; `auto`, `posterior` if the scorer is calibrated, and otherwise `all`; or a rule passed to
    `build_graph`. For candidates, and for `strategy="divergent"`, `auto` is `all`."""
    path_confidence: float = Field(default=0.95, gt=0, lt=1)
    """The probability at which `path_stopping="posterior"` stops."""
    first_paths: int = Field(default=1, ge=1)
    """Number of paths in the first wave, unless `path_stopping` is `all`. For candidates, a wave has as many paths in
    each order, so it may be larger."""
    later_paths: int = Field(default=1, ge=1)
    """Number of paths in each later wave. Each wave costs a round trip."""
    selection: Selection = "weighted_vote"
    """How scored paths decide: `weighted_vote`, the answer whose paths have the largest sum of scores; `best_score`;
    `majority_best`, the best-scored path of the most frequent answer; or a rule passed to `build_graph`."""
    leaf_prior: float = Field(default=0.2, ge=0, le=1)
    """How much the probability of an entropy tree's leaf counts next to its score, when the scored paths decide: the
    score is multiplied by the leaf's share of the tree's probability to this power. 0: only the score counts."""
    steps: str = "auto"
    """Where the steps of paths end that the scorer scores: `lines`, `sentences`, or a regular expression that matches
    the end of a step, such as `;`. In an entropy tree, also `anchors`, where the model was unsure. Thinking counts.
    `none` scores only full paths; `auto`, the steps that the scorer was trained on, if any. An
    encoder reads a text for each step, which costs more."""
    aggregation: Aggregated = "auto"
    """How the scores of a path's steps become its score: their `product`, `minimum`, or `mean`, the `last` one, or
    `merged`, the minimum over pairs of adjacent steps, where a pair has the better score of the two. `auto` is what the
    scorer names, otherwise `product`. Only what the scorer was calibrated for is a probability."""
    min_confidence: float | None = Field(default=MIN_CONFIDENCE, ge=0, le=1)
    """The lowest calibrated confidence at which the run gives an answer. Below it the run abstains, and the answer is
    only its `best_guess`. Does not apply to a confidence that is not calibrated, such as a share of votes. None
    withholds nothing, except what the `calibration` does."""
    seed: int = Field(default=0, ge=0)
    """Every sample gets its own seed, derived from this one."""

    stop: tuple[str, ...] | None = None
    """Texts before which generation stops. None: if the model continues its prompt (`endpoint="completions"`), the
    texts that the prompts name, so that the model does not continue with a next question; otherwise none."""
    fast_temperature: float = Field(default=1.0, ge=0, le=2)
    """Sampling temperature of fast answers. 0 with more than one sample would count one vote many times."""
    fast_top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus sampling of fast answers: the probability mass to sample from."""
    fast_top_k: int | None = Field(default=None, ge=0)
    """Samples fast answers from the k most likely tokens; 0 or None for all. The defaults in a served model's
    `generation_config.json` do not apply, here or below."""
    fast_min_p: float | None = Field(default=None, ge=0, le=1)
    """Samples fast answers from tokens with at least this fraction of the top token's probability; 0 or None for
    all."""
    fast_repetition_penalty: float | None = Field(default=None, gt=0, le=2)
    """A value above 1 makes tokens of the prompt and the text less likely; 1 or None for no penalty."""
    fast_presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens of the text less likely, however often they occur; 0 or None for no penalty."""
    fast_frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens of the text less likely each time they occur; 0 or None for no penalty."""
    fast_max_tokens: int = Field(default=64, ge=1)
    """Maximum completion tokens of one fast answer. A fast answer that is cut has no answer."""
    fast_thinking: Thinking = "off"
    """Whether a thinking model thinks before a fast answer; `default` leaves it to the model."""
    fast_reply: Literal["auto", "continued", "structured", "free"] = "auto"
    """How a fast answer is kept short. `continued`: the prompt starts the reply, such as with `\\boxed{`, and the model
    continues it; where the server can, it ends with the answer. `structured`: the server allows only replies of one
    form, such as a box or a label. `free`: only the prompt asks for a short answer. `auto`: the first of these that the
    client and the prompt support; if `fast_thinking` is not `off`, always `free`."""
    path_temperature: float = Field(default=1.0, ge=0, le=2)
    """Sampling temperature of reasoning paths."""
    path_top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus sampling of reasoning paths: the probability mass to sample from."""
    path_top_k: int | None = Field(default=None, ge=0)
    """Samples paths from the k most likely tokens; 0 or None for all. The defaults in a served model's
    `generation_config.json` do not apply, here or below."""
    path_min_p: float | None = Field(default=None, ge=0, le=1)
    """Samples paths from tokens with at least this fraction of the top token's probability; 0 or None for all."""
    path_repetition_penalty: float | None = Field(default=None, gt=0, le=2)
    """A value above 1 makes tokens of the prompt and the text less likely; 1 or None for no penalty."""
    path_presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens of the text less likely, however often they occur; 0 or None for no penalty."""
    path_frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens of the text less likely each time they occur; 0 or None for no penalty."""
    path_max_tokens: int = Field(default=2048, ge=1)
    """Maximum completion tokens of one path. A path that is cut has no answer. A completion with several paths may have
    as many for each."""
    path_reply: Literal["free", "structured"] = "free"
    """How a judgment by principles gets its form. `structured`: the server allows only signed units and a signed
    verdict. Small models need that. `free`: only the prompt asks for the form. Reasoning without principles is always
    free, and so are answers to questions."""
    path_thinking: Thinking = "default"
    """Whether a thinking model thinks in its paths; `default` leaves it to the model."""
    path_thinking_tokens: int | None = Field(default=None, ge=1)
    """Maximum thinking tokens of one path, if the server can limit them; None for no limit."""

    label_probabilities: Literal["auto", "always", "never"] = "auto"
    """Whether fast verdicts on candidates are read from the model's probabilities, at one token for each order, instead
    of samples. `auto` does so if the client gives them and each label is one token."""
    min_label_mass: float = Field(default=0.5, ge=0, le=1)
    """The share of all probability that has to be on the labels; a reading with less does not count."""
    contested_share: float = Field(default=0.95, gt=0, le=1)
    """Candidates are reasoned about, the likeliest first, until together they hold this share of the fast verdicts;
    always at least two."""
    tool_votes: ToolVotes = "whole"
    """What makes two tool calls the same vote: the `whole` call, its `name`, or its `arguments`. `hierarchical` votes
    on the name first and then on the call."""
    ignored_arguments: tuple[str, ...] = ()
    """Arguments of tool calls that do not count when calls are compared."""
    lowest_grade: int = Field(default=1, ge=0, le=99)
    """The lowest grade of the task `pointwise`."""
    highest_grade: int = Field(default=5, ge=1, le=100)
    """The highest grade of the task `pointwise`."""

    deadline_s: float | None = Field(default=None, gt=0)
    """Seconds for the run. At the deadline, what still runs is canceled and the best known answer is given."""
    max_completion_tokens: int | None = Field(default=None, ge=1)
    """Completion tokens for the run. Once they are spent, what still runs is canceled."""

    @model_validator(mode="before")
    @classmethod
    def _names(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in given:
                if name not in cls.model_fields:
                    raise ValueError(unknown_name(str(name), list(cls.model_fields)))
        return given

    @model_validator(mode="after")
    def _scale(self) -> Self:
        if self.lowest_grade >= self.highest_grade:
            raise ValueError(
                f"lowest_grade={self.lowest_grade} is not below highest_grade={self.highest_grade}; "
                "set a lower lowest_grade or a higher highest_grade"
            )
        return self

    @field_validator("anchor_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"this is not a regular expression: {error}") from error
        return pattern

    @field_validator("stop")
    @classmethod
    def _says_something(cls, stop: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if stop is not None and "" in stop:
            raise ValueError("an empty text matches everywhere; leave it out, or set () to stop nowhere")
        return stop

    @model_validator(mode="after")
    def _independent(self) -> Self:
        for stage, count in (("fast", self.samples), ("path", self.paths)):
            name = "samples" if stage == "fast" else "paths"
            for option, greedy, side in (("temperature", 0, "above"), ("top_k", 1, "above"), ("min_p", 1, "below")):
                if count != 1 and getattr(self, f"{stage}_{option}") == greedy:
                    counted = "several paths" if count is None else f"{name}={count}"
                    times = "several times" if count is None else f"{count} times"
                    raise ValueError(
                        f"{stage}_{option}={greedy} decodes the same text every time, so {counted} would count "
                        f"one vote {times}; set {stage}_{option} {side} {greedy}, or {name}=1"
                    )
        return self

    def overridden(self, changes: RunSettings | dict[str, Any]) -> Self:
        """These settings with `changes` applied; of a RunSettings, only the fields that were set."""
        if isinstance(changes, RunSettings):
            changes = {name: getattr(changes, name) for name in changes.model_fields_set}
        for name in changes:
            if name not in RunSettings.model_fields:
                raise SettingsError(unknown_name(str(name), list(RunSettings.model_fields)))
        try:
            return type(self)(**{**dict(self), **changes}) if changes else self
        except ValidationError as error:
            raise SettingsError(explain(error)) from error


class Settings(RunSettings):
    """What the graph is built with: the settings of its runs, and what is fixed from then on, such as the models."""

    preset: Preset = "default"
    """Where settings that are not given come from: `default`, their defaults; `published`, the published setting of
    E-GRM: `samples=5`, `measure="consensus"`, `threshold=0.8`, `paths=4`, `path_stopping="all"`."""
    engine: Engine = "auto"
    """Where the language model runs: `embedded`, in this process; `vllm`, behind a vLLM server; `openai`, behind any
    other server with an OpenAI-style API; or `chat_model`, a LangChain chat model. `auto` is `openai` if `base_url` is
    set, or else `embedded`."""
    model: str = BUNDLED_MODEL
    """The name that a server serves, a folder with a model (`embedded`), or LangChain's `provider:model`. Only the
    engine `embedded` has a default, the bundled model. To judge candidates in this process, `egrm-tiny` becomes
    `egrm-tiny-judge`. `egrm-tiny-mixed-judge` compares two candidates by several principles, or by a derivation."""
    base_url: tuple[str, ...] = ("http://localhost:8000/v1",)
    """The base URLs of the servers; several are used in turn. The default applies if `engine` names a server; with
    neither `base_url` nor `engine`, the model runs in this process."""
    api_key: SecretStr | None = None
    """Sent to the server as a bearer token."""
    task: TaskName = "auto"
    """What is asked. Questions: `answer`, or `arithmetic` for the bundled model; `auto` picks one of the two, and
    `pairwise` for the bundled mixed judge.
    Candidates: `pairwise`, `best_of_n`, `tool_calls`, `pointwise`. Or a task passed to `build_graph`."""
    calibration: Path | None = None
    """A file that `egrm calibrate` wrote. Its measure, samples, and threshold become the gate, it calibrates
    `confidence`, and answers may be withheld. A setting that contradicts it is an error."""
    prompts: str = "auto"
    """A prompt set such as `default`, or a folder whose files replace those of the task's own set."""
    endpoint: Literal["chat", "completions"] = "chat"
    """The server's route for samples; `completions` is for base models without a chat template."""
    scorer: str | None = "auto"
    """A folder with a scorer. None: paths vote. `auto`: the bundled scorer for the bundled models that work on sums,
    otherwise none."""
    scorer_url: str | None = None
    """The vLLM server that serves the scorer in the folder `scorer`, under the folder's name, such as
    http://localhost:8001/v1. None runs the scorer in this process."""
    tree_scorer: str | None = "auto"
    """A folder with another scorer for the paths of an entropy tree, such as a process scorer. It runs in this process.
    None: the `scorer` scores them, too. `auto`: the bundled process scorer where the bundled scorer is used, otherwise
    none."""

    connect_timeout_s: float = Field(default=5.0, gt=0)
    """Seconds to wait for a connection to the server."""
    request_timeout_s: float = Field(default=300.0, gt=0)
    """Seconds to wait for the response to one request."""
    attempts: int = Field(default=4, ge=1)
    """How often a request is tried on connection errors, 429, and 5xx."""
    score_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds to wait for the scorer."""

    trace_level: Literal["off", "summary", "full"] = "off"
    """Whether runs are recorded: `summary`, without prompts and the texts of samples and paths; or `full`."""
    trace_store: Path = Path("egrm-traces.db")
    """Where records go: an SQLite file (.db, .sqlite, .sqlite3, or any existing file), or a folder of JSON lines."""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """The share of all runs that is recorded."""
    trace_texts: bool = True
    """Whether records contain texts. Without them, questions, prompts, and model outputs are left out, and different
    answers are numbered."""
    trace_tokens: int = Field(default=0, ge=0, le=1024)
    """How many alternatives of each token are recorded with it. Above 0, log-probabilities are requested and answers
    are streamed, so that the time of the first token is recorded, too. Not for LangChain chat models."""
    trace_keep_days: float | None = Field(default=30, gt=0)
    """Older records are deleted; None keeps them."""
    trace_keep_mb: float | None = Field(default=1024, gt=0)
    """The oldest records are deleted once the store has more megabytes; None keeps them."""
    telemetry: Literal["off", "on", "content"] = "off"
    """Whether OpenTelemetry spans and metrics go to the providers that the program set up; `content` adds prompts and
    answers. Needs the extra `otel`."""

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("preset") == "published":
            return {**PUBLISHED, **given}
        return given

    @model_validator(mode="after")
    def _resolved_engine(self) -> Self:
        if self.engine == "auto":
            engine = "openai" if "base_url" in self.model_fields_set else "embedded"
            object.__setattr__(self, "engine", engine)  # frozen; and not among the fields that were given
        return self

    @model_validator(mode="after")
    def _named_model(self) -> Self:
        if self.engine != "embedded" and "model" not in self.model_fields_set:
            what = "LangChain's `provider:model`" if self.engine == "chat_model" else "the name that the server serves"
            raise ValueError(f"engine={self.engine!r} needs a model: set model (--model, EGRM_MODEL) to {what}")
        return self

    @property
    def bundled(self) -> Bundled:
        """What the model reads if it is a bundled one, in this process or served under its name; otherwise empty.

        What you train from the mixed judge has a name that begins with its name.
        """
        name = Path(self.model).name
        if name.startswith(BUNDLED_MIXED_JUDGE):
            return "digits"
        return "sums" if name in (BUNDLED_MODEL, BUNDLED_JUDGE) else ""

    @property
    def task_name(self) -> TaskName:
        """The name of the task, with `auto` resolved."""
        if self.task != "auto":
            return self.task
        return TASKS_OF[self.bundled]


# The two bases type their configuration differently; pydantic-settings merges them.
class _FromEnvironment(BaseSettings, Settings):  # pyright: ignore[reportIncompatibleVariableOverride]
    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="EGRM_")

    @model_validator(mode="after")
    def _named_model(self) -> Self:
        return self  # the command line may still name it


def settings_from_environment(**others: Any) -> Settings:
    """Settings from variables such as `EGRM_ENGINE=vllm` and `EGRM_BASE_URL='["http://gpu:8000/v1"]'`; `others` take
    precedence over these."""
    try:
        read = _FromEnvironment()
        return Settings(**{**{name: getattr(read, name) for name in read.model_fields_set}, **others})
    except ValidationError as error:
        raise SettingsError(explain(error)) from error


def unknown_name(name: str, known: list[str]) -> str:
    """The sentence that names the nearest right one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
    return f"there is no setting {name!r}; {hint}"


def explain(error: ValidationError) -> str:
    """A validation error in one line: each field, what was given, and what is wrong with it."""
    lines = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{field}={item['input']!r}: {message}" if field else message)
    return "; ".join(lines)
