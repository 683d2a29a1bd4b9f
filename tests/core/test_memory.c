/* SPDX-License-Identifier: MIT */
/* Tests of sessions in which one allocation fails: first each of the core's, then each of libcurl's. Every run ends in
 * success, or in an error that reports the lack of memory. Messages arrive unchanged, and no block remains. test_many.c
 * does the same for a short session and for one with a mailbox. */
#include "peer.h"

#include <curl/curl.h>

enum { LARGE_BYTES = 300 * 1000 };

static uint8_t large[LARGE_BYTES];
static char uri[PEER_URI_BYTES];

static bool of_libcurl; /* libcurl does not always report a lack of memory as such */

static bool is_good(cw_status status)
{
    if (status == CW_OK)
        return true;
    CHECK(*cw_error_message() != '\0');
    if (status != CW_CLOSED && !(of_libcurl && status == CW_CONNECT_FAILED))
        CHECK_STATUS(status, CW_NO_MEMORY);
    return false;
}

/* ---- The sessions ---- */

static bool set_text(cw_socket *s, cw_option option, const char *text)
{
    return is_good(cw_socket_set_text(s, option, text, strlen(text)));
}

static bool set_controls(cw_socket *s)
{
    return set_text(s, CW_OPT_CA_FILE, "/nowhere") && set_text(s, CW_OPT_CA_FILE, peer_env("CW_CA_FILE")) &&
           set_text(s, CW_OPT_SUPPORTED_PROTOCOLS, "a, b") && set_text(s, CW_OPT_SUPPORTED_PROTOCOLS, "") &&
           is_good(cw_socket_set_request_header(s, "X-A", 3, "1", 1)) &&
           is_good(cw_socket_set_request_header(s, "X-B", 3, "2", 1)) &&
           is_good(cw_socket_set_request_header(s, "x-a", 3, "3", 1)) &&
           is_good(cw_socket_set_request_header(s, "X-B", 3, "", 0)) &&
           is_good(cw_socket_add_request_header(s, "X-A", 3, "4", 1)) &&
           is_good(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 1));
}

/* Takes one message. It must be the message that was sent, or the call fails. */
static bool expect(cw_socket *s, cw_message_type message_type, const void *data, size_t len_bytes)
{
    cw_event *e = NULL;
    size_t got_bytes;

    if (!is_good(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e)))
        return false;
    CHECK_INT(cw_event_message_type(e), message_type);
    (void)cw_event_data(e, &got_bytes);
    CHECK_BYTES(cw_event_data(e, NULL), got_bytes, data, len_bytes);
    cw_event_free(e);
    return true;
}

static bool converse(cw_socket *s)
{
    return is_good(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT)) &&
           is_good(cw_socket_send(s, CW_UTF8, "text", 4, CW_TIMEOUT_DEFAULT)) &&
           expect(s, CW_UTF8, "text", 4) &&
           is_good(cw_socket_send(s, CW_BINARY, large, sizeof large, CW_TIMEOUT_DEFAULT)) &&
           expect(s, CW_BINARY, large, sizeof large) &&
           is_good(cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, "frag", 4), NULL, false,
                                           CW_TIMEOUT_DEFAULT)) &&
           is_good(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, NULL)) &&
           is_good(cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, "ments", 5), NULL, true,
                                           CW_TIMEOUT_DEFAULT)) &&
           expect(s, CW_BINARY, "fragments", 9) && is_good(cw_socket_flush(s, CW_TIMEOUT_DEFAULT)) &&
           is_good(cw_socket_close_start(s, 1000, "done", 4)) &&
           is_good(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER));
}

static bool message_life(void *unused)
{
    cw_socket *s = NULL;
    bool got_through = is_good(cw_socket_create(CW_MESSAGE_SOCKET, &s)) && set_controls(s) && converse(s);

    (void)unused;
    cw_socket_release(s);
    cw_shutdown(5000);
    return got_through;
}

/* Reads all bytes that the echo server returns. */
static bool read_large(cw_socket *s)
{
    static uint8_t buffer[LARGE_BYTES];
    size_t have = 0, len;

    while (have < sizeof buffer) {
        if (!is_good(cw_socket_read(s, buffer + have, sizeof buffer - have, CW_TIMEOUT_DEFAULT, &len)))
            return false;
        if (len == 0)
            return false; /* the connection was closed properly */
        have += len;
    }
    CHECK_BYTES(buffer, have, large, sizeof large);
    return true;
}

static bool stream_life(void *unused)
{
    cw_socket *s = NULL;
    size_t len = 1;
    char byte;
    bool got_through = is_good(cw_socket_create(CW_STREAM_SOCKET, &s)) && set_controls(s) &&
                       is_good(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT)) &&
                       is_good(cw_socket_send(s, CW_BINARY, large, sizeof large, CW_TIMEOUT_DEFAULT)) &&
                       read_large(s) && is_good(cw_socket_close_start(s, 1000, NULL, 0)) &&
                       is_good(cw_socket_read(s, &byte, 1, CW_TIMEOUT_DEFAULT, &len)) && len == 0;

    (void)unused;
    cw_socket_release(s);
    cw_shutdown(5000);
    return got_through;
}

static void begin(const char *script_uri)
{
    (void)strcpy(uri, script_uri);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 7 + i / 251);
}

/* ---- The core's allocations ---- */

static void test_tls(void)
{
    begin(peer_script_tls("x:8900/echo/end"));
    each_allocation_fails(message_life, NULL);
}

static void test_stream(void)
{
    begin(peer_script("x:8900/echo/end"));
    each_allocation_fails(stream_life, NULL);
}

/* ---- libcurl's allocations ---- */

static atomic_long curl_left = -1, curl_live;
static atomic_bool curl_has_failed;

static bool curl_fails(void)
{
    if (atomic_load(&curl_left) < 0 || atomic_fetch_sub(&curl_left, 1) != 0)
        return false;
    atomic_store(&curl_has_failed, true);
    return true;
}

static void *counted(void *block)
{
    (void)atomic_fetch_add(&curl_live, block != NULL);
    return block;
}

static void *curl_malloc(size_t size) { return curl_fails() ? NULL : counted(malloc(size)); }
static void *curl_calloc(size_t count, size_t size)
{
    return curl_fails() ? NULL : counted(calloc(count, size));
}
static char *curl_strdup(const char *text) { return curl_fails() ? NULL : counted(strdup(text)); }

static void *curl_realloc(void *block, size_t size)
{
    void *moved = curl_fails() ? NULL : realloc(block, size);

    return block ? moved : counted(moved);
}

static void curl_free_block(void *block)
{
    (void)atomic_fetch_sub(&curl_live, block != NULL);
    free(block);
}

static void each_of_libcurl_fails(bool (*life)(void *))
{
    long live, n = 0;

    of_libcurl = true;
    CHECK_INT(curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_free_block, curl_realloc, curl_strdup,
                                   curl_calloc),
              CURLE_OK);
    CHECK(life(NULL)); /* libcurl has now allocated what it keeps for the process */
    live = atomic_load(&curl_live);
    do {
        long of_core = cw__alloc_live();
        bool got_through;

        atomic_store(&curl_has_failed, false);
        atomic_store(&curl_left, n++);
        got_through = life(NULL);
        atomic_store(&curl_left, -1);
        CHECK_INT(cw__alloc_live(), of_core);
        UNTIL(atomic_load(&curl_live) == live); /* the thread of a look-up may be about to end */
        CHECK(got_through || atomic_load(&curl_has_failed));
    } while (atomic_load(&curl_has_failed));
    CHECK(n > 50);
}

static void test_libcurl(void)
{
    begin(peer_script("x:8900/echo/end"));
    each_of_libcurl_fails(message_life);
}

static void test_libcurl_tls(void)
{
    begin(peer_script_tls("x:8900/echo/end"));
    each_of_libcurl_fails(message_life);
}

static const harness_test tests[] = {
    {"every allocation of the core fails once: all of it, over TLS", test_tls},
    {"every allocation of the core fails once: a stream", test_stream},
    {"every allocation of libcurl fails once", test_libcurl},
    {"every allocation of libcurl fails once, over TLS", test_libcurl_tls},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
