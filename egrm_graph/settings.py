"""Everything that can be set, in two classes: what a run may override, and what is fixed when the graph is built."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from egrm_graph.errors import SettingsError

BUNDLED_MODEL = "egrm-tiny"
BUNDLED_JUDGE = f"{BUNDLED_MODEL}-judge"
BUNDLED_SCORER = f"{BUNDLED_MODEL}-scorer"

MIN_CONFIDENCE = 0.3
"""Chosen by measurement; see docs/calibration.md."""

Engine = Literal["auto", "embedded", "vllm", "openai", "chat_model"]
Thinking = Literal["off", "on", "default"]
Selection = Literal["best_score", "weighted_vote", "majority_best"]
TaskName = Literal["answer", "arithmetic", "pairwise", "pointwise", "best_of_n", "tool_calls"]
ToolVotes = Literal["whole", "name", "arguments", "hierarchical"]
Stopping = Literal["decided", "beta", "windows", "sequential", "all"]


class RunSettings(BaseModel):
    """What one run may override, through the graph's context or `configurable["egrm"]`.

    As a context, only the fields that were given count; the others keep what the graph was built with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    samples: int = Field(default=5, ge=1, le=1024)
    """Fast answers drawn (M). The published setting is 5."""
    stopping: Stopping = "decided"
    """When drawing fast answers stops before all M: `decided`, when the others could change neither the route nor a
    direct answer; `beta`, `windows`, `sequential`: by a test of the votes, which can; `all`: never."""
    waves: int = Field(default=2, ge=1)
    """In how many waves fast answers are drawn at most; between them it may stop, and each costs a round trip."""
    single_requests: bool = False
    """Whether each fast answer is a request of its own, and is cancelled as soon as those before it are enough; else a
    wave is one request, with one prefill."""
    speculate: bool = False
    """Whether paths are started where the first wave of fast answers was not enough, before the gate has decided; they
    are cancelled if it converges. Not for candidates, nor under `max_completion_tokens`."""
    measure: str = "consensus"
    """How convergence is measured: `consensus`, another of those in docs/measures.md, or one handed to
    `build_graph`."""
    threshold: float | None = None
    """Where the gate opens, in the measure's own units; None takes the measure's own (0.8 for consensus,
    as published); a few have none."""
    top_logprobs: int = Field(default=20, ge=1, le=1024)
    """How many of each position's most likely tokens to ask for, where the measure needs their log-probabilities; 20
    is the most that vLLM gives unless it is started with another `--max-logprobs`."""
    paths: int = Field(default=4, ge=1, le=256)
    """Reasoning paths drawn where the fast answers do not converge."""
    selection: Selection = "weighted_vote"
    """How scored paths decide: `best_score`; `weighted_vote`, the answer whose paths' scores add up to most; or
    `majority_best`, the best-scored path of the most frequent answer."""
    min_confidence: float | None = Field(default=MIN_CONFIDENCE, ge=0, le=1)
    """The least calibrated confidence with which an answer is given. Below it the run abstains, and the answer is only
    its `best_guess`. It does not apply to a confidence that is not calibrated, such as a share of votes. None withholds
    nothing but what the `calibration` does."""
    seed: int = Field(default=0, ge=0)
    """Every sample gets a seed of its own that follows from this one."""

    stop: tuple[str, ...] | None = None
    """Generation stops before any of these texts. None: where the model continues its prompt (`endpoint` completions),
    before those that the prompts name, so that it does not go on with a next question; else nowhere."""
    fast_temperature: float = Field(default=1.0, ge=0, le=2)
    """Sampling temperature of fast answers. 0 with more than one sample would count one vote many times."""
    fast_top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus of fast answers."""
    fast_top_k: int | None = Field(default=None, ge=0)
    """Sample fast answers from so many of the likeliest tokens; 0 or None: from all. A served model's own default, in
    its `generation_config.json`, does not count here or below."""
    fast_min_p: float | None = Field(default=None, ge=0, le=1)
    """Sample fast answers from the tokens with this share of the likeliest one's probability; 0 or None: from all."""
    fast_repetition_penalty: float | None = Field(default=None, gt=0, le=2)
    """Above 1 makes tokens that the prompt or the text has less likely; 1 or None: no penalty."""
    fast_presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens that the text has less likely, however often; 0 or None: no penalty."""
    fast_frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens less likely each time that the text has them; 0 or None: no penalty."""
    fast_max_tokens: int = Field(default=64, ge=1)
    """Completion tokens of one fast answer, at most; one that is cut has no answer."""
    fast_thinking: Thinking = "off"
    """Whether a thinking model thinks before a fast answer; `default` leaves it to the model."""
    path_temperature: float = Field(default=1.0, ge=0, le=2)
    """Sampling temperature of reasoning paths."""
    path_top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus of reasoning paths."""
    path_top_k: int | None = Field(default=None, ge=0)
    """Sample paths from so many of the likeliest tokens; 0 or None: from all. A served model's own default, in
    its `generation_config.json`, does not count here or below."""
    path_min_p: float | None = Field(default=None, ge=0, le=1)
    """Sample paths from the tokens with this share of the likeliest one's probability; 0 or None: from all."""
    path_repetition_penalty: float | None = Field(default=None, gt=0, le=2)
    """Above 1 makes tokens that the prompt or the text has less likely; 1 or None: no penalty."""
    path_presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens that the text has less likely, however often; 0 or None: no penalty."""
    path_frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """Makes tokens less likely each time that the text has them; 0 or None: no penalty."""
    path_max_tokens: int = Field(default=2048, ge=1)
    """Completion tokens of one path, at most; a path that is cut has no answer."""
    path_thinking: Thinking = "default"
    """Whether a thinking model thinks in its paths."""
    path_thinking_tokens: int | None = Field(default=None, ge=1)
    """Tokens of thinking in one path, at most, where the server can bound them; None leaves them unbounded."""

    label_probabilities: Literal["auto", "always", "never"] = "auto"
    """Whether fast verdicts on candidates are read from the model's probabilities, one token for each order, in the
    place of samples; `auto` does where the client gives them and each label is one token."""
    min_label_mass: float = Field(default=0.5, ge=0, le=1)
    """The share of all probability that has to be on the labels; a reading with less does not count."""
    contested_share: float = Field(default=0.95, gt=0, le=1)
    """Candidates are reasoned about, the likeliest first, until together they hold this share of the fast verdicts;
    always two at the least."""
    tool_votes: ToolVotes = "whole"
    """What makes two tool calls the same vote: the `whole` call, its `name`, or its `arguments`; `hierarchical` votes
    on the name first and then on the call."""
    ignored_arguments: tuple[str, ...] = ()
    """Arguments of tool calls that do not count when calls are compared."""
    lowest_grade: int = Field(default=1, ge=0, le=99)
    """The lowest grade of the task `pointwise`."""
    highest_grade: int = Field(default=5, ge=1, le=100)
    """The highest grade of the task `pointwise`."""

    deadline_s: float | None = Field(default=None, gt=0)
    """Seconds for the whole run. When they are over, what still runs is cancelled and the best known is given."""
    max_completion_tokens: int | None = Field(default=None, ge=1)
    """Completion tokens for the whole run. When they are spent, what still runs is cancelled."""

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
                "a scale has two ends"
            )
        return self

    @field_validator("stop")
    @classmethod
    def _says_something(cls, stop: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if stop is not None and "" in stop:
            raise ValueError("an empty text stands everywhere; leave it out, or give () to stop nowhere")
        return stop

    @model_validator(mode="after")
    def _independent(self) -> Self:
        for stage, count in (("fast", self.samples), ("path", self.paths)):
            name = "samples" if stage == "fast" else "paths"
            for option, greedy, side in (("temperature", 0, "above"), ("top_k", 1, "above"), ("min_p", 1, "below")):
                if count > 1 and getattr(self, f"{stage}_{option}") == greedy:
                    raise ValueError(
                        f"{stage}_{option}={greedy} decodes the same text every time, so {name}={count} would count "
                        f"one vote {count} times; set {stage}_{option} {side} {greedy}, or {name}=1"
                    )
        return self

    def overridden(self, changes: RunSettings | dict[str, Any]) -> Self:
        """These settings with `changes` applied: of a RunSettings, only the fields that were given."""
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
    """What the graph is built with: the run's settings and, fixed from then on, the models behind it."""

    engine: Engine = "auto"
    """Where the language model runs: `embedded`, in this process; `vllm`, behind a vLLM server; `openai`, behind any
    other server with an OpenAI-style API; or `chat_model`, a LangChain chat model. `auto` is `openai` if `base_url` is
    set, or else `embedded`."""
    model: str = BUNDLED_MODEL
    """The name a server serves, a folder with a model (embedded), or LangChain's `provider:model`. Only the engine
    `embedded` has a default. Where candidates are judged in this process, `egrm-tiny` stands for its sister
    `egrm-tiny-judge`."""
    base_url: tuple[str, ...] = ("http://localhost:8000/v1",)
    """The servers of the engines `vllm` and `openai`; several are used in turn."""
    api_key: SecretStr | None = None
    """Sent to the server as a bearer token."""
    task: Literal["auto", "answer", "arithmetic", "pairwise", "pointwise", "best_of_n", "tool_calls"] = "auto"
    """What is asked, and how it is read. Questions: `answer`, `arithmetic`; `auto` is the latter for the bundled model.
    Candidates that are handed in: `pairwise`, `best_of_n`, `tool_calls`, `pointwise`."""
    calibration: Path | None = None
    """A file of `egrm calibrate`: its measure, samples and threshold are the gate, `confidence` is calibrated by it,
    and answers may be withheld. A setting beside it that says something else is an error."""
    prompts: str = "auto"
    """A set of prompts, `default` or `tiny`, or a folder whose files replace those of the task's own set. A prompt for
    a base model names the texts where its own pattern starts again: `{% set stop = ["Question:"] %}`."""
    endpoint: Literal["chat", "completions"] = "chat"
    """The server's route for samples: `completions` is for base models without a chat template."""
    scorer: str | None = "auto"
    """A folder with a scorer; None: paths vote. `auto` is the bundled model's own scorer for the bundled model, and
    none for another."""
    scorer_url: str | None = None
    """The vLLM server that serves the scorer in the folder `scorer`, under the folder's name, such as
    http://localhost:8001/v1; None runs it in this process."""

    connect_timeout_s: float = Field(default=5.0, gt=0)
    """Seconds to wait for a connection to the server."""
    request_timeout_s: float = Field(default=300.0, gt=0)
    """Seconds to wait for one request's answer."""
    attempts: int = Field(default=4, ge=1)
    """Tries of one request on connection errors, 429 and 5xx."""
    score_timeout_s: float = Field(default=60.0, gt=0)
    """Seconds to wait for the scorer."""

    trace_level: Literal["off", "summary", "full"] = "off"
    """Whether runs are recorded: `summary`, without prompts and without the texts of samples and paths; or `full`."""
    trace_store: Path = Path("egrm-traces.db")
    """Where records go: an SQLite file (.db, .sqlite, .sqlite3, or a file that is there), or a folder of JSON lines."""
    trace_share: float = Field(default=1.0, ge=0, le=1)
    """The share of all runs that is recorded."""
    trace_texts: bool = True
    """Whether records hold texts. Without them, questions, prompts and what models wrote are left out, and different
    answers are numbered."""
    trace_tokens: int = Field(default=0, ge=0, le=1024)
    """How many alternatives of each token are recorded with it; above 0, log-probabilities are asked for and answers
    are streamed, so that the time of the first token is known, too. Not for LangChain chat models."""
    trace_keep_days: float | None = Field(default=30, gt=0)
    """Records that are older are deleted; None keeps them."""
    trace_keep_mb: float | None = Field(default=1024, gt=0)
    """The oldest records are deleted where all together have more megabytes; None keeps them."""
    telemetry: Literal["off", "on", "content"] = "off"
    """Whether OpenTelemetry spans and metrics are told to the providers that the program has set up; `content`: with
    prompts and answers. Needs the extra `otel`."""

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
    def bundled(self) -> bool:
        """True where the model is the bundled one, in-process or served under its name."""
        return Path(self.model).name in (BUNDLED_MODEL, BUNDLED_JUDGE)

    @property
    def judges(self) -> bool:
        """True for the tasks that judge candidates."""
        return self.task_name not in ("answer", "arithmetic")

    @property
    def task_name(self) -> TaskName:
        if self.task != "auto":
            return self.task
        return "arithmetic" if self.bundled else "answer"


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
