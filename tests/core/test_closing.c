/* SPDX-License-Identifier: MIT */
/* Tests of closing.c: the closing handshake from both sides, refused close frames, the time limits, and the end of TCP.
 * test_closing_calls.c tests the calls, test_close.c the state machine. */
#include "closing.h"
#include "gate.h"

#include <errno.h>

static const struct {
    int code;
    const char *reason;
} endings[] = {{1000, ""},
               {1000, "bye"},
               {1001, "gr\xc3\xbc\xc3\x9f"
                      "e"},
               {1002, ""},
               {1003, "no"},
               {1007, ""},
               {1008, ""},
               {1009, ""},
               {1010, ""},
               {1011, "oops"},
               {1012, ""},
               {1013, ""},
               {1014, ""},
               {3000, REASON_123},
               {4999, "x"},
               {1005, ""}};

enum { ENDINGS = sizeof endings / sizeof endings[0] };

static void test_from_us(void)
{
    CHECK_INT(strlen(REASON_123), 123);
    for (size_t i = 0; i < ENDINGS; i++) {
        const char *reason = endings[i].reason;
        cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
        CHECK_STATUS(cw_socket_close_start(s, endings[i].code, reason, strlen(reason)), CW_OK);
        CHECK_CLOSED(s, endings[i].code, true); /* the server sends the same back */
        check_reason(s, reason);
        check_close_frame(peer_log(), endings[i].code, reason);
        cw_socket_release(s);
    }
    cw_shutdown(5000);
}

static void test_from_them(void)
{
    for (size_t i = 0; i < ENDINGS; i++) {
        const char *reason = endings[i].reason;
        unsigned code = (unsigned)endings[i].code, bytes = code == 1005 ? 0 : (unsigned)strlen(reason) + 2;
        char head[16];
        cw_socket *s;
        (void)snprintf(head, sizeof head, bytes ? "88%02x%04x" : "88%02x", bytes, code);
        s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:%s%s/frame:1/end", head, peer_hex(reason)));
        CHECK_CLOSED(s, endings[i].code, true);
        check_reason(s, reason);
        CHECK_STATUS(cw_socket_receive(s, 0, &(cw_event *){NULL}), CW_CLOSED);
        CHECK_HAS(cw_error_message(), code == 1005 ? "without a code" : reason);
        check_close_frame(peer_log(), endings[i].code, ""); /* 5.5.1: our answer has the same code */
        CHECK_HAS(peer_log(), "\"end\": \"server\"");
        cw_socket_release(s);
    }
    cw_shutdown(5000);
}

/* The peer's code is reported, whichever side began to close. */
static void test_other_code(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/x:8804%04x6f6b/end", 3001));

    CHECK_STATUS(cw_socket_close_start(s, 1000, "done", 4), CW_OK);
    CHECK_CLOSED(s, 3001, true);
    check_reason(s, "ok");
    check_close_frame(peer_log(), 1000, "done");
    peer_finish(s);
}

static void test_at_once(void)
{
    raw_peer p;
    raw_frame f;

    raw_open(&p, closing_socket(10000));
    RAW_SEND(&p, "\x88\x02\x0f\xa1"); /* the server sends this before it has read our close frame */
    CHECK_STATUS(cw_socket_close_start(p.s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(p.s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_CLOSED(p.s, 4001, true);
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.opcode, CW__OP_CLOSE); /* one close frame: ours, or the answer to the peer's */
    free(f.payload);
    raw_reset(&p);
    raw_finish(&p);
}

/* In this test our close frame is certainly sent first. */
static void test_crossed(void)
{
    raw_peer p;
    raw_frame f;

    raw_open(&p, closing_socket(10000));
    CHECK_STATUS(cw_socket_close_start(p.s, 1000, NULL, 0), CW_OK);
    RAW_SEND(&p, "\x88\x02\x0f\xa1");
    CHECK_CLOSED(p.s, 4001, true);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
    CHECK(!raw_next(&p, &f)); /* no second close frame; our end follows the server's */
    raw_finish(&p);
}

/* ---- Close frames that are not allowed ---- */

static void violated(const char *bytes, int code)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:%s/frame:1/end", bytes));

    CHECK_CLOSED(s, 1006, false);
    CHECK_STATUS(cw_socket_receive(s, 0, &(cw_event *){NULL}), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_ConnectionAborted);
    CHECK_HAS(cw_error_message(), "broke the protocol");
    CHECK_INT(peer_close_code(peer_log()), code);
    CHECK_INT(peer_count_frames(peer_log(), CW__OP_CLOSE), 1);
    cw_socket_release(s);
}

static void test_bad_codes(void)
{
    static const unsigned codes[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535};
    char bytes[16];

    violated("880103", 1002);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        (void)snprintf(bytes, sizeof bytes, "8802%04x", codes[i]);
        violated(bytes, 1002);
    }
    cw_shutdown(5000);
}

