/* SPDX-License-Identifier: MIT */
/* Tests of pool.c, through sockets: connections that begin together and end in different ways, and open connections
 * that share a multi handle with others that come and go. With a libcurl that cannot receive natively, every socket has
 * a handle of its own, and the tests must pass too. */
#include "gate.h"
#include "process.h"

enum { GROUP = 8, SOON_MS = 30000, PRUNING_MS = 1100 /* libcurl checks its connections once a second */ };

static bool is_sharing(void) { return cw__codec_native_receives(); }

/* ---- A group that begins at the same time ---- */

static void start(cw_socket *s, const char *uri, int timeout_ms)
{
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), timeout_ms), CW_OK);
}

static void echo_once(cw_socket *s, size_t number)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, &number, sizeof number, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, &number, sizeof number);
}

static void close_now(cw_socket *s)
{
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    cw_socket_release(s);
}

static void open_all(cw_socket **sockets, size_t count)
{
    hold_service();
    for (size_t i = 0; i < count; i++) {
        sockets[i] = peer_socket(CW_MESSAGE_SOCKET);
        start(sockets[i], peer_script(LIBCURLS), CW_TIMEOUT_DEFAULT);
    }
    let_service_go();
    for (size_t i = 0; i < count; i++)
        CHECK_STATUS(cw_socket_wait_connected(sockets[i], SOON_MS), CW_OK);
}

static void test_at_once(void)
{
    enum { COUNT = 20 };
    cw_socket *sockets[COUNT];

    open_all(sockets, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_INT(pool_of(sockets[i]) == pool_of(sockets[i / GROUP * GROUP]), is_sharing() || i % GROUP == 0);
    CHECK(pool_of(sockets[0]) != pool_of(sockets[GROUP]));
    CHECK(pool_of(sockets[GROUP]) != pool_of(sockets[2 * GROUP]));
    for (size_t i = 0; i < COUNT; i++)
        echo_once(sockets[i], i);
    for (size_t i = 0; i < COUNT; i++)
        close_now(sockets[i]);
    cw_shutdown(5000);
}

/* ---- One socket of a group ends before the others ---- */

typedef enum end { OPENED, REFUSED, NOT_FOUND, CANCELLED, TIMED_OUT, LOST, ENDS } end;

static raw_peer peers[GROUP]; /* servers in this process, for some members */
static int listeners[GROUP];

static void start_raw(size_t i, int timeout_ms)
{
    listeners[i] = raw_listen(peers[i].uri);
    peers[i].s = peer_socket(CW_MESSAGE_SOCKET);
    peers[i].fd = -1;
    start(peers[i].s, peers[i].uri, timeout_ms);
}

/* Does the server's part of the connect, up to the request, which stays unread. */
static void accept_raw(size_t i)
{
    int yes = 1;
    char byte;

    peers[i].fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC);
    CHECK(peers[i].fd >= 0 && setsockopt(peers[i].fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    (void)close(listeners[i]);
    CHECK_INT(recv(peers[i].fd, &byte, 1, MSG_PEEK), 1);
}

/* As accept_raw, for a member that ends by its deadline: on a busy machine perhaps before the server accepts it. */
static void accept_to_time_out(size_t i)
{
    struct pollfd listener = {.fd = listeners[i], .events = POLLIN};
    char byte;

    UNTIL(poll(&listener, 1, 0) == 1 || cw_socket_state(peers[i].s) != CW_STATE_CONNECTING);
    if (poll(&listener, 1, 0) == 1) {
        peers[i].fd = accept4(listeners[i], NULL, NULL, SOCK_CLOEXEC);
        CHECK(peers[i].fd >= 0);
        (void)recv(peers[i].fd, &byte, 1, MSG_PEEK);
    }
    (void)close(listeners[i]);
}

static void accept_to_end(size_t i, end how)
{
    if (how == TIMED_OUT)
        accept_to_time_out(i);
    else if (how != REFUSED)
        accept_raw(i);
}

/* The server sends a frame of its own, and receives one. */
static void converse_raw(raw_peer *p)
{
    RAW_SEND(p, "\x82\x03"
                "one");
    CHECK_MESSAGE(p->s, CW_BINARY, "one", 3);
    CHECK_STATUS(cw_socket_send(p->s, CW_BINARY, "two", 3, CW_TIMEOUT_DEFAULT), CW_OK);
    RAW_EXPECT(p, CW__OP_BINARY, "two", 3);
}

static void open_raw(raw_peer *p)
{
    raw_answer(p);
    CHECK_STATUS(cw_socket_wait_connected(p->s, SOON_MS), CW_OK);
    converse_raw(p);
}

static void drop_raw(raw_peer *p)
{
    peer_drop(p->s);
    raw_end(p);
}

static void start_one_to_end(size_t i, end how)
{
    enum { SHORT_MS = 60 };

    if (how != REFUSED) {
        start_raw(i, how == TIMED_OUT ? SHORT_MS : CW_TIMEOUT_NEVER);
        return;
    }
    peers[i] = (raw_peer){.s = peer_socket(CW_MESSAGE_SOCKET), .fd = -1};
    start(peers[i].s, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_NEVER);
}

static void end_one(raw_peer *p, end how)
{
    static const int web_status[ENDS] = {[REFUSED] = CW_WEB_CannotConnect,
                                         [NOT_FOUND] = CW_WEB_NotFound,
                                         [CANCELLED] = CW_WEB_OperationCanceled,
                                         [TIMED_OUT] = CW_WEB_Timeout,
                                         [LOST] = CW_WEB_ConnectionReset};

    if (how == OPENED) {
        open_raw(p);
        return;
    }
    if (how == NOT_FOUND)
        RAW_SEND(p, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    if (how == CANCELLED)
        CHECK_STATUS(cw_socket_close_start(p->s, 1000, NULL, 0), CW_OK);
    if (how == LOST)
        raw_reset(p);
    CHECK_STATUS(cw_socket_wait_connected(p->s, SOON_MS), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), web_status[how]);
}

/* The other sockets get their answers only after this socket has ended. */
static void one_ends(size_t which, end how)
{
    hold_service();
    for (size_t i = 0; i < GROUP; i++)
        if (i == which)
            start_one_to_end(i, how);
        else
            start_raw(i, CW_TIMEOUT_NEVER);
    let_service_go();
    for (size_t i = 0; i < GROUP; i++)
        accept_to_end(i, i == which ? how : OPENED);
    end_one(&peers[which], how);
    for (size_t i = 0; i < GROUP; i++) {
        size_t next = which % 2 ? i : GROUP - 1 - i;
        if (next == which)
            continue;
        CHECK_INT(cw_socket_state(peers[next].s), CW_STATE_CONNECTING);
        open_raw(&peers[next]);
    }
    for (size_t i = 0; i < GROUP; i++)
        drop_raw(&peers[i]);
}

static void each_ends(end how)
{
    for (size_t which = 0; which < GROUP; which++)
        one_ends(which, how);
    cw_shutdown(5000);
}

static void test_opened(void) { each_ends(OPENED); }
static void test_refused(void) { each_ends(REFUSED); }
static void test_not_found(void) { each_ends(NOT_FOUND); }
static void test_cancelled(void) { each_ends(CANCELLED); }
static void test_timed_out(void) { each_ends(TIMED_OUT); }
static void test_lost(void) { each_ends(LOST); }

/* All kinds of ends in one group, each at every position, in the order of their positions. */
static void test_all_ends(void)
{
    for (size_t shift = 0; shift < ENDS; shift++) {
        hold_service();
        for (size_t i = 0; i < GROUP; i++)
            start_one_to_end(i, (end)((i + shift) % ENDS));
        let_service_go();
        for (size_t i = 0; i < GROUP; i++)
            accept_to_end(i, (end)((i + shift) % ENDS));
        for (size_t i = 0; i < GROUP; i++)
            end_one(&peers[i], (end)((i + shift) % ENDS));
        for (size_t i = 0; i < GROUP; i++)
            if ((i + shift) % ENDS == OPENED)
                converse_raw(&peers[i]);
        for (size_t i = 0; i < GROUP; i++)
            drop_raw(&peers[i]);
    }
    cw_shutdown(5000);
}

/* The first socket succeeds or fails; the others end by their own deadlines. */
static void stalled(end how_first, size_t first)
{
    enum { BASE_MS = 80, STEP_MS = 20, LATE_MS = 20000 };
    int64_t begun_ms;

    hold_service();
    begun_ms = cw__now_ms();
    for (size_t i = 0; i < GROUP; i++)
        if (i == first)
            start_one_to_end(i, how_first);
        else
            start_raw(i, BASE_MS + STEP_MS * (int)i);
    let_service_go();
    for (size_t i = 0; i < GROUP; i++)
        accept_to_end(i, i == first ? how_first : TIMED_OUT);
    end_one(&peers[first], how_first);
    for (size_t i = 0; i < GROUP; i++) {
        if (i == first)
            continue;
        CHECK_STATUS(cw_socket_wait_connected(peers[i].s, SOON_MS), CW_CONNECT_FAILED);
        CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
        CHECK(cw__now_ms() >= begun_ms + BASE_MS + STEP_MS * (int64_t)i);
        CHECK(cw__now_ms() <= begun_ms + BASE_MS + STEP_MS * (int64_t)i + LATE_MS);
    }
    for (size_t i = 0; i < GROUP; i++)
        drop_raw(&peers[i]);
}

static void test_stalled(void)
{
    static const end ways[] = {OPENED, REFUSED, NOT_FOUND, CANCELLED};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        stalled(ways[i], 0);
        stalled(ways[i], GROUP - 1);
    }
    cw_shutdown(5000);
}

/* Takes a port at ::1 and fills its queue, so that a connect there gets no answer. On a machine without ::1 no connect
 * stalls, and the test covers less. */
static void stall_v6(const char *uri, int fds[4])
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    at.sin6_port = htons((uint16_t)atoi(strrchr(uri, ':') + 1));
    for (int i = 0; i < 4; i++)
        fds[i] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)bind(fds[0], (struct sockaddr *)&at, sizeof at);
    (void)listen(fds[0], 0);
    for (int i = 1; i < 4; i++)
        (void)connect(fds[i], (struct sockaddr *)&at, sizeof at);
}

