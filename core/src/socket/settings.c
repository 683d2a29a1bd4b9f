/* SPDX-License-Identifier: MIT */
/* Settings: the controls of a socket, all from the list in curlwire.h. The public calls and connect.c use this file. It
 * changes only the settings.
 *
 * Safety: under the socket's lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "socket.h"

/* The members are in the order of the list's columns. */
/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): eight bytes for each of some thirty controls */
typedef struct option {
    const char *key;
    cw_option_type type;
    int64_t initial, least, most;
    bool is_of_messages;
    const char *const *words;
    const char *none, *since, *text;
} option;

#define BOTH          false
#define MESSAGE       true
#define CW_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const option options[CW_OPTION_COUNT] = {
#define CW_X(name, ...) [name] = {__VA_ARGS__},
    CW_OPTION_LIST(CW_X)
#undef CW_X
};

static bool is_option(cw_option option) { return (int)option >= 0 && option < CW_OPTION_COUNT; }

static bool is_bytes(cw_option option)
{
    return options[option].type == CW_TYPE_BYTES || options[option].type == CW_TYPE_SECRET_BYTES;
}

static bool is_secret(cw_option option)
{
    return options[option].type == CW_TYPE_SECRET || options[option].type == CW_TYPE_SECRET_BYTES;
}

/* Returns whether an option is a list of lines. */
static bool has_lines(cw_option option)
{
    return options[option].type == CW_TYPE_TEXTS || options[option].type == CW_TYPE_PAIRS;
}

static bool is_text(cw_option option)
{
    return options[option].type == CW_TYPE_TEXT || options[option].type == CW_TYPE_LIST ||
           options[option].type == CW_TYPE_CREDENTIAL || options[option].type == CW_TYPE_PROXY ||
           options[option].type == CW_TYPE_HEADERS || is_bytes(option) || is_secret(option) || has_lines(option);
}

const char *cw_option_key(cw_option option) { return is_option(option) ? options[option].key : NULL; }
cw_option_type cw_option_type_of(cw_option option) { return options[is_option(option) ? option : 0].type; }
const char *const *cw_option_words(cw_option option)
{
    return is_option(option) ? options[option].words : NULL;
}
int64_t cw_option_default(cw_option option) { return is_option(option) ? options[option].initial : 0; }
const char *cw_option_none(cw_option option) { return is_option(option) ? options[option].none : NULL; }
const char *cw_option_since(cw_option option) { return is_option(option) ? options[option].since : NULL; }
const char *cw_option_text(cw_option option) { return is_option(option) ? options[option].text : NULL; }

const char *cw_option_word_fault(cw_option option, const char *word, size_t word_len_bytes)
{
    bool is_version = option == CW_OPT_TLS_MIN_VERSION || option == CW_OPT_TLS_MAX_VERSION;

    return is_version ? cw__tls_version_fault(word, word_len_bytes) : NULL;
}

void cw_option_range(cw_option option, int64_t *least, int64_t *most)
{
    *least = is_option(option) ? options[option].least : 0;
    *most = is_option(option) ? options[option].most : 0;
}

bool cw_option_applies(cw_option option, cw_class socket_class)
{
    return is_option(option) && (socket_class == CW_MESSAGE_SOCKET || !options[option].is_of_messages);
}

/* Returns the framing that CURLWIRE_FRAMING names. The variable lets tests and a search for a fault use each framing
 * without a change to the program. */
static int64_t default_framing(void)
{
    const char *const *words = cw_option_words(CW_OPT_FRAMING);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): it is only read; libcurl looks for its proxies in the same way */
    const char *word = getenv("CURLWIRE_FRAMING");

    for (int i = 0; word && words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return CW_FRAMING_AUTO;
}

void cw__settings_init(cw__settings *settings)
{
    memset(settings, 0, sizeof *settings);
    for (int option = 0; option < CW_OPTION_COUNT; option++)
        settings->numbers[option] = options[option].initial;
    settings->numbers[CW_OPT_FRAMING] = default_framing();
}

void cw__settings_destroy(cw__settings *settings)
{
    for (int option = 0; option < CW_OPTION_COUNT; option++)
        cw__free(settings->texts[option]);
    cw__free(settings->headers);
    cw_cookie_jar_release(settings->jar);
}

const char *cw__setting_text(const cw_socket *s, cw_option option)
{
    return cw__or_empty(s->settings.texts[option]);
}

/* A credential is kept as "user NUL password NUL", a proxy as "shown NUL value NUL", headers as
 * "names NUL lines NUL". */
const char *cw__setting_hidden(const cw_socket *s, cw_option option)
{
    const char *shown = s->settings.texts[option];

    return shown ? shown + strlen(shown) + 1 : NULL;
}

/* Checks that the option exists for the socket's class, and that it is text or a number as the caller wants. For
 * a write, also checks that the option may be set now. */
static cw_status check(const cw_socket *s, cw_option option, bool wants_text, bool is_write)
{
    if (!is_option(option))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "there is no control with the number %d: use the number of a control", (int)option);
    if (!cw_option_applies(option, s->socket_class))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "cannot use the control %s on a stream socket: leave it out, or use a message socket",
                        options[option].key);
    if (is_text(option) != wants_text)
        return cw__fail(CW_INVALID_ARGUMENT, "the control %s is %s: use the calls for that type",
                        options[option].key,
                        is_bytes(option)                             ? "bytes"
                        : options[option].type == CW_TYPE_CREDENTIAL ? "a user name and a password"
                        : is_text(option)                            ? "text"
                                                                     : "a number");
    if (is_write && option != CW_OPT_MESSAGE_TYPE && cw__socket_state(s) != CW_STATE_NEW)
        return cw__fail(CW_INVALID_STATE,
                        "the control %s cannot change once a connect has begun; set it before connect",
                        options[option].key);
    return CW_OK;
}

/* Fails for a value out of range. Bindings have other units and another word for -1, so they check by cw_option_range
 * and make their own error. */
static cw_status fail_range(cw_option option, int64_t value)
{
    static const char *const units[] = {
        [CW_TYPE_COUNT] = " bytes", [CW_TYPE_BITS] = " bits", [CW_TYPE_MS] = " ms"};
    const char *unit =
        options[option].type <= CW_TYPE_MS && units[options[option].type] ? units[options[option].type] : "";
    const char *none = options[option].none;

    return cw__fail(CW_INVALID_ARGUMENT, "the control %s cannot be %lld: it takes %lld to %lld%s%s%s",
                    options[option].key, (long long)value, (long long)options[option].least,
                    (long long)options[option].most, unit, none ? ", or -1 for " : "", none ? none : "");
}

static bool is_in_range(cw_option option, int64_t value)
{
    return (value >= options[option].least && value <= options[option].most) ||
           (value == -1 && options[option].none);
}

cw_status cw_socket_set_number(cw_socket *s, cw_option option, int64_t value)
{
    cw_status status = cw__socket_check(s); /* check before locking: after fork the lock may be held for ever */

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = check(s, option, false, true);
    if (status == CW_OK && !is_in_range(option, value))
        status = fail_range(option, value);
    if (status == CW_OK)
        s->settings.numbers[option] = value;
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_get_number(cw_socket *s, cw_option option, int64_t *value)
{
    cw_status status = cw__socket_check(s); /* check before locking: after fork the lock may be held for ever */

    *value = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = check(s, option, false, false);
    if (status == CW_OK)
        *value = s->settings.numbers[option];
    cw__mutex_unlock(&s->lock);
    return status;
}

static cw_status check_bytes(cw_option option, size_t len_bytes)
{
    if (len_bytes > (uint64_t)options[option].most)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the control %s cannot be %zu bytes long: it takes at most %lld bytes",
                        options[option].key, len_bytes, (long long)options[option].most);
    return CW_OK;
}

static cw_status check_text(cw_option option, const char *value, size_t len_bytes)
{
    if (is_bytes(option))
        return check_bytes(option, len_bytes);
    if (options[option].type == CW_TYPE_CREDENTIAL)
        return cw__fail(CW_INVALID_ARGUMENT, "the control %s is a user name and a password: set both together",
                        options[option].key);
    if (options[option].type == CW_TYPE_HEADERS)
        return cw__fail(CW_INVALID_ARGUMENT, "the control %s is headers: use the call for headers",
                        options[option].key);
    if (memchr(value, '\0', len_bytes) || memchr(value, '\r', len_bytes) ||
        (memchr(value, '\n', len_bytes) && !has_lines(option)))
        return cw__fail(CW_INVALID_ARGUMENT, "the control %s must not contain CR, LF or NUL: take them out",
                        options[option].key);
    if (!cw__utf8_valid(value, len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "the control %s must be UTF-8: encode it as UTF-8",
                        options[option].key);
    if (options[option].type == CW_TYPE_LIST && len_bytes > CW__PROTOCOLS_AT_MOST)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the control %s has %zu bytes: at most %d KiB can be sent, so shorten the list",
                        options[option].key, len_bytes, CW__PROTOCOLS_AT_MOST / 1024);
    if (option == CW_OPT_USER_AGENT || option == CW_OPT_ORIGIN)
        return cw__header_check_control(options[option].key, value, len_bytes);
    return CW_OK;
}

/* Checks an item of a list that takes only some words. It is not shown. */
static cw_status check_word(cw_option option, const char *item, size_t len_bytes)
{
    const char *const *words = options[option].words;
    char all[128];
    size_t used = 0;

    if (option == CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS)
        return cw__ignorable_check(options[option].key, item, len_bytes);
    for (int i = 0; words[i]; i++) {
        if (strlen(words[i]) == len_bytes && memcmp(words[i], item, len_bytes) == 0)
            return CW_OK;
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    return cw__fail(CW_INVALID_ARGUMENT, "%s has an item that it does not take: use %s", options[option].key,
                    all);
}

#define TOKEN "token (letters, digits and !#$%%&'*+-.^_`|~)"

cw_status cw_option_check_item(cw_option option, const char *item, size_t len_bytes)
{
    if (is_option(option) && has_lines(option))
        return cw__reach_check_item(option, options[option].key, item, len_bytes);
    if (!is_option(option) || options[option].type != CW_TYPE_LIST)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the control with the number %d is not a list: check the items of a list only",
                        (int)option);
    if (!cw__is_token(item, len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "%s has an item that is not a " TOKEN ": correct the item",
                        options[option].key);
    return options[option].words ? check_word(option, item, len_bytes) : CW_OK;
}

/* Checks a list "a, b". Its value is not shown, because some servers accept an access token as a subprotocol. */
static cw_status check_list(cw_option option, const char *list)
{
    cw_status status = CW_OK;

    if (!cw__header_check_protocols(list))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "%s has an item that is not a " TOKEN ", or an item twice: correct the list",
                        options[option].key);
    while (options[option].words && *list && status == CW_OK) {
        size_t len_bytes = strcspn(list, ", ");
        status = cw_option_check_item(option, list, len_bytes);
        list += len_bytes;
        list += strspn(list, ", ");
    }
    return status;
}

/* Replaces the value of a proxy by the form in which it is kept, and its length by that of the shown part. */
static cw_status keep_proxy(cw_option option, char **value, size_t *len_bytes)
{
    char *kept;
    cw_status status = cw__proxy_keep(options[option].key, options[option].words == NULL, *value, &kept);

    if (status != CW_OK)
        return status;
    cw__free(*value);
    *value = kept;
    *len_bytes = strlen(kept);
    return CW_OK;
}

/* Checks each line of texts or pairs. */
static cw_status check_lines(cw_option option, const char *lines)
{
    cw_status status = CW_OK;

    while (*lines && status == CW_OK) {
        size_t len_bytes = strcspn(lines, "\n");
        status = cw_option_check_item(option, lines, len_bytes);
        lines += len_bytes + (lines[len_bytes] == '\n');
    }
    return status;
}

cw_status cw_socket_set_text(cw_socket *s, cw_option option, const void *value, size_t len_bytes)
{
    char *copy = NULL;
    cw_status status = cw__socket_check(s); /* check before locking: after fork the lock may be held for ever */

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = check(s, option, true, true);
    if (status == CW_OK && len_bytes > 0)
        status = check_text(option, value, len_bytes);
    if (status == CW_OK && len_bytes > 0 && !(copy = cw__strndup(value, len_bytes)))
        status = cw__fail(CW_NO_MEMORY, "no memory for the control %s: free memory and call again",
                          options[option].key);
    if (status == CW_OK && copy && options[option].type == CW_TYPE_LIST)
        status = check_list(option, copy);
    if (status == CW_OK && copy && options[option].type == CW_TYPE_PROXY)
        status = keep_proxy(option, &copy, &len_bytes);
    if (status == CW_OK && copy && options[option].type == CW_TYPE_TEXT)
        status = cw__tls_text_check(option, options[option].key, copy);
    if (status == CW_OK && copy && has_lines(option))
        status = check_lines(option, copy);
    if (status != CW_OK) {
        cw__free(copy);
    } else {
        cw__free(s->settings.texts[option]);
        s->settings.texts[option] = copy;
        s->settings.numbers[option] = (int64_t)len_bytes;
        if (option == CW_OPT_COOKIE_JAR) {
            cw_cookie_jar_release(s->settings.jar);
            s->settings.jar = NULL;
        }
    }
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw__setting_keep_locked(cw_socket *s, cw_option option, char *kept)
{
    cw_status status = check(s, option, true, true);

    if (status != CW_OK) {
        cw__free(kept);
        return status;
    }
    cw__free(s->settings.texts[option]);
    s->settings.texts[option] = kept;
    s->settings.numbers[option] = kept ? (int64_t)strlen(kept) : 0;
    return CW_OK;
}

static bool has_control(const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return true;
    return false;
}

/* Checks what HTTP can carry as Basic authentication (RFC 7617 section 2). The errors show nothing of the values. */
static cw_status check_credential(cw_option option, const char *user, size_t user_len_bytes,
                                  const char *password, size_t password_len_bytes)
{
    const char *key = options[option].key;

    if (user_len_bytes == 0)
        return cw__fail(CW_INVALID_ARGUMENT, "the user name of %s is empty: set a user name, or no credential",
                        key);
    if (memchr(user, ':', user_len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the user name of %s has a colon, which HTTP cannot send (RFC 7617): remove the colon",
                        key);
    if (has_control(user, user_len_bytes) || has_control(password, password_len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "%s has a control character, which HTTP cannot send (RFC 7617): remove the character",
                        key);
    if (!cw__utf8_valid(user, user_len_bytes) || !cw__utf8_valid(password, password_len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "the control %s must be UTF-8: encode it as UTF-8", key);
    return check_bytes(option, user_len_bytes + password_len_bytes);
}

/* Sets *joined to "user NUL password NUL", or to NULL for no credential. */
static cw_status join_credential(cw_option option, const char *user, size_t user_len_bytes,
                                 const char *password, size_t password_len_bytes, char **joined)
{
    cw_status status;

    *joined = NULL;
    if (!user)
        return CW_OK;
    status = check_credential(option, user, user_len_bytes, password, password_len_bytes);
    if (status != CW_OK)
        return status;
    *joined = cw__malloc(user_len_bytes + password_len_bytes + 2);
    if (!*joined)
        return cw__fail(CW_NO_MEMORY, "no memory for the control %s: free memory and call again",
                        options[option].key);
    memcpy(*joined, user, user_len_bytes);
    (*joined)[user_len_bytes] = '\0';
    memcpy(*joined + user_len_bytes + 1, password, password_len_bytes);
    (*joined)[user_len_bytes + 1 + password_len_bytes] = '\0';
    return CW_OK;
}

cw_status cw_socket_set_credential(cw_socket *s, cw_option option, const char *user, size_t user_len_bytes,
                                   const char *password, size_t password_len_bytes)
{
    char *joined;
    cw_status status = cw__socket_check(s); /* check before locking: after fork the lock may be held for ever */

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = check(s, option, true, true);
    if (status == CW_OK && options[option].type != CW_TYPE_CREDENTIAL)
        status = cw__fail(CW_INVALID_ARGUMENT,
                          "the control %s is not a user name and a password: use the calls for its type",
                          options[option].key);
    if (status == CW_OK)
        status =
            join_credential(option, user, user_len_bytes, cw__or_empty(password), password_len_bytes, &joined);
    if (status == CW_OK)
        status = cw__setting_keep_locked(s, option, joined);
    cw__mutex_unlock(&s->lock);
    return status;
}

void cw__text_copy(const char *text, size_t len, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    if (len_bytes)
        *len_bytes = len;
    if (size_bytes == 0)
        return;
    if (len >= size_bytes)
        len = size_bytes - 1;
    memcpy(buffer, text, len);
    buffer[len] = '\0';
}

cw_status cw_socket_get_text(cw_socket *s, cw_option option, void *buffer, size_t size_bytes, size_t *len_bytes)
{
    cw_status status = cw__socket_check(s); /* check before locking: after fork the lock may be held for ever */

    cw__text_copy("", 0, buffer, size_bytes, len_bytes);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = check(s, option, true, false);
    if (status == CW_OK && is_secret(option) && s->settings.texts[option])
        cw__text_copy("(set)", sizeof "(set)" - 1, buffer, size_bytes, len_bytes);
    else if (status == CW_OK)
        cw__text_copy(cw__setting_text(s, option), (size_t)cw__setting(s, option), buffer, size_bytes,
                      len_bytes);
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw__settings_check_framing(const cw_socket *s)
{
    bool receives = cw__codec_native_receives();

    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_NATIVE && !receives)
        return cw__fail(
            CW_UNSUPPORTED,
            "native framing needs libcurl 8.21.0 or later to receive, and %s is loaded; use framing \"auto\", "
            "which sends natively with this libcurl",
            cw_libcurl_version());
    if (cw__setting(s, CW_OPT_COMPRESSION) == CW_COMPRESSION_NONE)
        return CW_OK;
    if (!receives)
        return cw__fail(CW_UNSUPPORTED,
                        "compression needs libcurl 8.21.0 or later, and %s is loaded; connect with compression "
                        "\"none\", or load a newer libcurl",
                        cw_libcurl_version());
    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_CURL)
        return cw__fail(CW_UNSUPPORTED,
                        "libcurl's framing has no compression; connect with framing \"auto\", or with "
                        "compression \"none\"");
    return CW_OK;
}
