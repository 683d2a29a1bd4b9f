/* SPDX-License-Identifier: MIT */
/* Authorities: finds the certificates of authorities that TLS trusts. The order is the same for all languages, systems
 * and builds:
 *   1. ca_file and ca_path
 *   2. CURL_CA_BUNDLE, or else SSL_CERT_FILE and SSL_CERT_DIR
 *   3. the files, then the folders, that systems use
 *   4. the file that a binding names (Python: certifi)
 * It never uses a path that libcurl or its TLS library was built with: such a path may be of the machine that built
 * them, and two builds would then trust different authorities.
 *
 * What somebody has named is used or is an error. Only the places of systems are skipped if they cannot be used.
 * handshake.c calls this in the caller's thread, at each connect that needs authorities. It takes no lock but its own.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/auxv.h>
#endif

#include "transport.h"

#define SYSTEM "system"

/* Files come before folders, because libcurl shares only the authorities of a file between connections. */
static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch, Gentoo, NixOS, OpenWrt */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora, RHEL since 7 */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* RHEL 6 */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
    "/var/lib/ca-certificates/ca-bundle.pem",            /* SUSE */
    "/etc/ssl/cert.pem",                                 /* macOS, FreeBSD, OpenBSD, Alpine, OpenWrt */
    "/usr/local/etc/ssl/cert.pem",                       /* FreeBSD */
    "/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD */
    "/etc/openssl/certs/ca-certificates.crt",            /* NetBSD */
};
static const char *const system_folders[] = {
    "/etc/ssl/certs",                                 /* SUSE, OpenWrt, FreeBSD */
    "/etc/pki/ca-trust/extracted/pem/directory-hash", /* Fedora since 43 */
    "/etc/pki/tls/certs",                             /* Fedora, RHEL */
    "/etc/openssl/certs",                             /* NetBSD */
};

enum { FILE_COUNT = sizeof system_files / sizeof *system_files };
enum { FOLDER_COUNT = sizeof system_folders / sizeof *system_folders };
enum { TEXT_BYTES = 900 };

/* The file that a binding has named. The lock is held for a copy, or for a few calls of access(). */
static cw__mutex last_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_source[32]; /* empty = none is named */
static char *last_file;

/* A fork takes the lock first. Otherwise another thread could hold it at that moment, and the child, which lacks that
 * thread, would wait for ever. */
static void before_fork(void) { cw__mutex_lock(&last_lock); }
static void after_fork(void) { cw__mutex_unlock(&last_lock); }
static void watch_forks(void) { (void)pthread_atfork(before_fork, after_fork, after_fork); }

static void lock_last(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, watch_forks);
    cw__mutex_lock(&last_lock);
}

static void unlock_last(void) { cw__mutex_unlock(&last_lock); }

static cw_status no_memory(void)
{
    return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
}

/* ---- Files and folders ---- */

/* Gives why a file cannot be used, or NULL. It opens nothing, so it needs no descriptor. */
static const char *file_fault(const char *path)
{
    struct stat is;

    if (stat(path, &is) != 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
        return strerror(errno);
    if (!S_ISREG(is.st_mode))
        return "it is not a file";
    return is.st_size == 0 ? "it is empty" : NULL;
}

/* Says whether a name is a hash and a number, "5ed36f99.0", as `openssl rehash` makes it. */
static bool is_hashed(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    return digits == 8 && name[8] == '.' && name[9] && strspn(name + 9, "0123456789") == strlen(name + 9);
}

/* Gives the path of a folder's file, which the caller owns; NULL = no memory. */
static char *path_in(const char *folder, const char *name)
{
    size_t room = strlen(folder) + strlen(name) + 2;
    char *path = cw__malloc(room);

    if (path)
        (void)snprintf(path, room, "%s/%s", folder, name);
    return path;
}

/* Finds a certificate in a folder. *file is set to its path, which the caller owns; NULL = none, or no memory.
 * Returns why the folder cannot be used, or NULL. errno says it too; 0 = no certificate is in it. */
static const char *folder_fault(const char *path, char **file)
{
    const char *fault = "no certificate in it has its hash for a name";
    DIR *folder = opendir(path);
    const struct dirent *entry;

    *file = NULL;
    if (!folder)
        return strerror(errno); /* NOLINT(concurrency-mt-unsafe): as above */
    /* No other thread uses this folder's stream. */
    /* cppcheck-suppress readdirCalled */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while (fault && (entry = readdir(folder)) != NULL) {
        if (!is_hashed(entry->d_name))
            continue;
        *file = path_in(path, entry->d_name);
        if (!*file || !file_fault(*file)) {
            fault = NULL;
        } else {
            cw__free(*file);
            *file = NULL;
        }
    }
    (void)closedir(folder);
    errno = 0;
    return fault;
}

/* Does the same for a list of folders, "/a:/b", of which one must be usable. */
static const char *folders_fault(const char *list, char **file)
{
    const char *fault = "it names no folder";

    *file = NULL;
    while (*list) {
        size_t len = strcspn(list, ":");
        char *one = len ? cw__strndup(list, len) : NULL;
        if (len && !one)
            return NULL;
        if (one)
            fault = folder_fault(one, file);
        cw__free(one);
        if (!fault)
            return NULL;
        list += len + (list[len] == ':');
    }
    return fault;
}

/* ---- What somebody has named ---- */

static cw_status use_file(cw__authorities *a, const char *source, const char *path)
{
    a->file_source = source;
    cw__free(a->file); /* a folder's certificate */
    a->file = cw__strndup(path, strlen(path));
    return a->file ? CW_OK : no_memory();
}

/* Uses a folder, or a list of them. */
static cw_status use_folders(cw__authorities *a, const char *source, const char *path, const char *fault,
                             char *certificate)
{
    if (fault)
        return cw__fail(
            CW_CONNECT_FAILED,
            "%s '%.300s' cannot be used (%s): name a folder that `openssl rehash` has prepared, or unset %s",
            source, path, fault, source);
    if (!certificate)
        return no_memory();
    cw__free(a->file);
    a->file = certificate;
    a->folder_source = source;
    a->folder = cw__strndup(path, strlen(path));
    return a->folder ? CW_OK : no_memory();
}

/* Uses ca_path, then ca_file. The file replaces the certificate that use_folders has taken from the folder. This does not
 * check whether ca_file can be read: libcurl fails then, and failure.c names the file in the error. */
static cw_status use_controls(cw__authorities *a, const char *ca_file, const char *ca_path)
{
    cw_status status = CW_OK;
    char *certificate = NULL;
    const char *fault;

    if (*ca_path) {
        fault = folder_fault(ca_path, &certificate);
        status = use_folders(a, "ca_path", ca_path, fault, certificate);
    }
    return status == CW_OK && *ca_file ? use_file(a, "ca_file", ca_file) : status;
}

/* Says whether the program has rights that its user does not have. Its environment is then that user's, who must not
 * choose whom the program trusts. */
static bool is_privileged(void)
{
#if defined(__linux__)
    return getauxval(AT_SECURE) != 0;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
    return issetugid() != 0;
#else
    return getuid() != geteuid() || getgid() != getegid();
#endif
}

/* Uses a variable, if it is set. */
static cw_status use_variable(cw__authorities *a, const char *name, const char *value, bool is_folder)
{
    char *certificate = NULL;
    const char *fault;

    if (!value || !*value)
        return CW_OK;
    if (is_privileged())
        return cw__fail(
            CW_CONNECT_FAILED,
            "%s is set, but this program runs with rights that its user does not have (setuid), so it does "
            "not take authorities from the environment: unset %s, or set ca_file",
            name, name);
    if (is_folder) {
        fault = folders_fault(value, &certificate);
        return use_folders(a, name, value, fault, certificate);
    }
    fault = file_fault(value);
    if (fault)
        return cw__fail(CW_CONNECT_FAILED,
                        "%s '%.300s' cannot be used (%s): name a PEM file of certificates, or unset %s", name,
                        value, fault, name);
    return use_file(a, name, value);
}

static cw_status use_environment(cw__authorities *a, const char *(*get)(const char *name))
{
    cw_status status = use_variable(a, "CURL_CA_BUNDLE", get("CURL_CA_BUNDLE"), false);

    if (status != CW_OK || a->file)
        return status;
    status = use_variable(a, "SSL_CERT_DIR", get("SSL_CERT_DIR"), true);
    return status == CW_OK ? use_variable(a, "SSL_CERT_FILE", get("SSL_CERT_FILE"), false) : status;
}

/* ---- The places of systems, and a binding's file ---- */

static cw_status use_system(cw__authorities *a)
{
    char *certificate = NULL;
    cw__error error;

    for (size_t i = 0; i < FILE_COUNT; i++)
        if (!file_fault(system_files[i]))
            return use_file(a, SYSTEM, system_files[i]);
    for (size_t i = 0; i < FOLDER_COUNT; i++) {
        if (!folder_fault(system_folders[i], &certificate))
            return use_folders(a, SYSTEM, system_folders[i], NULL, certificate);
        if (cw__failure_is_descriptor(errno)) {
            cw__failure_no_descriptor(errno, &error);
            return cw__fail_with(&error);
        }
    }
    return CW_OK;
}

/* Copies the binding's file and its source into one block, because a later call may change both. */
static cw_status copy_last(cw__authorities *a)
{
    size_t file_bytes = strlen(last_file) + 1, source_bytes = strlen(last_source) + 1;

    a->file = cw__malloc(file_bytes + source_bytes);
    if (!a->file)
        return no_memory();
    memcpy(a->file, last_file, file_bytes);
    memcpy(a->file + file_bytes, last_source, source_bytes);
    a->file_source = a->file + file_bytes;
    return CW_OK;
}

static cw_status use_last(cw__authorities *a)
{
    cw_status status = CW_OK;

    lock_last();
    if (last_file && !file_fault(last_file))
        status = copy_last(a);
    unlock_last();
    return status;
}

static bool has_nul(const char *text, size_t len_bytes)
{
    return len_bytes > 0 && memchr(text, '\0', len_bytes);
}

cw_status cw_set_last_authorities(const char *source, size_t source_len_bytes, const char *path,
                                  size_t path_len_bytes)
{
    char *copy = NULL;

    if (has_nul(source, source_len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "the source of the authorities contains NUL: remove it");
    if (source_len_bytes >= sizeof last_source)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the source of the authorities has %zu bytes, and at most %zu are shown: shorten it",
                        source_len_bytes, sizeof last_source - 1);
    if (has_nul(path, path_len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "the path of the authorities contains NUL: remove it");
    if (path && !(copy = cw__strndup(path, path_len_bytes)))
        return cw__fail(CW_NO_MEMORY, "no memory for a path: free memory and call again");
    lock_last();
    cw__free(last_file);
    last_file = copy;
    if (source_len_bytes > 0)
        memcpy(last_source, source, source_len_bytes);
    last_source[source_len_bytes] = '\0';
    unlock_last();
    return CW_OK;
}

/* Adds ", path", and whether something is there. */
static void list(char text[TEXT_BYTES], const char *path)
{
    size_t len = strlen(text);

    (void)snprintf(text + len, TEXT_BYTES - len, ", %s%s", path,
                   access(path, F_OK) == 0 ? " (empty or not readable)" : "");
}

/* Does the same for the binding's file. */
static void list_last(char text[TEXT_BYTES])
{
    size_t len = strlen(text);

    if (last_file)
        list(text, last_file);
    else
        (void)snprintf(text + len, TEXT_BYTES - len, ", %s (not installed)", last_source);
}

/* Sets the error that lists what was tried. */
static cw_status found_none(void)
{
    char text[TEXT_BYTES] = "";

    for (size_t i = 0; i < FILE_COUNT; i++)
        list(text, system_files[i]);
    for (size_t i = 0; i < FOLDER_COUNT; i++)
        list(text, system_folders[i]);
    lock_last();
    if (*last_source)
        list_last(text);
    unlock_last();
    return cw__fail_limit(
        CW_CONNECT_FAILED, CW_OPT_CA_FILE,
        "no certificates of authorities are found (tried ca_file, ca_path, CURL_CA_BUNDLE, "
        "SSL_CERT_FILE and SSL_CERT_DIR, which are not set%s): install the system's (Debian's package "
        "ca-certificates), or set ca_file",
        text);
}

/* ---- The functions that transport.h declares ---- */

cw_status cw__authorities_find(const char *ca_file, const char *ca_path, const char *(*get)(const char *name),
                               cw__authorities *a)
{
    cw_status status = use_controls(a, ca_file, ca_path);

    if (status == CW_OK && !a->file)
        status = use_environment(a, get);
    if (status == CW_OK && !a->file)
        status = use_system(a);
    if (status == CW_OK && !a->file)
        status = use_last(a);
    if (status == CW_OK && !a->file)
        status = found_none();
    if (status != CW_OK)
        cw__authorities_destroy(a);
    return status;
}

cw_status cw__authorities_use_data(const char *ca_path, cw__authorities *a)
{
    cw_status status = use_controls(a, "", ca_path);

    cw__free(a->file); /* a folder's certificate */
    a->file = NULL;
    a->file_source = "ca_data";
    a->is_data = true;
    if (status != CW_OK)
        cw__authorities_destroy(a);
    return status;
}

void cw__authorities_destroy(cw__authorities *a)
{
    cw__free(a->file);
    cw__free(a->folder);
    *a = (cw__authorities){0};
}

size_t cw__authorities_show(const cw__authorities *a, char *buffer, size_t size_bytes)
{
    bool has_source = a->file_source != NULL, has_both = has_source && a->folder;

    return (size_t)snprintf(buffer, size_bytes, "%s%s%s%s%s%s%s", has_source ? a->file_source : "",
                            has_source && !a->is_data ? ": " : "", has_source && !a->is_data ? a->file : "",
                            has_both ? ", " : "", a->folder ? a->folder_source : "", a->folder ? ": " : "",
                            a->folder ? a->folder : "");
}

char *cw__authorities_text(const cw__authorities *a)
{
    char none[1];
    size_t room = cw__authorities_show(a, none, sizeof none) + 1;
    char *text = cw__malloc(room);

    if (text)
        (void)cw__authorities_show(a, text, room);
    return text;
}
