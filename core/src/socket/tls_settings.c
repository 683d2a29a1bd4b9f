/* SPDX-License-Identifier: MIT */
/* TLS settings: gathers the controls of TLS for a handshake. connect.c calls this file.
 *
 * Safety: under the socket's lock. */
#include "socket.h"

cw__tls_options cw__tls_settings_of(const cw_socket *s)
{
    return (cw__tls_options){
        .ca = cw__setting_data(s, CW_OPT_CA_DATA),
        .pinned_public_key = s->settings.texts[CW_OPT_PINNED_PUBLIC_KEY],
        .ciphers = s->settings.texts[CW_OPT_TLS_CIPHERS],
        .ciphers13 = s->settings.texts[CW_OPT_TLS13_CIPHERS],
        .groups = s->settings.texts[CW_OPT_TLS_GROUPS],
        .server_name = s->settings.texts[CW_OPT_TLS_SERVER_NAME],
        .is_13_least = cw__setting(s, CW_OPT_TLS_MIN_VERSION) == CW_TLS_1_3,
        .is_12_most = cw__setting(s, CW_OPT_TLS_MAX_VERSION) == CW_TLS_1_2,
        .wants_status = cw__setting(s, CW_OPT_OCSP_STAPLING) != 0,
        .resumes = cw__setting(s, CW_OPT_TLS_SESSION_RESUMPTION) != 0,
    };
}
