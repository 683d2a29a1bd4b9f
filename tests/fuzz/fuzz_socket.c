/* SPDX-License-Identifier: MIT */
/* Fuzz target: the whole public API. The input decides which calls the client makes and which bytes the peer sends. These may
 * be a handshake and frames, or any others. Every call must keep its contract (socket_run.h). A connection that was open must
 * give exactly one closed event, and any other none. The messages must be the first messages that the code in protocol/ decodes
 * from the same bytes. No memory, descriptor or socket may leak. */
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
    cw_shutdown(30000);
    DEMAND(cw__alloc_live() == 0);
    peer_settle();
    fuzz_wire_destroy(&model);
    fuzz_wire_destroy(&r.got);
    return 0;
}
