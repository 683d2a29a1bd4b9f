/* SPDX-License-Identifier: MIT */
/* Tests of servers that send frames around the 101, and of the codec that receives them. A libcurl before 8.21 puts
 * what it reads with the 101 into its own decoder, and our own codec may receive only if it has read nothing more. */
#include "raw_peer.h"

#define HI        "\x81\x02hi"
#define LONG_FORM "\x81\x7e\x00\x02hi" /* a length in more bytes than necessary; libcurl accepts it */

enum { ROUNDS = 25 };

static const int64_t framings[] = {CW_FRAMING_AUTO, CW_FRAMING_CURL};

/* What a server sends: each part in a write of its own, and the last one after the client is open. */
typedef struct greeting {
    size_t reply_bytes; /* of the 101 in its first write; 0 = all of it */
    const char *with;   /* in the write that ends the 101 */
    size_t with_bytes;
    const char *after;
    size_t after_bytes;
} greeting;

#define GREETING(first_bytes, with_it, after_it)                                        \
    {                                                                                   \
        (first_bytes), (with_it), sizeof(with_it) - 1, (after_it), sizeof(after_it) - 1 \
    }

static void begin(raw_peer *p, int64_t framing)
{
    int listener = raw_listen(p->uri), yes = 1;

    p->s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_set_number(p->s, CW_OPT_FRAMING, framing), CW_OK);
    CHECK_STATUS(cw_socket_connect_start(p->s, p->uri, strlen(p->uri), CW_TIMEOUT_DEFAULT), CW_OK);
    p->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(p->fd >= 0 && setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    (void)close(listener);
}

static void end(raw_peer *p)
{
    raw_end(p);
    cw_socket_abort(p->s);
    peer_finish(p->s);
}

static void open_by(raw_peer *p, const greeting *g)
{
    size_t len = raw_make_reply(p), first_bytes = g->reply_bytes;

    if (first_bytes > 0) {
        raw_write(p, p->buffer, first_bytes);
        UNTIL(raw_is_delivered(p));
    }
    raw_write_both(p, p->buffer + first_bytes, len - first_bytes, g->with, g->with_bytes);
    CHECK_STATUS(cw_socket_wait_connected(p->s, CW_TIMEOUT_NEVER), CW_OK);
    if (g->after_bytes > 0)
        raw_write(p, g->after, g->after_bytes);
}

static const char *framing_of(cw_socket *s)
{
    static char framing[16];

    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_FRAMING, framing, sizeof framing, NULL), CW_OK);
    return framing;
}

/* The server sends the frame of "hi", and the codec of framing "auto" is the wanted one. */
static void greets(const greeting *g, const char *wanted)
{
    for (size_t i = 0; i < sizeof framings / sizeof *framings; i++) {
        raw_peer p = {0};

        begin(&p, framings[i]);
        open_by(&p, g);
        CHECK_STR(framing_of(p.s), framings[i] == CW_FRAMING_CURL ? "curl" : wanted);
        CHECK_MESSAGE(p.s, CW_UTF8, "hi", 2);
        RAW_SEND(&p, "\x82\x01x");
        CHECK_MESSAGE(p.s, CW_BINARY, "x", 1);
        end(&p);
    }
}

/* The codec of a connection where libcurl has taken bytes of frames, or may have. */
static const char *careful(void) { return cw__codec_native_receives() ? "native" : "mixed"; }

static void test_alone(void)
{
    static const greeting whole = GREETING(0, "", HI), parts = GREETING(20, "", HI);
    static const greeting last_byte = GREETING(128, "", HI);

    greets(&whole, "native");
    greets(&parts, "native");
    greets(&last_byte, "native");
}

static void test_with_the_reply(void)
{
    static const greeting whole = GREETING(0, HI, ""), parts = GREETING(20, HI, "");
    static const greeting last_byte = GREETING(128, HI, "");

    greets(&whole, careful());
    greets(&parts, careful());
    greets(&last_byte, careful());
}

static void test_cut_frame(void)
{
    static const greeting byte = GREETING(0, "\x81", "\x02hi"), header = GREETING(0, "\x81\x02", "hi");
    static const greeting payload = GREETING(20, "\x81\x02h", "i");

    greets(&byte, careful());
    greets(&header, careful());
    greets(&payload, careful());
}

/* libcurl may read the frame with the 101 or not. */
static void test_right_after(void)
{
    for (int i = 0; i < 2 * ROUNDS; i++) {
        raw_peer p = {0};
        size_t len;

        begin(&p, framings[i % 2]);
        len = raw_make_reply(&p);
        raw_write(&p, p.buffer, len);
        RAW_SEND(&p, HI);
        CHECK_STATUS(cw_socket_wait_connected(p.s, CW_TIMEOUT_NEVER), CW_OK);
        CHECK_MESSAGE(p.s, CW_UTF8, "hi", 2);
        end(&p);
    }
}

/* Our own decoder receives, since libcurl's would not see this fault. */
static void test_strict(void)
{
    static const greeting strict = GREETING(0, "", LONG_FORM);
    raw_peer p = {0};
    char reason[256];
    bool was_clean;
    int code;

    begin(&p, CW_FRAMING_AUTO);
    open_by(&p, &strict);
    raw_end(&p);
    CHECK_STATUS(cw_socket_wait_closed(p.s, CW_TIMEOUT_NEVER), CW_OK);
    was_clean = cw_socket_get_closed(p.s, &code, reason, sizeof reason, NULL);
    CHECK(!was_clean && code == 1006);
    CHECK_HAS(reason, "not in its shortest form");
    end(&p);
}

/* libcurl holds what TLS has decrypted, and the kernel counts other bytes. */
static void test_tls(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script_tls("frame:1/x:81026869/hang"));

    CHECK_STR(framing_of(s), careful());
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "go", 2, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_UTF8, "hi", 2);
    cw_socket_abort(s);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"the 101 alone, whole and in parts: our own codec receives", test_alone},
    {"frames with the 101, whole and in parts", test_with_the_reply},
    {"a part of a frame with the 101", test_cut_frame},
    {"frames right after the 101", test_right_after},
    {"the 101 alone: our own decoder checks what follows", test_strict},
    {"over TLS", test_tls},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
