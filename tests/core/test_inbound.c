/* SPDX-License-Identifier: MIT */
/* Tests of inbound.c over connections. They test what a server may send and what it may not (RFC 6455 sections
 * 5, 8.1, and the close codes of 7.4.1), and which messages are returned around an end. They also test partial
 * mode and the stream. test_message.c tests the rules on bytes, test_reader.c the limits of the inbox and who
 * reads the connection. */
#include "peer.h"

/* Ends a test whose server does not answer a close frame. */
static void drop(cw_socket *s)
{
    cw_socket_abort(s);
    peer_finish(s);
}

/* ---- Messages arrive whole ---- */

static void test_drip(void)
{
    /* "Hel" + ping "x" + "" + "lo", an empty message, an unsolicited pong, a binary message; one byte at a time */
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("drip:010348656c"
                                                            "890178"
                                                            "0000"
                                                            "80026c6f"
                                                            "8100"
                                                            "8a026f6b"
                                                            "8203000102/frame:1/close:1000"));

    CHECK_MESSAGE(s, CW_UTF8, "Hello", 5);
    CHECK_MESSAGE(s, CW_UTF8, "", 0);
    CHECK_MESSAGE(s, CW_BINARY, "\0\1\2", 3);
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
    CHECK_HAS(peer_log(), "{\"opcode\": 10, \"fin\": true, \"rsv\": 0, \"masked\": true, \"length\": 1, "
                          "\"payload\": \"78\"}");
}

static void check_long(cw_socket *s, size_t len)
{
    cw_event *e = NULL;
    size_t len_bytes;
    const uint8_t *data;

    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    data = cw_event_data(e, &len_bytes);
    CHECK_INT(len_bytes, len);
    for (size_t i = 0; i < len; i++)
        if (data[i] != 'a')
            HARNESS_FAIL("byte %zu of %zu is %02x", i, len, data[i]);
    cw_event_free(e);
}

static void test_lengths(void)
{
    static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 100000};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char head[32];
        cw_socket *s;
        if (lengths[i] < 126)
            (void)snprintf(head, sizeof head, "82%02zx", lengths[i]);
        else
            (void)snprintf(head, sizeof head, lengths[i] < 65536 ? "827e%04zx" : "827f%016zx", lengths[i]);
        s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:%s/repeat:%zu:61/x:820161", head, lengths[i]));
        check_long(s, lengths[i]);
        check_long(s, 1); /* the next frame begins at the right place */
        drop(s);
    }
}

static void test_many_fragments(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:0200/repeat:5000:000161/repeat:100:0000/repeat:"
                                                            "5000:000161/x:8000"));

    check_long(s, 10000);
    drop(s);
}

/* ---- Violations ---- */

/* Checks that the connection fails: this code is sent, 1006 and a text are kept, and no message is returned. */
static void refused_by(cw_socket *s, const char *uri, int code)
{
    char reason[128], token[sizeof peer_token];
    cw_event *e = NULL;
    int closed_code;

    (void)snprintf(token, sizeof token, "%s", peer_token);
    peer_connect(s, uri);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_ConnectionAborted);
    if (code == 1009) {
        CHECK_HAS(cw_error_message(), " bytes exceeds max_message_size ("); /* the limit is set here */
        CHECK_INT(cw_error_option(), CW_OPT_MAX_MESSAGE_SIZE);
    } else {
        CHECK_HAS(cw_error_message(), "the server broke the protocol: ");
        CHECK_INT(cw_error_option(), CW_OPTION_NONE);
    }
    CHECK(!cw_socket_get_closed(s, &closed_code, reason, sizeof reason, NULL));
    CHECK_INT(closed_code, 1006);
    CHECK(reason[0] != '\0');
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "", 0, 0), CW_CLOSED);
    /* cw_shutdown comes later and waits for no peer. A peer that still sends would only see a reset. */
    if (peer_close_code(peer_log_of(token)) != code)
        HARNESS_FAIL("for %s, wanted %d: %s", uri, code, peer_log_of(token));
    peer_finish(s);
}

static void refused(const char *bytes, int code)
{
    refused_by(peer_socket(CW_MESSAGE_SOCKET), peer_script("x:%s/echo/end", bytes), code);
    refused_by(peer_socket(CW_MESSAGE_SOCKET), peer_script("drip:%s/echo/end", bytes), code);
    refused_by(peer_socket(CW_MESSAGE_SOCKET), peer_script("join/x:%s/echo/end", bytes), code);
}

