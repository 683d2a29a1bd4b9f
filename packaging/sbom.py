# SPDX-License-Identifier: MIT
"""The software bill of materials of a wheel: a CycloneDX document of the libraries inside."""

from __future__ import annotations

import datetime
import re
import uuid
from typing import Any
from urllib.parse import quote

from sources import ROOT, Source

# The licence, and the name under which databases of vulnerabilities list a library (CPE).
FACTS = {
    "curl": ("curl", "haxx:libcurl"),
    "libpsl-debian": ("MIT AND BSD-3-Clause", "libpsl_project:libpsl"),  # a file is from Chromium
    "publicsuffix": ("MPL-2.0", ""),  # the list that libpsl contains
    "openssl": ("Apache-2.0", "openssl:openssl"),
    "zlib": ("Zlib", "zlib:zlib"),
}
UNICODE = "Unicode-3.0"  # the licence of the data in TABLE
TABLE = ROOT / "core" / "src" / "protocol" / "idn_table.c"


def expression() -> str:
    """Returns the licences of all that a wheel contains."""
    parts = dict.fromkeys(
        part for licence, _ in FACTS.values() for part in licence.split(" AND ") if part != "MIT"
    )
    return " AND ".join(["MIT", UNICODE, *parts])


def pedigree() -> dict[str, Any]:
    """Returns our changes to libcurl, as scripts/build_libcurl.sh makes them."""
    script = (ROOT / "scripts" / "build_libcurl.sh").read_text()
    found = re.search(r"^CHANGES='(.*?)'$", script, re.MULTILINE | re.DOTALL)
    rows = found[1].split("\n") if found else []
    if not rows or len(rows) % 3:
        raise ValueError("scripts/build_libcurl.sh has no rows CHANGES= of three lines: see packaging/sbom.py")
    diff = "".join(
        f"--- a/{file}\n+++ b/{file}\n-  {before}\n+  {after}\n"
        for file, before, after in zip(rows[::3], rows[1::3], rows[2::3], strict=True)
    )
    return {
        "patches": [{"type": "unofficial", "diff": {"text": {"contentType": "text/plain", "content": diff}}}],
        "notes": "Some lines are changed, so that libcurl passes on the body of a reply that refuses.",
    }


def component(source: Source) -> dict[str, Any]:
    licence, cpe = FACTS[source.name]
    name = source.name.removesuffix("-debian")
    return {
        "type": "library" if cpe else "data",
        "bom-ref": f"{name}@{source.version}",
        "name": name,
        "version": source.version,
        "scope": "required",
        "licenses": [{"expression": licence} if " " in licence else {"license": {"id": licence}}],
        **({"cpe": f"cpe:2.3:a:{cpe}:{source.version}:*:*:*:*:*:*:*"} if cpe else {}),
        **({"pedigree": pedigree()} if name == "curl" else {}),
        "purl": f"pkg:generic/{name}@{source.version}?download_url={quote(source.place, safe='')}",
        "externalReferences": [
            {
                "type": "source-distribution",
                "url": source.place,
                "hashes": [{"alg": "SHA-256", "content": source.sha256}],
            }
        ],
    }


def unicode_data() -> dict[str, Any]:
    """Returns the component for Unicode's data about host names, which our own sources contain."""
    found = re.search(r"What Unicode (\S+) says", TABLE.read_text())
    if found is None:
        raise ValueError(f"{TABLE} does not say of which version of Unicode it is. Run: make idn")
    version = found[1]
    return {
        "type": "data",
        "bom-ref": f"unicode@{version}",
        "name": "unicode",
        "version": version,
        "scope": "required",
        "licenses": [{"license": {"id": UNICODE}}],
        "purl": f"pkg:generic/unicode@{version}",
    }


def make(name: str, version: str, tag: str, epoch: int, sources: list[Source]) -> dict[str, Any]:
    """Returns the document for a wheel with this tag. The same wheel always gets the same document."""
    libraries = [component(source) for source in sources]
    inside = [*libraries, unicode_data()]
    reference = f"pkg:pypi/{name}@{version}"
    words = " ".join([reference, tag, *(f"{one.name} {one.sha256}" for one in sources)])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, words)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch, datetime.UTC).isoformat(),
            "component": {
                "type": "library",
                "bom-ref": reference,
                "name": name,
                "version": version,
                "purl": reference,
                "licenses": [{"license": {"id": "MIT"}}],
            },
            "properties": [{"name": "curlwire:platform", "value": tag}],
        },
        "components": inside,
        "dependencies": [
            {"ref": reference, "dependsOn": [one["bom-ref"] for one in inside]},
            {"ref": "curl@" + next(s.version for s in sources if s.name == "curl"),
             "dependsOn": [one["bom-ref"] for one in libraries if one["name"] != "curl"]},
        ],
    }  # fmt: skip
