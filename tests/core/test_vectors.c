/* SPDX-License-Identifier: MIT */
/* Runs the vectors of tests/conformance against the folder protocol, one test for each. frame.c decodes, message.c and
 * close.c judge, and the test acts on that as the library does. Each vector is replayed whole, one byte at a time, and
 * cut in two at every place up to 20. Lengths are checked exactly here, even where libcurl's decoder hides them. */
#include "harness.h"

#include "vectors.h"

enum {
    SPLITS = 20,
    SINGLE_BYTES = 1024, /* bytes at each end of a long vector that are replayed one by one */
    MANY_BYTES = 1000,
    LIST_MOST = 1024,
    CLOSE_TIMEOUT_MS = 1000
};

void cw_socket_release(cw_socket *s) { (void)s; }

typedef struct expected_message {
    cw_message_type message_type;
    bool is_begun; /* the message may come in part, without its end */
    vectors_bytes bytes;
} expected_message;

typedef enum expected_end { END_OPEN, END_CLOSED, END_FAIL, END_LOST } expected_end;

/* A vector in bytes. */
typedef struct expanded {
    const vectors_vector *vector;
    vectors_bytes sent;
    vectors_bytes client_closes;
    bool closes_first;
    bool is_partial, is_compressed;
    int64_t max_bytes, max_fragments;
    expected_message messages[LIST_MOST];
    size_t message_count;
    vectors_bytes pongs[LIST_MOST];
    size_t pong_count;
    expected_end end;
    vectors_bytes closing; /* the payload of the server's close frame */
    int fail_code;
} expanded;

static expanded x;

/* ---- Expanding ---------------------------------------------------------------------------------------- */

static size_t times_of(char *word)
{
    char *star = strchr(word, '*');

    if (!star)
        return 1;
    *star = '\0';
    return strtoul(star + 1, NULL, 10);
}

static void add_message(cw_message_type message_type, bool is_begun, const char *rest)
{
    CHECK(x.message_count < LIST_MOST);
    x.messages[x.message_count].message_type = message_type;
    x.messages[x.message_count].is_begun = is_begun;
    vectors_add_items(&x.messages[x.message_count++].bytes, x.vector, rest);
}

static void add_pong(const char *rest)
{
    CHECK(x.pong_count < LIST_MOST);
    vectors_add_items(&x.pongs[x.pong_count++], x.vector, rest);
}

static void set_control(const char *rest)
{
    static const char size[] = "max_message_size ", fragments[] = "max_fragments ";

    if (strcmp(rest, "receive_mode partial") == 0)
        x.is_partial = true;
    else if (strcmp(rest, "compression deflate") == 0)
        x.is_compressed = true;
    else if (strcmp(rest, "max_message_size none") == 0)
        x.max_bytes = -1;
    else if (strncmp(rest, size, strlen(size)) == 0)
        x.max_bytes = strtol(rest + strlen(size), NULL, 10);
    else if (strcmp(rest, "max_fragments none") == 0)
        x.max_fragments = -1;
    else if (strncmp(rest, fragments, strlen(fragments)) == 0)
        x.max_fragments = strtol(rest + strlen(fragments), NULL, 10);
    else
        vectors_fail(x.vector->file, 0, "%s: no such control: %s", x.vector->name, rest);
}

static void set_end(expected_end end, const char *rest)
{
    CHECK(x.end == END_OPEN);
    x.end = end;
    if (end == END_CLOSED)
        vectors_add_items(&x.closing, x.vector, rest);
    if (end == END_FAIL)
        x.fail_code = (int)strtol(rest, NULL, 10);
}

static void expand_expectation(char *word, const char *rest)
{
    for (size_t times = times_of(word); times > 0; times--) {
        if (strcmp(word, "text") == 0 || strcmp(word, "text_begun") == 0)
            add_message(CW_UTF8, word[4] != '\0', rest);
        else if (strcmp(word, "binary") == 0 || strcmp(word, "binary_begun") == 0)
            add_message(CW_BINARY, word[6] != '\0', rest);
        else if (strcmp(word, "pong") == 0 || strcmp(word, "pong?") == 0)
            add_pong(rest);
        else if (strcmp(word, "closed") == 0)
            set_end(END_CLOSED, rest);
        else if (strcmp(word, "fail") == 0)
            set_end(END_FAIL, rest);
        else if (strcmp(word, "lost") == 0)
            set_end(END_LOST, rest);
        else
            vectors_fail(x.vector->file, 0, "%s: no such line: %s", x.vector->name, word);
    }
}

