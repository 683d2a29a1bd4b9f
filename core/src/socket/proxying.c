/* SPDX-License-Identifier: MIT */
/* Proxying: reads the controls about proxies for a connect. connect.c calls this file.
 *
 * Safety: under the socket's lock. */
#include "../transport/transport.h"
#include "socket.h"

void cw__proxying_fill(const cw_socket *s, cw__proxy_settings *out)
{
    *out = (cw__proxy_settings){
        .uri = cw__or_empty(cw__setting_hidden(s, CW_OPT_PROXY)),
        .pre_uri = cw__or_empty(cw__setting_hidden(s, CW_OPT_PRE_PROXY)),
        .headers = cw__or_empty(cw__setting_hidden(s, CW_OPT_PROXY_HEADERS)),
        .user = cw__setting_user(s, CW_OPT_PROXY_CREDENTIAL),
        .password = cw__setting_hidden(s, CW_OPT_PROXY_CREDENTIAL),
        .ca_file = cw__setting_text(s, CW_OPT_PROXY_CA_FILE),
        .verify = cw__setting(s, CW_OPT_PROXY_VERIFY) != 0,
    };
}