static void test_bad_reasons(void)
{
    violated("880303e8ff", 1007);
    violated("880403e861c3", 1007); /* cut inside a character */
    violated("880503e8eda080", 1007);
    violated("080203e8", 1002); /* 5.5: a fragmented close frame */
    cw_shutdown(5000);
}

/* A bad answer to our close frame: nothing more is sent, and the end was not clean. */
static void test_bad_answer(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/x:880203ed/end"));

    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1006, false);
    check_close_frame(peer_log(), 1000, "");
    peer_finish(s);
}

/* ---- Time limits, and the end of TCP ---- */

static void test_no_answer(void)
{
    cw_socket *s = closing_socket(40);

    peer_connect(s, peer_script("hang"));
    hold_service(); /* so that close_timeout cannot pass before the state is checked */
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSING);
    let_service_go();
    CHECK_CLOSED(s, 1006, false);
    check_reason(s, "the server did not answer the close frame within close_timeout: raise close_timeout if "
                    "the server is slow");
    CHECK_HAS(peer_log(), "\"end\": \"eof\"");
    check_close_frame(peer_log(), 1000, "");
    peer_finish(s);
}

static void tcp_left_open(bool they_begin)
{
    raw_peer p;
    raw_frame f;

    raw_open(&p, closing_socket(20000));
    if (they_begin)
        RAW_SEND(&p, "\x88\x00");
    else
        CHECK_STATUS(cw_socket_close_start(p.s, 1005, NULL, 0), CW_OK);
    RAW_EXPECT(&p, CW__OP_CLOSE, "", 0);
    if (!they_begin)
        RAW_SEND(&p, "\x88\x00");
    CHECK_CLOSED(p.s, 1005, true);
    cw__mutex_lock(&p.s->lock);
    CHECK(p.s->close.deadline_ms <= cw__now_ms() + 20000);
    p.s->close.deadline_ms = cw__now_ms(); /* as if close_timeout had passed, which takes too long for a test */
    cw__socket_attend_locked(p.s);
    cw__mutex_unlock(&p.s->lock);
    CHECK(!raw_next(&p, &f)); /* the service thread ends TCP */
    UNTIL(LOCKED(p.s, !p.s->is_attached));
    CHECK_CLOSED(p.s, 1005, true); /* the end still counts as clean */
    raw_finish(&p);
}

static void test_tcp_left_open(void) { tcp_left_open(false); }
static void test_tcp_left_open_by_them(void) { tcp_left_open(true); }

static void tcp_ended_by_server(bool they_begin)
{
    raw_peer p;
    raw_frame f;

    raw_open(&p, closing_socket(20000));
    if (they_begin)
        RAW_SEND(&p, "\x88\x02\x03\xe8");
    else
        CHECK_STATUS(cw_socket_close_start(p.s, 1000, NULL, 0), CW_OK);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    if (!they_begin)
        RAW_SEND(&p, "\x88\x02\x03\xe8");
    CHECK_CLOSED(p.s, 1000, true); /* the caller learns of the end at once */
    CHECK_INT(LOCKED(p.s, p.s->is_attached && p.s->codec != NULL), 1);
    CHECK_INT(recv(p.fd, p.buffer, 1, MSG_DONTWAIT), -1); /* but the client's TCP is still open */
    CHECK_INT(errno, EAGAIN);
    CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
    CHECK(!raw_next(&p, &f)); /* the client's TCP is open until the server ends its own */
    UNTIL(LOCKED(p.s, !p.s->is_attached));
    raw_finish(&p);
}

static void test_tcp_ended_by_server(void) { tcp_ended_by_server(false); }
static void test_tcp_ended_by_server_who_began(void) { tcp_ended_by_server(true); }

static void test_server_ends(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/close:1000/end"));

    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    CHECK_HAS(peer_log(), "\"end\": \"server\"");
    peer_finish(s);
    s = peer_socket(CW_MESSAGE_SOCKET);
    peer_connect(s, peer_script_tls("frame:1/close:1000/end"));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    CHECK_HAS(peer_log(), "\"end\": \"server\"");
    peer_finish(s);
}

/* The peer's close frame and its FIN arrive in one segment. The answer is still sent. */
static void test_close_with_fin(void)
{
    for (int i = 0; i < 50; i++) {
        raw_peer p;
        raw_open(&p, closing_socket(10000));
        CHECK_INT(send(p.fd, "\x88\x02\x0f\xa0", 4, MSG_NOSIGNAL | MSG_MORE), 4);
        CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
        RAW_EXPECT(&p, CW__OP_CLOSE, "\x0f\xa0", 2);
        CHECK_CLOSED(p.s, 4000, true);
        raw_end(&p);
        cw_socket_release(p.s);
    }
    cw_shutdown(5000);
}

static void test_lost(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/end"));

    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_CLOSED(s, 1006, false);
    check_reason(s, "the server ended the connection without a close frame; connect again");
    cw_socket_release(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/rst"));
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK_CLOSED(s, 1006, false);
    CHECK_STATUS(cw_socket_receive(s, 0, &(cw_event *){NULL}), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_ConnectionReset);
    peer_finish(s);
}

/* ---- Data after close frames ---- */

static void test_data_after_ours(void)
{
    raw_peer p;

    raw_open(&p, closing_socket(10000));
    RAW_SEND(&p, "\x81\x01"
                 "a");
    UNTIL(LOCKED(p.s, p.s->in.inbox.first != NULL));
    CHECK_STATUS(cw_socket_close_start(p.s, 1000, NULL, 0), CW_OK);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    RAW_SEND(&p, "\x81\x01"
                 "b\x02\x01"
                 "c\x80\x01"
                 "d\x89\x01"
                 "e\x88\x02\x03\xe9");
    CHECK_CLOSED(p.s, 1001, true);
    CHECK_STATUS(cw_socket_receive(p.s, 0, &(cw_event *){NULL}), CW_CLOSED); /* no message is returned */
    CHECK_HAS(cw_error_message(), "closed by this program");
    CHECK_INT(LOCKED(p.s, p.s->in.inbox.first == NULL), 1);
    raw_finish(&p);
}

static void test_data_after_theirs(void)
{
    raw_peer p;
    raw_frame f;

    raw_open(&p, closing_socket(10000));
    RAW_SEND(&p, "\x81\x01"
                 "a\x88\x02\x03\xe9\x81\x01"
                 "b\xff\xff\xff\xff\x88\x02\0\0");
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe9", 2);
    CHECK_CLOSED(p.s, 1001, true);
    CHECK_MESSAGE(p.s, CW_UTF8, "a", 1); /* messages that came before are returned */
    CHECK_STATUS(cw_socket_receive(p.s, 0, &(cw_event *){NULL}), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "1001");
    CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
    CHECK(!raw_next(&p, &f));
    raw_finish(&p);
}

static int unread_bytes(int fd)
{
    int unread = 0;

    CHECK_INT(ioctl(fd, FIONREAD, &unread), 0);
    return unread;
}

/* A peer that keeps sending after its close frame gets no more of the service's time than other peers. Each turn reads
 * a part of the data. */
static void test_flood_after_close(void)
{
    enum { FLOOD_BYTES = 300000, TURN_BYTES = 128 * 1024 };
    static const uint8_t data[FLOOD_BYTES];
    int room = 2 * FLOOD_BYTES, client;
    raw_peer p;

    raw_open(&p, closing_socket(20000));
    CHECK_INT(setsockopt(p.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    RAW_SEND(&p, "\x88\x02\x03\xe8");
    CHECK_CLOSED(p.s, 1000, true);
    cw__mutex_lock(&p.s->lock); /* nothing reads */
    client = p.s->fd;
    CHECK_INT(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    CHECK_INT(setsockopt(client, IPPROTO_TCP, TCP_WINDOW_CLAMP, &room, sizeof room), 0);
    raw_write(&p, data, sizeof data);
    UNTIL(unread_bytes(client) > TURN_BYTES + 16384);
    CHECK_INT(p.s->codec->calls->discard(p.s->codec), CW__IO_OK);
    CHECK(unread_bytes(client) > 0);
    cw__mutex_unlock(&p.s->lock);
    UNTIL(raw_is_delivered(&p) && unread_bytes(client) == 0);
    CHECK_INT(LOCKED(p.s, p.s->is_attached), 1);
    raw_finish(&p);
}

/* Queued data is sent before our own close frame. After the peer's close frame it is dropped. */
static void test_queue_before_close(void)
{
    static uint8_t data[1 << 20];
    raw_peer p;

    raw_open(&p, closing_socket(10000));
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, data, sizeof data, 0), CW_OK);
    CHECK_STATUS(cw_socket_close_start(p.s, 1000, NULL, 0), CW_OK);
    RAW_EXPECT(&p, CW__OP_BINARY, data, sizeof data);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    RAW_SEND(&p, "\x88\x02\x03\xe8");
    CHECK_CLOSED(p.s, 1000, true);
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"RFC 6455 7.1.1, 7.4: we close, with every code and reason, and with none", test_from_us},
    {"RFC 6455 5.5.1, 7.1.5: the server closes, with every code and reason, and with none", test_from_them},
    {"RFC 6455 7.1.5: the code is the peer's", test_other_code},
    {"RFC 6455 5.5.1: both close at once", test_at_once},
    {"RFC 6455 5.5.1: close frames that cross are not answered once more", test_crossed},
    {"RFC 6455 5.5.1, 7.4: a payload of one byte and bad codes: 1002", test_bad_codes},
    {"RFC 6455 5.5.1, 8.1: a bad reason: 1007; a fragmented close frame: 1002", test_bad_reasons},
    {"RFC 6455 5.5.1: a bad answer to our close frame", test_bad_answer},
    {"RFC 6455 7.1.1: a server that never answers: 1006 after close_timeout", test_no_answer},
    {"RFC 6455 7.1.1: a server that leaves TCP open: ended at close_timeout", test_tcp_left_open},
    {"RFC 6455 7.1.1: a server that began and leaves TCP open", test_tcp_left_open_by_them},
    {"RFC 6455 7.1.1: the server ends TCP; the closed event comes at once", test_tcp_ended_by_server},
    {"RFC 6455 7.1.1: a server that began and ends TCP", test_tcp_ended_by_server_who_began},
    {"RFC 6455 7.1.1: the record of a server that ends TCP, also over TLS", test_server_ends},
    {"RFC 6455 5.5.1: the peer's close frame and FIN in one segment are answered", test_close_with_fin},
    {"RFC 6455 7.1.5: a lost connection is 1006", test_lost},
    {"RFC 6455 5.5.1: data after our close frame is ignored", test_data_after_ours},
    {"RFC 6455 5.5.1: data after the peer's close frame is ignored", test_data_after_theirs},
    {"a flood after the close frames is read in turns", test_flood_after_close},
    {"queued data is sent before the close frame", test_queue_before_close},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
