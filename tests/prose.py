"""Find phrases and names that do not read as plain American English. `python -m tests.prose` prints the counts.

A phrase is searched for in comments, docstrings, and other string literals of Python, in Markdown outside code, in
prompts, in the pages' scripts and styles, and in the titles and case names of `tests/robustness/cases/`. A name is
searched for among the identifiers of Python. The name of a test is prose, with spaces for its underscores.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import subprocess
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_CLAUSE_END = r"(?=\s*(?:[.,;:)]|\Z))"
_NOT_ELSE = "(?:any|every|no|some)(?:body|one|thing|where)|no one|who|what|where|or|all|much|little|and|if"

PHRASES = {
    "is no X": (
        "no",
        r"(?<!there\s)\b(?:is|are|was|were) no (?!longer\b|more than\b|less than\b|fewer than\b|better\b|worse\b"
        r"|larger than\b|smaller than\b|greater than\b|different\b|one\b)(?=[\w{`'])",
    ),
    "beside": ("beside", r"\bbeside\b"),
    "told": ("told", r"\b(?:un)?told\b"),
    "tells of": ("of", r"\btells? of\b"),
    "as far as": ("far", r"\bas far as\b"),
    "by itself": ("by", r"\bby (?:itself|themselves)\b"),
    "anew": ("anew", r"\banew\b"),
    "in vain": ("vain", r"\bin vain\b"),
    "gone on": ("on", r"\b(?:go|goes|going|gone|went) on with\b|\bgone on\b"),
    "begun anew": ("begun", r"\bbegun (?:anew|again)\b"),
    "of which none": ("wh", r"\bof (?:which|whom) (?:none|no|not one)\b"),
    "else, for otherwise": ("else", rf"\b(?!(?:{_NOT_ELSE}) else)(?<!no\s)[\w`')]+ else(?=\s*(?:[.,;)]|\Z))"),
    "asked of it": ("asked", r"\basked of\b"),
    "as it is": ("as", rf"\bas (?:it is|it was|they are|they were|it stands|they stand){_CLAUSE_END}"),
    "hand over": ("hand", r"\bhand(?:s|ed|ing)? (?:over|in|on)\b(?! hand\b)"),
    "looked at": ("looked", r"\blooked at\b"),
    "so that, stacked": ("so that", r"\bso that\b[^.:;]*\bso that\b"),
    "hall of": ("hall", r"\bhall of\b"),
    "scored reasoning else": ("else", r"\bscored reasoning else\b"),
    "garbage in a circle": ("garbage", r"\bgarbage in a circle\b"),
    "stays long": ("long", r"\bstays? long\b"),
    "em-dash": ("\N{EM DASH}", r"[\w\s.,`)]\u2014[\w\s`(]"),
    "British spelling": (
        "",
        r"\b(?:un|re|dis|mis)?(?:(?:colour|behaviour|favour|neighbour|honour)(?:s|ed|ing|al|able|ite|ful)?"
        r"|(?:label|model|travel|signal|tunnel)l(?:ed|ing)|judgements?"
        r"|(?:serial|normal|token|optim|organ|recogn|initial|summar|standard|general|real|random|parallel|synchron"
        r"|special|categor|minim|maxim|penal|final|visual|quant|character|author|custom|util)is(?:ed?|es|ing|ations?|ers?)"
        r"|analys(?:e|ed|ing)|catalogues?|artefacts?|whilst|grey|centres?|fulfil|licences?|defences?)\b",
    ),
}
"""The phrases, each with a text that it contains and the regular expression that finds it, in lower case."""

PARTS = ("told", "untold", "stay", "stays", "watched", "room", "rooms", "dialect", "dialects", "families", "story")
"""Words that say little anywhere in an identifier, between underscores or capitals."""
NAMES = ("spelling", "needs", "why", "whole", "kept", "shown")
"""Words that say little as the full name; `n_kept` and `is_shown` are fine."""
PARTS_IN = {"frame": ("egrm_graph/scoring", "tests/scoring")}
"""The same, in these folders only: elsewhere a frame is the interpreter's or a table of data."""

_SCRIPTS = (".js", ".css", ".jinja")
_SETTINGS = (".toml", "Makefile")
_THIRD_PARTY = ("egrm_graph/models/",)
"""Chat templates and cards that come with a model's files."""
_SELF = ("tests/prose.py", "tests/test_prose.py")
"""They spell out what they search for."""

_FENCED = re.compile(r"^( {0,3}```|~~~).*?^\1[`~]*[ \t]*$|<!--.*?-->", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_LINK_TARGET = re.compile(r"\]\([^)\s]*\)|https?://\S+")
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


@dataclass(frozen=True)
class Finding:
    """One phrase or name in one place."""

    path: str
    line: int
    phrase: str
    excerpt: str

    @property
    def folder(self) -> str:
        return folder_of(self.path)


def folder_of(path: str) -> str:
    """The package or folder that a file belongs to, two levels deep at most."""
    parent = Path(path).parent.parts
    return "/".join(parent[:2]) or "."


def findings(root: Path = ROOT) -> list[Finding]:
    """Everything that the working tree's tracked and new files have, in the order of the files."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root, check=True, capture_output=True
    )
    paths = sorted(set(listed.stdout.decode().splitlines()) - set(_SELF))
    return [finding for path in paths if (root / path).is_file() for finding in _in_file(root / path, path)]


def _in_file(file: Path, path: str) -> Iterator[Finding]:
    if path.startswith(_THIRD_PARTY):
        return
    if path.endswith(".py"):
        yield from in_python(file.read_text(), path)
    elif path.endswith(".md"):
        yield from in_markdown(file.read_text(), path)
    elif path.endswith((*_SCRIPTS, *_SETTINGS)):
        yield from _in_text(file.read_text(), path)
    elif path.startswith("tests/robustness/cases/"):
        yield from in_cases(file.read_text(), path)


def in_python(source: str, path: str) -> Iterator[Finding]:
    """The phrases in comments and strings, and the identifiers, of a module."""
    nodes = list(ast.walk(ast.parse(source)))
    for line, text in (*_comments(source), *_strings(nodes)):
        yield from _in_text(_INLINE_CODE.sub("`code`", text), path, line)
    for line, name in sorted(_identifiers(nodes)):
        if name.startswith("test_"):
            yield from _in_text(name.replace("_", " "), path, line)
            continue
        if (word := name.strip("_").lower()) in NAMES:
            yield Finding(path, line, f"name: {word}", name)
        for part in {part.lower() for part in _NAME_PART.findall(name)}:
            if part in PARTS or path.startswith(PARTS_IN.get(part, "\0")):
                yield Finding(path, line, f"name: {part}", name)


def in_markdown(text: str, path: str) -> Iterator[Finding]:
    """The phrases outside code, comments, and links' addresses."""
    blanked = _FENCED.sub(lambda block: "\n" * block[0].count("\n"), text)
    blanked = _INLINE_CODE.sub(lambda code: "`code`" + "\n" * code[0].count("\n"), blanked)
    yield from _in_text(_LINK_TARGET.sub("]", blanked), path)


def in_cases(text: str, path: str) -> Iterator[Finding]:
    """The phrases in the title, the description, and the case names; inputs and outcomes are data."""
    for number, line in enumerate(text.splitlines(), 1):
        case = json.loads(line) if line.strip() else {}
        for key in ("title", "about", "name"):
            yield from _in_text(_INLINE_CODE.sub("`code`", case.get(key, "")), path, number)


def _in_text(text: str, path: str, line: int = 1) -> Iterator[Finding]:
    lower = text.lower()
    for phrase, (contained, pattern) in _PATTERNS.items():
        for match in pattern.finditer(lower) if contained in lower else ():
            excerpt = " ".join(text[max(0, match.start() - 30) : match.end() + 30].split())
            yield Finding(path, line + text.count("\n", 0, match.start()), phrase, excerpt)


def _comments(source: str) -> Iterator[tuple[int, str]]:
    """The comments of a module, each block of them as one text."""
    block: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and (token.start[0] != last + 1 or token.line.strip() != token.string):
            yield last - len(block) + 1, "\n".join(block)
            block = []
        block.append(token.string.lstrip("# "))
        last = token.start[0]
    if block:
        yield last - len(block) + 1, "\n".join(block)


def _strings(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """The string literals, docstrings included; the values in an f-string are left out."""
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            texts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(texts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def _identifiers(nodes: Sequence[ast.AST]) -> set[tuple[int, str]]:
    """The names of classes, functions, parameters, variables, and attributes, each once a line."""
    found: set[tuple[int, str]] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add((node.lineno, node.name))
        elif isinstance(node, ast.Name):
            found.add((node.lineno, node.id))
        elif isinstance(node, ast.Attribute):
            found.add((node.lineno, node.attr))
        elif isinstance(node, ast.arg | ast.keyword):
            found.add((node.lineno, node.arg or ""))
    return found


_PATTERNS = {
    phrase: (contained, re.compile(pattern.replace(" ", r"\s+"))) for phrase, (contained, pattern) in PHRASES.items()
}


def table(found: Sequence[Finding]) -> str:
    """The counts per phrase, then per folder."""
    by_folder: dict[str, Counter[str]] = defaultdict(Counter)
    for finding in found:
        by_folder[finding.folder][finding.phrase] += 1
    by_phrase = Counter(finding.phrase for finding in found)
    lines = [f"{by_phrase[phrase]:6}  {phrase}" for phrase in sorted(by_phrase, key=lambda name: -by_phrase[name])]
    lines += [f"{len(found):6}  in all", ""]
    for folder in sorted(by_folder):
        counts = by_folder[folder]
        lines.append(f"{counts.total():6}  {folder}: {', '.join(f'{n} {name}' for name, n in counts.most_common())}")
    return "\n".join(lines)


def main() -> None:
    """Print the counts, or with `--list` the places."""
    parser = argparse.ArgumentParser(prog="python -m tests.prose", description=main.__doc__)
    parser.add_argument("--list", metavar="FOLDER", help="print every place below this folder")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to search; this one if left out")
    options = parser.parse_args()
    found = findings(options.root)
    if options.list is None:
        print(table(found))
    for finding in found:
        if options.list is not None and finding.path.startswith(options.list):
            print(f"{finding.path}:{finding.line}: {finding.phrase}: {finding.excerpt}")


if __name__ == "__main__":
    main()
