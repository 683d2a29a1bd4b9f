#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints the commands of one block below "Install" of README.md.
#
#     sh scripts/readme_block.sh NUMBER
set -eu
cd "$(dirname "$0")/.."

awk -v wanted="${1:?usage: readme_block.sh NUMBER}" '
    /^## / { is_here = $0 == "## Install" }
    is_here && /^```sh$/ { is_block = 1; n++; next }
    /^```$/ { is_block = 0 }
    is_block && n == wanted { print; is_found = 1 }
    END { exit !is_found }' README.md
