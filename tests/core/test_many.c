/* SPDX-License-Identifier: MIT */
/* Tests of the whole core: many cycles that must leave nothing behind, many sockets at once, many threads on a few
 * sockets, and one failing allocation after another. */
#include "peer.h"
#include "process.h"

static void set_number(cw_socket *s, cw_option option, int64_t value)
{
    CHECK_STATUS(cw_socket_set_number(s, option, value), CW_OK);
}

static void echo_once(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "round", 5, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "round", 5);
}

/* ---- Many cycles, many sockets ---- */

static void cycle(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));

    echo_once(s);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    cw_socket_release(s);
}

static void failing_cycle(const char *uri)
{
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);

    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    cw_socket_release(s);
}

static void test_cycles(void)
{
    cw_socket *first = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    int descriptors;

    peer_wait_in_vain(first); /* the C library, libcurl and OpenSSL keep a few descriptors too */
    peer_drop(first);
    cycle();
    cw_shutdown(5000);
    CHECK_INT(cw__alloc_live(), 0);
    descriptors = descriptor_count();
    for (int i = 0; i < 300; i++) {
        cycle();
        if (i % 10 == 0) {
            failing_cycle(peer_env("CW_REFUSED_WS"));
            failing_cycle(peer_script("hs:%s/end", peer_hex("HTTP/1.1 500 No\r\n\r\n")));
        }
    }
    cw_shutdown(5000);
    CHECK_INT(cw__alloc_live(), 0);
    CHECK_INT(descriptor_count(), descriptors);
}

static cw_status start(cw_socket *s, const char *uri)
{
    return cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT);
}

static void test_all_open(void)
{
    enum { COUNT = 200 };
    static cw_socket *sockets[COUNT];
    int open_count = 0;

    for (int i = 0; i < COUNT; i++) {
        sockets[i] = peer_socket(i % 2 ? CW_STREAM_SOCKET : CW_MESSAGE_SOCKET);
        CHECK_STATUS(start(sockets[i], peer_script("echo/end")), CW_OK);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_STATUS(cw_socket_wait_connected(sockets[i], CW_TIMEOUT_NEVER), CW_OK);
    for (int i = 0; i < COUNT; i++)
        open_count += cw_socket_state(sockets[i]) == CW_STATE_OPEN;
    CHECK_INT(open_count, COUNT); /* all are open at the same time */
    for (int i = 0; i < COUNT; i++)
        CHECK_STATUS(cw_socket_close_start(sockets[i], 3000 + i, NULL, 0), CW_OK);
    for (int i = 0; i < COUNT; i++) {
        CHECK_CLOSED(sockets[i], 3000 + i, true);
        cw_socket_release(sockets[i]);
    }
    cw_shutdown(5000);
}

/* ---- Stress ---- */

enum { SLOTS = 4, STRESSING = 8, STRESS_MS = 1000 };
enum { DID_SEND, DID_RECEIVE, DID_PING, DID_FLUSH, DID_CLOSE, KINDS_OF_DOING };

static struct slot {
    cw__mutex lock;
    cw_socket *s;
} slots[SLOTS];
static atomic_long done[KINDS_OF_DOING];
static char stress_uri[PEER_URI_BYTES];

static cw_socket *stress_socket(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    set_number(s, CW_OPT_CLOSE_TIMEOUT, 1000);
    set_number(s, CW_OPT_PING_INTERVAL, 1);
    CHECK_STATUS(cw_socket_connect_start(s, stress_uri, strlen(stress_uri), 20000), CW_OK);
    return s;
}

static cw_socket *borrow(struct slot *slot)
{
    cw_socket *s;

    cw__mutex_lock(&slot->lock);
    s = slot->s;
    cw_socket_retain(s);
    cw__mutex_unlock(&slot->lock);
    return s;
}

/* Replaces a socket that this thread has closed by a new one. */
static void replace(struct slot *slot, cw_socket *closed)
{
    cw__mutex_lock(&slot->lock);
    if (slot->s == closed) {
        cw_socket_release(slot->s);
        slot->s = stress_socket();
    }
    cw__mutex_unlock(&slot->lock);
}

/* Checks that a call returned one of the allowed results, while other threads make random calls on the socket. */
static bool note(int kind, cw_status status)
{
    bool is_done = status == CW_OK;

    (void)atomic_fetch_add(&done[kind], is_done);
    if (!is_done && status != CW_WOULD_BLOCK && status != CW_TIMED_OUT && status != CW_CLOSED)
        CHECK_STATUS(status, CW_INVALID_STATE); /* the socket is still connecting */
    return is_done;
}

static void do_one(struct slot *slot, unsigned choice)
{
    static const uint8_t data[3000];
    cw_socket *s = borrow(slot);
    cw_event *e = NULL;

    if (choice % 256 == 0) {
        (void)note(DID_CLOSE, cw_socket_close_start(s, 1000, "", 0));
        replace(slot, s);
    } else if (choice % 256 == 1) {
        cw_socket_abort(s);
        replace(slot, s);
    } else if (choice % 16 < 7) {
        (void)note(DID_SEND, cw_socket_send(s, CW_BINARY, data, choice % sizeof data, (int)(choice % 3)));
    } else if (choice % 16 < 12) {
        if (note(DID_RECEIVE, cw_socket_receive(s, (int)(choice % 5), &e)))
            cw_event_free(e);
    } else if (choice % 16 < 14) {
        (void)note(DID_PING, cw_socket_ping(s, 20, NULL));
    } else {
        (void)note(DID_FLUSH, cw_socket_flush(s, 5));
    }
    cw_socket_release(s);
}

static bool has_done_all(void)
{
    for (int kind = 0; kind < KINDS_OF_DOING; kind++)
        if (atomic_load(&done[kind]) == 0)
            return false;
    return true;
}

static void *stress(void *seed)
{
    uint32_t random = *(const uint32_t *)seed;
    int64_t begin_ms = cw__now_ms();

    /* longer if the machine is so busy that some kind of call has not succeeded */
    while (cw__now_ms() < begin_ms + (has_done_all() ? STRESS_MS : 20 * STRESS_MS)) {
        random ^= random << 13; /* xorshift: each run of a thread makes the same choices */
        random ^= random >> 17;
        random ^= random << 5;
        do_one(&slots[random % SLOTS], random >> 8);
    }
    return NULL;
}

static void test_stress(void)
{
    static uint32_t seeds[STRESSING];
    pthread_t threads[STRESSING];

    (void)strcpy(stress_uri, peer_script("echo/end"));
    for (int i = 0; i < SLOTS; i++) {
        cw__mutex_init(&slots[i].lock);
        slots[i].s = stress_socket();
        CHECK_STATUS(cw_socket_wait_connected(slots[i].s, CW_TIMEOUT_NEVER), CW_OK);
    }
    for (uint32_t i = 0; i < STRESSING; i++) {
        seeds[i] = 2463534242u + i * 7919u;
        CHECK_INT(pthread_create(&threads[i], NULL, stress, &seeds[i]), 0);
    }
    for (int i = 0; i < STRESSING; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK(has_done_all());
    for (int i = 0; i < SLOTS; i++) {
        cw_socket_release(slots[i].s);
        cw__mutex_destroy(&slots[i].lock);
    }
    cw_shutdown(5000);
}

/* ---- Without memory ---- */

static bool is_failure(cw_status status)
{
    if (status == CW_OK)
        return false;
    CHECK(*cw_error_message() != '\0');
    if (status != CW_NO_MEMORY && status != CW_CLOSED && status != CW_CONNECT_FAILED)
        CHECK_STATUS(status, CW_SYSTEM_ERROR); /* the service thread got no poller */
    return true;
}

static bool converse(cw_socket *s, const char *uri)
{
    cw_event *e = NULL;

    if (is_failure(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT)) ||
        is_failure(cw_socket_send(s, CW_UTF8, "a", 1, CW_TIMEOUT_DEFAULT)) ||
        is_failure(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e)))
        return false;
    CHECK_INT(cw_event_message_type(e), CW_UTF8);
    cw_event_free(e);
    if (is_failure(
            cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, NULL, 0), NULL, false, CW_TIMEOUT_DEFAULT)) ||
        is_failure(
            cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, "b", 1), NULL, true, CW_TIMEOUT_DEFAULT)) ||
        is_failure(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e)))
        return false;
    cw_event_free(e);
    return !is_failure(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, NULL)) &&
           !is_failure(cw_socket_close_start(s, 1000, "x", 1)) && !is_failure(cw_socket_wait_closed(s, 20000));
}

static bool whole_life(void *uri)
{
    const char *ca_file = peer_env("CW_CA_FILE");
    cw_socket *s = NULL;
    bool got_through = !is_failure(cw_socket_create(CW_MESSAGE_SOCKET, &s)) &&
                       !is_failure(cw_socket_set_text(s, CW_OPT_CA_FILE, ca_file, strlen(ca_file))) &&
                       converse(s, uri);

    cw_socket_release(s);
    cw_shutdown(5000);
    return got_through;
}

static void test_no_memory(void)
{
    (void)strcpy(stress_uri, peer_script("x:8900/echo/end")); /* the server sends a ping first */
    each_allocation_fails(whole_life, stress_uri);
}

static void test_no_memory_tls(void)
{
    (void)strcpy(stress_uri, peer_script_tls("x:8900/echo/end"));
    each_allocation_fails(whole_life, stress_uri);
}

/* Runs until the closed event. If there is no memory for an event, the take fails and the event stays. */
static bool drain(cw_mailbox *m, bool *has_message)
{
    for (;;) {
        cw_event *e = NULL;
        cw_status status = cw_mailbox_take(m, 20000, &e);
        cw_event_type type;
        if (status == CW_NO_MEMORY)
            continue;
        CHECK_STATUS(status, CW_OK);
        type = cw_event_get_type(e);
        *has_message = *has_message || type == CW_EVENT_MESSAGE;
        if (type == CW_EVENT_MESSAGE)
            (void)cw_socket_close_start(cw_event_socket(e), 1000, NULL, 0);
        cw_event_free(e);
        if (type == CW_EVENT_CLOSED || type == CW_EVENT_CONNECT_FAILED)
            return type == CW_EVENT_CLOSED;
    }
}

static bool mailbox_life(void *uri)
{
    cw_socket *s = NULL;
    cw_mailbox *m = NULL;
    bool got_through = false, has_message = false;

    if (!is_failure(cw_socket_create(CW_MESSAGE_SOCKET, &s)) && !is_failure(cw_mailbox_create(&m)) &&
        !is_failure(cw_socket_subscribe(s, m, CW_EVENTS_ALL)) &&
        !is_failure(cw_socket_set_request_header(s, "X", 1, "y", 1)) &&
        !is_failure(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT)))
        got_through = drain(m, &has_message) && has_message;
    cw_mailbox_release(m);
    cw_socket_release(s);
    cw_shutdown(5000);
    return got_through;
}

static void test_no_memory_mailbox(void)
{
    (void)strcpy(stress_uri, peer_script("x:820161/echo/end"));
    each_allocation_fails(mailbox_life, stress_uri);
}

static const harness_test tests[] = {
    {"300 cycles leave no memory and no descriptor behind", test_cycles},
    {"200 open at once, each closed cleanly", test_all_open},
    {"8 threads make random calls on 4 sockets", test_stress},
    {"every allocation fails once, in calls", test_no_memory},
    {"every allocation fails once, in calls, over TLS", test_no_memory_tls},
    {"every allocation fails once, with a mailbox", test_no_memory_mailbox},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
