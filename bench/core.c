/* SPDX-License-Identifier: MIT */
/* Does the work of bare.c through curlwire.h, with blocking calls in the main thread. Prints one line of JSON.
 *   roundtrip   calls cw_socket_send and cw_socket_receive
 *   receive     calls cw_socket_receive in a loop; the server floods
 *   send        calls cw_socket_send in a loop; ends when the server has reported every byte */
#include <curlwire.h>

#include "bench.h"

enum { WARM_UP = 200 };

static void check(cw_status status, const char *what)
{
    if (status != CW_OK) {
        bench_fail("%s: %s: %s", what, cw_status_name(status), cw_error_message());
    }
}

static cw_socket *open_socket(const char *url, const char *path)
{
    char uri[256];
    cw_socket *s = NULL;
    (void)snprintf(uri, sizeof uri, "%s%s", url, path);
    check(cw_socket_create(CW_MESSAGE_SOCKET, &s), "create");
    if (getenv("BENCH_CA") != NULL) {
        check(cw_socket_set_text(s, CW_OPT_CA_FILE, getenv("BENCH_CA"), strlen(getenv("BENCH_CA"))), "ca_file");
    }
    check(cw_socket_connect(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), uri);
    return s;
}

static void *make_payload(size_t size_bytes)
{
    void *payload = malloc(size_bytes);
    if (payload == NULL) {
        bench_fail("out of memory");
    }
    memset(payload, 'a', size_bytes);
    return payload;
}

static void receive_one(cw_socket *s, size_t want_bytes)
{
    cw_event *e = NULL;
    size_t have_bytes = 0;
    check(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), "receive");
    (void)cw_event_data(e, &have_bytes);
    if (have_bytes != want_bytes) {
        bench_fail("a message has %zu bytes instead of %zu", have_bytes, want_bytes);
    }
    cw_event_free(e);
}

static cw_socket *roundtrip(const bench_job *job, bench_clock *from, bench_clock *to)
{
    cw_socket *s = open_socket(job->url, "/echo");
    void *payload = make_payload(job->size_bytes);
    for (uint64_t i = 0; i < job->count + WARM_UP; i++) {
        if (i == WARM_UP) {
            *from = bench_now();
        }
        check(cw_socket_send(s, CW_BINARY, payload, job->size_bytes, CW_TIMEOUT_DEFAULT), "send");
        receive_one(s, job->size_bytes);
    }
    *to = bench_now();
    free(payload);
    return s;
}

static cw_socket *receive_all(const bench_job *job, bench_clock *from, bench_clock *to)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/source?size=%zu&count=%" PRIu64 "&wait=1", job->size_bytes, job->count);
    cw_socket *s = open_socket(job->url, path);
    *from = bench_now();
    check(cw_socket_send(s, CW_UTF8, "go", 2, CW_TIMEOUT_DEFAULT), "send");
    for (uint64_t i = 0; i < job->count; i++) {
        receive_one(s, job->size_bytes);
    }
    *to = bench_now();
    return s;
}

static cw_socket *send_all(const bench_job *job, bench_clock *from, bench_clock *to)
{
    cw_socket *s = open_socket(job->url, "/sink");
    void *payload = make_payload(job->size_bytes);
    cw_event *e = NULL;
    char want[24];
    size_t have_bytes = 0;
    int length = snprintf(want, sizeof want, "%" PRIu64, job->count * job->size_bytes);
    *from = bench_now();
    for (uint64_t i = 0; i < job->count; i++) {
        check(cw_socket_send(s, CW_BINARY, payload, job->size_bytes, CW_TIMEOUT_DEFAULT), "send");
    }
    check(cw_socket_send(s, CW_UTF8, "?", 1, CW_TIMEOUT_DEFAULT), "send");
    check(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), "receive");
    *to = bench_now();
    const char *answer = cw_event_data(e, &have_bytes);
    if (have_bytes != (size_t)length || memcmp(answer, want, have_bytes) != 0) {
        bench_fail("the server counted %.*s bytes instead of %s", (int)have_bytes, answer, want);
    }
    cw_event_free(e);
    free(payload);
    return s;
}

static void run(const bench_job *job)
{
    bench_clock from = {0};
    bench_clock to = {0};
    char versions[96];
    cw_socket *s;
    if (strcmp(job->work, "roundtrip") == 0) {
        s = roundtrip(job, &from, &to);
    } else if (strcmp(job->work, "receive") == 0) {
        s = receive_all(job, &from, &to);
    } else if (strcmp(job->work, "send") == 0) {
        s = send_all(job, &from, &to);
    } else {
        bench_fail("\"%s\" is not a work of this program. Use roundtrip, receive or send", job->work);
    }
    (void)snprintf(versions, sizeof versions, ", \"curlwire\": \"%s\", \"libcurl\": \"%s\"", cw_version(),
                   cw_libcurl_version());
    bench_report("core", job, from, to, versions);
    check(cw_socket_close_start(s, 1000, "", 0), "close");
    check(cw_socket_wait_closed(s, CW_TIMEOUT_DEFAULT), "wait for the close");
    cw_socket_release(s);
}

int main(int argc, char **argv) { return bench_main(argc, argv, "roundtrip|receive|send", run); }
