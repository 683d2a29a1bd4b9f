/* SPDX-License-Identifier: MIT */
/* The client of fuzz_socket.c: the socket and mailbox of one run, the calls, and the checks of curlwire.h's contract after
 * each call. */
#ifndef SOCKET_RUN_H
#define SOCKET_RUN_H

#include "socket_peer.h"

typedef struct run {
    cw_socket *s;
    cw_mailbox *mailbox;
    cw_state state; /* the last state that was seen; it never goes back */
    int closed_count;
    bool has_connected; /* the socket was open */
    fuzz_wire got;      /* received messages, logged by fuzz.h; none after a local close */
    /* The mailbox has had a mask without messages. Its closed event may then come while messages wait. */
    bool may_close_first;
} run;

static void run_take_event(run *r, cw_event *e)
{
    size_t len;
    const void *data = cw_event_data(e, &len);

    if (cw_event_get_type(e) == CW_EVENT_MESSAGE) {
        DEMAND(cw_event_message_type(e) != CW_UTF8 || cw__utf8_valid(data, len));
        DEMAND(len <= (size_t)r->got.max_bytes && cw_event_is_complete(e));
        DEMAND(r->closed_count == 0 || r->may_close_first);
        fuzz_note_item(&r->got.data, (int)cw_event_message_type(e), data, len);
    }
    if (cw_event_get_type(e) == CW_EVENT_CLOSED) {
        int code = cw_event_close_code(e);
        r->closed_count++;
        DEMAND(code == 1005 || code == 1006 || cw__close_code_valid(code));
        DEMAND(cw__utf8_valid(data, len) && len <= 123 && (code != 1006 || !cw_event_was_clean(e)));
    }
    cw_event_free(e);
}

/* Checks that a failed call returned an allowed status and left an error text for this thread. */
static void run_check(run *r, cw_status status, const char *allowed)
{
    cw_state now = cw_socket_state(r->s);

    if (status != CW_OK && !strstr(allowed, cw_status_name(status) + 3)) {
        (void)fprintf(stderr, "%s is none of %s: %s\n", cw_status_name(status), allowed, cw_error_message());
        abort();
    }
    DEMAND(status == CW_OK || cw_error_message()[0]);
    DEMAND(now >= r->state);
    DEMAND(status != CW_CLOSED || now >= CW_STATE_OPEN);
    r->state = now;
}

static void run_send(run *r, fuzz_input *in, bool is_fragment)
{
    uint8_t flags = fuzz_byte(in);
    size_t len;
    const uint8_t *data = fuzz_bytes(in, flags >> 3, &len);
    cw_message_type message_type = flags & 1 ? CW_UTF8 : CW_BINARY;
    const cw_message fragment = {
        .message_type = message_type, .data = data, .len_bytes = len, .compress = (cw_compress)(len % 3)};
    cw_status status =
        is_fragment ? cw_socket_send_fragment(r->s, &fragment, len & 4 ? r : NULL, flags & 2, flags >> 2 & 1)
                    : cw_socket_send(r->s, message_type, data, len, flags >> 2 & 1);

    run_check(r, status, "WOULD_BLOCK TIMED_OUT CLOSED INVALID_STATE INVALID_ARGUMENT");
    DEMAND(is_fragment || status != CW_OK || message_type != CW_UTF8 || cw__utf8_valid(data, len));
}

static void run_receive(run *r, uint8_t how)
{
    cw_event *e = NULL;
    uint8_t buffer[64];
    size_t len = 0;
    cw_status status;

    if (cw_socket_class(r->s) == CW_STREAM_SOCKET) {
        status = cw_socket_read(r->s, buffer, how % sizeof buffer, how & 1, &len);
        DEMAND(len <= how % sizeof buffer && (status == CW_OK || len == 0));
    } else {
        status = how & 2 ? cw_socket_try_receive(r->s, &e) : cw_socket_receive(r->s, how & 1, &e);
        DEMAND((status == CW_OK) == (e != NULL));
    }
    run_check(r, status, "WOULD_BLOCK TIMED_OUT CLOSED INVALID_STATE");
    if (e)
        run_take_event(r, e);
}

static void run_drain(run *r, int timeout_ms)
{
    cw_event *e;

    while (cw_mailbox_take(r->mailbox, timeout_ms, &e) == CW_OK) {
        DEMAND(cw_event_socket(e) == r->s);
        run_take_event(r, e);
    }
}

