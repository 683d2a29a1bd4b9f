-- SPDX-License-Identifier: MIT
-- Checks that each case of tests/cases.md has a test with its name. It checks nothing else.

local harness = require "harness"

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

harness.test("every_case_has_a_test", function()
    local missing, count = {}, 0
    for line in io.lines(here .. "/../cases.md") do
        local name = line:match("^%- ([%w_]+): ")
        if name then
            count = count + 1
            if not harness.names[name] then
                missing[#missing + 1] = name
            end
        end
    end
    assert(count > 50, "cases.md has only " .. count .. " cases")
    harness.equal(table.concat(missing, " "), "", "the list of cases without a test")
end)
