"""The dialect of Jinja2 that chat templates are written in, and the Python it is compiled to.

Jinja2 compiles some operations to bare Python expressions; here they become calls of the sandbox's environment
(`charged`, `joined`), which looks at what they make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.ext import Extension
from jinja2.parser import Parser


class Generator(CodeGenerator):
    """Routes what makes a value through the environment's checks."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - named after the node
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - named after the node
        self._charged(super().visit_Getitem, node, frame, isinstance(node.arg, nodes.Slice))

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802 - named after the node
        self._charged(super().visit_List, node, frame, True)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802 - named after the node
        self._charged(super().visit_Tuple, node, frame, node.ctx == "load")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802 - named after the node
        self._charged(super().visit_Dict, node, frame, True)

    def _charged(self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame, charged: bool) -> None:
        if charged:
            self.write("environment.charged(")
        visit(node, frame)
        if charged:
            self.write(")")


class Generation(Extension):
    """`{% generation %}`: marks the model's own words for training; for writing it changes nothing."""

    tags = {"generation"}  # noqa: RUF012 - Jinja2 declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)
