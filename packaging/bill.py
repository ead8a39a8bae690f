"""The two papers that tell what a package is made of: THIRD-PARTY.txt for people, a CycloneDX list for programs.

Pure: parts in, text out. Standard library only.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# https://cyclonedx.org/docs/1.6/json/
SPECIFICATION = "1.6"
SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")
HEAD = """\
What Inglenook is made of besides its own code

Inglenook itself is under the MIT licence. It would not be without the work of the people whose parts are listed here,
each with its licence in full. A text that several parts share stands once, where it is first needed.

Qt and PySide6 are used under the GNU Lesser General Public License, version 3. They lie in the folder
_internal/PySide6 as separate shared libraries, unchanged; you may replace them by versions of your own that fit, and
you may look into the program as far as that needs. Their source code is at https://download.qt.io/official_releases/.
"""
RULE = "=" * 100


@dataclass
class Part:
    """Something inside with an origin of its own. `texts`: name and content of its licence files. `within`: what was
    compiled into it, each a part of its own."""

    name: str
    version: str
    licence: str
    purl: str
    source: str = ""
    notice: str = ""
    texts: list[tuple[str, str]] = field(default_factory=list)
    within: list[Part] = field(default_factory=list)


def third_party(parts: Sequence[Part]) -> str:
    """The text for people."""
    seen: dict[str, str] = {}
    sections = [HEAD, *(_section(part, part.name, seen) for part in parts)]
    return "\n".join(sections)


def _section(part: Part, title: str, seen: dict[str, str]) -> str:
    lines = [RULE, f"{title} {part.version}".strip(), *filter(None, [part.licence, part.source, part.notice]), ""]
    for name, text in part.texts:
        body = text.strip()
        if body in seen:
            lines.append(f"({name}: the same text as of {seen[body]}, above)\n")
            continue
        seen[body] = title
        lines.append(body + "\n")
    lines += [_section(one, f"{one.name}, in {title}", seen) for one in part.within]
    return "\n".join(lines)


def bill_of_materials(version: str, made_at: str, flavour: str, parts: Sequence[Part]) -> dict[str, Any]:
    """The list for programs, as CycloneDX has it."""
    components = [_component(part) for part in parts]
    names = " ".join([version, flavour, *(component["bom-ref"] for component in components)])
    own = f"pkg:generic/inglenook@{version}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, names)}",
        "version": 1,
        "metadata": {
            "timestamp": made_at,
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "inglenook",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "MIT"}}],
                "properties": [{"name": "inglenook:flavour", "value": flavour}],
            },
        },
        "components": components,
        "dependencies": [{"ref": own, "dependsOn": [component["bom-ref"] for component in components]}],
    }


def _component(part: Part, above: str = "") -> dict[str, Any]:
    reference = f"{above}#{part.purl}" if above else part.purl
    found: dict[str, Any] = {"type": _kind(part), "bom-ref": reference, "name": part.name}
    if part.version:
        found["version"] = part.version
    if part.licence:
        found["licenses"] = (
            [{"expression": part.licence}] if SPDX.fullmatch(part.licence) else [{"license": {"name": part.licence}}]
        )
    found["purl"] = part.purl
    if part.within:
        found["components"] = [_component(one, reference) for one in part.within]
    return found


def _kind(part: Part) -> str:
    return "machine-learning-model" if part.name == "starter-model" else "library"