static void expand(const vectors_vector *v)
{
    x.vector = v;
    x.max_bytes = 64 << 20;
    x.max_fragments = 131072;
    for (size_t i = 0; i < v->line_count; i++) {
        char *word = v->lines[i].word;
        const char *rest = v->lines[i].rest;

        if (strcmp(word, "send") == 0) {
            vectors_add_items(&x.sent, v, rest);
        } else if (strcmp(word, "control") == 0) {
            set_control(rest);
        } else if (strcmp(word, "client_closes") == 0) {
            x.closes_first = true;
            vectors_add_items(&x.client_closes, v, rest);
        } else if (strcmp(word, "curl") != 0) { /* lengths that a codec hides are checked here */
            expand_expectation(word, rest);
        }
    }
    if (x.end == END_OPEN) {
        vectors_add_items(&x.sent, v, "{88 03e8}");
        set_end(END_CLOSED, "03e8");
    }
}

/* ---- The client --------------------------------------------------------------------------------------- */

/* Acts as the codec and the socket around the folder protocol. Output is compared as it comes. */
typedef struct client {
    cw__frame_decoder decoder;
    cw__frame frame;
    uint64_t left; /* position in the frame's payload */
    cw__message message;
    cw__inflater *inflater; /* NULL = no compression */
    cw__close close;
    size_t messages;      /* number of complete messages */
    size_t message_bytes; /* bytes of the next message in parts */
    size_t pongs;
    uint8_t sent_close[CW__CONTROL_MAX_BYTES];
    size_t sent_close_bytes;
    int sent_closes;
    int fail_code;
} client;

static bool is_listening(const client *c)
{
    return c->close.state == CW__CLOSE_NONE || c->close.state == CW__CLOSE_SENT;
}

static void send_close(client *c, int code, const char *reason, size_t reason_bytes)
{
    CHECK_INT(c->sent_closes++, 0);
    c->sent_close_bytes = cw__close_encode(code, reason, reason_bytes, c->sent_close);
}

static void fail(client *c, const cw__violation *violation)
{
    c->fail_code = violation->code;
    CHECK(violation->text && strlen(violation->text) > 10);
    if (cw__close_failed(&c->close, violation, 0, CLOSE_TIMEOUT_MS))
        send_close(c, violation->code, violation->text, strlen(violation->text));
}

static void take_data(client *c, cw_message_type message_type, const uint8_t *data, size_t len_bytes,
                      bool is_complete)
{
    const expected_message *wanted = &x.messages[c->messages];

    if (x.closes_first)
        return; /* after its own close, a client returns no messages */
    CHECK(c->messages < x.message_count);
    CHECK_INT(message_type, wanted->message_type);
    CHECK(len_bytes <= wanted->bytes.len_bytes - c->message_bytes);
    CHECK(len_bytes == 0 || memcmp(wanted->bytes.data + c->message_bytes, data, len_bytes) == 0);
    c->message_bytes += len_bytes;
    if (!is_complete)
        return;
    CHECK(!wanted->is_begun);
    CHECK_INT(c->message_bytes, wanted->bytes.len_bytes);
    c->message_bytes = 0;
    c->messages++;
}

static void take_close(client *c, const cw__message_output *out)
{
    cw__close_payload payload;
    cw__violation violation = cw__close_decode(out->data, out->len_bytes, &payload);

    if (violation.code) {
        fail(c, &violation);
    } else if (cw__close_received(&c->close, &payload, 0, CLOSE_TIMEOUT_MS)) {
        send_close(c, payload.code, "", 0);
        cw__close_answered(&c->close);
    }
}

static void take_piece(client *c, const cw__piece *piece)
{
    cw__message_output out;

    switch (cw__message_feed(&c->message, piece, &out)) {
    case CW__MESSAGE_NONE:
        break;
    case CW__MESSAGE_WHOLE:
        CHECK(!x.is_partial);
        take_data(c, out.message_type, out.event->data, out.event->len_bytes, true);
        cw_event_free(out.event);
        break;
    case CW__MESSAGE_PART:
        CHECK(x.is_partial);
        take_data(c, out.message_type, out.data, out.len_bytes, out.is_complete);
        break;
    case CW__MESSAGE_PING:
        CHECK(c->pongs < x.pong_count);
        CHECK_BYTES(out.data, out.len_bytes, x.pongs[c->pongs].data, x.pongs[c->pongs].len_bytes);
        c->pongs++;
        break;
    case CW__MESSAGE_PONG:
        break;
    case CW__MESSAGE_CLOSE:
        take_close(c, &out);
        break;
    case CW__MESSAGE_VIOLATION:
        fail(c, &out.violation);
        break;
    case CW__MESSAGE_NO_MEMORY:
        HARNESS_FAIL("no memory");
    }
}

static void inflate_piece(client *c)
{
    static const cw__violation corrupt = {1007, "the peer sent compressed data that is corrupt"};
    uint8_t buffer[1000];
    cw__inflate_result result = CW__INFLATE_PIECE;
    cw__piece piece;

    while (result == CW__INFLATE_PIECE && is_listening(c)) {
        result = cw__inflater_give(c->inflater, buffer, sizeof buffer, &piece);
        if (result == CW__INFLATE_PIECE)
            take_piece(c, &piece);
    }
    CHECK(result != CW__INFLATE_NO_MEMORY);
    if (result == CW__INFLATE_BAD)
        fail(c, &corrupt);
}

/* The payload is in a block of its own, so that a sanitizer reports a read beyond it. */
static void feed_piece(client *c, const uint8_t *payload, size_t len_bytes)
{
    uint8_t *block = malloc(len_bytes + 1);
    uint8_t *copy = block + 1;
    cw__piece piece = {.data = copy,
                       .len_bytes = len_bytes,
                       .offset = c->frame.payload_bytes - c->left - len_bytes,
                       .remaining = c->left,
                       .opcode = c->frame.opcode,
                       .rsv = c->frame.rsv,
                       .is_final = c->frame.is_final};
    cw__violation violation;

    if (len_bytes)
        memcpy(copy, payload, len_bytes);
    if (!cw__message_count(&c->message, &piece, &violation))
        fail(c, &violation);
    else if (c->inflater && cw__inflater_take(c->inflater, &piece))
        inflate_piece(c);
    else
        take_piece(c, &piece);
    free(block);
}

static void begin_frame(client *c, cw__decode decoded)
{
    static const cw__violation bad_length = {1002, "the peer sent a length that no frame may have"};
    static const cw__violation is_masked = {1002, "the peer masked a frame, which a server must not"};

    c->left = 0;
    if (decoded == CW__DECODE_BAD) {
        fail(c, &bad_length);
    } else if (c->frame.is_masked) {
        fail(c, &is_masked); /* message.c sees no masks, because the codec checks masks */
    } else {
        c->left = c->frame.payload_bytes;
        feed_piece(c, NULL, 0);
    }
}

static void feed_bytes(client *c, const uint8_t *data, size_t len_bytes)
{
    while (len_bytes && is_listening(c)) {
        size_t used;

        if (c->left) {
            used = c->left < len_bytes ? (size_t)c->left : len_bytes;
            c->left -= used;
            feed_piece(c, data, used);
        } else {
            cw__decode decoded = cw__frame_decode(&c->decoder, data, len_bytes, &used, &c->frame);
            if (decoded != CW__DECODE_MORE)
                begin_frame(c, decoded);
        }
        data += used;
        len_bytes -= used;
    }
}

/* ---- Replays ------------------------------------------------------------------------------------------ */

static void check_end(client *c)
{
    const cw__close_payload *result = &c->close.result;
    int code = x.closing.len_bytes ? x.closing.data[0] << 8 | x.closing.data[1] : 1005;
    size_t reason_bytes = x.closing.len_bytes ? x.closing.len_bytes - 2 : 0;

    cw__close_ended(&c->close, "the server ended the connection");
    if (x.end == END_CLOSED) {
        CHECK_INT(result->code, code);
        CHECK_BYTES(result->reason, result->reason_bytes, x.closing.data + 2, reason_bytes);
    } else {
        CHECK_INT(result->code, 1006);
        CHECK(result->reason_bytes > 10);
    }
    CHECK_INT(c->close.was_clean, x.end == END_CLOSED);
    CHECK_INT(c->fail_code, x.fail_code);
    CHECK_INT(c->sent_closes, x.closes_first || x.end != END_LOST);
    if (x.closes_first)
        CHECK_BYTES(c->sent_close, c->sent_close_bytes, x.client_closes.data, x.client_closes.len_bytes);
    else if (x.end == END_CLOSED)
        CHECK_BYTES(c->sent_close, c->sent_close_bytes, x.closing.data, x.closing.len_bytes ? 2 : 0);
    else if (x.end == END_FAIL)
        CHECK_INT(c->sent_close[0] << 8 | c->sent_close[1], x.fail_code);
    if (c->sent_close_bytes > 2)
        CHECK(cw__utf8_valid(c->sent_close + 2, c->sent_close_bytes - 2));
}

static void check_outcome(client *c)
{
    /* a message that never ends can only be the last one, and only in partial mode */
    bool is_begun = x.message_count > 0 && x.messages[x.message_count - 1].is_begun;

    CHECK_INT(c->messages, x.message_count - is_begun);
    CHECK(is_begun || c->message_bytes == 0);
    CHECK_INT(c->pongs, x.pong_count);
    check_end(c);
}

/* Returns the number of bytes of the next step of a replay: all, one, or up to a cut. */
static size_t step_of(size_t begin, size_t cut)
{
    size_t count = x.sent.len_bytes;

    if (cut > 0)
        return begin < cut ? cut - begin : count - begin;
    if (count <= 4 * SINGLE_BYTES || begin < SINGLE_BYTES || begin >= count - SINGLE_BYTES)
        return 1;
    return count - SINGLE_BYTES - begin < MANY_BYTES ? count - SINGLE_BYTES - begin : MANY_BYTES;
}

/* Cut 0 is byte by byte; a cut at the end is the whole vector. */
static void replay(size_t cut)
{
    static const cw__compression terms = {.is_on = true, .server_bits = 15, .client_bits = 15};
    client c;

    memset(&c, 0, sizeof c);
    cw__message_init(&c.message, x.is_partial, x.max_bytes);
    c.message.max_fragments = x.max_fragments;
    cw__close_init(&c.close);
    if (x.is_compressed)
        c.inflater = cw__inflater_create(&terms);
    if (x.closes_first) {
        size_t count = x.client_closes.len_bytes;
        const uint8_t *payload = x.client_closes.data;

        CHECK(cw__close_begin(&c.close, 0, CLOSE_TIMEOUT_MS));
        send_close(&c, count ? payload[0] << 8 | payload[1] : 1005,
                   count > 2 ? (const char *)payload + 2 : NULL, count > 2 ? count - 2 : 0);
    }
    for (size_t begin = 0; begin < x.sent.len_bytes;) {
        size_t step = step_of(begin, cut);

        feed_bytes(&c, x.sent.data + begin, step);
        begin += step;
    }
    check_outcome(&c);
    cw__message_destroy(&c.message);
    cw__inflater_destroy(c.inflater);
}

static void free_expanded(void)
{
    for (size_t i = 0; i < x.message_count; i++)
        free(x.messages[i].bytes.data);
    for (size_t i = 0; i < x.pong_count; i++)
        free(x.pongs[i].data);
    free(x.sent.data);
    free(x.client_closes.data);
    free(x.closing.data);
    memset(&x, 0, sizeof x);
}

static void run_vector(const vectors_vector *v)
{
    expand(v);
    printf("# %s, %s, RFC 6455 %s\n", v->file, v->name, v->section);
    replay(0);
    replay(x.sent.len_bytes ? x.sent.len_bytes : 1);
    for (size_t cut = 1; cut < x.sent.len_bytes && cut <= SPLITS; cut++)
        replay(cut);
    free_expanded();
}

/* each test's first vector; the test ends before the next one's */
static size_t first_vector[VECTORS_AT_MOST + 1];

static void test_vectors(void)
{
    for (size_t i = first_vector[harness_index]; i < first_vector[harness_index + 1]; i++)
        run_vector(&vectors_all[i]);
}

/* ---- The vectors themselves --------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const vectors_vector *)a)->name, ((const vectors_vector *)b)->name);
}

static void test_enough(void)
{
    CHECK(vectors_count >= 400);
    qsort(vectors_all, vectors_count, sizeof *vectors_all, by_name);
    for (size_t i = 0; i < vectors_count; i++) {
        CHECK(vectors_all[i].name[0] != '\0');
        CHECK(vectors_all[i].section && strchr(vectors_all[i].section, '.'));
        CHECK(i == 0 || by_name(&vectors_all[i - 1], &vectors_all[i]) != 0);
    }
}

/* One test for each vector. Under a sanitizer, where a process costs more, one test for each file. */
int main(int argc, char **argv)
{
    static harness_test tests[VECTORS_AT_MOST + 1];
    size_t count = 0;

    if (HARNESS_IS_SANITIZED)
        harness_limit_s = 120;
    vectors_read();
    for (size_t i = 0; i < vectors_count; i++) {
        const vectors_vector *v = &vectors_all[i];

        if (HARNESS_IS_SANITIZED && i > 0 && v->file == vectors_all[i - 1].file)
            continue;
        first_vector[count] = i;
        tests[count++] = (harness_test){HARNESS_IS_SANITIZED ? v->file : v->name, test_vectors};
    }
    first_vector[count] = vectors_count;
    tests[count++] = (harness_test){"there are enough, each has a name of its own and a section", test_enough};
    return harness_run(argc, argv, tests, count);
}
