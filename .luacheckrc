-- SPDX-License-Identifier: MIT
-- What every one of our Lua versions has; a global of ours is a mistake.
std = "min"
max_line_length = 120
exclude_files = { "build", "dist" }
files["*.rockspec"] = { std = "rockspec" }
