/* SPDX-License-Identifier: MIT */
/* Fuzz target: the public API as a whole. The input says what the client calls and what the peer sends, which is
 * handshake and frames or anything else. Every call keeps its contract (socket_run.h); exactly one closed event
 * for a connection that was open, none for one that was not; the messages are a beginning of those that the pure
 * rooms make of the same bytes; afterwards nothing is left of it all. */
#include "socket_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_input in = {data, len_bytes}, calls;
    uint8_t flags = fuzz_byte(&in);
    fuzz_wire model = {.is_lax = true, .max_bytes = 300};
    run r = {.got.max_bytes = 300};

    if (peer.listener < 0)
        peer_start();
    calls.data = fuzz_bytes(&in, fuzz_byte(&in), &calls.len_bytes);
    peer.flags = flags, peer.data = in.data, peer.len_bytes = in.len_bytes;
    run_open(&r, flags);
    while (r.has_connected && calls.len_bytes)
        run_call(&r, &calls);
    run_end(&r);
    fuzz_wire_run(&model, in.data, in.len_bytes);
    DEMAND(fuzz_begins_with(&model.data, &r.got.data));
    cw_shutdown(10000);
    DEMAND(cw__alloc_live() == 0);
    peer_settle();
    fuzz_wire_destroy(&model);
    fuzz_wire_destroy(&r.got);
    return 0;
}
