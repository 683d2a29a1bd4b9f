/* SPDX-License-Identifier: MIT */
/* Stress: 8 threads send, receive, ping, flush and close on the same 4 sockets. The servers are real: websockets over
 * ws and wss, Node's ws, and nginx with TLS in front of the first. Every byte of every message is known. A socket that was
 * not cut returns every message exactly once, each sender's in order. A socket that was closed or aborted early returns
 * a prefix of each sender's messages. Each socket that was open has one closed event. STRESS_S in the environment is
 * the duration in seconds; the suite `stress` runs this test longer, under ThreadSanitizer. */
#include "peer.h"

enum {
    SLOTS = 4,
    THREADS = 8,
    DEFAULT_S = 2,
    MESSAGES_AT_MOST = 16384, /* messages of one thread on one socket */
    SMALL_BYTES = 4000,
    LARGE_BYTES = 700000, /* more than may wait in a socket, so that the sender has to wait */
    TABLE_BYTES = LARGE_BYTES + 4096,
    HEAD_CHARS = 36
};

/* One socket, from its connect to its end. */
typedef struct life {
    unsigned id;
    cw_socket *s;
    cw_mailbox *events;
    bool is_mailbox;    /* the socket's messages come as events */
    atomic_int users;   /* number of threads that use the socket */
    atomic_bool is_cut; /* set before a thread closes or aborts the socket early */
    atomic_bool is_aborted;
    atomic_int closed_events;
    atomic_uint sent[THREADS], taken[THREADS];
    unsigned latest[THREADS][THREADS]; /* [receiver][sender]: the number last taken; the receiver's own */
    atomic_uchar *seen[THREADS];
} life;

static struct slot {
    cw__mutex lock;
    const char *uri;
    life *now;
} slots[SLOTS];

static uint8_t binary_table[TABLE_BYTES], text_table[TABLE_BYTES];
static atomic_uint lives;
static atomic_ulong sent_count, back_count, ping_count, drained_count, cut_count;
static int64_t until_ms;

/* ---- Messages ---- */

static void fill_tables(void)
{
    uint32_t random = 88172645;

    for (size_t i = 0; i < TABLE_BYTES; i++) {
        random = random * 1664525 + 1013904223;
        binary_table[i] = (uint8_t)(random >> 24);
        text_table[i] = binary_table[i] & 0x7f;
    }
}

static cw_message_type message_type_of(unsigned number) { return number % 4 == 0 ? CW_UTF8 : CW_BINARY; }

/* Writes the payload after the header of a message. */
static const uint8_t *body_of(unsigned number)
{
    return (message_type_of(number) == CW_UTF8 ? text_table : binary_table) + number % 4096;
}

static void write_head(char head[HEAD_CHARS + 1], const life *l, unsigned sender, unsigned number, size_t body)
{
    (void)snprintf(head, HEAD_CHARS + 1, "%08x %08x %08x %08zx ", l->id, sender, number, body);
}

/* Checks a message that this thread has taken. */
static void check_message(life *l, unsigned me, const cw_event *e)
{
    unsigned id, sender, number;
    size_t len, body;
    const uint8_t *data = cw_event_data(e, &len);
    char head[HEAD_CHARS + 1] = "";

    CHECK(len >= HEAD_CHARS);
    memcpy(head, data, HEAD_CHARS);
    CHECK_INT(sscanf(head, "%8x %8x %8x %8zx ", &id, &sender, &number, &body), 4);
    CHECK_INT(id, l->id);
    CHECK(sender < THREADS && number > 0 && number < MESSAGES_AT_MOST);
    CHECK_INT(len, HEAD_CHARS + body);
    CHECK_INT(cw_event_message_type(e), message_type_of(number));
    CHECK(cw_event_is_complete(e));
    CHECK(memcmp(data + HEAD_CHARS, body_of(number), body) == 0);
    CHECK(number > l->latest[me][sender]); /* each sender's messages come in order */
    l->latest[me][sender] = number;
    CHECK_INT(atomic_exchange(&l->seen[sender][number], 1), 0); /* each message comes only once */
    (void)atomic_fetch_add(&l->taken[sender], 1);
    (void)atomic_fetch_add(&back_count, 1);
}

/* ---- A socket, from its start ---- */

static life *begin_life(unsigned slot)
{
    life *l = calloc(1, sizeof *l);
    const char *ca_file = peer_env("CW_CA_FILE");

    CHECK(l != NULL);
    l->id = atomic_fetch_add(&lives, 1) + 1;
    l->is_mailbox = slot == SLOTS - 1;
    for (int i = 0; i < THREADS; i++)
        CHECK((l->seen[i] = calloc(MESSAGES_AT_MOST, 1)) != NULL);
    l->s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_set_text(l->s, CW_OPT_CA_FILE, ca_file, strlen(ca_file)), CW_OK);
    CHECK_STATUS(cw_socket_set_number(l->s, CW_OPT_PING_INTERVAL, 500), CW_OK);
    CHECK_STATUS(cw_mailbox_create(&l->events), CW_OK);
    CHECK_STATUS(
        cw_socket_subscribe(l->s, l->events, CW_EVENT_CLOSED | (l->is_mailbox ? CW_EVENT_MESSAGE : 0u)), CW_OK);
    CHECK_STATUS(cw_socket_connect_start(l->s, slots[slot].uri, strlen(slots[slot].uri), 30000), CW_OK);
    return l;
}

static life *borrow(struct slot *slot)
{
    life *l;

    cw__mutex_lock(&slot->lock);
    l = slot->now;
    (void)atomic_fetch_add(&l->users, 1);
    cw__mutex_unlock(&slot->lock);
    return l;
}

/* Takes an event of the socket. Returns false if no event came in time. */
static bool take_event(life *l, unsigned me, int timeout_ms)
{
    cw_event *e = NULL;
    cw_status status = cw_mailbox_take(l->events, timeout_ms, &e);

    if (status != CW_OK) {
        CHECK_STATUS(status, CW_TIMED_OUT);
        return false;
    }
    if (cw_event_get_type(e) == CW_EVENT_CLOSED)
        (void)atomic_fetch_add(&l->closed_events, 1);
    else
        check_message(l, me, e);
    cw_event_free(e);
    return true;
}

/* Returns whether a call succeeded. If not, checks that its error is an allowed one. */
static bool went_well(life *l, cw_state before, cw_status status)
{
    if (status == CW_OK)
        return true;
    if (status == CW_CLOSED || status == CW_INVALID_STATE)
        CHECK(atomic_load(&l->is_cut) || (status == CW_INVALID_STATE && before == CW_STATE_CONNECTING));
    else if (status != CW_WOULD_BLOCK)
        CHECK_STATUS(status, CW_TIMED_OUT);
    return false;
}

static bool receive_one(life *l, unsigned me, int timeout_ms)
{
    cw_state before = cw_socket_state(l->s);
    cw_event *e = NULL;

    if (l->is_mailbox)
        return take_event(l, me, timeout_ms);
    if (!went_well(l, before, cw_socket_receive(l->s, timeout_ms, &e)))
        return false;
    check_message(l, me, e);
    cw_event_free(e);
    return true;
}

/* Sends the next message. It uses the number again if the send reports that nothing was sent. */
static void send_one(life *l, unsigned me, size_t body, int timeout_ms)
{
    cw_state before = cw_socket_state(l->s);
    unsigned number = atomic_load(&l->sent[me]) + 1;
    uint8_t *data;

    if (number >= MESSAGES_AT_MOST)
        return;
    CHECK((data = malloc(HEAD_CHARS + body + 1)) != NULL);
    write_head((char *)data, l, me, number, body);
    memcpy(data + HEAD_CHARS, body_of(number), body);
    if (went_well(l, before,
                  cw_socket_send(l->s, message_type_of(number), data, HEAD_CHARS + body, timeout_ms))) {
        (void)atomic_fetch_add(&l->sent[me], 1);
        (void)atomic_fetch_add(&sent_count, 1);
    }
    free(data);
}

/* ---- The end of a socket, when only this thread uses it ---- */

static bool is_all_back(life *l)
{
    for (int i = 0; i < THREADS; i++)
        if (atomic_load(&l->taken[i]) < atomic_load(&l->sent[i]))
            return false;
    return true;
}

/* A socket that was not cut returns everything, and nothing more. */
static void drain(life *l, unsigned me)
{
    while (!is_all_back(l))
        CHECK(receive_one(l, me, 30000));
    CHECK_STATUS(cw_socket_ping(l->s, 30000, NULL), CW_OK); /* the pong comes after all sent messages */
    CHECK(!receive_one(l, me, 0));
    CHECK_STATUS(cw_socket_close_start(l->s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(l->s, 1000, true);
    (void)atomic_fetch_add(&drained_count, 1);
}

static void check_cut(life *l)
{
    int code;
    bool was_clean;

    CHECK_STATUS(cw_socket_wait_closed(l->s, CW_TIMEOUT_NEVER), CW_OK);
    was_clean = cw_socket_get_closed(l->s, &code, NULL, 0, NULL);
    if (!was_clean || code != 1000) {
        CHECK(atomic_load(&l->is_aborted));
        CHECK_INT(code, 1006);
    }
    (void)atomic_fetch_add(&cut_count, 1);
}

static void end_life(life *l, unsigned me)
{
    bool was_open;

    UNTIL(atomic_load(&l->users) == 1);
    was_open = cw_socket_wait_connected(l->s, CW_TIMEOUT_NEVER) == CW_OK;
    CHECK(was_open || atomic_load(&l->is_cut));
    if (!atomic_load(&l->is_cut))
        drain(l, me);
    else if (was_open)
        check_cut(l);
    while (take_event(l, me, was_open && atomic_load(&l->closed_events) == 0 ? 10000 : 0))
        continue;
    CHECK_INT(atomic_load(&l->closed_events), was_open);
    for (int i = 0; i < THREADS; i++) {
        unsigned taken = atomic_load(&l->taken[i]), sent = atomic_load(&l->sent[i]);
        CHECK(was_open || sent == 0);
        CHECK(taken <= sent);
        for (unsigned number = 1; number <= taken; number++) /* a prefix */
            CHECK_INT(atomic_load(&l->seen[i][number]), 1);
        free((void *)l->seen[i]);
    }
    cw_socket_release(l->s);
    cw_mailbox_release(l->events);
    free(l);
}

/* Replaces this socket by a new one and ends the old one, unless another thread is doing that. The threads use the new
 * socket while it still connects. */
static void replace(unsigned slot, life *l, unsigned me)
{
    bool is_ours;

    cw__mutex_lock(&slots[slot].lock);
    is_ours = slots[slot].now == l;
    if (is_ours)
        slots[slot].now = begin_life(slot);
    cw__mutex_unlock(&slots[slot].lock);
    if (is_ours)
        end_life(l, me);
    else
        (void)atomic_fetch_sub(&l->users, 1);
}

/* ---- Threads ---- */

static void cut(life *l, bool is_abort)
{
    if (is_abort) {
        atomic_store(&l->is_aborted, true);
        atomic_store(&l->is_cut, true);
        cw_socket_abort(l->s);
    } else {
        atomic_store(&l->is_cut, true);
        CHECK_STATUS(cw_socket_close_start(l->s, 1000, "", 0), CW_OK);
    }
}

static void do_one(unsigned slot, unsigned me, uint32_t choice)
{
    life *l = borrow(&slots[slot]);
    cw_state before = cw_socket_state(l->s);
    unsigned what = choice % 16;

    if (atomic_load(&l->sent[me]) + 1 >= MESSAGES_AT_MOST || choice % 4096 < 3) {
        if (choice % 4096 < 2)
            cut(l, choice % 4096 == 0);
        replace(slot, l, me);
        return;
    }
    if (me == 0 && choice % 512 == 5)
        send_one(l, me, LARGE_BYTES, CW_TIMEOUT_DEFAULT); /* the other threads continue to receive */
    else if (what < 7)
        send_one(l, me, choice % SMALL_BYTES, (int)(choice % 3));
    else if (what < 13)
        (void)receive_one(l, me, (int)(choice % 5));
    else if (what < 15)
        (void)atomic_fetch_add(&ping_count, went_well(l, before, cw_socket_ping(l->s, 100, NULL)));
    else
        (void)went_well(l, before, cw_socket_flush(l->s, 5));
    (void)atomic_fetch_sub(&l->users, 1);
}

static void *stress(void *argument)
{
    unsigned me = *(const unsigned *)argument;
    uint32_t random = 2463534242u + me * 7919u;

    while (cw__now_ms() < until_ms) {
        random ^= random << 13; /* xorshift: each run of a thread makes the same choices */
        random ^= random >> 17;
        random ^= random << 5;
        do_one(random % SLOTS, me, random >> 8);
    }
    return NULL;
}

static int seconds(void)
{
    const char *text = getenv("STRESS_S");

    return text && atoi(text) > 0 ? atoi(text) : DEFAULT_S;
}

static const char *copy_of(const char *name)
{
    static char uris[SLOTS][100];
    static unsigned count;
    char *uri = uris[count++ % SLOTS];

    (void)snprintf(uri, sizeof uris[0], "%s/", peer_env(name));
    return uri;
}

static void test_stress(void)
{
    static const char *const peers[SLOTS] = {"CW_ECHO_WS", "CW_ECHO_WSS", "CW_NODE_WS", "CW_NGINX_WSS"};
    static unsigned numbers[THREADS];
    pthread_t threads[THREADS];

    fill_tables();
    until_ms = cw__now_ms() + 1000 * seconds();
    for (unsigned i = 0; i < SLOTS; i++) {
        cw__mutex_init(&slots[i].lock);
        slots[i].uri = copy_of(peers[i]);
        slots[i].now = begin_life(i);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        CHECK_INT(pthread_create(&threads[i], NULL, stress, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        end_life(borrow(&slots[i]), 0);
        cw__mutex_destroy(&slots[i].lock);
    }
    printf("# %d s: %lu messages sent, %lu came back, %lu pings answered; %lu sockets drained, %lu cut\n",
           seconds(), sent_count, back_count, ping_count, drained_count, cut_count);
    CHECK(sent_count > 0 && ping_count > 0 && drained_count >= SLOTS);
    cw_shutdown(5000);
}

/* ---- Descriptors of the program ---- */

static atomic_bool is_over;

/* Opens and closes descriptors, as a program may: the numbers that libcurl has just closed are reused at once. */
static void *open_and_close(void *unused)
{
    enum { FILES = 8 };
    FILE *files[FILES];

    (void)unused;
    while (!atomic_load(&is_over)) {
        for (int i = 0; i < FILES; i++)
            files[i] = fopen("/dev/null", "r");
        for (int i = 0; i < FILES; i++)
            if (files[i])
                (void)fclose(files[i]);
    }
    return NULL;
}

static void test_descriptors(void)
{
    const char *port = strrchr(peer_env("CW_ECHO_WS"), ':');
    pthread_t threads[2];
    char uri[100];

    (void)snprintf(uri, sizeof uri, "ws://localhost%s/",
                   port); /* a name, so that its look-up needs a descriptor */
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
    for (int i = 0; i < 100; i++)
        peer_drop(peer_open(CW_MESSAGE_SOCKET, uri));
    atomic_store(&is_over, true);
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    cw_shutdown(5000);
}

static const harness_test tests[] = {
    {"connecting does not touch descriptors of other threads", test_descriptors},
    {"8 threads on 4 sockets: nothing lost, doubled or out of order", test_stress},
};

int main(int argc, char **argv)
{
    harness_limit_s = (unsigned)seconds() + 90;
    return HARNESS_MAIN(argc, argv, tests);
}
