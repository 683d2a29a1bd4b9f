-- SPDX-License-Identifier: MIT
-- Only the globals that all supported Lua versions have. curlwire and its tests define none.
std = "min"
max_line_length = 120
exclude_files = { "build", "dist" }
files["*.rockspec"] = { std = "rockspec" }
