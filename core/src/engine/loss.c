/* SPDX-License-Identifier: MIT */
/* Losses: the bytes of accepted messages that did not reach a peer, until a call reports them. Any thread. */
#include "engine.h"

static atomic_uint_fast64_t lost_bytes; /* by all sockets, and not reported by any call yet */

void cw__loss_add(uint64_t len_bytes) { (void)atomic_fetch_add(&lost_bytes, len_bytes); }
void cw__loss_told(uint64_t len_bytes) { (void)atomic_fetch_sub(&lost_bytes, len_bytes); }

cw_status cw__loss_report(void)
{
    uint64_t lost = atomic_exchange(&lost_bytes, 0);

    if (lost == 0)
        return CW_OK;
    return cw__fail(
        CW_CLOSED,
        "up to %llu bytes that were sent did not reach their server, because the server took nothing for "
        "send_timeout or the connection was lost; call wait_closed() on each socket to check it",
        (unsigned long long)lost);
}
