/* SPDX-License-Identifier: MIT */
/* Tests of cookie.c: the lines of a cookie file, and what a program may set. test_cookies.c tests jars. */
#include "harness.h"

/* Reads a cookie from a copy without a NUL, so that AddressSanitizer sees a read after its end. The copy lives until the
 * next call. */
static cw_cookie read_one(const char *text)
{
    static char *copy;
    size_t at_bytes = 0, len_bytes = strlen(text);
    cw_cookie c;

    free(copy);
    copy = malloc(len_bytes);
    CHECK(copy != NULL);
    memcpy(copy, text, len_bytes);
    CHECK(cw_cookie_next(copy, len_bytes, &at_bytes, &c));
    CHECK_INT(at_bytes, len_bytes);
    return c;
}

#define CHECK_TEXT(c, member, wanted) \
    CHECK_BYTES((c).member, (c).member##_len_bytes, (wanted), sizeof(wanted) - 1)

static void test_fields(void)
{
    cw_cookie c = read_one("#HttpOnly_.a.example\tTRUE\t/p\tTRUE\t1700000000\tname\tvalue=1\r\n");

    CHECK_TEXT(c, domain, "a.example");
    CHECK_TEXT(c, path, "/p");
    CHECK_TEXT(c, name, "name");
    CHECK_TEXT(c, value, "value=1");
    CHECK_INT(c.expires, 1700000000);
    CHECK(c.secure && c.http_only && c.include_subdomains);
    c = read_one("a.example\tfalse\t\tfalse\t\t\t");
    CHECK_TEXT(c, path, "/");
    CHECK_TEXT(c, name, "");
    CHECK_TEXT(c, value, "");
    CHECK_INT(c.expires, 0);
    CHECK(!c.secure && !c.http_only && !c.include_subdomains);
    c = read_one("a.example\tFALSE\t/\tFALSE\t12.75\tn"); /* the last tab is missing */
    CHECK_INT(c.expires, 12);
    CHECK_TEXT(c, value, "");
    CHECK(c.value == c.name + 1);
    c = read_one("\na.example\tFALSE\t/\tFALSE\t7.5\tn\t");
    CHECK_INT(c.expires, 7);
    c = read_one("a.example\tFALSE\t/\tFALSE\t9223372036854775800\tn\t");
    CHECK_INT(c.expires, INT64_MAX - 7);
    c = read_one("a.example\tFALSE\t/\tFALSE\t99999999999999999999\tn\t");
    CHECK_INT(c.expires, INT64_MAX);
    c = read_one("a.example\tFALSE\t/\tFALSE\t9223372036854775807\tn\t");
    CHECK_INT(c.expires, INT64_MAX);
}

/* A cookie for all subdomains of such a domain would go to other sites. */
static void test_subdomains(void)
{
    static const struct {
        const char *line;
        bool has;
    } rows[] = {{".a.example\tTRUE\t/\tFALSE\t0\tn\tv", true},
                {"a.example\tTRUE\t/\tFALSE\t0\tn\tv", true},
                {".a.example\tFALSE\t/\tFALSE\t0\tn\tv", false},
                {".com\tTRUE\t/\tFALSE\t0\tn\tv", false},
                {"com\tTRUE\t/\tFALSE\t0\tn\tv", false},
                {"com.\tTRUE\t/\tFALSE\t0\tn\tv", false},
                {"127.0.0.1\tTRUE\t/\tFALSE\t0\tn\tv", false},
                {"::1\tTRUE\t/\tFALSE\t0\tn\tv", false},
                {"::ffff:1.2.3.4\tTRUE\t/\tFALSE\t0\tn\tv", false},
                {"1.a\tTRUE\t/\tFALSE\t0\tn\tv", true}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_INT(read_one(rows[i].line).include_subdomains, rows[i].has);
}

static void test_lines(void)
{
    static const char text[] = "# Netscape\n\n\r\n#HttpOnl\na.b\tFALSE\t/\tFALSE\t0\tx\t1\n"
                               "no cookie\nb.c\tFALSE\t/\tFALSE\t0\ty\t2";
    const char *fault;
    cw_cookie c;
    size_t at_bytes = 0;

    CHECK(cw_cookie_next(text, sizeof text - 1, &at_bytes, &c));
    CHECK_TEXT(c, name, "x");
    CHECK(cw_cookie_next(text, sizeof text - 1, &at_bytes, &c)); /* skips the line that is none */
    CHECK_TEXT(c, name, "y");
    CHECK(!cw_cookie_next(text, sizeof text - 1, &at_bytes, &c));
    CHECK(!c.name && !c.value && !c.domain && !c.path && c.name_len_bytes == 0);
    at_bytes = 0;
    CHECK(cw__cookie_read(text, sizeof text - 1, &at_bytes, &c, &fault) && !fault);
    CHECK(cw__cookie_read(text, sizeof text - 1, &at_bytes, &c, &fault) && fault);
    CHECK_STR(fault, "does not have seven fields that tabs separate");
    at_bytes = 0;
    CHECK(!cw_cookie_next(NULL, 0, &at_bytes, &c));
}

/* Reads one line from an exact copy. Returns whether it is a cookie or has a fault. */
static bool read_line(const char *text, const char **fault)
{
    size_t at_bytes = 0, len_bytes = strlen(text);
    char *copy = malloc(len_bytes);
    bool is_line;
    cw_cookie c;

    CHECK(copy != NULL);
    memcpy(copy, text, len_bytes);
    *fault = "not set";
    is_line = cw__cookie_read(copy, len_bytes, &at_bytes, &c, fault);
    free(copy);
    return is_line;
}

static void test_faults_of_lines(void)
{
    static const struct {
        const char *line, *fault;
    } rows[] = {{"#HttpOnly_", "does not have seven fields that tabs separate"},
                {"a\tFALSE\t/\tFALSE\t0", "does not have seven fields that tabs separate"},
                {"a\t1\t/\tFALSE\t0\tn\tv", "has no TRUE or FALSE as its second field"},
                {"a\tFALSE\t/\t1\t0\tn\tv", "has no TRUE or FALSE as its fourth field"},
                {"a\tFALSE\t/\tFALSE\t1:\tn\tv", "has no number of seconds as its fifth field"},
                {"a b\tFALSE\t/\tFALSE\t1\tn\tv", "has no host name as its first field"},
                {"a\tFALSE\t/\tFALSE\t1\tn\tv\x01", "has a control character in its name or value"}};
    static const char *const comments[] = {"#", "#\r\n", "# x", "#HttpOnly",
                                           "#httponly_a\tFALSE\t/\tFALSE\t1\tn\tv"};
    const char *fault;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(read_line(rows[i].line, &fault));
        CHECK_STR(fault, rows[i].fault);
    }
    for (size_t i = 0; i < sizeof comments / sizeof *comments; i++) {
        CHECK(!read_line(comments[i], &fault));
        CHECK(!fault);
    }
}

/* No line that libcurl would take for a command or a header passes. */
static void test_lines_that_are_no_cookies(void)
{
    static const char *const lines[] = {"ALL",
                                        "FLUSH",
                                        "Set-Cookie: a=b",
                                        "Set-Cookie:\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "set-cookie: x\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "\tFALSE\t/\tFALSE\t0\tn\tv",
                                        ".\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "#HttpOnly_\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "#HttpOnly_#HttpOnly_a\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "a b\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "a/b\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "a:80\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "b\xc3\xbc\tFALSE\t/\tFALSE\t0\tn\tv",
                                        "a\tFALSE\t/\tFALSE\t0",
                                        "a\tFALSE\t/\tFALSE\t0\tn\tv\t",
                                        "a\t1\t/\tFALSE\t0\tn\tv",
                                        "a\t\t/\tFALSE\t0\tn\tv",
                                        "a\tFALSE\t/\tTRUE \t0\tn\tv",
                                        "a\tFALSE\t/\tFALSE\t-1\tn\tv",
                                        "a\tFALSE\t/\tFALSE\t.5\tn\tv",
                                        "a\tFALSE\t/\tFALSE\t1x\tn\tv",
                                        "a\tFALSE\t/\tFALSE\t0\tn\x01\tv",
                                        "a\tFALSE\t/\tFALSE\t0\tn\tv\x7f",
                                        "a\tFALSE\t/\tFALSE\t0\tn\tv\rw"};
    size_t at_bytes;
    cw_cookie c;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        at_bytes = 0;
        if (cw_cookie_next(lines[i], strlen(lines[i]), &at_bytes, &c))
            HARNESS_FAIL("row %zu is taken for a cookie", i);
        CHECK(at_bytes == strlen(lines[i]));
    }
}

static void test_writing(void)
{
    static const char *const lines[] = {"#HttpOnly_.a.example\tTRUE\t/p\tTRUE\t17\tname\tvalue",
                                        "127.0.0.1\tFALSE\t/\tFALSE\t0\tn\t",
                                        "::1\tFALSE\t/\tFALSE\t0\tn\tv;w"};
    char line[128];

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        cw_cookie c = read_one(lines[i]);
        CHECK_INT(cw__cookie_write(&c, line, sizeof line), strlen(lines[i]));
        CHECK_STR(line, lines[i]);
        CHECK_INT(cw__cookie_write(&c, line, 1), strlen(lines[i]));
        if (c.include_subdomains) { /* a program may have written the dot itself */
            c.domain--;
            c.domain_len_bytes++;
            CHECK_INT(cw__cookie_write(&c, line, sizeof line), strlen(lines[i]));
            CHECK_STR(line, lines[i]);
        }
    }
}

#define TEXT(member, text) .member = (text), .member##_len_bytes = sizeof(text) - 1

static cw_cookie good(void)
{
    return (cw_cookie){TEXT(name, "n"), TEXT(value, "v"), TEXT(domain, "a.example"), TEXT(path, "/")};
}

static void check_fault(const cw_cookie *c, const char *words)
{
    const char *fault = cw__cookie_fault(c);

    CHECK(fault != NULL);
    if (!strstr(fault, words) || strstr(fault, "s3cret"))
        CHECK_STR(fault, words);
}

static void test_faults(void)
{
    static char long_text[4097];
    cw_cookie c = good();

    memset(long_text, 'x', sizeof long_text);
    CHECK(!cw__cookie_fault(&c));
    c.value = long_text;
    c.value_len_bytes = 4095;
    CHECK(!cw__cookie_fault(&c));
    c.value_len_bytes = 4096;
    check_fault(&c, "4,096");
    c = good();
    c.value = "a b";
    c.value_len_bytes = 3;
    c.domain = "a!_b~"; /* libcurl and the server decide about these */
    c.domain_len_bytes = 5;
    CHECK(!cw__cookie_fault(&c));
    c.domain = long_text;
    c.domain_len_bytes = 253;
    CHECK(!cw__cookie_fault(&c));
#define BAD(member, text, words)                                                                         \
    c = good();                                                                                          \
    c = (cw_cookie){TEXT(name, "n"), TEXT(value, "s3cret"), TEXT(domain, "a.example"), TEXT(path, "/")}; \
    c.member = (text);                                                                                   \
    c.member##_len_bytes = sizeof(text) - 1;                                                             \
    check_fault(&c, words)
    BAD(name, "", "a cookie cannot be set: its name is empty: give it a name");
    BAD(name, "a=b", "its name has");
    BAD(name, "a;b", "its name has");
    BAD(name, "a\tb", "its name has");
    BAD(value, "a;b",
        "its value has a control character or ;, which would end it: encode the value, for example by %XX");
    BAD(value, "\tb", "its value has");
    BAD(value, "a\tb", "its value has");
    BAD(value, "a\nb", "its value has");
    BAD(value, "a\0b", "its value has");
    BAD(value, "a\x7f", "its value has");
    BAD(path, "",
        "its path must begin with /, have at most 1,024 characters, and no control character or ;: correct it");
    BAD(path, "x", "its path");
    BAD(path, "/\t", "its path");
    BAD(path, "/;", "its path");
    BAD(domain, "", "its domain is no host name");
    BAD(domain, ".", "its domain is no host name");
    BAD(domain, "..", "its domain is no host name");
    BAD(domain, "::\0", "its domain is no host name");
    BAD(domain, "a@b", "its domain is no host name");
    BAD(domain, "a\x7f", "its domain is no host name");
    BAD(domain, "[::1]", "its domain is no host name");
    BAD(name, "__Secure-n", "__Secure-");
    BAD(name, "__Host-n", "__Host-");
    BAD(name, "__secure-n", "__Secure-"); /* RFC 6265bis section 5.7: case does not matter */
    BAD(name, "__HOST-n", "__Host-");
    c = good();
    c.domain = long_text;
    c.domain_len_bytes = 254;
    check_fault(&c, "253");
    c = good();
    c.domain = "a:b:c"; /* only so much of the text: one colon */
    c.domain_len_bytes = 3;
    check_fault(&c, "its domain is no host name");
    c = good();
    c.path_len_bytes = 0;
    check_fault(&c, "its path");
    long_text[0] = '/';
    c.path = long_text;
    c.path_len_bytes = 1024;
    CHECK(!cw__cookie_fault(&c));
    c.path_len_bytes = 1025;
    check_fault(&c, "its path");
    c = good();
    c.expires = -1;
    check_fault(&c, "1970");
    c = good();
    c.name = "__Secure-n";
    c.name_len_bytes = 8; /* no prefix, without the hyphen */
    CHECK(!cw__cookie_fault(&c));
    c.name_len_bytes = 9;
    check_fault(&c, "__Secure-");
    c.secure = true;
    CHECK(!cw__cookie_fault(&c));
    c = good();
    c.name = "a_name_without_prefix";
    c.name_len_bytes = 21;
    CHECK(!cw__cookie_fault(&c));
    c.secure = true;
    c.name = "__Host-n";
    c.name_len_bytes = 8;
    CHECK(!cw__cookie_fault(&c));
    c.include_subdomains = true;
    check_fault(&c, "__Host-");
    c.include_subdomains = false;
    c.path = "/p";
    c.path_len_bytes = 2;
    check_fault(&c, "__Host-");
}

static void test_hosts(void)
{
    static const struct {
        const char *host;
        bool host_only, with_subdomains;
    } rows[] = {{"a.example", true, true},    {"A.Example", true, true},    {"b.a.example", false, true},
                {"ba.example", false, false}, {"example", false, false},    {"", false, false},
                {"a.example.", false, false}, {"a.example.b", false, false}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw_cookie c = good();
        CHECK_INT(cw__cookie_is_for(&c, rows[i].host), rows[i].host_only);
        c.include_subdomains = true;
        CHECK_INT(cw__cookie_is_for(&c, rows[i].host), rows[i].with_subdomains);
    }
}

static const harness_test tests[] = {
    {"the fields of a line", test_fields},
    {"which domains have subdomains", test_subdomains},
    {"the lines of a text", test_lines},
    {"the faults of lines, and comments", test_faults_of_lines},
    {"lines that are no cookies", test_lines_that_are_no_cookies},
    {"a written line is the line that was read", test_writing},
    {"what a program cannot set", test_faults},
    {"which hosts get a cookie", test_hosts},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }
