/* SPDX-License-Identifier: MIT */
/* Tests of lifetime rule 3: the program releases a socket or a mailbox while a call waits, and nothing else holds it.
 * The wait hook of the call releases it, and returns when the service thread has dropped its reference too. Then the
 * call's own reference is the last. AddressSanitizer reports any use of the memory after that reference is dropped.
 * test_socket.c tests other calls, from other threads. */
#include "raw_peer.h"

enum { LARGE_BYTES = 4 * 1024 * 1024 };

static cw_socket *victim;
static int asked_count;

/* Drops every reference except the call's own, and ends its wait. */
static bool drop_victim(void *unused)
{
    cw_socket *s = victim;
    int before = atomic_load(&s->references);

    (void)unused;
    if (asked_count++ > 0)
        return true;
    cw_socket_abort(s);
    cw_socket_release(s);
    /* the program and the service have dropped their references */
    UNTIL(atomic_load(&s->references) == before - 2);
    return true;
}

static void begin(cw_socket *s)
{
    victim = s;
    asked_count = 0;
    cw_set_wait_hook(drop_victim, NULL);
}

static void end(void)
{
    cw_set_wait_hook(NULL, NULL);
    CHECK_INT(asked_count, 1);
    cw_shutdown(5000);
    CHECK_INT(cw__alloc_live(), 0);
}

/* ---- Connecting ---- */

static void test_connect(void)
{
    char uri[64];
    int listener = raw_listen(uri);

    begin(peer_socket(CW_MESSAGE_SOCKET));
    CHECK_STATUS(peer_try_connect(victim, uri, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    end();
    (void)close(listener);
}

static void test_wait_connected(void)
{
    char uri[64];
    int listener = raw_listen(uri);

    begin(peer_socket(CW_MESSAGE_SOCKET));
    CHECK_STATUS(cw_socket_connect_start(victim, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(victim, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    end();
    (void)close(listener);
}

/* ---- Open: the peer is silent ---- */

static raw_peer peer;

static cw_socket *open_silent(cw_class socket_class)
{
    raw_open(&peer, peer_socket(socket_class));
    return peer.s;
}

static void finish_silent(void)
{
    end();
    raw_end(&peer);
}

static void test_receive(void)
{
    cw_event *e;

    begin(open_silent(CW_MESSAGE_SOCKET));
    CHECK_STATUS(cw_socket_receive(victim, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    finish_silent();
}

static void test_receive_into(void)
{
    cw_received received;
    char buffer[16];

    begin(open_silent(CW_MESSAGE_SOCKET));
    CHECK(cw_socket_receive_into(victim, buffer, sizeof buffer, CW_TIMEOUT_NEVER, &received) != CW_OK);
    finish_silent();
}

static uint8_t large[LARGE_BYTES];

static void test_batch_end(void)
{
    begin(open_silent(CW_MESSAGE_SOCKET));
    CHECK_STATUS(cw_socket_batch_begin(victim), CW_OK);
    CHECK_STATUS(cw_socket_send(victim, CW_BINARY, large, sizeof large, 0), CW_OK);
    CHECK(cw_socket_batch_end(victim, CW_TIMEOUT_NEVER) != CW_OK);
    finish_silent();
}

/* ---- Mailbox ---- */

static cw_mailbox *mailbox;

static bool release_mailbox(void *unused)
{
    (void)unused;
    if (asked_count++ == 0)
        cw_mailbox_release(mailbox);
    return false;
}

/* No event will come, so the wait ends by itself. */
static void test_take(void)
{
    cw_event *e;

    CHECK_STATUS(cw_mailbox_create(&mailbox), CW_OK);
    asked_count = 0;
    cw_set_wait_hook(release_mailbox, NULL);
    CHECK_STATUS(cw_mailbox_take(mailbox, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    end();
}

enum { TAKERS = 3 };

static atomic_int waiting_count;

/* A wait hook that counts its thread once. */
static bool count_once(void *is_counted)
{
    if (!*(bool *)is_counted)
        atomic_fetch_add(&waiting_count, 1);
    *(bool *)is_counted = true;
    return false;
}

static void *take_forever(void *unused)
{
    bool is_counted = false;
    cw_event *e;

    cw_set_wait_hook(count_once, &is_counted);
    CHECK_STATUS(cw_mailbox_take(mailbox, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    return unused;
}

/* The wait of each thread ends, although all share one wake-up. */
static void test_takers(void)
{
    pthread_t threads[TAKERS];

    CHECK_STATUS(cw_mailbox_create(&mailbox), CW_OK);
    for (size_t i = 0; i < TAKERS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, take_forever, NULL), 0);
    UNTIL(atomic_load(&waiting_count) == TAKERS);
    cw_mailbox_release(mailbox);
    for (size_t i = 0; i < TAKERS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_INT(cw__alloc_live(), 0);
}

static const harness_test tests[] = {
    {"released inside cw_socket_connect", test_connect},
    {"released inside cw_socket_wait_connected", test_wait_connected},
    {"released inside cw_socket_receive", test_receive},
    {"released inside cw_socket_receive_into", test_receive_into},
    {"released inside cw_socket_batch_end", test_batch_end},
    {"released inside cw_mailbox_take", test_take},
    {"released while three threads take", test_takers},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
