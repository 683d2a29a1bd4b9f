/* SPDX-License-Identifier: MIT */
/* Tests of refusal.c: the body of a reply with which a server or a proxy refuses, and when it ends. tests/python/test_refusals.py
 * tests connections. */
#include "curl_play.h"

/* ---- Of a server ---- */

/* Passes a part of the body, as libcurl does. Returns how much of it was taken. */
static size_t write_body(cw__handshake *h, const char *part, size_t len_bytes)
{
    curl_write_callback on_body;

    CHECK(find(CURLOPT_WRITEFUNCTION) && find(CURLOPT_WRITEDATA)->is.pointer == h);
    memcpy(&on_body, &find(CURLOPT_WRITEFUNCTION)->is, sizeof on_body);
    return on_body((char *)(uintptr_t)part, 1, len_bytes, h);
}

static cw__handshake *refused_with(const char *status_line, int http_status)
{
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test/", NULL);
    info.response_code = http_status;
    CHECK(line(h, status_line));
    CHECK(!cw__refusal_is_begun(h));
    return h;
}

static void test_body(void)
{
    static char large[CW_REFUSAL_BODY_AT_MOST];
    int64_t before_ms = cw__now_ms();
    cw__handshake *h = refused_with("HTTP/1.1 403 No\r\n", 403);
    size_t len = 9;
    uint8_t *body;

    CHECK_INT(cw__handshake_end_ms(h, INT64_MAX), INT64_MAX);
    CHECK(line(h, "Retry-After: 3\r\n") && line(h, "\r\n"));
    CHECK(cw__refusal_is_begun(h));
    CHECK(cw__handshake_end_ms(h, INT64_MAX) >= before_ms + 1000);
    CHECK(cw__handshake_end_ms(h, INT64_MAX) <= cw__now_ms() + 1000);
    CHECK_INT(cw__handshake_end_ms(h, before_ms + 10), before_ms + 10);
    CHECK_INT(write_body(h, "", 0), 0);
    CHECK_INT(write_body(h, "a\0b", 3), 3);
    CHECK_INT(write_body(h, "cd", 2), 2);
    CHECK(line(h, "X-Sum: 1\r\n") && line(h, "HTTP/1.1 101 x\r\n") && line(h, "\r\n")); /* trailers */
    CHECK_STR(cw__handshake_reply(h), "Retry-After: 3\r\n");
    expect_verdict(h, CURLE_PARTIAL_FILE, CW_CONNECT_FAILED, CW_WEB_Forbidden, "HTTP status 403");
    CHECK_INT(error.retry_after_s, 3 + 1);
    expect_verdict(h, CURLE_RECV_ERROR, CW_CONNECT_FAILED, CW_WEB_Forbidden, "HTTP status 403");
    body = cw__handshake_release_body(h, &len);
    CHECK_INT(len, 5);
    CHECK(memcmp(body, "a\0bcd", 5) == 0);
    cw__free(body);
    CHECK(!cw__handshake_release_body(h, &len) && len == 0);
    cw__handshake_destroy(h);

    h = refused_with("HTTP/1.1 403 No\r\n", 403);
    CHECK(line(h, "\r\n"));
    CHECK_INT(write_body(h, large, sizeof large - 1), sizeof large - 1);
    CHECK_INT(write_body(h, "ab", 2), 1); /* libcurl ends the transfer then */
    CHECK_INT(write_body(h, "ab", 2), 0);
    expect_verdict(h, CURLE_WRITE_ERROR, CW_CONNECT_FAILED, CW_WEB_Forbidden, "HTTP status 403");
    cw__handshake_restart(h, NULL); /* another transfer */
    CHECK(!cw__refusal_is_begun(h));
    CHECK(!cw__handshake_release_body(h, &len) && len == 0);
    cw__handshake_destroy(h);

    h = refused_with("HTTP/2 101\r\n", 200); /* libcurl takes it for a 200, whose body may never end */
    CHECK(!line(h, "\r\n"));
    expect_verdict(h, CURLE_WRITE_ERROR, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "invalid: the reply is not HTTP/1.1");
    cw__handshake_destroy(h);

    CHECK_INT(cw__refusal_write(large, 1, 7, NULL), 7); /* after the end of the handshake */
}

/* Without memory the body ends, and the error stays the refusal. */
static bool keep_body(void *arg)
{
    cw__handshake *h = arg;

    if (write_body(h, "b", 1) == 1)
        return true;
    expect_verdict(h, CURLE_WRITE_ERROR, CW_CONNECT_FAILED, CW_WEB_Forbidden, "HTTP status 403");
    return false;
}

static void test_body_without_memory(void)
{
    cw__handshake *h = refused_with("HTTP/1.1 403 No\r\n", 403);

    CHECK(line(h, "\r\n"));
    cw__alloc_fail_at(0);
    CHECK(!keep_body(h));
    cw__alloc_fail_at(-1);
    CHECK(keep_body(h));
    cw__handshake_destroy(h);
}

/* ---- Of a proxy ---- */

/* Calls the progress function, as libcurl does for each byte. Returns whether it ends the transfer. */
static bool is_ended(const cw__handshake *h)
{
    curl_xferinfo_callback on_progress;

    CHECK(find(CURLOPT_XFERINFOFUNCTION) && find(CURLOPT_XFERINFODATA)->is.pointer == h);
    CHECK_INT(number_of(CURLOPT_NOPROGRESS), 0);
    memcpy(&on_progress, &find(CURLOPT_XFERINFOFUNCTION)->is, sizeof on_progress);
    return on_progress(find(CURLOPT_XFERINFODATA)->is.pointer, 0, 0, 0, 0) != 0;
}

/* Returns a handshake whose proxy has refused. head has the headers and the empty line. */
static cw__handshake *refused_by_proxy(int http_status, const char *headers, bool goes_on)
{
    cw__handshake *h = made("ws://server.test/", "http://u:p@proxy.test:3128");

    info.connect_code = http_status;
    log_text(h, CURLINFO_HEADER_OUT, "CONNECT");
    CHECK(line(h, "HTTP/1.1 503 or another\r\n"));
    if (*headers)
        CHECK(line(h, headers));
    CHECK(!cw__refusal_is_begun(h) && !is_ended(h));
    CHECK_INT(line(h, "\r\n"), goes_on);
    CHECK(!cw__refusal_is_begun(h) || cw__handshake_end_ms(h, INT64_MAX) <= cw__now_ms() + 1000);
    h->refusal.due_ms = INT64_MAX; /* the tests that follow may take any time */
    return h;
}

static void expect_body(cw__handshake *h, const char *wanted)
{
    size_t len;
    uint8_t *body = cw__handshake_release_body(h, &len);

    CHECK_INT(len, strlen(wanted));
    CHECK(len == 0 || memcmp(body, wanted, len) == 0);
    cw__free(body);
}

static void test_body_of_proxy(void)
{
    static char large[CW_REFUSAL_BODY_AT_MOST];
    const char *const words =
        "the proxy proxy.test:3128 (all_proxy) refused to connect to server.test with HTTP status 503";
    bool keeps = cw__refusal_can_keep();
    long progressed = 0;
    cw__handshake *h;

    wish_nothing();
    h = refused_by_proxy(503, "Retry-After: 3\r\n", keeps);
    CHECK_INT(cw__refusal_is_begun(h), keeps);
    if (keeps) {
        log_text(h, CURLINFO_SSL_DATA_OUT, "the TLS library answers something");
        log_text(h, CURLINFO_DATA_IN, "bo");
        log_text(h, CURLINFO_DATA_IN, "dy");
        CHECK(line(h, "X-Sum: 1\r\n")); /* a trailer */
        CHECK(!is_ended(h));
        h->refusal.due_ms = cw__now_ms();
        CHECK(is_ended(h)); /* the time for the body is over, while libcurl still reads it */
    }
    CHECK_STR(cw__handshake_reply(h), "Retry-After: 3\r\n");
    expect_verdict(h, CURLE_ABORTED_BY_CALLBACK, CW_CONNECT_FAILED, cw__web_status_of_http(503), words);
    CHECK_INT(error.http_status, 503);
    CHECK_INT(error.retry_after_s, 3 + 1);
    expect_body(h, keeps ? "body" : "");
    cw__handshake_destroy(h);

    h = refused_by_proxy(503, "Content-Length: 0\r\n", false); /* there is nothing to wait for */
    expect_verdict(h, CURLE_WRITE_ERROR, CW_CONNECT_FAILED, cw__web_status_of_http(503), words);
    cw__handshake_destroy(h);

    h = refused_by_proxy(503, "Transfer-Encoding: chunked\r\n", keeps);
    CHECK_INT(cw__refusal_write(large, 1, sizeof large - 1, h), sizeof large - 1);
    CHECK(!is_ended(h));
    log_text(h, CURLINFO_DATA_IN, "ab");
    CHECK_INT(is_ended(h), keeps);
    cw__handshake_destroy(h);
    h = refused_by_proxy(503, "Transfer-Encoding: chunked\r\n", keeps);
    while (!is_ended(h)) /* a body without an end, of which little is content */
        progressed++;
    CHECK_INT(progressed, 1 << 18);
    cw__handshake_destroy(h);
    CHECK_INT(cw__refusal_progress(NULL, 0, 0, 0, 0), 0); /* after the end of the handshake */
}

/* libcurl reads the body of a challenge before it answers, and begins again with each connection and each request. */
static void test_body_of_challenge(void)
{
    static const curl_infotype requests[] = {CURLINFO_HEADER_OUT, CURLINFO_SSL_DATA_OUT};

    wish_nothing();
    wishes.proxy.logins = CW__LOGIN_DIGEST;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        cw__handshake *h = refused_by_proxy(407, "Content-Length: 99\r\n", true);
        CHECK(!cw__refusal_is_begun(h));
        CHECK_INT(cw__handshake_end_ms(h, INT64_MAX), INT64_MAX);
        log_text(h, CURLINFO_DATA_IN, "body");
        CHECK(!is_ended(h));
        log_text(h, requests[i], "x");
        CHECK_INT(h->is_refused, requests[i] != CURLINFO_HEADER_OUT);
        log_text(h, CURLINFO_DATA_IN, "!"); /* not the proxy's any more, after a request */
        expect_body(h, requests[i] == CURLINFO_HEADER_OUT ? "" : "body!");
        cw__handshake_destroy(h);
    }
    for (int is_final = 0; is_final <= cw__refusal_can_keep(); is_final++) { /* frames of chunks without end */
        cw__handshake *h = refused_by_proxy(is_final ? 503 : 407, "", true);
        int count = 0;
        while (!is_ended(h))
            CHECK(count++ < 1 << 18);
        CHECK(count > 100000); /* as long as a page may be */
        cw__handshake_destroy(h);
    }
}

static const harness_test tests[] = {
    {"the body of a refusal", test_body},
    {"the body of a refusal without memory", test_body_without_memory},
    {"the body of a proxy's refusal", test_body_of_proxy},
    {"the body of a proxy's challenge", test_body_of_challenge},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }
