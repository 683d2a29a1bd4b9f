/* SPDX-License-Identifier: MIT */
/* Tests of settings.c: the range and type of every control, text controls, request headers as they are stored, and the
 * information of a new socket. test_handshake.c tests what reaches the wire, test_connect.c controls that are set late.
 * Needs no peer. */
#include "peer.h"

static cw_socket *made(cw_class socket_class)
{
    cw_socket *s = NULL;

    CHECK_STATUS(cw_socket_create(socket_class, &s), CW_OK);
    return s;
}

static void check_number(cw_socket *s, cw_option o, int64_t initial, int64_t least, int64_t most,
                         const char *none)
{
    int64_t value = -77;

    CHECK_STATUS(cw_socket_get_number(s, o, &value), CW_OK);
    CHECK_INT(value, initial);
    CHECK_STATUS(cw_socket_set_number(s, o, least), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, o, most), CW_OK);
    CHECK_STATUS(cw_socket_get_number(s, o, &value), CW_OK);
    CHECK_INT(value, most);
    CHECK_STATUS(cw_socket_set_number(s, o, none ? -2 : least - 1), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), cw_option_key(o));
    if (most < INT64_MAX) {
        CHECK_STATUS(cw_socket_set_number(s, o, most + 1), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), cw_option_key(o));
    }
    CHECK_STATUS(cw_socket_get_number(s, o, &value), CW_OK);
    CHECK_INT(value, most); /* the refused calls changed nothing */
    CHECK_STATUS(cw_socket_set_text(s, o, "1", 1), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), cw_option_key(o));
}

static void check_text(cw_socket *s, cw_option o)
{
    int64_t value;
    char text[8] = "xxx";
    size_t len = 99;

    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, &len), CW_OK);
    CHECK_STR(text, "");
    CHECK_INT(len, 0);
    CHECK_STATUS(cw_socket_set_number(s, o, 1), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), cw_option_key(o));
    CHECK_STATUS(cw_socket_get_number(s, o, &value), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), cw_option_key(o));
}

/* Texts that no control takes, except bytes and credentials. */
static void check_bad_texts(cw_socket *s, cw_option o)
{
    static const char *const bad[] = {"a\rb", "a\nb", "a\xff", "\xc3"};

    check_text(s, o);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STATUS(cw_socket_set_text(s, o, bad[i], strlen(bad[i])), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), cw_option_key(o));
    }
    CHECK_STATUS(cw_socket_set_text(s, o, "a\0b", 3), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), cw_option_key(o));
    check_text(s, o); /* the refused calls changed nothing */
}

static void check_bytes(cw_socket *s, cw_option o, int64_t most)
{
    char text[8] = "xxx", *long_value = calloc(1, 200);
    size_t len = 99;

    check_text(s, o);
    CHECK_STATUS(cw_socket_set_text(s, o, "\0\xff\n\0", 4), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, &len), CW_OK);
    CHECK_INT(len, 4);
    CHECK_BYTES(text, 5, "\0\xff\n\0\0", 5);
    CHECK_STATUS(cw_socket_get_text(s, o, text, 3, &len), CW_OK);
    CHECK_INT(len, 4);
    CHECK_BYTES(text, 3, "\0\xff\0", 3); /* cut, with NUL at its end */
    CHECK_INT(cw__setting(s, o), 4);
    CHECK_BYTES(cw__setting_text(s, o), 4, "\0\xff\n\0", 4);
    CHECK_STATUS(cw_socket_set_text(s, o, long_value, 200), most < 200 ? CW_INVALID_ARGUMENT : CW_OK);
    if (most < 200)
        CHECK_HAS(cw_error_message(), cw_option_key(o));
    CHECK_STATUS(cw_socket_set_text(s, o, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, o, NULL, 0, &len), CW_OK);
    CHECK_INT(len, 0);
    free(long_value);
}

/* Bytes that no call reads. */
static void check_secret_bytes(cw_socket *s, cw_option o, int64_t most)
{
    char text[8] = "xxx", *long_value = calloc(1, (size_t)most + 1);
    size_t len = 99;

    check_text(s, o);
    CHECK_STATUS(cw_socket_set_text(s, o, "s3c\0\xff\n", 6), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, &len), CW_OK);
    CHECK_STR(text, "(set)");
    CHECK_INT(len, 5);
    CHECK_INT(cw__setting(s, o), 6);
    CHECK_BYTES(cw__setting_text(s, o), 6, "s3c\0\xff\n", 6);
    memset(long_value, 'x', (size_t)most + 1);
    CHECK_STATUS(cw_socket_set_text(s, o, long_value, (size_t)most + 1), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), cw_option_key(o));
    CHECK(!strstr(cw_error_message(), "xxx"));
    CHECK_INT(cw__setting(s, o), 6);
    CHECK_STATUS(cw_socket_set_text(s, o, NULL, 0), CW_OK);
    check_text(s, o);
    free(long_value);
}

static void refuse_credential(cw_socket *s, cw_option o, const char *user, size_t user_bytes,
                              const char *password, size_t password_bytes, const char *words)
{
    CHECK_STATUS(cw_socket_set_credential(s, o, user, user_bytes, password, password_bytes),
                 CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), cw_option_key(o));
    CHECK_HAS(cw_error_message(), words);
    CHECK(!strstr(cw_error_message(), "j0hnny") && !strstr(cw_error_message(), "s3c"));
}

/* Only the user name can be read. The errors show neither. */
static void check_credential(cw_socket *s, cw_option o, int64_t most)
{
    char text[8] = "xxx", *long_value = calloc(1, (size_t)most);
    size_t len = 99;

    check_text(s, o);
    CHECK(cw__setting_user(s, o) == NULL && cw__setting_hidden(s, o) == NULL);
    memset(long_value, 'x', (size_t)most);
    CHECK_STATUS(cw_socket_set_credential(s, o, long_value, 1, long_value, (size_t)most - 1), CW_OK);
    refuse_credential(s, o, long_value, 1, long_value, (size_t)most, "it takes at most");
    CHECK_STATUS(cw_socket_set_credential(s, o, "u", 1, NULL, 0), CW_OK);
    CHECK_STR(cw__setting_hidden(s, o), "");
    CHECK_STATUS(cw_socket_set_credential(s, o, "j0hnnyx", 6, "s3c:retx", 7), CW_OK);
    CHECK_STR(cw__setting_user(s, o), "j0hnny");
    CHECK_STR(cw__setting_hidden(s, o), "s3c:ret");
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, &len), CW_OK);
    CHECK_STR(text, "j0hnny");
    CHECK_INT(len, 6);
    refuse_credential(s, o, "", 0, "s3c", 3, "the user name of");
    refuse_credential(s, o, "j0hnny:x", 8, "s3c", 3, "has a colon");
    refuse_credential(s, o, "j0hnny\n", 7, "s3c", 3, "has a control character");
    refuse_credential(s, o, "j0hnny", 6, "s3c\0", 4, "has a control character");
    refuse_credential(s, o, "j0hnny", 6, "s3c\x7f", 4, "has a control character");
    refuse_credential(s, o, "j0hnny", 6, "s3c\xff", 4, "must be UTF-8");
    refuse_credential(s, o, "j0hnny\xff", 7, "s3c", 3, "must be UTF-8");
    CHECK_STATUS(cw_socket_set_text(s, o, "j0hnny", 6), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "is a user name and a password");
    CHECK_STR(cw__setting_hidden(s, o), "s3c:ret"); /* the refused calls changed nothing */
    CHECK_STATUS(cw_socket_set_credential(s, o, NULL, 0, NULL, 0), CW_OK);
    CHECK(cw__setting_user(s, o) == NULL);
    CHECK_STATUS(cw_socket_set_credential(s, CW_OPT_CA_FILE, "u", 1, "p", 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_credential(s, CW_OPT_VERIFY, "u", 1, "p", 1), CW_INVALID_ARGUMENT);
    free(long_value);
}

/* What can be read has neither user nor password, and the errors show nothing of the value. */
static void check_proxy(cw_socket *s, cw_option o)
{
    static const char *const bad[] = {"socks5://j0hnny:s3c@ret@p.test", "socks5://j0hnny:s3cret@p.test:0",
                                      "ftp://j0hnny:s3cret@p.test", "j0hnny s3cret",
                                      "socks5://j0hnny:s3cret@p\xff"};
    const char *const *words = cw_option_words(o);
    char text[64] = "xxx";
    size_t len = 99;

    check_bad_texts(s, o);
    CHECK_STATUS(cw_socket_set_text(s, o, "SOCKS5h://j0hnny:s3cr%2Fet@p.test/x", 33), CW_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STATUS(cw_socket_set_text(s, o, bad[i], strlen(bad[i])), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), cw_option_key(o));
        CHECK(!strstr(cw_error_message(), "j0hnny") && !strstr(cw_error_message(), "s3c"));
    }
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, &len),
                 CW_OK); /* the refused calls changed nothing */
    CHECK_STR(text, "socks5h://p.test:1080");
    CHECK_INT(len, strlen(text));
    CHECK_STR(cw__setting_hidden(s, o), "SOCKS5h://j0hnny:s3cr%2Fet@p.test");
    CHECK_STATUS(cw_socket_set_text(s, o, "http://p.test:1", 15), words ? CW_OK : CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, o, "direct", 6), words ? CW_OK : CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, &len), CW_OK);
    CHECK_STR(text, words ? words[0] : "socks5h://p.test:1080");
    CHECK_STATUS(cw_socket_set_text(s, o, NULL, 0), CW_OK);
    CHECK(cw__setting_hidden(s, o) == NULL);
    CHECK_STATUS(cw_socket_get_text(s, o, NULL, 0, &len), CW_OK);
    CHECK_INT(len, 0);
}

#define HEADER(n, v)                                                                                 \
    {                                                                                                \
        .name = (n), .value = (v), .name_len_bytes = sizeof(n) - 1, .value_len_bytes = sizeof(v) - 1 \
    }

/* Only the names can be read, and the errors show no value. */
static void check_headers(cw_socket *s, cw_option o)
{
    static const cw_header good[] = {HEADER("X-A", " s3cret\t"), HEADER("x-a", ""), HEADER("Y", "\xc3\xbc")};
    static const struct {
        cw_header header;
        const char *words;
    } bad[] = {{HEADER("Host", "s3cret"), "Host"},
               {HEADER("proxy-authorization", "s3cret"), "set proxy_credential"},
               {HEADER("Proxy-Connection", "s3cret"), "Proxy-Connection"},
               {HEADER("Upgrade", "s3cret"), "Upgrade"},
               {HEADER("a:b", "s3cret"), "not a token"},
               {HEADER("X", "s3cret\r\nY: z"), "the header X contains the control character 0x0D"}};
    long live = cw__alloc_live();
    char text[16] = "xxx", *large = calloc(1, CW__HEADERS_AT_MOST);
    size_t len;

    check_text(s, o);
    CHECK_STATUS(cw_socket_set_text(s, o, "X: y", 4), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "is headers: use the call for headers");
    CHECK_STATUS(cw_socket_set_headers(s, o, good, 3), CW_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const cw_header both[] = {good[0], bad[i].header};
        CHECK_STATUS(cw_socket_set_headers(s, o, both, 2), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), bad[i].words);
        CHECK(!strstr(cw_error_message(), "s3c"));
    }
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, &len), CW_OK);
    CHECK_STR(text, "X-A, x-a, Y"); /* the refused calls changed nothing */
    CHECK_INT(len, strlen(text));
    CHECK_STR(cw__setting_hidden(s, o), "X-A:  s3cret\t\nx-a;\nY: \xc3\xbc\n");
    memset(large, 'x', CW__HEADERS_AT_MOST);
    for (int i = 0; i < 2; i++) {
        const cw_header two[] = {{"A", large, 1, CW__HEADER_AT_MOST},
                                 {"B", large, 1, CW__HEADER_AT_MOST - 2 + (size_t)i}};
        CHECK_STATUS(cw_socket_set_headers(s, o, two, 2), i == 0 ? CW_OK : CW_INVALID_ARGUMENT);
    }
    CHECK_HAS(cw_error_message(), "more than 512 KiB");
    free(large);
    CHECK_STATUS(cw_socket_set_headers(s, o, NULL, 0), CW_OK);
    CHECK(cw__setting_hidden(s, o) == NULL);
    CHECK_STATUS(cw_socket_set_headers(s, CW_OPT_CA_FILE, good, 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_headers(s, CW_OPTION_COUNT, good, 1), CW_INVALID_ARGUMENT);
    cw__alloc_fail_at(0);
    CHECK_STATUS(cw_socket_set_headers(s, o, good, 1), CW_NO_MEMORY);
    cw__alloc_fail_at(-1);
    CHECK_INT(cw__alloc_live(), live);
}

/* Texts and pairs are lines. Which lines are good is in test_reach.c and test_curl_options.c. */
static void check_lines(cw_socket *s, cw_option o)
{
    static const char *const bad[] = {"a\rb", "a\x01", "a\x7f", "\xff", "a\n\x02"};
    char text[8];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(cw_socket_set_text(s, o, bad[i], strlen(bad[i])), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, o, "a\0b", 3), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_option_check_item(o, "a\nb", 3), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, "");
}

/* Checks the properties that the bindings require of every row. */
static void check_row(cw_option o, const char *name)
{
    const char *const *words = cw_option_words(o);
    int64_t least, most;
    int count = 0;

    CHECK_INT(strcasecmp(name + strlen("CW_OPT_"), cw_option_key(o)), 0);
    cw_option_range(o, &least, &most);
    CHECK(least >= 0 && least <= cw_option_default(o) && cw_option_default(o) <= most);
    CHECK(words ? cw_option_type_of(o) == CW_TYPE_ENUM || cw_option_type_of(o) == CW_TYPE_LIST ||
                      cw_option_type_of(o) == CW_TYPE_PROXY
                : cw_option_type_of(o) != CW_TYPE_ENUM);
    while (words && words[count])
        count++;
    if (cw_option_type_of(o) == CW_TYPE_ENUM)
        CHECK_INT(most, count - 1);
}

static void test_every_control(void)
{
    cw_socket *s;

    CHECK_INT(unsetenv("CURLWIRE_FRAMING"), 0); /* the variable would change a default */
    s = made(CW_MESSAGE_SOCKET);

#define CW_X(name, key, type, initial, least, most, which, words, none, since, text)  \
    CHECK_STR(cw_option_key(name), key);                                              \
    CHECK_INT(cw_option_type_of(name), type);                                         \
    CHECK_INT(cw_option_default(name), initial);                                      \
    CHECK_STR(cw_option_text(name), text);                                            \
    CHECK(cw_option_applies(name, CW_MESSAGE_SOCKET));                                \
    check_row(name, #name);                                                           \
    if ((type) == CW_TYPE_TEXT || (type) == CW_TYPE_LIST || (type) == CW_TYPE_SECRET) \
        check_bad_texts(s, name);                                                     \
    else if ((type) == CW_TYPE_BYTES)                                                 \
        check_bytes(s, name, most);                                                   \
    else if ((type) == CW_TYPE_SECRET_BYTES)                                          \
        check_secret_bytes(s, name, most);                                            \
    else if ((type) == CW_TYPE_TEXTS || (type) == CW_TYPE_PAIRS)                      \
        check_lines(s, name);                                                         \
    else if ((type) == CW_TYPE_CREDENTIAL)                                            \
        check_credential(s, name, most);                                              \
    else if ((type) == CW_TYPE_HEADERS)                                               \
        check_headers(s, name);                                                       \
    else if ((type) == CW_TYPE_PROXY)                                                 \
        check_proxy(s, name);                                                         \
    else                                                                              \
        check_number(s, name, initial, least, most, none);
    CW_OPTION_LIST(CW_X)
#undef CW_X
    cw_socket_release(s);
}

static void test_table(void)
{
    CHECK(cw_option_key(CW_OPTION_COUNT) == NULL);
    CHECK(cw_option_key((cw_option)-1) == NULL);
    CHECK(!cw_option_applies(CW_OPTION_COUNT, CW_MESSAGE_SOCKET));
    CHECK(!cw_option_applies(CW_OPT_MESSAGE_TYPE, CW_STREAM_SOCKET));
    CHECK(!cw_option_applies(CW_OPT_RECEIVE_MODE, CW_STREAM_SOCKET));
    CHECK(!cw_option_applies(CW_OPT_MAX_MESSAGE_SIZE, CW_STREAM_SOCKET));
    CHECK(cw_option_applies(CW_OPT_CA_FILE, CW_STREAM_SOCKET));
    CHECK_STR(cw_option_words(CW_OPT_MESSAGE_TYPE)[CW_UTF8], "utf8");
    CHECK_STR(cw_option_words(CW_OPT_RECEIVE_MODE)[CW_PARTIAL_MESSAGE], "partial");
    CHECK(cw_option_words(CW_OPT_RECEIVE_MODE)[2] == NULL);
    CHECK(cw_option_words(CW_OPT_VERIFY) == NULL);
    CHECK_STR(cw_option_words(CW_OPT_COMPRESSION)[CW_COMPRESSION_DEFLATE], "deflate");
    CHECK(cw_option_word_fault(CW_OPT_TLS_MIN_VERSION, "TLSv1.1", 7) != NULL);
    CHECK(cw_option_word_fault(CW_OPT_TLS_MAX_VERSION, "1.0", 3) != NULL);
    CHECK(cw_option_word_fault(CW_OPT_TLS_MAX_VERSION, "SSLv3", 5) != NULL);
    CHECK(cw_option_word_fault(CW_OPT_TLS_MAX_VERSION, "1.0", 2) == NULL);
    CHECK(cw_option_word_fault(CW_OPT_TLS_MAX_VERSION, "1.4", 3) == NULL);
    CHECK(cw_option_word_fault(CW_OPT_FRAMING, "1.0", 3) == NULL);
    CHECK(cw_option_words(CW_OPTION_COUNT) == NULL && cw_option_text(CW_OPTION_COUNT) == NULL);
    CHECK_INT(cw_option_default(CW_OPTION_COUNT), 0);
    CHECK(cw_option_none(CW_OPTION_COUNT) == NULL && cw_option_none(CW_OPT_CLOSE_TIMEOUT) == NULL);
    CHECK_STR(cw_option_none(CW_OPT_PING_INTERVAL), "no pings");
    CHECK(cw_option_since(CW_OPTION_COUNT) == NULL && cw_option_since(CW_OPT_VERIFY) == NULL);
    CHECK_STR(cw_option_since(CW_OPT_COMPRESSION), "8.21.0");
}

static void refuses(cw_option option, int64_t value, const char *text)
{
    cw_socket *s = made(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, option, value), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(), text);
    cw_socket_release(s);
}

static void test_ranges(void)
{
    int64_t least, most;

#define CW_X(name, key, type, initial, wanted_least, wanted_most, ...) \
    cw_option_range(name, &least, &most);                              \
    CHECK_INT(least, wanted_least);                                    \
    CHECK_INT(most, wanted_most);
    CW_OPTION_LIST(CW_X)
#undef CW_X
    cw_option_range(CW_OPTION_COUNT, &least, &most);
    CHECK_INT(least, 0);
    CHECK_INT(most, 0);
    refuses(CW_OPT_CLOSE_TIMEOUT, -1, "the control close_timeout cannot be -1: it takes 0 to 2147483647 ms");
    refuses(CW_OPT_SEND_TIMEOUT, -2,
            "the control send_timeout cannot be -2: it takes 0 to 2147483647 ms, or -1 for no limit");
    refuses(CW_OPT_INBOUND_BUFFER_SIZE, 0,
            "the control inbound_buffer_size cannot be 0: it takes 1024 to 2147483647 bytes");
    refuses(CW_OPT_FRAME_SIZE, 0,
            "the control frame_size cannot be 0: it takes 1 to 9223372036854775807 bytes, or -1 for no cuts");
    refuses(CW_OPT_CLIENT_MAX_WINDOW_BITS, 7,
            "the control client_max_window_bits cannot be 7: it takes 8 to 15 bits");
    refuses(CW_OPT_MESSAGE_TYPE, 2, "the control message_type cannot be 2: it takes 0 to 1");
}

static void test_stream_class(void)
{
    cw_socket *s = made(CW_STREAM_SOCKET);
    int64_t value;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MAX_MESSAGE_SIZE, 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_get_number(s, CW_OPT_MESSAGE_TYPE, &value), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPTION_COUNT, 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, (cw_option)-1, "", 0), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(), "there is no control with the number -1: use the number of a control");
    CHECK_STATUS(cw_socket_get_text(s, CW_OPTION_COUNT, NULL, 0, NULL), CW_INVALID_ARGUMENT);
    cw_socket_release(s);
}

static void test_text(void)
{
    cw_socket *s = made(CW_MESSAGE_SOCKET);
    char text[6];
    size_t len;

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, "/a/b\xc3\xa9zzz", 6), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_CA_FILE, text, sizeof text, &len), CW_OK);
    CHECK_INT(len, 6);
    CHECK_BYTES(text, 6, "/a/b\xc3\0", 6); /* cut, with NUL at its end */
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_CA_FILE, NULL, 0, &len), CW_OK);
    CHECK_INT(len, 6);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, "a\0b", 3), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, "a\rb", 3), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, "a\nb", 3), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, "a\xff", 2), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_CA_FILE, NULL, 0, &len), CW_OK);
    CHECK_INT(len, 6);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_CA_FILE, NULL, 0, &len), CW_OK);
    CHECK_INT(len, 0);
    cw_socket_release(s);
}

/* A secret is not read back. */
static void test_secret(void)
{
    cw_socket *s = made(CW_MESSAGE_SOCKET);
    char text[32];
    size_t len;

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CLIENT_KEY_PASSWORD, "s3cret", 6), CW_OK);
    CHECK_STR(cw__setting_text(s, CW_OPT_CLIENT_KEY_PASSWORD), "s3cret");
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_CLIENT_KEY_PASSWORD, text, sizeof text, &len), CW_OK);
    CHECK_STR(text, "(set)");
    CHECK_INT(len, 5);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CLIENT_KEY_PASSWORD, "s3\n", 3), CW_INVALID_ARGUMENT);
    CHECK(!strstr(cw_error_message(), "s3"));
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CLIENT_KEY_PASSWORD, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_CLIENT_KEY_PASSWORD, text, sizeof text, &len), CW_OK);
    CHECK_STR(text, "");
    cw_socket_release(s);
}

static void test_protocols(void)
{
    static const char *const bad[] = {"a b", "a,a", "a,,b\"", "caf\xc3\xa9", "a/b", "(x)", "a,\tb\x7f"};
    cw_socket *s = made(CW_MESSAGE_SOCKET);
    char text[32];

    CHECK_STATUS(cw_option_check_item(CW_OPT_SUPPORTED_PROTOCOLS, "v2.super", 8), CW_OK);
    CHECK_STATUS(cw_option_check_item(CW_OPT_SUPPORTED_PROTOCOLS, "", 0), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_option_check_item(CW_OPT_SUPPORTED_PROTOCOLS, "a,b", 3), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(), "supported_protocols has an item that is not a token (letters, digits and "
                                  "!#$%&'*+-.^_`|~): correct the item");
    CHECK_STATUS(cw_option_check_item(CW_OPT_SUPPORTED_PROTOCOLS, " a", 2), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_option_check_item(CW_OPT_CA_FILE, "a", 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_option_check_item(CW_OPTION_COUNT, "a", 1), CW_INVALID_ARGUMENT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(cw_socket_set_text(s, CW_OPT_SUPPORTED_PROTOCOLS, bad[i], strlen(bad[i])),
                     CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_SUPPORTED_PROTOCOLS, "chat, v2.super", 14), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_SUPPORTED_PROTOCOLS, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, "chat, v2.super");
    cw_socket_release(s);
}

static void test_ignorable(void)
{
    static const char *const bad[] = {"Untrusted, Expired", "untrusted", "Untrusted, Untrusted", "x"};
    const cw_option o = CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS;
    cw_socket *s = made(CW_STREAM_SOCKET);
    char text[64];

    CHECK_STATUS(cw_option_check_item(o, "Untrusted", 9), CW_OK);
    CHECK_STATUS(cw_option_check_item(o, "Un trusted", 10), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_option_check_item(o, "Expired", 7), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "ignorable_server_certificate_errors cannot have Expired, because ");
    CHECK_STATUS(cw_socket_set_text(s, o, "InvalidName, Untrusted", 22), CW_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_STATUS(cw_socket_set_text(s, o, bad[i], strlen(bad[i])), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), "ignorable_server_certificate_errors");
    }
    CHECK_STATUS(cw_socket_get_text(s, o, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, "InvalidName, Untrusted"); /* the refused calls changed nothing */
    cw_socket_release(s);
}

/* libcurl's name of a control is refused, whatever its case and underscores. */
static void test_alike(void)
{
    static const char *const alike[] = {"LOCALPORT=1", "LOCAL_PORT=1", "_local__port_", "localport",
                                        "LocalPort="};
    static const char *const others[] = {"IPRESOLVE=1", "TCP_FASTOPEN=1"};
    static const char *const unknown[] = {"LOCALPOR=1",  "LOCALPORTS=1", "OCALPORT=1",
                                          "LOCALPOST=1", "LOCAL-PORT=1", "=LOCALPORT"};
    const cw_option o = CW_OPT_CURL_OPTIONS;

    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) {
        CHECK_STATUS(cw_option_check_item(o, alike[i], strlen(alike[i])), CW_INVALID_ARGUMENT);
        CHECK_STR(cw_error_message(),
                  "curl_options has libcurl's option of the control local_port: use the control instead");
    }
    for (int i = 0; i < CW_OPTION_COUNT; i++) { /* each control */
        const char *key = cw_option_key((cw_option)i);
        CHECK_STATUS(cw_option_check_item(o, key, strlen(key)), CW_INVALID_ARGUMENT);
        CHECK(strstr(cw_error_message(), key) && strstr(cw_error_message(), ": use the control instead"));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_STATUS(cw_option_check_item(o, others[i], strlen(others[i])), CW_OK);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        CHECK_STATUS(cw_option_check_item(o, unknown[i], strlen(unknown[i])), CW_INVALID_ARGUMENT);
        CHECK(!strstr(cw_error_message(), "use the control instead"));
    }
}

static void set_header(cw_socket *s, const char *name, const char *value)
{
    CHECK_STATUS(cw_socket_set_request_header(s, name, strlen(name), value, strlen(value)), CW_OK);
}

static void test_headers(void)
{
    cw_socket *s = made(CW_MESSAGE_SOCKET);

    set_header(s, "X-One", "1");
    set_header(s, "X-On", "no prefix of the other");
    set_header(s, "Cookie", "a=b");
    CHECK_STR(s->settings.headers, "X-One: 1\nX-On: no prefix of the other\nCookie: a=b\n");
    set_header(s, "x-one", "2"); /* this replaces X-One, because case does not matter */
    CHECK_STR(s->settings.headers, "X-On: no prefix of the other\nCookie: a=b\nx-one: 2\n");
    set_header(s, "User-Agent", ""); /* a name without a value tells libcurl to leave out its own header */
    CHECK_STR(s->settings.headers, "X-On: no prefix of the other\nCookie: a=b\nx-one: 2\nUser-Agent:\n");
    cw_socket_release(s);
}

static void test_bad_headers(void)
{
    static const char *const names[] = {"",
                                        "A B",
                                        "A:",
                                        "A\r\nB",
                                        "caf\xc3\xa9",
                                        "upgrade",
                                        "Connection",
                                        "Sec-WebSocket-Key",
                                        "sec-websocket-version",
                                        "Sec-WebSocket-Extensions",
                                        "Sec-WebSocket-Protocol",
                                        "Content-Length",
                                        "Transfer-Encoding",
                                        "Expect"};
    static const char *const values[] = {"a\rb", "a\nb", "a\r\nX-Evil: 1"};
    cw_socket *s = made(CW_MESSAGE_SOCKET);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_STATUS(cw_socket_set_request_header(s, names[i], strlen(names[i]), "v", 1), CW_INVALID_ARGUMENT);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        CHECK_STATUS(cw_socket_set_request_header(s, "X", 1, values[i], strlen(values[i])),
                     CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_request_header(s, "X\0Y", 3, "v", 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_request_header(s, "X", 1, "a\0b", 3), CW_INVALID_ARGUMENT);
    CHECK(s->settings.headers == NULL);
    CHECK_STATUS(cw_socket_set_request_header(s, NULL, 0, "v", 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_add_request_header(s, "X", 1, NULL, 0), CW_OK); /* sends an empty header */
    CHECK_STATUS(cw_socket_set_request_header(s, "X", 1, NULL, 0), CW_OK); /* removes it */
    CHECK_STATUS(cw_option_check_item(CW_OPT_SUPPORTED_PROTOCOLS, NULL, 0), CW_INVALID_ARGUMENT);
    cw_socket_release(s);
}

/* The value of a header that is a control. No error shows it. */
static void test_header_controls(void)
{
    static const cw_option controls[] = {CW_OPT_USER_AGENT, CW_OPT_ORIGIN};
    static const char *const wrong[] = {"s3cret\x01", "s3cret\x7f", " s3cret", "s3cret\t", "s3cret\n", "\xff"};
    static char large[16 * 1024 + 1];
    cw_socket *s = made(CW_STREAM_SOCKET);

    memset(large, 'a', sizeof large);
    for (size_t c = 0; c < sizeof controls / sizeof *controls; c++) {
        const char *key = cw_option_key(controls[c]);
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            CHECK_STATUS(cw_socket_set_text(s, controls[c], wrong[i], strlen(wrong[i])), CW_INVALID_ARGUMENT);
            CHECK(strstr(cw_error_message(), key) != NULL && strstr(cw_error_message(), "s3cret") == NULL);
        }
        CHECK_STATUS(cw_socket_set_text(s, controls[c], large, sizeof large), CW_INVALID_ARGUMENT);
        CHECK(strstr(cw_error_message(), "16 KiB") != NULL);
        CHECK_STATUS(cw_socket_set_text(s, controls[c], large, sizeof large - 1), CW_OK);
        CHECK_STATUS(cw_socket_set_text(s, controls[c], "a\tb\xc3\xa9", 5), CW_OK);
        CHECK_STATUS(cw_socket_set_text(s, controls[c], NULL, 0), CW_OK);
    }
    cw_socket_release(s);
}

static void test_information(void)
{
    cw_socket *s = made(CW_STREAM_SOCKET);
    char text[4] = "xxx";
    size_t len = 9;
    int i;
    cw_status status;

    /* Reads every information. The loop ends at the first number that is not one. */
    for (i = 0; (status = cw_socket_get_info(s, (cw_info)i, text, sizeof text, &len)) == CW_OK; i++) {
        CHECK_STR(text, "");
        CHECK_INT(len, 0);
        (void)strcpy(text, "xxx");
        len = 9;
    }
    CHECK_STATUS(status, CW_INVALID_ARGUMENT);
    CHECK(i > CW_INFO_AUTHORITIES);
    CHECK_INT(cw_socket_class(s), CW_STREAM_SOCKET);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    cw_socket_release(s);
}

static bool set_all(void *unused)
{
    cw_socket *s = NULL;
    bool is_done = cw_socket_create(CW_MESSAGE_SOCKET, &s) == CW_OK;

    (void)unused;
    is_done = is_done && cw_socket_set_text(s, CW_OPT_CA_FILE, "/x", 2) == CW_OK;
    is_done = is_done && cw_socket_set_text(s, CW_OPT_CA_FILE, "/yy", 3) == CW_OK;
    is_done = is_done && cw_socket_set_credential(s, CW_OPT_SERVER_CREDENTIAL, "u", 1, "p", 1) == CW_OK;
    is_done = is_done && cw_socket_set_request_header(s, "A", 1, "1", 1) == CW_OK;
    is_done = is_done && cw_socket_set_request_header(s, "A", 1, "2", 1) == CW_OK;
    if (!is_done)
        CHECK_INT(cw__error_status(), CW_NO_MEMORY);
    cw_socket_release(s);
    return is_done;
}

static void test_no_memory(void) { each_allocation_fails(set_all, NULL); }

static const harness_test tests[] = {
    {"every control: key, type, default, range", test_every_control},
    {"the table of controls", test_table},
    {"ranges, and the errors outside of them", test_ranges},
    {"a stream socket lacks the controls of messages", test_stream_class},
    {"text controls: copied, cut, unset, checked", test_text},
    {"a secret is not read back", test_secret},
    {"RFC 6455 4.1: subprotocols are tokens, each once", test_protocols},
    {"errors of a certificate that can be ignored", test_ignorable},
    {"libcurl's names of controls", test_alike},
    {"request headers: added, replaced, removed", test_headers},
    {"RFC 7230 3.2: bad and forbidden request headers", test_bad_headers},
    {"RFC 9110 5.5: the controls for headers", test_header_controls},
    {"a new socket has no information", test_information},
    {"without memory: an error and nothing lost", test_no_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }
