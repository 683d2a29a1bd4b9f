/* SPDX-License-Identifier: MIT */
/* Does the work of bare.c with libcurl's own framing: curl_ws_send and curl_ws_recv on a connect-only handle, as its
 * documentation shows. It collects each whole message, as most programs need it. Prints one line of JSON.
 *   roundtrip   calls curl_ws_send and curl_ws_recv
 *   receive     calls curl_ws_recv in a loop; the server floods
 *   send        calls curl_ws_send in a loop; ends when the server has reported every byte */
#include <curl/curl.h>
#include <poll.h>
#include <stdbool.h>

#include "bench.h"

enum { WARM_UP = 200, CHUNK_BYTES = 64 * 1024 };

static void check(CURLcode code, const char *what)
{
    if (code != CURLE_OK) {
        bench_fail("%s: %s", what, curl_easy_strerror(code));
    }
}

static CURL *open_websocket(const char *url, const char *path)
{
    char whole[256];
    CURL *curl = curl_easy_init();
    (void)snprintf(whole, sizeof whole, "%s%s", url, path);
    if (curl == NULL) {
        bench_fail("out of memory");
    }
    check(curl_easy_setopt(curl, CURLOPT_URL, whole), "CURLOPT_URL");
    check(curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 2L), "CURLOPT_CONNECT_ONLY");
    check(curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L), "CURLOPT_NOSIGNAL");
    if (getenv("BENCH_CA") != NULL) {
        check(curl_easy_setopt(curl, CURLOPT_CAINFO, getenv("BENCH_CA")), "CURLOPT_CAINFO");
    }
    check(curl_easy_perform(curl), whole);
    return curl;
}

static void wait_for(CURL *curl, short events)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    check(curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd), "CURLINFO_ACTIVESOCKET");
    struct pollfd p = {.fd = fd, .events = events};
    if (poll(&p, 1, 30000) != 1) {
        bench_fail("the connection was neither readable nor writable for 30 s");
    }
}

static void send_message(CURL *curl, const char *payload, size_t len_bytes, unsigned type)
{
    for (size_t done = 0;;) {
        size_t sent = 0;
        CURLcode code = curl_ws_send(curl, payload + done, len_bytes - done, &sent, 0, type);
        done += sent;
        if (code == CURLE_OK && done == len_bytes) {
            return;
        }
        if (code == CURLE_AGAIN) {
            wait_for(curl, POLLOUT);
        } else {
            check(code, "curl_ws_send");
        }
    }
}

/* Receives a whole message into *message, a block of *room_bytes that grows if needed. Returns its length. */
static size_t receive_message(CURL *curl, char **message, size_t *room_bytes)
{
    size_t have_bytes = 0;
    for (;;) {
        const struct curl_ws_frame *frame = NULL;
        size_t got = 0;
        if (*room_bytes - have_bytes < CHUNK_BYTES) {
            *room_bytes = 2 * *room_bytes + 2 * CHUNK_BYTES;
            *message = realloc(*message, *room_bytes);
            if (*message == NULL) {
                bench_fail("out of memory");
            }
        }
        CURLcode code = curl_ws_recv(curl, *message + have_bytes, *room_bytes - have_bytes, &got, &frame);
        if (code == CURLE_AGAIN) {
            wait_for(curl, POLLIN);
            continue;
        }
        check(code, "curl_ws_recv");
        have_bytes += got;
        if (frame->bytesleft == 0 && (frame->flags & CURLWS_CONT) == 0) {
            return have_bytes;
        }
    }
}

static void receive_one(CURL *curl, size_t want_bytes, char **message, size_t *room_bytes)
{
    size_t have_bytes = receive_message(curl, message, room_bytes);
    if (have_bytes != want_bytes) {
        bench_fail("a message has %zu bytes instead of %zu", have_bytes, want_bytes);
    }
}

static CURL *begin(const bench_job *job)
{
    char path[96] = "/echo";
    if (strcmp(job->work, "receive") == 0) {
        (void)snprintf(path, sizeof path, "/source?size=%zu&count=%" PRIu64 "&wait=1", job->size_bytes,
                       job->count);
    } else if (strcmp(job->work, "send") == 0) {
        (void)strcpy(path, "/sink");
    } else if (strcmp(job->work, "roundtrip") != 0) {
        bench_fail("\"%s\" is not a work of this program. Use roundtrip, receive or send", job->work);
    }
    return open_websocket(job->url, path);
}

static void run(const bench_job *job)
{
    CURL *curl = begin(job);
    bool sends = *job->work == 's';
    bool echoes = *job->work == 'r' && job->work[1] == 'o';
    char *payload = calloc(1, job->size_bytes);
    char *message = NULL;
    size_t room_bytes = 0;
    if (payload == NULL) {
        bench_fail("out of memory");
    }
    for (int i = 0; echoes && i < WARM_UP; i++) {
        send_message(curl, payload, job->size_bytes, CURLWS_BINARY);
        receive_one(curl, job->size_bytes, &message, &room_bytes);
    }
    bench_clock from = bench_now();
    if (!sends && !echoes) {
        send_message(curl, "go", 2, CURLWS_TEXT);
    }
    for (uint64_t i = 0; i < job->count; i++) {
        if (sends || echoes) {
            send_message(curl, payload, job->size_bytes, CURLWS_BINARY);
        }
        if (!sends) {
            receive_one(curl, job->size_bytes, &message, &room_bytes);
        }
    }
    if (sends) {
        char want[24];
        int length = snprintf(want, sizeof want, "%" PRIu64, job->count * job->size_bytes);
        send_message(curl, "?", 1, CURLWS_TEXT);
        receive_one(curl, (size_t)length, &message, &room_bytes);
        if (memcmp(message, want, (size_t)length) != 0) {
            bench_fail("the server counted %.*s bytes instead of %s", length, message, want);
        }
    }
    char versions[64];
    bench_clock to = bench_now();
    (void)snprintf(versions, sizeof versions, ", \"libcurl\": \"%s\"",
                   curl_version_info(CURLVERSION_NOW)->version);
    bench_report("libcurl", job, from, to, versions);
    free(payload);
    free(message);
    curl_easy_cleanup(curl);
}

int main(int argc, char **argv)
{
    check(curl_global_init(CURL_GLOBAL_ALL), "curl_global_init");
    return bench_main(argc, argv, "roundtrip|receive|send", run);
}
