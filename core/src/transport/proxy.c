/* SPDX-License-Identifier: MIT */
/* Proxy: decides which proxy a connection uses, by the control proxy or by the environment variables that libcurl would
 * read, and explains why a proxy refuses. protocol/proxy_uri.c reads the values, and libcurl gets what was read. So an
 * unusable proxy is an error with every libcurl. A value is never shown, because a malformed value may have a password
 * anywhere. handshake.c calls this file. It reads variables only through a function that the caller passes.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "transport.h"

/* ---- The choice ---- */

/* Finds the variable, in libcurl's order (8.14.1 and 8.22). An empty variable counts as unset. HTTP_PROXY is ignored: a
 * web server that runs a program for a request sets HTTP_PROXY to the request's header Proxy. */
static const char *value_of(const char *(*get)(const char *name), bool is_tls, const char **variable)
{
    static const char *const plain[] = {"ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const tls[] = {"wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY",
                                      "all_proxy", "ALL_PROXY", NULL};

    for (const char *const *name = is_tls ? tls : plain; *name; name++) {
        const char *value = get(*name);
        if (value && *value) {
            *variable = *name;
            return value;
        }
    }
    return NULL;
}

/* Finds the value that names the proxy, and sets p->source. Returns NULL if no proxy is to be used. The control is for every
 * host: no_proxy concerns the environment's proxies only. */
static const char *find_value(cw__proxy *p, const char *control, bool is_tls, const char *host, unsigned port,
                              const char *(*get)(const char *name))
{
    const char *list = get("no_proxy");

    p->source = "proxy";
    if (*control)
        return strcmp(control, CW__PROXY_DIRECT) == 0 ? NULL : control;
    if (!list || !*list)
        list = get("NO_PROXY");
    if (list && cw__proxy_is_excluded(list, host, port))
        return NULL;
    return value_of(get, is_tls, &p->source);
}

cw_status cw__proxy_choose(cw__proxy *p, const char *control, bool is_tls, const char *host, unsigned port,
                           const char *(*get)(const char *name))
{
    const char *value, *fault;
    bool has_no_memory;
    cw__error error;

    memset(p, 0, sizeof *p);
    value = find_value(p, control, is_tls, host, port, get);
    if (!value)
        return CW_OK;
    fault = cw__proxy_parse(p, value, &has_no_memory);
    if (!fault && !has_no_memory)
        return CW_OK;
    if (has_no_memory)
        cw__error_set(&error, CW_NO_MEMORY, CW_WEB_Unknown,
                      "no memory for a proxy: free memory and call again");
    else
        cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "the proxy in the environment variable %s is malformed: %s. Write "
                      "http://user:password@host:port, or remove the variable",
                      p->source, fault);
    cw__proxy_destroy(p);
    return cw__fail_with(&error);
}

bool cw__proxy_set_credential(cw__proxy *p, const char *user, const char *password)
{
    cw__free(p->user);
    cw__free(p->password);
    p->user = cw__strndup(user, strlen(user));
    p->password = cw__strndup(password, strlen(password));
    p->has_credential = true;
    return p->user && p->password;
}

/* ---- Refusals ---- */

/* In the order of the bits of a set of logins. */
static const char *const schemes[] = {"Basic", "Digest", "Negotiate", "NTLM"};

/* Returns the set of logins that a header Proxy-Authenticate offers: names of schemes at its beginning or behind commas. */
static unsigned offers_of(const cw_header *header)
{
    const char *at = header->value, *end = at + header->value_len_bytes;
    unsigned logins = 0;

    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t len_bytes = 0;
        while (at < end && cw__is_blank(*at))
            at++;
        while (at + len_bytes < end && !cw__is_blank(at[len_bytes]) && at[len_bytes] != ',')
            len_bytes++;
        for (unsigned i = 0; i < sizeof schemes / sizeof *schemes; i++)
            if (strlen(schemes[i]) == len_bytes && strncasecmp(schemes[i], at, len_bytes) == 0)
                logins |= 1u << i;
        at = comma ? comma + 1 : end;
    }
    return logins;
}

static unsigned offers_in(const char *lines)
{
    static const char name[] = "Proxy-Authenticate";
    unsigned logins = 0;
    size_t at_bytes = 0;
    cw_header header;

    while (cw_header_next(lines, strlen(lines), &at_bytes, &header))
        if (header.name_len_bytes == sizeof name - 1 && strncasecmp(header.name, name, sizeof name - 1) == 0)
            logins |= offers_of(&header);
    return logins;
}

/* Sets the error for a proxy that offers none of the logins that may be used. available is what libcurl has. */
static void refused_logins(const cw__proxy *proxy, unsigned offers, unsigned available, cw__error *error)
{
    char names[64];
    size_t used = 0;
    bool is_available = offers & available;

    for (unsigned i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (offers & (is_available ? available : ~0u) & (1u << i))
            used +=
                (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? " and " : "", schemes[i]);
    cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ProxyAuthenticationRequired,
                  "the proxy %.80s (%s) refused to connect with HTTP status 407: it offers the login %s only%s",
                  proxy->name, proxy->source, names,
                  is_available ? "; add it to proxy_auth, which does not have it"
                               : ", which the loaded libcurl was built without; load another libcurl");
    error->limit = (int)CW_OPT_PROXY_AUTH + 1;
}

void cw__proxy_refused(const cw__proxy *proxy, const char *host, int http_status, const char *lines,
                       unsigned logins, unsigned available, cw__error *error)
{
    const char *hint = ": ask whoever runs the proxy";
    unsigned offers = http_status == 407 ? offers_in(lines) : 0;
    unsigned usable = (logins ? logins : CW__LOGIN_BASIC) & available;
    bool wants_user = offers != CW__LOGIN_NEGOTIATE;

    if ((proxy->user || !wants_user) && offers && !(offers & usable)) {
        refused_logins(proxy, offers, available, error);
        error->http_status = http_status;
        return;
    }
    if (http_status == 407)
        hint = proxy->has_credential ? ": it does not accept this user and password; correct proxy_credential"
               : proxy->user
                   ? ": it does not accept this user and password; correct them in the URI of the proxy"
                   : ": it wants a user and a password; set proxy_credential, or write user:password@ before "
                     "the host in the URI of the proxy";
    else if (http_status == 403 || http_status == 405)
        hint = ": it does not allow this connection; ask whoever runs the proxy, or connect without it by "
               "no_proxy or the control proxy";
    else if (http_status == 502 || http_status == 503 || http_status == 504)
        hint = ": it could not reach the server; check host and port in the URI";
    if (http_status > 0)
        cw__error_set(error, CW_CONNECT_FAILED, cw__web_status_of_http(http_status),
                      "the proxy %.80s (%s) refused to connect to %.80s with HTTP status %d%s", proxy->name,
                      proxy->source, host, http_status, hint);
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                      "the answer of the proxy %.80s (%s) is not HTTP/1.1: check scheme and port in %s",
                      proxy->name, proxy->source, proxy->source);
    error->http_status = http_status;
}