static void test_reserved_bits(void)
{
    refused("c10161", 1002);
    refused("a10161", 1002);
    refused("910161", 1002);
    refused("c900", 1002);
    refused("010161c00162", 1002); /* RSV1 on a continuation */
}

static void test_reserved_opcodes(void)
{
    char bytes[8];

    for (unsigned opcode = 0; opcode < 16; opcode++)
        if ((opcode & 7) > 2) {
            (void)snprintf(bytes, sizeof bytes, "%02x00", 0x80 | opcode);
            refused(bytes, 1002);
        }
}

static void test_masked(void)
{
    refused("81810000000061", 1002);
    refused("898000000000", 1002);
    refused("888000000000", 1002);
}

static void test_fragments_out_of_order(void)
{
    refused("800161", 1002);
    refused("000161", 1002);
    refused("010161810162", 1002);
    refused("010161820162", 1002);
    refused("020161020162", 1002);
}

static void test_control_frames(void)
{
    char bytes[2 * 130 + 1];

    refused("0900", 1002);
    refused("0a00", 1002);
    refused("080203e8", 1002);
    for (unsigned opcode = 8; opcode <= 10; opcode++) {
        int len = snprintf(bytes, sizeof bytes, "%02x7e007e", 0x80 | opcode);
        for (int i = 0; i < 126; i++)
            len += snprintf(bytes + len, sizeof bytes - (size_t)len, "61");
        refused(bytes, 1002);
    }
}

static void test_close_frames(void)
{
    refused("880103", 1002);         /* half a code */
    refused("880203ed", 1002);       /* 1005 must not be sent */
    refused("880203ee", 1002);       /* 1006 */
    refused("8802f000", 1002);       /* a code beyond 4999 */
    refused("880303e8ff", 1007);     /* the reason is not UTF-8 */
    refused("880503e8f0908d", 1007); /* cut off */
}

static void test_utf8(void)
{
    refused("810a6865ff", 1007);   /* the frame continues, but the first bad byte ends the connection */
    refused("017e03e8c0", 1007);   /* the message continues too */
    refused("0101ce0001ff", 1007); /* across fragments */
    refused("0101ce8001ff", 1007);
    refused("0101ce8900000162", 1007); /* with a ping between the fragments */
    refused("8101ce", 1007);           /* cut off at the end of the message */
    refused("0103e282ac0002e2828000", 1007);
    refused("8103eda080", 1007);   /* a surrogate */
    refused("8104f4908080", 1007); /* a code point beyond U+10FFFF */
    refused("8102c080", 1007);     /* an overlong form */
}

static void test_utf8_across_fragments(void)
{
    cw_socket *s =
        peer_open(CW_MESSAGE_SOCKET, peer_script("drip:0101ce8900000000008001ba/x:8201ff/x:8103e282ac"));

    CHECK_MESSAGE(s, CW_UTF8, "\xce\xba", 2);
    CHECK_MESSAGE(s, CW_BINARY, "\xff", 1); /* only text is checked */
    CHECK_MESSAGE(s, CW_UTF8, "\xe2\x82\xac", 3);
    drop(s);
}

static void too_big(const char *bytes, int64_t most)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MAX_MESSAGE_SIZE, most), CW_OK);
    refused_by(s, peer_script("x:%s/echo/end", bytes), 1009);
}

/* The caller learns the size and the limit; the peer learns only that there is a limit. */
static void test_too_big_text(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    char reason[128], token[sizeof peer_token];
    cw_event *e = NULL;
    const char *uri;
    int code;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MAX_MESSAGE_SIZE, 10), CW_OK);
    uri = peer_script("x:820b6161/echo/end");
    (void)snprintf(token, sizeof token, "%s", peer_token);
    peer_connect(s, uri);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_STR(cw_error_message(), "a message of at least 11 bytes exceeds max_message_size (10 bytes)");
    CHECK(!cw_socket_get_closed(s, &code, reason, sizeof reason, NULL));
    CHECK_STR(reason, cw_error_message());
    CHECK_HAS(peer_log_of(token),
              "03f1746865206d6573736167652069732062696767657220"); /* "the message is bigger " */
    peer_finish(s);
}

static void test_too_big(void)
{
    too_big("820b61", 10); /* one byte of eleven, because libcurl does not pass on a header alone */
    too_big("820161", 0);
    too_big("827e008061", 100);
    too_big("827f000000001000000061", 1 << 20);
    too_big("827f7fffffffffffffff61", 1 << 20);
    too_big("02046161616180076161", 10); /* the sum of the fragments */
    too_big("0204616161618900000461616161890000046161", 11);
    too_big("827f000000000400000161", 67108864); /* the default */
}

static void test_just_not_too_big(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MAX_MESSAGE_SIZE, 10), CW_OK);
    peer_connect(s, peer_script("x:820a/repeat:10:61/x:020461616161/x:800661/repeat:5:61/x:8100"));
    check_long(s, 10);
    check_long(s, 10);
    check_long(s, 0);
    drop(s);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MAX_MESSAGE_SIZE, -1), CW_OK);
    peer_connect(s, peer_script("x:827f0000000000100001/repeat:1048577:61"));
    check_long(s, 1048577);
    drop(s);
}

/* Good messages before a violation are returned first. */
static void test_messages_before_a_violation(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161810162c10163810164"));
    cw_event *e = NULL;

    UNTIL(cw_socket_state(s) == CW_STATE_CLOSED); /* no message has been taken yet */
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_MESSAGE(s, CW_UTF8, "b", 1);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_CLOSED(s, 1006, false);
    peer_finish(s);
}

/* ---- The greeting: frames in the same packet as the 101 ---- */

static const char *greeting(bool is_tls, const char *steps)
{
    return is_tls ? peer_script_tls("join/%s", steps) : peer_script("join/%s", steps);
}

static void greet(bool is_tls)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, greeting(is_tls, "x:81026869"));

    CHECK_MESSAGE(s, CW_UTF8, "hi", 2);
    drop(s);
    s = peer_open(CW_MESSAGE_SOCKET, greeting(is_tls, "x:8102686982000101618000890178"));
    CHECK_MESSAGE(s, CW_UTF8, "hi", 2);
    CHECK_MESSAGE(s, CW_BINARY, "", 0);
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    drop(s);
    s = peer_open(CW_MESSAGE_SOCKET, greeting(is_tls, "x:810568656c/frame:1/x:6c6f8100")); /* a cut frame */
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "", 0, 0), CW_OK);
    CHECK_MESSAGE(s, CW_UTF8, "hello", 5);
    CHECK_MESSAGE(s, CW_UTF8, "", 0);
    drop(s);
    s = peer_open(CW_MESSAGE_SOCKET, greeting(is_tls, "x:827e/frame:1/x:0001008100")); /* a cut header */
    drop(s);
    /* the close frame is in the packet too */
    s = peer_open(CW_MESSAGE_SOCKET, greeting(is_tls, "x:8102686988020fa0"));
    CHECK_CLOSED(s, 4000, true);
    CHECK_MESSAGE(s, CW_UTF8, "hi", 2);
    drop(s);
    s = peer_open(CW_STREAM_SOCKET, greeting(is_tls, "x:81026869"));
    CHECK_STATUS(cw_socket_read(s, (char[8]){0}, 8, CW_TIMEOUT_DEFAULT, (size_t[1]){0}), CW_OK);
    drop(s);
}

static void test_greeting(void) { greet(false); }
static void test_greeting_tls(void) { greet(true); }

/* No call is made: the service thread finds the data inside libcurl, where no descriptor shows it. */
static void test_greeting_to_a_mailbox(void)
{
    for (int is_tls = 0; is_tls < 2; is_tls++) {
        cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
        cw_mailbox *m = NULL;
        cw_event *e = NULL;

        CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
        CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE), CW_OK);
        peer_connect(s, greeting(is_tls, "x:81026869"));
        CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
        CHECK_INT(cw_event_get_type(e), CW_EVENT_MESSAGE);
        cw_event_free(e);
        drop(s);
        cw_mailbox_release(m);
    }
}

/* ---- Around an end ---- */

static size_t waiting_messages(cw_socket *s)
{
    size_t count = 0;

    cw__mutex_lock(&s->lock);
    for (cw_event *e = s->in.inbox.first; e; e = e->next)
        count++;
    cw__mutex_unlock(&s->lock);
    return count;
}

static void take_abc(cw_socket *s)
{
    cw_event *e = NULL;

    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_MESSAGE(s, CW_UTF8, "b", 1);
    CHECK_MESSAGE(s, CW_BINARY, "c", 1);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_STATUS(cw_socket_try_receive(s, &e), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_CLOSED); /* the result does not change */
}

#define ABC "x:8101610100800162820163"

static void test_queued_before_a_close(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "88050fa06f6b21"));

    CHECK_CLOSED(s, 4000, true);
    take_abc(s);
    CHECK_HAS(cw_error_message(), "closed the connection with code 4000: ok!");
    peer_finish(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "/close"));
    take_abc(s); /* the calling thread reads the message */
    CHECK_HAS(cw_error_message(), "without a code");
    CHECK_CLOSED(s, 1005, true);
    peer_finish(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "8801/x:038101648101648101"));
    take_abc(s); /* all bytes after a close frame are ignored (RFC 6455 section 5.5.1) */
    CHECK_CLOSED(s, 1006, false);
    peer_finish(s);
}

static void test_queued_before_a_reset(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "/frame:1/rst"));

    UNTIL(waiting_messages(s) == 3);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "", 0, 0), CW_OK);
    CHECK_CLOSED(s, 1006, false);
    take_abc(s);
    CHECK_INT(cw_error_web_status(), CW_WEB_ConnectionReset);
    peer_finish(s);
    for (int i = 0; i < 20; i++) { /* the data and the reset at once: the kernel keeps the data */
        s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "/rst"));
        take_abc(s);
        CHECK_CLOSED(s, 1006, false);
        cw_socket_release(s);
    }
    cw_shutdown(5000);
}

static void test_queued_before_the_end(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "/end"));

    take_abc(s);
    CHECK_HAS(cw_error_message(), "without a close frame");
    CHECK_CLOSED(s, 1006, false);
    peer_finish(s);
    /* the connection ends in the middle of a frame */
    s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "8105616263/end"));
    take_abc(s);
    CHECK_CLOSED(s, 1006, false);
    peer_finish(s);
}

static void test_nothing_after_a_local_close(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "/echo"));
    cw_event *e = NULL;

    UNTIL(waiting_messages(s) == 3);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "by this program");
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script(ABC "/close:1000")); /* a local close after the peer's close */
    CHECK_CLOSED(s, 1000, true);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_STATUS(cw_socket_try_receive(s, &e), CW_WOULD_BLOCK);
    peer_finish(s);
}

/* ---- Partial mode ---- */

static cw_socket *open_partial(const char *uri)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_RECEIVE_MODE, CW_PARTIAL_MESSAGE), CW_OK);
    /* this limit has no effect in partial mode */
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MAX_MESSAGE_SIZE, 4), CW_OK);
    peer_connect(s, uri);
    return s;
}

static void check_part(cw_socket *s, cw_message_type message_type, const char *wanted, bool is_complete)
{
    cw_event *e = NULL;
    size_t len;

    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    (void)cw_event_data(e, &len);
    CHECK_BYTES(cw_event_data(e, NULL), len, wanted, strlen(wanted));
    CHECK_INT(cw_event_message_type(e), message_type);
    CHECK_INT(cw_event_is_complete(e), is_complete);
    CHECK(cw_event_is_part(e));
    cw_event_free(e);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "", 0, 0), CW_OK); /* the server waits for this message */
}

static void test_parts(void)
{
    cw_socket *s = open_partial(peer_script("x:0203616263/frame:1/x:0000890000026465/frame:3/x:8000/frame:4/"
                                            "x:8105c3/frame:5/x:a4/frame:6/x:616263/frame:7/x:8100"));

    check_part(s, CW_BINARY, "abc", false);
    check_part(s, CW_BINARY, "de", false); /* the empty part in between is not returned */
    check_part(s, CW_BINARY, "", true);    /* the empty last part is returned, because it ends the message */
    check_part(s, CW_UTF8, "\xc3", false);
    check_part(s, CW_UTF8, "\xa4", false);
    check_part(s, CW_UTF8, "abc", true);
    check_part(s, CW_UTF8, "", true);
    drop(s);
}

static void test_parts_of_bad_text(void)
{
    cw_socket *s = open_partial(peer_script("x:0101ce/frame:1/x:800178"));
    cw_event *e = NULL;

    check_part(s, CW_UTF8, "\xce", false);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_CLOSED(s, 1006, false);
    peer_finish(s);
    CHECK_INT(peer_close_code(peer_log()), 1007);
}

/* ---- The stream ---- */

/* "0123456789" in three messages, with empty ones and a ping between them; then a lot of data, then the end. */
#define STREAM_HEAD "x:8203303132/x:8200/x:010133890000013400008002353681008203373839"

static void read_all(size_t size, const char *end, cw_status wanted)
{
    enum { MUCH = 100000 };
    cw_socket *s =
        peer_open(CW_STREAM_SOCKET, peer_script(STREAM_HEAD "/x:827f%016x/repeat:%d:61/%s", MUCH, MUCH, end));
    static uint8_t buffer[MUCH];
    size_t total = 0, len = 0;
    cw_status status;

    CHECK_STATUS(cw_socket_read(s, buffer, 0, 0, &len), CW_OK); /* a read of 0 bytes */
    while ((status = cw_socket_read(s, buffer, size, CW_TIMEOUT_DEFAULT, &len)) == CW_OK && len > 0)
        for (size_t i = 0; i < len; i++, total++)
            if (buffer[i] != (total < 10 ? '0' + (int)total : 'a'))
                HARNESS_FAIL("byte %zu is %02x", total, buffer[i]);
    CHECK_STATUS(status, wanted);
    CHECK_INT(len, 0);
    CHECK_INT(total, 10 + MUCH);
    CHECK_STATUS(cw_socket_read(s, buffer, size, 0, &len), wanted); /* the result does not change */
    peer_finish(s);
}

static void test_stream(void)
{
    static const size_t sizes[] = {1, 2, 3, 7, 100, 4096, 16384, 65536, 100000};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        read_all(sizes[i], "close:1000", CW_OK);
}

static void test_stream_lost(void)
{
    read_all(1000, "rst", CW_CLOSED);
    read_all(1000, "end", CW_CLOSED);
}

static void test_stream_closed_here(void)
{
    cw_socket *s = peer_open(CW_STREAM_SOCKET, peer_script("x:8203616263/echo"));
    char buffer[8];
    size_t len = 1;

    CHECK_STATUS(cw_socket_read(s, buffer, 2, CW_TIMEOUT_DEFAULT, &len), CW_OK);
    CHECK_INT(len, 2);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_read(s, buffer, 2, CW_TIMEOUT_DEFAULT, &len), CW_OK);
    CHECK_INT(len, 0); /* the end */
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"RFC 6455 5.4, 5.5: fragments, a ping between, empty messages, one byte at a time", test_drip},
    {"RFC 6455 5.2: every form of a length", test_lengths},
    {"RFC 6455 5.4: ten thousand fragments", test_many_fragments},
    {"RFC 6455 5.2: reserved bits: 1002", test_reserved_bits},
    {"RFC 6455 5.2: reserved opcodes: 1002", test_reserved_opcodes},
    {"RFC 6455 5.1: a masked frame: 1002", test_masked},
    {"RFC 6455 5.4: fragments out of order: 1002", test_fragments_out_of_order},
    {"RFC 6455 5.5: control frames in fragments or over 125 bytes: 1002", test_control_frames},
    {"RFC 6455 5.5.1, 7.4: bad close frames: 1002, 1007", test_close_frames},
    {"RFC 6455 8.1: text that is not UTF-8: 1007 at the first bad byte", test_utf8},
    {"RFC 6455 8.1: a character across fragments", test_utf8_across_fragments},
    {"RFC 6455 7.4.1: a message that is too big: 1009 by its header", test_too_big},
    {"RFC 6455 7.4.1: the texts about a message that is too big, for both sides", test_too_big_text},
    {"a message of exactly max_message_size, and no limit", test_just_not_too_big},
    {"messages before a violation are returned", test_messages_before_a_violation},
    {"frames in the packet of the 101", test_greeting},
    {"frames in the packet of the 101, TLS", test_greeting_tls},
    {"frames in the packet of the 101, to a mailbox", test_greeting_to_a_mailbox},
    {"messages that wait when the peer closes are returned, in order", test_queued_before_a_close},
    {"messages that wait when the connection is reset are returned", test_queued_before_a_reset},
    {"messages that wait when TCP ends are returned", test_queued_before_the_end},
    {"after a local close no message is returned", test_nothing_after_a_local_close},
    {"partial mode: parts as they come, empty frames, no limit", test_parts},
    {"RFC 6455 8.1: partial mode: a bad byte in the next fragment", test_parts_of_bad_text},
    {"the stream: reads of many sizes, over messages and empty frames, to the end", test_stream},
    {"the stream of a lost connection: all bytes, then CW_CLOSED", test_stream_lost},
    {"the stream after a local close ends", test_stream_closed_here},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