/* libcurl tries the second address after 200 ms. */
static void second_address(size_t first)
{
    size_t second = 1 - first;
    int fds[4];
    char uri[64];

    listeners[second] = raw_listen(peers[second].uri);
    stall_v6(peers[second].uri, fds);
    (void)snprintf(uri, sizeof uri, "ws://localhost%s", strrchr(peers[second].uri, ':'));
    peers[second].s = peer_socket(CW_MESSAGE_SOCKET);
    hold_service();
    for (size_t i = 0; i < 2; i++)
        if (i == first)
            start_raw(first, CW_TIMEOUT_NEVER);
        else
            start(peers[second].s, uri, CW_TIMEOUT_NEVER);
    let_service_go();
    accept_raw(first);
    open_raw(&peers[first]);
    CHECK_INT(poll(&(struct pollfd){.fd = listeners[second], .events = POLLIN}, 1, SOON_MS), 1);
    accept_raw(second);
    open_raw(&peers[second]);
    for (size_t i = 0; i < 4; i++)
        (void)close(fds[i]);
    drop_raw(&peers[0]);
    drop_raw(&peers[1]);
}

static void test_second_address(void)
{
    second_address(0);
    second_address(1);
    cw_shutdown(5000);
}

/* ---- Places in a group ---- */

static void test_middle(void)
{
    cw_socket *sockets[GROUP];
    cw__pool *pool;
    int count;

    open_all(sockets, GROUP);
    pool = pool_of(sockets[0]);
    count = socket_count();
    for (size_t i = 2; i < 6; i++)
        close_now(sockets[i]);
    UNTIL(socket_count() == count - 4); /* a closed socket keeps its place until the server ends TCP */
    echo_once(sockets[0], 0);
    open_all(sockets + 2, 4);
    for (size_t i = 0; i < GROUP; i++) {
        echo_once(sockets[i], i);
        CHECK_INT(pool_of(sockets[i]) == pool, is_sharing() || i == 0);
    }
    for (size_t i = 0; i < GROUP; i++)
        close_now(sockets[i]);
    cw_shutdown(5000);
}

static void test_cycles(void)
{
    enum { CYCLES = 16 };
    cw_socket *sockets[GROUP];
    int seven, one;

    open_all(sockets, 7);
    peer_wait_in_vain(sockets[0]);
    seven = descriptor_count();
    for (size_t i = 0; i < CYCLES; i++) {
        open_all(sockets + 7, 1);
        echo_once(sockets[7], i);
        one = descriptor_count() - seven;
        if (is_sharing())
            CHECK_INT(one, 1);
        else
            CHECK(one >= 1);
        close_now(sockets[7]);
        UNTIL(descriptor_count() == seven);
        echo_once(sockets[i % 7], i);
    }
    for (size_t i = 0; i < 7; i++)
        close_now(sockets[i]);
    cw_shutdown(5000);
}

static int descriptors_of_group(int64_t framing)
{
    cw_socket *sockets[GROUP];
    int before, count;

    cw_shutdown(5000);
    open_all(sockets, 1); /* opens the descriptors that the service thread and the C library keep */
    peer_wait_in_vain(sockets[0]);
    before = descriptor_count();
    hold_service();
    for (size_t i = 1; i < GROUP; i++) {
        sockets[i] = peer_socket(CW_MESSAGE_SOCKET);
        CHECK_STATUS(cw_socket_set_number(sockets[i], CW_OPT_FRAMING, framing), CW_OK);
        start(sockets[i], peer_script(LIBCURLS), CW_TIMEOUT_DEFAULT);
    }
    let_service_go();
    for (size_t i = 1; i < GROUP; i++)
        CHECK_STATUS(cw_socket_wait_connected(sockets[i], SOON_MS), CW_OK);
    count = descriptor_count() - before;
    for (size_t i = 0; i < GROUP; i++)
        close_now(sockets[i]);
    return count;
}

static void test_descriptors(void)
{
    int alone = descriptors_of_group(CW_FRAMING_CURL), together = descriptors_of_group(CW_FRAMING_AUTO);

    CHECK_INT(together, is_sharing() ? GROUP - 1 : alone);
    CHECK(!is_sharing() || together < alone);
    cw_shutdown(5000);
}

/* A new pool would take the memory of a freed one, so another kind of pool takes it first. */
static void test_kept(void)
{
    cw_socket *s, *alone = peer_socket(CW_MESSAGE_SOCKET);
    const cw__pool *pool;

    open_all(&s, 1);
    pool = pool_of(s);
    close_now(s);
    CHECK_STATUS(cw_socket_set_number(alone, CW_OPT_FRAMING, CW_FRAMING_CURL), CW_OK);
    CHECK_STATUS(peer_try_connect(alone, peer_script("echo/end"), CW_TIMEOUT_DEFAULT), CW_OK);
    open_all(&s, 1);
    if (is_sharing()) {
        CHECK(pool_of(alone) != pool);
        CHECK(pool_of(s) == pool);
    }
    close_now(s);
    close_now(alone);
    cw_shutdown(5000);
    CHECK_INT(cw__alloc_live(), 0);
}

/* ---- Data that arrives while another connection connects ---- */

static void pause_for_pruning(void) { (void)poll(NULL, 0, PRUNING_MS); }

static void open_beside(cw_socket *s, const cw__pool *pool)
{
    CHECK_INT(pool_of(s) == pool, is_sharing());
    echo_once(s, 7);
    close_now(s);
}

/* Begins a connection with its own server; the greeting keeps the connection libcurl's, and is no message. */
static void open_own(raw_peer *p)
{
    hold_service();
    start_raw(0, CW_TIMEOUT_NEVER);
    let_service_go();
    accept_raw(0);
    raw_answer_with(p, "\x8a\0", 2);
    CHECK_STATUS(cw_socket_wait_connected(p->s, SOON_MS), CW_OK);
}

/* The data is unread because the inbox is full: the service thread leaves the rest in the kernel. */
static void test_unread_when_full(void)
{
    enum { MESSAGES = 200, BYTES = 1000 };
    raw_peer *p = &peers[0];
    cw_socket *other;
    uint8_t message[4 + BYTES] = {0x82, 126, BYTES >> 8, BYTES & 255};

    open_own(p);
    cw__mutex_lock(&p->s->lock);
    p->s->in.inbox.high_bytes = 4096;
    cw__mutex_unlock(&p->s->lock);
    for (int i = 0; i < MESSAGES; i++) {
        memset(message + 4, i, BYTES);
        raw_write(p, message, sizeof message);
    }
    UNTIL(LOCKED(p->s, p->s->in.inbox.is_full));
    pause_for_pruning();
    open_all(&other, 1);
    open_beside(other, pool_of(p->s));
    for (int i = 0; i < MESSAGES; i++) {
        memset(message + 4, i, BYTES);
        CHECK_MESSAGE(p->s, CW_BINARY, message + 4, BYTES);
    }
    converse_raw(p);
    drop_raw(p);
    cw_shutdown(5000);
}

/* The data is unread because the service thread left the reading to a thread that has ended. */
static void unread(const char *data, size_t len_bytes, bool ends)
{
    raw_peer *p = &peers[0];
    cw_socket *other = peer_socket(CW_MESSAGE_SOCKET);
    const cw__pool *pool;
    cw_event *e;
    int fd;

    open_own(p);
    converse_raw(p);
    fd = (int)LOCKED(p->s, p->s->fd);
    pool = pool_of(p->s); /* which the socket leaves when the service thread has read the end */
    pause_for_pruning();
    hold_service();
    start(other, peer_script(LIBCURLS), CW_TIMEOUT_DEFAULT); /* is served first */
    CHECK_STATUS(cw_socket_receive(p->s, 1, &e), CW_TIMED_OUT);
    CHECK_INT(LOCKED(p->s, p->s->in.reader), CW__READER_CALLER);
    raw_write(p, data, len_bytes);
    if (ends)
        CHECK_INT(shutdown(p->fd, SHUT_WR), 0);
    UNTIL(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1);
    let_service_go();
    CHECK_STATUS(cw_socket_wait_connected(other, SOON_MS), CW_OK);
    CHECK_INT(pool_of(other) == pool, is_sharing());
    CHECK_MESSAGE(p->s, CW_BINARY, "unread", 6);
    if (ends)
        CHECK_CLOSED(p->s, 1006, false);
    else
        converse_raw(p);
    close_now(other);
    drop_raw(p);
    cw_shutdown(5000);
}

static void test_unread(void) { unread("\x82\x06unread", 8, false); }
static void test_unread_and_end(void) { unread("\x82\x06unread", 8, true); }

/* ---- Greetings: frames in the packet of the reply ---- */

enum { LONG_BYTES = 70000, GREETING_BYTES = LONG_BYTES + 64 };

static uint8_t long_text[LONG_BYTES];

/* Three messages: a short one, a long one or another short one, "end". */
static size_t make_greeting(uint8_t *out, size_t number, bool is_long)
{
    static const uint8_t long_head[] = {
        0x82, 127, 0, 0, 0, 0, 0, LONG_BYTES >> 16, LONG_BYTES >> 8 & 255, LONG_BYTES & 255};
    size_t len = 3;

    memcpy(out, (uint8_t[]){0x82, 1, (uint8_t)number}, 3);
    if (is_long) {
        memcpy(out + len, long_head, sizeof long_head);
        memcpy(out + len + sizeof long_head, long_text, LONG_BYTES);
        out[len + sizeof long_head] = (uint8_t)number;
        len += sizeof long_head + LONG_BYTES;
    }
    memcpy(out + len,
           "\x82\x03"
           "end",
           5);
    return len + 5;
}

static void check_greeting(cw_socket *s, size_t number, bool is_long)
{
    uint8_t first = (uint8_t)number;

    CHECK_MESSAGE(s, CW_BINARY, &first, 1);
    if (is_long) {
        long_text[0] = first;
        CHECK_MESSAGE(s, CW_BINARY, long_text, LONG_BYTES);
    }
    CHECK_MESSAGE(s, CW_BINARY, "end", 3);
}

/* The last drip_bytes are sent one by one. */
static void greet(raw_peer *p, const uint8_t *greeting, size_t len_bytes, size_t drip_bytes)
{
    raw_answer_with(p, greeting, len_bytes - drip_bytes);
    for (size_t i = len_bytes - drip_bytes; i < len_bytes; i++) {
        UNTIL(raw_is_delivered(p));
        raw_write(p, greeting + i, 1);
    }
}

static void greetings(bool is_long, bool drips)
{
    static uint8_t greeting[GREETING_BYTES];

    for (size_t i = 0; i < LONG_BYTES; i++)
        long_text[i] = (uint8_t)(i * 7 + i / 251);
    hold_service();
    for (size_t i = 0; i < GROUP; i++)
        start_raw(i, CW_TIMEOUT_NEVER);
    let_service_go();
    for (size_t i = 0; i < GROUP; i++)
        accept_raw(i);
    for (size_t i = 0; i < GROUP; i++) {
        size_t len = make_greeting(greeting, i, is_long);
        greet(&peers[i], greeting, len, drips ? len - 1 : 0);
    }
    for (size_t i = 0; i < GROUP; i++) {
        CHECK_STATUS(cw_socket_wait_connected(peers[i].s, SOON_MS), CW_OK);
        check_greeting(peers[i].s, i, is_long);
    }
    for (size_t i = 0; i < GROUP; i++)
        converse_raw(&peers[i]);
    for (size_t i = 0; i < GROUP; i++)
        drop_raw(&peers[i]);
    cw_shutdown(5000);
}

static void test_greetings(void) { greetings(false, false); }
static void test_long_greetings(void) { greetings(true, false); }
static void test_dripping_greetings(void) { greetings(false, true); }

/* The same with a server in another process, and with messages that wait unread while others connect. */
static void test_joined(void)
{
    cw_socket *sockets[GROUP];

    hold_service();
    for (size_t i = 0; i < GROUP; i++) {
        sockets[i] = peer_socket(CW_MESSAGE_SOCKET);
        start(sockets[i], peer_script("join/x:8201%02zx8203656e64/echo/end", i), CW_TIMEOUT_DEFAULT);
    }
    let_service_go();
    for (size_t i = 0; i < GROUP; i++)
        CHECK_STATUS(cw_socket_wait_connected(sockets[i], SOON_MS), CW_OK);
    for (size_t i = GROUP; i-- > 0;)
        check_greeting(sockets[i], i, false);
    for (size_t i = 0; i < GROUP; i++) {
        echo_once(sockets[i], i);
        close_now(sockets[i]);
    }
    cw_shutdown(5000);
}

/* ---- Threads ---- */

enum { THREADS = 4, ROUNDS = 12, OF_EACH = 3 };

static void *come_and_go(void *uri)
{
    cw_socket *sockets[OF_EACH];

    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < OF_EACH; i++) {
            sockets[i] = peer_socket(CW_MESSAGE_SOCKET);
            start(sockets[i], uri, CW_TIMEOUT_DEFAULT);
        }
        for (size_t i = 0; i < OF_EACH; i++) {
            CHECK_STATUS(cw_socket_wait_connected(sockets[i], CW_TIMEOUT_NEVER), CW_OK);
            /* the server sends "end" in the same write as its 101, so libcurl may have read part of it with the reply */
            CHECK_MESSAGE(sockets[i], CW_BINARY, "end", 3);
            echo_once(sockets[i], round);
        }
        for (size_t i = 0; i < OF_EACH; i++)
            if ((round + i) % 3 == 0)
                peer_drop(sockets[i]);
            else
                close_now(sockets[i]);
    }
    return NULL;
}

static void test_threads(void)
{
    static char uri[PEER_URI_BYTES];
    pthread_t threads[THREADS];

    (void)strcpy(uri, peer_script("join/x:8203656e64/echo/end"));
    for (size_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, come_and_go, uri), 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    cw_shutdown(5000);
}

/* ---- Through a proxy, where libcurl handles every byte ---- */

static void *tunnel(void *listener)
{
    static raw_peer peer;
    uint8_t head[CW__HEADER_MAX_BYTES];
    raw_frame frame;
    char byte;
    int tail = 0;

    peer.fd = accept4(*(int *)listener, NULL, NULL, SOCK_CLOEXEC);
    while (tail < 4 && recv(peer.fd, &byte, 1, 0) == 1) /* CONNECT, up to the empty line */
        tail = byte == "\r\n\r\n"[tail] ? tail + 1 : byte == '\r';
    RAW_SEND(&peer, "HTTP/1.1 200 Connected\r\n\r\n");
    raw_answer(&peer);
    do {
        CHECK(raw_next(&peer, &frame));
        frame.head.is_masked = false;
        raw_write_both(&peer, head, cw__frame_encode(&frame.head, head), frame.payload,
                       (size_t)frame.head.payload_bytes);
        free(frame.payload);
    } while (frame.head.opcode != CW__OP_CLOSE);
    raw_end(&peer);
    return NULL;
}

static void test_never_waits(void)
{
    char uri[64];
    int listener = raw_listen(uri);
    pthread_t thread;
    cw_socket *s;

    CHECK(unsetenv("no_proxy") == 0 && unsetenv("NO_PROXY") == 0);
    CHECK_INT(setenv("http_proxy", uri + strlen("ws://"), 1), 0);
    CHECK_INT(pthread_create(&thread, NULL, tunnel, &listener), 0);
    s = peer_open(CW_MESSAGE_SOCKET, "ws://nowhere.invalid/");
    check_never_waits(s);
    CHECK_INT(pthread_join(thread, NULL), 0);
    (void)close(listener);
    cw_shutdown(5000);
}

/* ---- Fork ---- */

static int sockets_of_parent;

/* In the child, no socket of the parent works. Its own sockets do. */
static void child_of_group(void)
{
    cw_socket *own[2];

    gate_lock = (cw__mutex)PTHREAD_MUTEX_INITIALIZER;
    CHECK(socket_count() <= sockets_of_parent - 7); /* the child closed 1 open and 6 connecting ones */
    for (size_t i = 0; i < GROUP; i++) {
        CHECK_STATUS(cw_socket_wait_connected(peers[i].s, 1000), CW_AFTER_FORK);
        CHECK_STATUS(cw_socket_close_start(peers[i].s, 1000, NULL, 0), CW_AFTER_FORK);
        cw_socket_release(peers[i].s);
    }
    if (UNDER_TSAN) /* ThreadSanitizer allows no thread after fork */
        return;
    for (size_t i = 0; i < 2; i++) {
        own[i] = peer_open(CW_MESSAGE_SOCKET, peer_script(LIBCURLS));
        echo_once(own[i], i);
    }
    CHECK_INT(pool_of(own[0]) == pool_of(own[1]), is_sharing());
    close_now(own[0]);
    echo_once(own[1], 1);
    close_now(own[1]);
    cw_shutdown(5000);
}

/* One socket is open, one has failed, six are connecting, and the pool has room. */
static void test_fork(void)
{
    hold_service();
    for (size_t i = 0; i < GROUP; i++)
        start_raw(i, CW_TIMEOUT_NEVER);
    let_service_go();
    for (size_t i = 0; i < GROUP; i++)
        accept_raw(i);
    open_raw(&peers[3]);
    end_one(&peers[5], NOT_FOUND);
    hold_service(); /* the fork must not come in the middle of a step */
    sockets_of_parent = socket_count();
    CHECK_INT(status_of_child(child_of_group), 0);
    let_service_go();
    converse_raw(&peers[3]);
    for (size_t i = 0; i < GROUP; i++)
        if (i != 3 && i != 5)
            open_raw(&peers[i]);
    for (size_t i = 0; i < GROUP; i++)
        drop_raw(&peers[i]);
    cw_shutdown(5000);
}

static const harness_test tests[] = {
    {"20 begun at once, in three groups", test_at_once},
    {"one of a group opens long before the others", test_opened},
    {"one of a group is refused", test_refused},
    {"one of a group gets 404", test_not_found},
    {"one of a group is cancelled", test_cancelled},
    {"one of a group runs into its timeout", test_timed_out},
    {"one of a group is reset while it connects", test_lost},
    {"all of these ends in one group, in every order of places", test_all_ends},
    {"a connect that is left ends by its own deadline", test_stalled},
    {"a second address is tried in time after another one has opened", test_second_address},
    {"some of a pool close, and new ones take their places", test_middle},
    {"16 cycles beside 7 open ones", test_cycles},
    {"8 idle sockets in a pool hold fewer descriptors than 8 alone", test_descriptors},
    {"the last pool is kept for the next connect", test_kept},
    {"another connect does not touch unread data: the inbox is full", test_unread_when_full},
    {"another connect does not touch unread data: no thread reads", test_unread},
    {"another connect does not touch unread data: no thread reads, and the peer has ended",
     test_unread_and_end},
    {"greetings to a whole group", test_greetings},
    {"greetings of 70,000 bytes to a whole group", test_long_greetings},
    {"greetings byte by byte to a whole group", test_dripping_greetings},
    {"greetings that wait while others connect", test_joined},
    {"4 threads connect, echo and close", test_threads},
    {"through a proxy: calls that must not wait, while another thread is inside the pool", test_never_waits},
    {"fork while a group connects", test_fork},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }
