/* SPDX-License-Identifier: MIT */
/* Tests of authorities.c: the places where systems keep authorities, and the file that a binding names. This file replaces stat,
 * faccessat, access and opendir: each place of a system is then a file of this test. test_authorities.c tests the rest. */
#include "harness.h"

#include "transport/transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PATH_BYTES = 300, TEXT_BYTES = 2000 };

static const char *const files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/etc/openssl/certs/ca-certificates.crt",
};
static const char *const folders[] = {"/etc/ssl/certs", "/etc/pki/ca-trust/extracted/pem/directory-hash",
                                      "/etc/pki/tls/certs", "/etc/openssl/certs"};

enum { FILES = sizeof files / sizeof *files, FOLDERS = sizeof folders / sizeof *folders };

static char home[64];          /* a folder of this test */
static const char *present[4]; /* the places that exist: a file is "good", a folder is "hashed" */
static bool has_no_descriptor;

static bool is_present(const char *path)
{
    for (size_t i = 0; i < sizeof present / sizeof *present; i++)
        if (present[i] && strcmp(present[i], path) == 0)
            return true;
    return false;
}

static bool is_file(const char *path)
{
    for (size_t i = 0; i < FILES; i++)
        if (strcmp(files[i], path) == 0)
            return true;
    return false;
}

static bool is_folder(const char *path)
{
    for (size_t i = 0; i < FOLDERS; i++)
        if (strcmp(folders[i], path) == 0)
            return true;
    return false;
}

/* Returns the path of this test that stands for a place of a system, or for a file in a folder of a system. */
static const char *real(const char *path, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%s", path);
    if (is_file(path) || is_folder(path))
        (void)snprintf(out, PATH_BYTES, "%s/%s", home,
                       !is_present(path) ? "missing"
                       : is_file(path)   ? "good"
                                         : "hashed");
    else if (strncmp(path, "/etc/", 5) == 0)
        (void)snprintf(out, PATH_BYTES, "%s/hashed%s", home, strrchr(path, '/'));
    return out;
}

int stat(const char *path, struct stat *about)
{
    char out[PATH_BYTES];

    return fstatat(AT_FDCWD, real(path, out), about, 0);
}

int faccessat(int folder, const char *path, int mode, int flags)
{
    char out[PATH_BYTES];

    (void)flags;
    return (int)syscall(SYS_faccessat, folder, real(path, out), mode);
}

int access(const char *path, int mode)
{
    char out[PATH_BYTES];

    return (int)syscall(SYS_faccessat, AT_FDCWD, real(path, out), mode);
}

DIR *opendir(const char *path)
{
    char out[PATH_BYTES];
    int fd = has_no_descriptor ? -1 : open(real(path, out), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (has_no_descriptor)
        errno = EMFILE;
    return fd < 0 ? NULL : fdopendir(fd);
}

/* ---- The tests ---- */

static void write_file(const char *name)
{
    char path[PATH_BYTES];
    FILE *to;

    (void)snprintf(path, sizeof path, "%s/%s", home, name);
    to = fopen(path, "w");
    CHECK(to && fputs("x", to) >= 0);
    CHECK_INT(fclose(to), 0);
}

static void make_home(void)
{
    char path[PATH_BYTES];

    (void)snprintf(home, sizeof home, "/tmp/curlwire-places-XXXXXX");
    CHECK(mkdtemp(home) != NULL);
    (void)snprintf(path, sizeof path, "%s/hashed", home);
    CHECK_INT(mkdir(path, 0700), 0);
    write_file("good");
    write_file("other");
    write_file("hashed/0123abcd.0");
}

static void remove_home(void)
{
    static const char *const names[] = {"good", "other", "hashed/0123abcd.0", "hashed", ""};
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", home, names[i]);
        CHECK_INT(remove(path), 0);
    }
}

static const char *get(const char *name)
{
    (void)name;
    return NULL;
}

/* What is found, as text, or the error. */
static const char *found(void)
{
    static char shown[TEXT_BYTES];
    cw__authorities a = {0};
    char *text;

    if (cw__authorities_find("", "", get, &a) != CW_OK)
        return cw_error_message();
    text = cw__authorities_text(&a);
    CHECK(text != NULL);
    (void)snprintf(shown, sizeof shown, "%s", text);
    CHECK_INT(cw__authorities_show(&a, NULL, 0), strlen(text));
    cw__free(text);
    cw__authorities_destroy(&a);
    return shown;
}

/* Each place is used if no earlier one exists. */
static void test_places(void)
{
    char text[TEXT_BYTES];

    make_home();
    for (size_t i = 0; i < FILES; i++)
        for (size_t later = i; later < FILES; later++) {
            present[0] = files[later];
            present[1] = files[i];
            present[2] = folders[0]; /* files come first */
            (void)snprintf(text, sizeof text, "system: %s", files[i]);
            CHECK_STR(found(), text);
        }
    present[2] = NULL;
    for (size_t i = 0; i < FOLDERS; i++)
        for (size_t later = i; later < FOLDERS; later++) {
            present[0] = folders[later];
            present[1] = folders[i];
            (void)snprintf(text, sizeof text, "system: %s", folders[i]);
            CHECK_STR(found(), text);
        }
    remove_home();
}

/* The file of a binding comes last. */
static void test_last(void)
{
    char path[PATH_BYTES], text[TEXT_BYTES];

    make_home();
    (void)snprintf(path, sizeof path, "%s/other", home);
    CHECK_INT(cw_set_last_authorities("binding", 7, path, strlen(path)), CW_OK);
    (void)snprintf(text, sizeof text, "binding: %s", path);
    CHECK_STR(found(), text);
    present[0] = folders[FOLDERS - 1];
    (void)snprintf(text, sizeof text, "system: %s", present[0]);
    CHECK_STR(found(), text);
    CHECK_INT(cw_set_last_authorities(NULL, 0, NULL, 0), CW_OK);
    remove_home();
}

static const char *listed(const char *last)
{
    static char text[TEXT_BYTES];
    size_t len = (size_t)snprintf(text, sizeof text,
                                  "no certificates of authorities are found (tried ca_file, ca_path, "
                                  "CURL_CA_BUNDLE, SSL_CERT_FILE and SSL_CERT_DIR, which are not set");

    for (size_t i = 0; i < FILES; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, ", %s", files[i]);
    for (size_t i = 0; i < FOLDERS; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, ", %s", folders[i]);
    (void)snprintf(text + len, sizeof text - len,
                   "%s): install the system's (Debian's package ca-certificates), or set ca_file", last);
    return text;
}

/* If nothing is found, the error lists what was tried. */
static void test_none(void)
{
    char path[PATH_BYTES], last[TEXT_BYTES], name[PATH_BYTES];

    make_home();
    CHECK_STR(found(), listed(""));
    CHECK_INT(cw_error_option(), CW_OPT_CA_FILE);
    CHECK_INT(cw_set_last_authorities("binding", 7, NULL, 0), CW_OK);
    CHECK_STR(found(), listed(", binding (not installed)"));
    (void)snprintf(path, sizeof path, "%s/missing", home);
    CHECK_INT(cw_set_last_authorities("binding", 7, path, strlen(path)), CW_OK);
    (void)snprintf(last, sizeof last, ", %s", path);
    CHECK_STR(found(), listed(last));
    (void)snprintf(name, sizeof name, "%s/hashed", home); /* not a file */
    CHECK_INT(cw_set_last_authorities("binding", 7, name, strlen(name)), CW_OK);
    (void)snprintf(last, sizeof last, ", %s (empty or not readable)", name);
    CHECK_STR(found(), listed(last));
    CHECK_INT(cw_set_last_authorities(NULL, 0, NULL, 0), CW_OK);
    has_no_descriptor = true; /* else the advice would be wrong */
    CHECK_STR(found(), "no descriptor for a connection: raise the limit (ulimit -n)");
    remove_home();
}

static bool find_once(void *is_in_folder)
{
    cw__authorities a = {0};
    cw_status status = cw__authorities_find("", "", get, &a);

    if (status == CW_OK)
        CHECK(a.file && (a.folder != NULL) == (is_in_folder != NULL));
    else
        CHECK_STR(cw_error_message(), "no memory for a connection: free memory and call again");
    cw__authorities_destroy(&a);
    return status == CW_OK;
}

static void test_no_memory(void)
{
    char path[PATH_BYTES];

    make_home();
    present[0] = files[1];
    each_allocation_fails(find_once, NULL);
    present[0] = folders[1];
    each_allocation_fails(find_once, home);
    present[0] = NULL;
    (void)snprintf(path, sizeof path, "%s/other", home);
    CHECK_INT(cw_set_last_authorities("binding", 7, path, strlen(path)), CW_OK);
    for (long n = 0; n < 2; n++) { /* the binding's file is one block, which stays */
        cw__authorities a = {0};
        cw__alloc_fail_at(n);
        CHECK_INT(cw__authorities_find("", "", get, &a), n == 0 ? CW_NO_MEMORY : CW_OK);
        cw__alloc_fail_at(-1);
        cw__authorities_destroy(&a);
    }
    CHECK_INT(cw_set_last_authorities(NULL, 0, NULL, 0), CW_OK);
    remove_home();
}

enum { NAMINGS = 1000 };

static void *name_often(void *path)
{
    for (int i = 0; i < NAMINGS; i++)
        CHECK_INT(cw_set_last_authorities("binding", (size_t)i % 8, path, strlen(path)), CW_OK);
    return NULL;
}

/* A binding may name its file while another thread connects. AddressSanitizer and ThreadSanitizer see it if both are not apart. */
static void test_threads(void)
{
    char path[PATH_BYTES];
    pthread_t thread;

    make_home();
    (void)snprintf(path, sizeof path, "%s/other", home);
    CHECK_INT(cw_set_last_authorities("binding", 7, path, strlen(path)), CW_OK);
    CHECK_INT(pthread_create(&thread, NULL, name_often, path), 0);
    for (int i = 0; i < NAMINGS; i++)
        CHECK(strstr(found(), path) != NULL);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(cw_set_last_authorities(NULL, 0, NULL, 0), CW_OK);
    remove_home();
}

static const harness_test tests[] = {
    {"the places of systems, in order", test_places},
    {"the file of a binding", test_last},
    {"nothing is found", test_none},
    {"each allocation fails once", test_no_memory},
    {"a file that is named again and again", test_threads},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }
