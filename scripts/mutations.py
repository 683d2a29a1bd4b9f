# SPDX-License-Identifier: MIT
"""Makes mutants of a C file for mutants.py. A mutant is the same source with one small change.

A change puts in another operator, one operand of && or ||, a number plus or minus 1, or an empty string. It
exchanges true and false, or removes a statement. It makes a condition hold always or never, takes one branch of
?:, or returns 0. It compares with or without regard to case. Assertions are not changed, nor are lines with
LCOV_EXCL, which no test can reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tree_sitter
import tree_sitter_c

ROOT = Path(__file__).resolve().parent.parent

RELATIONS = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
}
OPERATORS = {
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
    "%": ("*",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "^": ("|",),
    **RELATIONS,
}
ASSIGNMENTS = {
    "+=": ("-=", "="),
    "-=": ("+=", "="),
    "|=": ("&=", "="),
    "&=": ("|=", "="),
    "^=": ("|=", "="),
    "<<=": (">>=",),
    ">>=": ("<<=",),
}
WORDS = {"true": "false", "false": "true"}
CALLS = {"strncasecmp": "strncmp", "strcasecmp": "strcmp", "memcmp": "strncasecmp", "strcmp": "strcasecmp"}
STATEMENTS = ("expression_statement", "break_statement", "continue_statement")
NOT_CHANGED = ("preproc_include", "static_assert_declaration", "type_descriptor", "parameter_list")
EXCLUDED = re.compile(r"LCOV_EXCL_START.*?LCOV_EXCL_STOP|^[^\n]*LCOV_EXCL_LINE[^\n]*", re.DOTALL | re.MULTILINE)
# The parser does not know these words, nor a directive or the use of a list inside an initializer or a switch.
UNKNOWN = re.compile(
    rb"_Thread_local|_Atomic|^#(?:define|undef) CW_X\b(?:.*\\\n)*.*$|^ *[A-Z_]+\(CW_X\)$", re.MULTILINE
)
ATOMIC = re.compile(rb"_Atomic\(([^()]*)\)")  # it stands for the type inside
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass
class Mutant:
    file: str
    function: str
    before: str  # the lines that the change is in, without comments, with single blanks
    after: str
    source: str  # the whole changed file
    object_hash: str = ""  # "": the mutant does not compile
    verdict: str = ""  # the test that killed it; "": it survived
    reason: str = ""  # why it changes nothing, from tests/mutants.txt

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.file, self.function, self.before, self.after)


@dataclass
class Edit:
    start: int
    end: int
    text: str


def changes(node: tree_sitter.Node) -> Iterator[Edit]:
    """The changes to one node, without those to the nodes inside."""

    def put(target: tree_sitter.Node, *texts: str) -> Iterator[Edit]:
        return (Edit(target.start_byte, target.end_byte, text) for text in texts)

    def child(name: str) -> tree_sitter.Node:
        found = node.child_by_field_name(name)
        assert found is not None
        return found

    text = words(node)
    kind = node.type
    if kind == "binary_expression":
        operator = child("operator")
        yield from put(operator, *OPERATORS.get(words(operator), ()))
        if words(operator) in ("&&", "||"):
            yield from put(node, words(child("left")), words(child("right")))
    elif kind == "assignment_expression":
        yield from put(child("operator"), *ASSIGNMENTS.get(words(child("operator")), ()))
    elif kind == "update_expression":
        yield from put(child("operator"), "--" if words(child("operator")) == "++" else "++")
    elif kind == "unary_expression" and words(child("operator")) in ("!", "-", "~"):
        yield from put(node, words(child("argument")))
    elif kind in WORDS:
        yield from put(node, WORDS[kind])
    elif kind == "number_literal":
        is_size = node.parent is not None and node.parent.type == "array_declarator"
        yield from put(node, f"({text} - 1)", *(() if is_size else (f"({text} + 1)",)))
    elif kind == "char_literal":
        yield from put(node, f"({text} + 1)")
    elif kind == "string_literal" and text != '""':
        yield from put(node, '""')
    elif kind in STATEMENTS and text != ";":
        yield from put(node, ";")
    elif kind == "if_statement":
        yield from put(child("condition"), "(0)", "(1)")
    elif kind in ("while_statement", "do_statement"):
        yield from put(child("condition"), "(0)")
    elif kind == "for_statement" and node.child_by_field_name("condition"):
        yield from put(child("condition"), "0")
    elif kind == "conditional_expression":
        yield from put(node, words(child("consequence")), words(child("alternative")))
    elif kind == "return_statement" and node.named_child_count:
        yield from put(node, "return 0;")
    elif kind == "call_expression":
        function = child("function")
        if words(function) in CALLS:
            yield from put(function, CALLS[words(function)])


def words(node: tree_sitter.Node) -> str:
    assert node.text is not None
    return str(node.text, "ascii")


def visit(node: tree_sitter.Node) -> Iterator[Edit]:
    if node.type in NOT_CHANGED or (node.type == "call_expression" and words(node).startswith("assert(")):
        return
    if node.type == "expression_statement" and words(node).startswith("assert("):
        return
    if node.type == "preproc_arg":  # the text of a macro, which the parser leaves as text
        head = "int x = "
        tree = parser().parse(f"{head}{words(node)};".encode())
        if not tree.root_node.has_error:
            for edit in visit(tree.root_node):
                move = node.start_byte - len(head)
                yield Edit(edit.start + move, edit.end + move, edit.text)
        return
    yield from changes(node)
    is_condition = node.type in ("preproc_if", "preproc_elif")
    for index, inside in enumerate(node.children):
        if not (is_condition and node.field_name_for_child(index) == "condition"):
            yield from visit(inside)


def parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language()))


def function_at(functions: list[tuple[int, int, str]], place: int) -> str:
    return next((name for start, end, name in functions if start <= place < end), "-")


def functions_of(node: tree_sitter.Node) -> list[tuple[int, int, str]]:
    if node.type == "function_definition":
        name = re.search(r"(\w+)\s*\(", words(node).split("{")[0])
        return [(node.start_byte, node.end_byte, name[1] if name else "-")]
    return [found for inside in node.children for found in functions_of(inside)]


def one_line(text: str) -> str:
    return " ".join(COMMENT.sub(" ", text).split())


def path_of(file: str) -> Path:
    """The path of a file of the core, from its name without .c."""
    found = list(ROOT.glob(f"core/src/*/{file}.c"))
    if len(found) != 1:
        raise SystemExit(f"mutants.py: there is no {file}.c in core/src")
    return found[0]


def make(file: str) -> list[Mutant]:
    """All different mutants of a file, in the order of its lines."""
    path = path_of(file)
    text = path.read_text()
    assert COMMENT.sub("", text).isascii()
    text = "".join(c if c.isascii() else "?" for c in text)  # the parser counts bytes, and Python characters
    source = text.encode()
    known = ATOMIC.sub(lambda match: b" " * 8 + match[1] + b" ", source)
    known = UNKNOWN.sub(lambda match: b" " * len(match[0]), known)
    root = parser().parse(known).root_node
    if root.has_error:
        raise SystemExit(f"mutants.py: {path.relative_to(ROOT)} cannot be parsed")
    functions = functions_of(root)
    excluded = [found.span() for found in EXCLUDED.finditer(text)]
    found: dict[str, Mutant] = {}
    for edit in sorted(visit(root), key=lambda edit: edit.start):
        first = text.rfind("\n", 0, edit.start) + 1
        last = text.find("\n", edit.end)
        if any(begin <= edit.start < end for begin, end in excluded):
            continue
        lines = "\n" * text.count("\n", edit.start, edit.end)  # keeps the line numbers of assertions
        changed = text[: edit.start] + edit.text + lines + text[edit.end :]
        after = text[first : edit.start] + edit.text + text[edit.end : last]
        function = function_at(functions, edit.start)
        mutant = Mutant(file, function, one_line(text[first:last]), one_line(after), changed)
        found.setdefault(changed, mutant)
    return list(found.values())
