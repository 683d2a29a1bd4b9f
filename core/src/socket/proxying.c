/* SPDX-License-Identifier: MIT */
/* Proxying: reads the controls about proxies for a connect. connect.c calls this file.
 *
 * Safety: under the socket's lock. */
#include <string.h>

#include "../transport/transport.h"
#include "socket.h"

/* Returns the set of logins that a list of words stands for. The bits are in the order of the words. */
static unsigned logins_of(const char *list)
{
    const char *const *words = cw_option_words(CW_OPT_PROXY_AUTH);
    unsigned logins = 0;

    while (*list) {
        size_t len_bytes = strcspn(list, ", ");
        for (unsigned i = 0; words[i]; i++)
            if (strlen(words[i]) == len_bytes && memcmp(words[i], list, len_bytes) == 0)
                logins |= 1u << i;
        list += len_bytes;
        list += strspn(list, ", ");
    }
    return logins;
}

void cw__proxying_fill(const cw_socket *s, cw__proxy_settings *out)
{
    *out = (cw__proxy_settings){
        .uri = cw__or_empty(cw__setting_hidden(s, CW_OPT_PROXY)),
        .pre_uri = cw__or_empty(cw__setting_hidden(s, CW_OPT_PRE_PROXY)),
        .headers = cw__or_empty(cw__setting_hidden(s, CW_OPT_PROXY_HEADERS)),
        .logins = logins_of(cw__setting_text(s, CW_OPT_PROXY_AUTH)),
        .user = cw__setting_user(s, CW_OPT_PROXY_CREDENTIAL),
        .password = cw__setting_hidden(s, CW_OPT_PROXY_CREDENTIAL),
        .ca_file = cw__setting_text(s, CW_OPT_PROXY_CA_FILE),
        .verify = cw__setting(s, CW_OPT_PROXY_VERIFY) != 0,
        .client = {.file = cw__setting_text(s, CW_OPT_PROXY_CLIENT_CERTIFICATE),
                   .key = cw__setting_text(s, CW_OPT_PROXY_CLIENT_KEY),
                   .data = cw__setting_data(s, CW_OPT_PROXY_CLIENT_CERTIFICATE_DATA),
                   .key_data = cw__setting_data(s, CW_OPT_PROXY_CLIENT_KEY_DATA),
                   .password = cw__setting_text(s, CW_OPT_PROXY_CLIENT_KEY_PASSWORD),
                   .is_pkcs12 =
                       cw__setting(s, CW_OPT_PROXY_CLIENT_CERTIFICATE_TYPE) == CW_CLIENT_CERTIFICATE_P12,
                   .is_for_proxy = true},
    };
}
