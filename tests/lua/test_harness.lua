-- SPDX-License-Identifier: MIT
-- Tests the harness itself: for each fault that it must notice, there is a body that it must refuse.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local function assert_refused(body, part)
    local wrong = harness.run_body(body)
    assert(wrong, "the body was accepted")
    assert(wrong:find(part, 1, true), wrong)
end

test("harness_passes", function()
    equal(harness.run_body(function(expect) expect(function() end)() end), nil)
end)

test("harness_sees_errors", function()
    assert_refused(function() error("on purpose") end, "on purpose")
end)

test("harness_sees_calls_that_are_missing", function()
    assert_refused(function(expect) expect(function() end) end, "called 0 times instead of 1")
end)

test("harness_sees_calls_too_many", function()
    assert_refused(function(expect)
        local f = expect(function() end, 2)
        f() f() f()
    end, "called 3 times instead of 2")
end)

test("harness_sees_open_sockets", function()
    assert_refused(function() support.open(support.echo()) end, "left open")
end)

test("harness_sees_sockets_that_stay", function()
    local hold = {}
    assert_refused(function() hold[1] = support.message_socket() end, "cannot be collected")
    assert(hold[1].state == "new")
end)

test("harness_needs_errors", function()
    assert(not pcall(harness.raises, function() end))
    assert(not pcall(harness.raises, function() error("this") end, "that"))
    assert(not pcall(harness.failed, true))
    assert(not pcall(harness.failed, nil, "text"))
    assert(not pcall(harness.failed, nil, {status = 0, message = "text"}))
    assert(not pcall(equal, 1, 2))
end)
