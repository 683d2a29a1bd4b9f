/* SPDX-License-Identifier: MIT */
/* Tests of authorities.c: what is used, in which order, and what is an error. tests/faults/test_trust.py tests the places
 * of systems, and connections that trust what was found. */
#include "process.h"
#include "transport/transport.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 200, SHOWN_BYTES = 600 };

static const char *bundle, *file, *folder; /* the variables */
static char home[64];                      /* a folder of this test */

static const char *get(const char *name)
{
    return strcmp(name, "CURL_CA_BUNDLE") == 0  ? bundle
           : strcmp(name, "SSL_CERT_FILE") == 0 ? file
           : strcmp(name, "SSL_CERT_DIR") == 0  ? folder
                                                : NULL;
}

static const char *path(const char *name)
{
    static char paths[64][PATH_BYTES];
    static unsigned next;
    char *one = paths[next++ % 64];

    (void)snprintf(one, PATH_BYTES, "%s/%s", home, name);
    return one;
}

static void write_file(const char *name, const char *text)
{
    FILE *to = fopen(path(name), "w");

    CHECK(to && fputs(text, to) >= 0);
    CHECK_INT(fclose(to), 0);
}

/* Makes these files: one.pem, two.pem, empty.pem, hashed/ with two certificates, bare/ without any. */
static void make_home(void)
{
    bundle = file = folder = NULL;
    (void)snprintf(home, sizeof home, "/tmp/curlwire-authorities-XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    CHECK_INT(mkdir(path("hashed"), 0700), 0);
    CHECK_INT(mkdir(path("bare"), 0700), 0);
    write_file("one.pem", "one");
    write_file("two.pem", "two");
    write_file("empty.pem", "");
    write_file("hashed/0123abcd.0", "three");
    /* none of these is a certificate under its hash */
    write_file("bare/0123abcd.r0", "x");
    write_file("bare/0123abcd.", "x");
    write_file("bare/0123abcd", "x");
    write_file("bare/0123abc.0", "x");
    write_file("bare/0123ABCD.0", "x");
    write_file("bare/0123abcd.0x", "x");
    write_file("bare/ca.pem", "x");
    write_file("bare/0123abcd.1", "");
}

static void remove_home(void)
{
    static const char *const names[] = {"one.pem",
                                        "two.pem",
                                        "empty.pem",
                                        "hashed/0123abcd.0",
                                        "bare/0123abcd.r0",
                                        "bare/0123abcd.",
                                        "bare/0123abcd",
                                        "bare/0123abc.0",
                                        "bare/0123ABCD.0",
                                        "bare/0123abcd.0x",
                                        "bare/0123abcd.1",
                                        "bare/ca.pem",
                                        "hashed",
                                        "bare",
                                        ""};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_INT(remove(path(names[i])), 0);
}

/* What is found, as text. */
static const char *found(const char *ca_file, const char *ca_path)
{
    static char shown[SHOWN_BYTES];
    cw__authorities a = {0};

    if (cw__authorities_find(ca_file, ca_path, get, &a) != CW_OK) {
        CHECK(!a.file && !a.folder);
        CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
        return cw_error_message();
    }
    CHECK(a.file != NULL);
    CHECK_INT(cw__authorities_show(&a, shown, sizeof shown), strlen(shown));
    cw__authorities_destroy(&a);
    return shown;
}

static const char *wanted(const char *format, const char *one, const char *two)
{
    static char text[SHOWN_BYTES];

    (void)snprintf(text, sizeof text, format, one, two); /* NOLINT: the formats are this test's */
    return text;
}

static void check_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        CHECK_STR(text, part); /* if a check fails, both are printed */
}

static void test_order(void)
{
    make_home();
    bundle = path("two.pem");
    file = path("one.pem");
    folder = path("hashed");
    CHECK_STR(found("/x", ""), "ca_file: /x"); /* libcurl says why a ca_file cannot be read */
    CHECK_STR(found(path("one.pem"), path("hashed")),
              wanted("ca_file: %s, ca_path: %s", path("one.pem"), path("hashed")));
    CHECK_STR(found("", path("hashed")), wanted("ca_path: %s%s", path("hashed"), ""));
    CHECK_STR(found("", ""), wanted("CURL_CA_BUNDLE: %s%s", bundle, ""));
    bundle = "";
    CHECK_STR(found("", ""), wanted("SSL_CERT_FILE: %s, SSL_CERT_DIR: %s", file, folder));
    folder = NULL;
    CHECK_STR(found("", ""), wanted("SSL_CERT_FILE: %s%s", file, ""));
    folder = path("hashed");
    file = "";
    CHECK_STR(found("", ""), wanted("SSL_CERT_DIR: %s%s", folder, ""));
    remove_home();
}

/* Beside a folder libcurl gets a certificate of the folder, so that it does not use a file of its own. */
static void test_folder(void)
{
    cw__authorities a = {0};
    char list[2 * PATH_BYTES];

    make_home();
    CHECK_INT(cw__authorities_find("", path("hashed"), get, &a), CW_OK);
    CHECK_STR(a.file, path("hashed/0123abcd.0"));
    CHECK(!a.file_source);
    cw__authorities_destroy(&a);
    (void)snprintf(list, sizeof list, "/nothing/here::%s:%s", path("bare"), path("hashed"));
    folder = list;
    CHECK_INT(cw__authorities_find("", "", get, &a), CW_OK);
    CHECK_STR(a.file, path("hashed/0123abcd.0"));
    CHECK_STR(a.folder, list);
    cw__authorities_destroy(&a);
    check_has(found("", list), "ca_path '/nothing/here:"); /* one folder, not a list */
    remove_home();
}

/* What somebody has named is used, or is an error that names the variable. */
static void test_unusable(void)
{
    make_home();
    file = path("one.pem");
    bundle = path("none.pem");
    check_has(found("", ""), "CURL_CA_BUNDLE '/tmp/");
    check_has(found("", ""),
              "/none.pem' cannot be used (No such file or directory): name a PEM file of certificates");
    bundle = path("empty.pem");
    check_has(found("", ""), "cannot be used (it is empty)");
    bundle = path("bare");
    check_has(found("", ""), "cannot be used (it is not a file)");
    bundle = NULL;
    folder = path("bare");
    check_has(found("", ""), "SSL_CERT_DIR '/tmp/");
    check_has(found("", ""), "cannot be used (no certificate in it has its hash for a name): name a folder");
    folder = "/nothing/here";
    check_has(found("", ""),
              "SSL_CERT_DIR '/nothing/here' cannot be used (No such file or directory): name a folder");
    folder = ":";
    check_has(found("", ""), "SSL_CERT_DIR ':' cannot be used (it names no folder)");
    check_has(cw_error_message(), "or unset SSL_CERT_DIR");
    check_has(found("", path("one.pem")), "cannot be used (Not a directory)");
    check_has(cw_error_message(), "or unset ca_path");
    check_has(found(path("one.pem"), path("bare")), "ca_path '/tmp/");
    CHECK_INT(cw_error_option(), CW_OPTION_NONE);
    remove_home();
}

static bool find_once(void *arg)
{
    cw__authorities a = {0};
    cw_status status = cw__authorities_find("", "", get, &a);

    (void)arg;
    if (status != CW_OK) {
        CHECK_INT(status, CW_NO_MEMORY);
        CHECK(!a.file && !a.folder);
    }
    cw__authorities_destroy(&a);
    return status == CW_OK;
}

static bool name_last(void *arg)
{
    cw_status status = cw_set_last_authorities("other", 5, arg, strlen(arg));

    if (status != CW_OK)
        CHECK_INT(status, CW_NO_MEMORY);
    (void)cw_set_last_authorities(NULL, 0, NULL, 0);
    return status == CW_OK;
}

/* Source and path are texts with lengths: what stands behind them does not count, and NUL inside is refused. */
static void test_texts(void)
{
    char longest[33];

    memset(longest, 's', sizeof longest);
    CHECK_INT(cw_set_last_authorities("a\0b", 3, "p", 1), CW_INVALID_ARGUMENT);
    check_has(cw_error_message(), "source of the authorities contains NUL");
    CHECK_INT(cw_set_last_authorities("ab", 2, "p\0q", 3), CW_INVALID_ARGUMENT);
    check_has(cw_error_message(), "path of the authorities contains NUL");
    CHECK_INT(cw_set_last_authorities(longest, 32, "p", 1), CW_INVALID_ARGUMENT);
    check_has(cw_error_message(), "has 32 bytes, and at most 31");
    CHECK_INT(cw_set_last_authorities(longest, 31, "p", 1), CW_OK);
    CHECK_INT(cw_set_last_authorities(NULL, 0, NULL, 0), CW_OK);
}

static void test_no_memory(void)
{
    make_home();
    file = path("one.pem");
    folder = path("hashed");
    each_allocation_fails(find_once, NULL);
    folder = NULL;
    each_allocation_fails(find_once, NULL);
    file = NULL;
    each_allocation_fails(find_once, NULL); /* the system's */
    each_allocation_fails(name_last, (void *)(uintptr_t)path("one.pem"));
    remove_home();
}

/* A file needs no descriptor to be found. */
static void test_no_descriptor(void)
{
    struct rlimit limit;

    make_home();
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 0;
    file = path("one.pem");
    folder = path("hashed");
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    check_has(found("", ""), "SSL_CERT_DIR '/tmp/");
    check_has(found("", ""), "Too many open files");
    folder = NULL;
    CHECK_STR(found("", ""), wanted("SSL_CERT_FILE: %s%s", file, ""));
    limit.rlim_cur = limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    remove_home();
}

/* ---- Forks ---- */

static atomic_bool is_over;

/* It names no file, so that neither thread allocates: ThreadSanitizer's allocator does not survive a fork. */
static void *name_again(void *none)
{
    while (!atomic_load(&is_over))
        CHECK_INT(cw_set_last_authorities("other", 5, NULL, 0), CW_OK);
    return none;
}

static void name_in_child(void) { CHECK_INT(cw_set_last_authorities("child", 5, NULL, 0), CW_OK); }

/* The child of a fork does not wait for a lock that a thread of its parent held. */
static void test_fork(void)
{
    enum { FORKS = 100 };
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, name_again, NULL), 0);
    for (int i = 0; i < FORKS; i++)
        CHECK_INT(status_of_child(name_in_child), 0);
    atomic_store(&is_over, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
    (void)cw_set_last_authorities(NULL, 0, NULL, 0);
}

static const harness_test tests[] = {
    {"the order", test_order},
    {"a folder, and a list of folders", test_folder},
    {"what cannot be used", test_unusable},
    {"the binding's source and path are texts with lengths", test_texts},
    {"each allocation fails once", test_no_memory},
    {"no descriptors", test_no_descriptor},
    {"a fork while another thread names a file", test_fork},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }
