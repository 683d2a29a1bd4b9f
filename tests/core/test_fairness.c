/* SPDX-License-Identifier: MIT */
/* Tests that sending a large message lets other threads have the socket's lock (life.c: cw__socket_enter). The service thread
 * thread may wait for that lock, and has other sockets to serve. */
#include "raw_peer.h"

enum { LARGE_BYTES = 64 * 1024 * 1024 };

static cw__atomic_int sent_bytes; /* bytes of the large message sent so far */
static cw__atomic_int is_begun, was_wanted;
static cw_socket *sending;

/* Replaces the core's writes: the library is linked into this program. The connection takes everything. */
ssize_t send(int fd, const void *data, size_t len_bytes, int flags)
{
    if (!atomic_load(&is_begun))
        return sendto(fd, data, len_bytes, flags, NULL, 0);
    while (!atomic_load(&was_wanted) && !cw__socket_is_wanted(sending))
        (void)poll(NULL, 0, 1);
    atomic_store(&was_wanted, 1);
    (void)atomic_fetch_add(&sent_bytes, (int)(len_bytes));
    return (ssize_t)len_bytes;
}

typedef struct sender {
    cw_socket *s;
    const uint8_t *data;
} sender;

static void *send_large(void *arg)
{
    const sender *it = arg;

    CHECK_STATUS(cw_socket_send(it->s, CW_BINARY, it->data, LARGE_BYTES, CW_TIMEOUT_DEFAULT), CW_OK);
    return NULL;
}

static void gives_way(int64_t frame_size)
{
    raw_peer p = {0};
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    sender it = {s, calloc(1, LARGE_BYTES)};
    pthread_t thread;

    CHECK(it.data != NULL);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAME_SIZE, frame_size), CW_OK);
    raw_open(&p, s);
    atomic_store(&sent_bytes, 0);
    atomic_store(&was_wanted, 0);
    sending = s;
    atomic_store(&is_begun, 1);
    cw__mutex_lock(&s->lock);
    CHECK_INT(pthread_create(&thread, NULL, send_large, &it), 0);
    cw__mutex_unlock(&s->lock);
    /* the sender holds the lock */
    UNTIL(cw__mutex_trylock(&s->lock) ? (cw__mutex_unlock(&s->lock), false) : true);
    cw__socket_enter(s);
    CHECK(atomic_load(&sent_bytes) < LARGE_BYTES);
    cw__mutex_unlock(&s->lock);
    CHECK_INT(pthread_join(thread, NULL), 0);
    atomic_store(&is_begun, 0);
    free((void *)(uintptr_t)it.data);
    cw_socket_abort(s);
    raw_finish(&p);
}

static void test_one_frame(void) { gives_way(-1); }
static void test_frames(void) { gives_way(100000); }

static const harness_test tests[] = {
    {"a message in one frame, to a peer that takes it at once", test_one_frame},
    {"a message in many frames", test_frames},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