static void run_close(run *r, fuzz_input *in)
{
    int code = (int)fuzz_number(in, 2);
    size_t len;
    const uint8_t *reason = fuzz_bytes(in, fuzz_byte(in), &len);
    cw_status status = cw_socket_close_start(r->s, code, (const char *)reason, len);
    bool may_be = code == 1005 ? len == 0 : cw__close_code_valid(code) && len <= 123;

    DEMAND((status == CW_OK) == (may_be && cw__utf8_valid(reason, len)));
    run_check(r, status, "INVALID_ARGUMENT");
}

static void run_subscribe(run *r, fuzz_input *in, bool has_mailbox)
{
    unsigned mask = fuzz_byte(in) & CW_EVENTS_ALL;

    r->may_close_first |= !(mask & CW_EVENT_MESSAGE);
    run_check(r, cw_socket_subscribe(r->s, has_mailbox ? r->mailbox : NULL, mask), "INVALID_STATE");
}

static void run_look(run *r)
{
    char text[256];
    size_t len;
    int code;
    bool was_clean = cw_socket_get_closed(r->s, &code, text, sizeof text, NULL);

    DEMAND(code == 0 || code == 1005 || code == 1006 || cw__close_code_valid(code));
    DEMAND(!was_clean || code != 1006);
    for (int info = CW_INFO_URI; info <= CW_INFO_RESPONSE_HEADERS; info++)
        DEMAND(cw_socket_get_info(r->s, (cw_info)info, text, sizeof text, &len) == CW_OK &&
               strlen(text) == (len < sizeof text ? len : sizeof text - 1));
}

static void run_call(run *r, fuzz_input *in)
{
    uint8_t call = fuzz_byte(in), argument = call >> 4;
    int64_t rtt_us = -1;

    switch (call & 15) {
    case 0:
    case 1:
        run_send(r, in, call & 1);
        break;
    case 2:
        run_check(r, cw_socket_ping(r->s, argument & 1, &rtt_us), "TIMED_OUT CLOSED INVALID_STATE WOULD_BLOCK");
        break;
    case 3:
        run_check(r, cw_socket_flush(r->s, argument & 1), "TIMED_OUT CLOSED INVALID_STATE");
        break;
    case 4:
        run_close(r, in);
        break;
    case 5:
        if (argument == 5)
            cw_socket_abort(r->s);
        break;
    case 6:
        run_look(r);
        break;
    case 7:
        run_subscribe(r, in, argument & 8);
        break;
    case 8:
        run_drain(r, argument & 1);
        break;
    case 9:
        run_check(r, cw_socket_wait_closed(r->s, argument & 1), "TIMED_OUT CLOSED");
        break;
    case 10:
        DEMAND(cw_socket_set_number(r->s, CW_OPT_NO_DELAY, 1) == CW_INVALID_STATE || r->state == CW_STATE_NEW);
        break;
    case 11:
        DEMAND(cw_socket_connect_start(r->s, peer.uri, strlen(peer.uri), 0) == CW_INVALID_STATE);
        break;
    default:
        run_receive(r, argument);
    }
}

static void run_open(run *r, uint8_t flags)
{
    cw_status status;

    DEMAND(cw_socket_create(flags & 32 ? CW_STREAM_SOCKET : CW_MESSAGE_SOCKET, &r->s) == CW_OK);
    DEMAND(cw_mailbox_create(&r->mailbox) == CW_OK);
    if (!(flags & 32))
        DEMAND(cw_socket_set_number(r->s, CW_OPT_MAX_MESSAGE_SIZE, r->got.max_bytes) == CW_OK);
    DEMAND(cw_socket_set_number(r->s, CW_OPT_CLOSE_TIMEOUT, flags & 64 ? 2 : 1000) == CW_OK);
    DEMAND(cw_socket_set_number(r->s, CW_OPT_PING_INTERVAL, flags & 128 ? 1 : 0) == CW_OK);
    status = cw_socket_connect(r->s, peer.uri, strlen(peer.uri), flags & PEER_ANSWERS_RAW ? 30 : 30000);
    run_check(r, status, "CONNECT_FAILED");
    DEMAND(status == CW_OK || flags & (PEER_ANSWERS_RAW | PEER_RESETS)); /* a reset may drop the 101 */
    r->has_connected = status == CW_OK;
}

static void run_end(run *r)
{
    (void)cw_socket_subscribe(r->s, r->mailbox, CW_EVENT_CLOSED);
    cw_socket_abort(r->s);
    run_check(r, cw_socket_wait_closed(r->s, 30000), "CLOSED"); /* the peer may not have read everything */
    run_drain(r, 0);
    DEMAND(r->closed_count == (r->has_connected ? 1 : 0));
    cw_socket_release(r->s);
    cw_mailbox_release(r->mailbox);
}

#endif
