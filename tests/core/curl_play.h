/* SPDX-License-Identifier: MIT */
/* Runs handshake.c and request.c without libcurl, for test_handshake_options.c, test_handshake_tls.c, test_handshake_verdict.c,
 * test_proxy_options.c, test_reach.c, test_refusal.c, test_showing.c and test_tls_options.c. The linker's --wrap replaces curl_easy_setopt, curl_easy_getinfo, curl_version_info and
 * curl_slist_append by functions here, so that nothing connects.
 * race.c is replaced too, and ends as the test says. authorities.c finds ca_file and ca_path, or else the system's. */
#ifndef CURL_PLAY_H
#define CURL_PLAY_H

#include "harness.h"
#include "transport/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* ---- Instead of libcurl ---- */

CURLcode play_setopt(CURL *easy, CURLoption option, ...) __asm__("__wrap_curl_easy_setopt");
CURLcode play_getinfo(CURL *easy, CURLINFO info, ...) __asm__("__wrap_curl_easy_getinfo");
curl_version_info_data *play_version_info(CURLversion age) __asm__("__wrap_curl_version_info");
struct curl_slist *play_append(struct curl_slist *list, const char *text) __asm__("__wrap_curl_slist_append");
struct curl_slist *real_append(struct curl_slist *list, const char *text) __asm__("__real_curl_slist_append");

typedef union value {
    long number;
    void *pointer;
    int (*function)(void);
} value;

typedef struct setting {
    CURLoption option;
    value is;
    char text[128]; /* the value, if it is a number */
} setting;

enum { SETTINGS_AT_MOST = 64 };

static setting settings_made[SETTINGS_AT_MOST];
static size_t setting_count;
static size_t fail_at = SIZE_MAX; /* the option that fails */
static CURLcode fail_with;

static inline bool is_text(CURLoption option)
{
    switch (option) {
    case CURLOPT_URL:
    case CURLOPT_REQUEST_TARGET:
    case CURLOPT_PROTOCOLS_STR:
    case CURLOPT_USERAGENT:
    case CURLOPT_PROXY:
    case CURLOPT_PRE_PROXY:
    case CURLOPT_NOPROXY:
    case CURLOPT_USERNAME:
    case CURLOPT_PASSWORD:
    case CURLOPT_PROXYUSERNAME:
    case CURLOPT_PROXYPASSWORD:
    case CURLOPT_CAINFO:
    case CURLOPT_CAPATH:
    case CURLOPT_CRLFILE:
    case CURLOPT_PROXY_CAINFO:
    case CURLOPT_PROXY_CAPATH:
    case CURLOPT_SSLCERT:
    case CURLOPT_SSLCERTTYPE:
    case CURLOPT_SSLKEY:
    case CURLOPT_KEYPASSWD:
    case CURLOPT_PINNEDPUBLICKEY:
    case CURLOPT_SSL_CIPHER_LIST:
    case CURLOPT_TLS13_CIPHERS:
    case CURLOPT_SSL_EC_CURVES:
    case CURLOPT_INTERFACE:
    case CURLOPT_DOH_URL:
    case CURLOPT_UNIX_SOCKET_PATH:
    case CURLOPT_PROXY_SSLCERT:
    case CURLOPT_PROXY_SSLCERTTYPE:
    case CURLOPT_PROXY_SSLKEY:
    case CURLOPT_PROXY_KEYPASSWD:
        return true;
    default:
        return false;
    }
}

CURLcode play_setopt(CURL *easy, CURLoption option, ...)
{
    setting *s = &settings_made[setting_count];
    va_list arguments;

    (void)easy;
    CHECK(setting_count < SETTINGS_AT_MOST);
    if (setting_count++ == fail_at)
        return fail_with;
    *s = (setting){.option = option};
    va_start(arguments, option);
    if (option < CURLOPTTYPE_OBJECTPOINT)
        s->is.number = va_arg(arguments, long);
    else
        s->is.pointer = va_arg(arguments, void *); /* functions too, as libcurl accepts functions */
    va_end(arguments);
    if (is_text(option))
        (void)snprintf(s->text, sizeof s->text, "%s", s->is.pointer ? (const char *)s->is.pointer : "(none)");
    return CURLE_OK;
}

static inline const setting *find(CURLoption option)
{
    const setting *found = NULL;

    for (size_t i = 0; i < setting_count; i++)
        if (settings_made[i].option == option)
            found = &settings_made[i];
    return found;
}

static inline const char *text_of(CURLoption option) { return find(option) ? find(option)->text : "(not set)"; }
static inline long number_of(CURLoption option) { return find(option) ? find(option)->is.number : -77; }

static struct {
    long response_code, connect_code, os_errno, proxy_error, verify_result, proxy_verify_result;
    long connect_us, appconnect_us; /* curl_off_t has the size of long here */
} info;

CURLcode play_getinfo(CURL *easy, CURLINFO what, ...)
{
    va_list arguments;
    long *out;

    (void)easy;
    va_start(arguments, what);
    out = va_arg(arguments, long *);
    va_end(arguments);
    switch (what) {
    case CURLINFO_RESPONSE_CODE:
        *out = info.response_code;
        break;
    case CURLINFO_HTTP_CONNECTCODE:
        *out = info.connect_code;
        break;
    case CURLINFO_OS_ERRNO:
        *out = info.os_errno;
        break;
    case CURLINFO_PROXY_ERROR:
        *out = info.proxy_error;
        break;
    case CURLINFO_SSL_VERIFYRESULT:
        *out = info.verify_result;
        break;
    case CURLINFO_PROXY_SSL_VERIFYRESULT:
        *out = info.proxy_verify_result;
        break;
    case CURLINFO_CONNECT_TIME_T:
        *out = info.connect_us;
        break;
    case CURLINFO_APPCONNECT_TIME_T:
        *out = info.appconnect_us;
        break;
    default:
        HARNESS_FAIL("nobody asks for %d", (int)what);
    }
    return CURLE_OK;
}

static curl_version_info_data version = {
    .version = "9.9.9", .version_num = 0x081500, .features = CURL_VERSION_HTTPS_PROXY};

curl_version_info_data *play_version_info(CURLversion age)
{
    (void)age;
    return &version;
}

static size_t append_count,
    append_fails_at = SIZE_MAX; /* the line of the request for which there is no memory */

struct curl_slist *play_append(struct curl_slist *list, const char *text)
{
    return append_count++ == append_fails_at ? NULL : real_append(list, text);
}

/* ---- Instead of race.c ---- */

static cw__race_state race_state;
static int race_fd = -1, race_added;

cw__race_state cw__race_state_of(const cw__race *r)
{
    CHECK(r != NULL);
    return race_state;
}
int cw__race_errno(const cw__race *r) { return r ? EHOSTUNREACH : 0; }
void cw__race_add(cw__race *r, const struct sockaddr *to, size_t len_bytes)
{
    CHECK(r && to->sa_family == AF_INET);
    CHECK_INT(len_bytes, sizeof(struct sockaddr_in));
    race_added++;
}
int cw__race_take(cw__race *r, struct sockaddr *from, unsigned *len_bytes)
{
    CHECK(r != NULL);
    from->sa_family = AF_INET6;
    *len_bytes = sizeof(struct sockaddr_in6);
    return race_fd;
}

void cw__race_set_reach(cw__race *r, cw__reach *reach) { CHECK(r != NULL && reach != NULL); }

/* ---- Instead of authorities.c ---- */

static bool has_no_authorities;

static inline char *copy_of(const char *text) { return *text ? cw__strndup(text, strlen(text)) : NULL; }

cw_status cw__authorities_find(const char *ca_file, const char *ca_path, const char *(*get)(const char *name),
                               cw__authorities *a)
{
    bool is_named = *ca_file || *ca_path;

    CHECK(get("HOME") == getenv("HOME"));
    if (has_no_authorities)
        return cw__fail_limit(CW_CONNECT_FAILED, CW_OPT_CA_FILE, "none");
    *a = (cw__authorities){.file = copy_of(*ca_file   ? ca_file
                                           : *ca_path ? "/in/it.0"
                                                      : "/sys/ca.pem"),
                           .file_source = *ca_file   ? "ca_file"
                                          : *ca_path ? NULL
                                                     : "system",
                           .folder = copy_of(ca_path),
                           .folder_source = *ca_path ? "ca_path" : NULL};
    if (a->file && (a->folder || !*ca_path))
        return CW_OK;
    CHECK(is_named || !a->folder);
    return cw__fail(CW_NO_MEMORY, "no memory");
}

cw_status cw__authorities_use_data(const char *ca_path, cw__authorities *a)
{
    *a = (cw__authorities){.is_data = true,
                           .file_source = "ca_data",
                           .folder = copy_of(ca_path),
                           .folder_source = *ca_path ? "ca_path" : NULL};
    return a->folder || !*ca_path ? CW_OK : cw__fail(CW_NO_MEMORY, "no memory");
}

void cw__authorities_destroy(cw__authorities *a)
{
    cw__free(a->file);
    cw__free(a->folder);
    *a = (cw__authorities){0};
}

/* ---- Instead of random.c ---- */

static bool has_no_random;

bool cw__random(void *buffer, size_t len_bytes)
{
    static uint8_t next;

    for (size_t i = 0; i < len_bytes; i++)
        ((uint8_t *)buffer)[i] = next++;
    return !has_no_random;
}

/* ---- Steps ---- */

static cw__uri uri;
static cw__handshake_settings wishes;
static cw__error error;

static inline void clear_environment(void)
{
    static const char *const names[] = {"ws_proxy",   "WS_PROXY",   "wss_proxy",   "WSS_PROXY",
                                        "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
                                        "all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_INT(unsetenv(names[i]), 0);
}

static inline cw__handshake *create(const char *text, const char *proxy)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__handshake *h;

    clear_environment();
    if (proxy)
        CHECK_INT(setenv("all_proxy", proxy, 1), 0);
    CHECK_INT(cw__uri_read(text, strlen(text), &uri, fault), CW__URI_OK);
    setting_count = 0;
    wishes.uri = &uri;
    h = cw__handshake_create(&wishes);
    cw__uri_destroy(&uri);
    return h;
}

/* Makes controls of reach.c, of which REACH names those that are set. */
#define REACH(...) reach_with((cw__reach){__VA_ARGS__})

static inline cw__reach reach_with(cw__reach r)
{
    const char **texts[] = {&r.unix_path, &r.abstract_name, &r.interface,   &r.doh_url,
                            &r.resolve,   &r.connect_to,    &r.curl_options};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!*texts[i])
            *texts[i] = "";
    r.local_port_range = r.local_port_range ? r.local_port_range : 1;
    r.happy_ms = 200;
    return r;
}

static inline void wish_nothing(void)
{
    wishes = (cw__handshake_settings){.protocols = "",
                                      .ca_file = "",
                                      .ca_path = "",
                                      .crl_file = "",
                                      .client = {.file = "", .key = "", .password = ""},
                                      .request = {.headers = "", .user_agent = "", .origin = ""},
                                      .login = {.bearer = ""},
                                      .reach = REACH(.happy_ms = 200),
                                      .verify = true,
                                      .proxy = {.uri = "",
                                                .pre_uri = "",
                                                .headers = "",
                                                .client = {.file = "", .key = "", .password = ""},
                                                .ca_file = "",
                                                .verify = true},
                                      .no_delay = true,
                                      .timeout_ms = 5000};
    memset(&info, 0, sizeof info);
    error = (cw__error){0};
}

static inline cw__handshake *made(const char *text, const char *proxy)
{
    cw__handshake *h = create(text, proxy);

    CHECK(h != NULL);
    return h;
}

/* ---- What libcurl passes, and the verdict ---- */

/* Passes a line of a reply, as libcurl does. Returns whether libcurl would continue. */
static inline bool line(cw__handshake *h, const char *text)
{
    char copy[256];
    curl_write_callback on_header;
    size_t len = strlen(text);

    CHECK(find(CURLOPT_HEADERFUNCTION) && find(CURLOPT_HEADERDATA)->is.pointer == h);
    memcpy(&on_header, &find(CURLOPT_HEADERFUNCTION)->is, sizeof on_header);
    (void)snprintf(copy, sizeof copy, "%s", text);
    return on_header(copy, 1, len, h) == len && len > 0;
}

/* Logs a text, as libcurl does. */
static inline void log_text(cw__handshake *h, curl_infotype type, const char *text)
{
    char copy[256];
    curl_debug_callback on_debug;

    CHECK(find(CURLOPT_DEBUGFUNCTION) && find(CURLOPT_DEBUGDATA)->is.pointer == h);
    memcpy(&on_debug, &find(CURLOPT_DEBUGFUNCTION)->is, sizeof on_debug);
    (void)snprintf(copy, sizeof copy, "%s", text);
    CHECK_INT(on_debug(NULL, type, copy, strlen(copy), h), 0);
}

static inline void expect_verdict(cw__handshake *h, CURLcode code, cw_status status, int web_status,
                                  const char *text)
{
    error = (cw__error){0};
    CHECK(!cw__handshake_verdict(h, code, 0, &error));
    if (!strstr(error.message, text))
        CHECK_STR(error.message, text);
    CHECK(strstr(error.message, text) != NULL);
    CHECK_INT(error.status, status);
    CHECK_INT(error.web_status, web_status);
    /* a refusal is one, however the transfer of its body ends */
    CHECK_INT(error.curl_code, strstr(error.message, "with HTTP status") ? CURLE_HTTP_RETURNED_ERROR : code);
}

#endif
