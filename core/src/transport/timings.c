/* SPDX-License-Identifier: MIT */
/* Timings: how long the parts of a connect take. handshake.c notes moments, and libcurl measures when TCP and TLS were
 * connected. connect.c calls this file under the socket's lock. */
#include "transport.h"

const cw_timings cw__no_timings = {CW_TIMING_NONE, CW_TIMING_NONE, CW_TIMING_NONE,
                                   CW_TIMING_NONE, CW_TIMING_NONE, CW_TIMING_NONE};

void cw__timings_begin(cw__handshake *h)
{
    cw__moment_note(&h->moments.begun_us);
    h->moments.transfer_us = cw__now_us();
}

/* Returns a moment that libcurl has measured in its latest transfer, on our clock; 0 = not reached. */
static int64_t measured(const cw__handshake *h, CURLINFO info)
{
    curl_off_t us = 0;

    if (curl_easy_getinfo(h->easy, info, &us) != CURLE_OK || us <= 0)
        return 0;
    return h->moments.transfer_us + (int64_t)us;
}

/* Returns the time from *since to a moment, and moves *since to it. A part that was not reached changes nothing. If this
 * thread pauses before libcurl's clock starts, libcurl's moment may be before *since, which then stays. So no time counts
 * in two parts. */
static int64_t part(int64_t moment_us, int64_t *since_us)
{
    int64_t us = moment_us - *since_us;

    if (moment_us == 0)
        return CW_TIMING_NONE;
    if (us <= 0)
        return 0;
    *since_us = moment_us;
    return us;
}

cw_timings cw__handshake_timings(const cw__handshake *h, int64_t begun_us)
{
    const cw__moments *m = &h->moments;
    int64_t since_us = m->begun_us;
    bool has_proxy = h->proxy.kind != CW__PROXY_NONE;
    cw_timings t = {.total_us = cw__now_us() - begun_us};

    t.look_up_us = part(m->looked_up_us, &since_us);
    t.tcp_us = part(measured(h, CURLINFO_CONNECT_TIME_T), &since_us);
    t.proxy_us = part(has_proxy ? m->past_proxy_us : 0, &since_us);
    /* TLS to an https:// proxy sets this time too */
    t.tls_us = part(h->is_to_tls && h->is_past_proxy ? measured(h, CURLINFO_APPCONNECT_TIME_T) : 0, &since_us);
    t.upgrade_us = part(m->answered_us, &since_us);
    return t;
}
