/* SPDX-License-Identifier: MIT */
/* Cookie control: which cookie jar a socket uses. connect.c and bindings call this file. cookies.c in transport/ has the jars.
 *
 * Safety: under the socket's lock. */
#include "socket.h"

cw_status cw_socket_set_cookie_jar(cw_socket *s, cw_cookie_jar *j)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK && j)
        status = cw__cookie_jar_check(j);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (cw__socket_state(s) != CW_STATE_NEW) {
        status =
            cw__fail(CW_INVALID_STATE, "the control cookie_jar cannot change once a connect has begun; set it "
                                       "before connect");
    } else {
        cw__free(s->settings.texts[CW_OPT_COOKIE_JAR]);
        s->settings.texts[CW_OPT_COOKIE_JAR] = NULL;
        s->settings.numbers[CW_OPT_COOKIE_JAR] = 0;
        cw_cookie_jar_retain(j);
        cw_cookie_jar_release(s->settings.jar);
        s->settings.jar = j;
    }
    cw__mutex_unlock(&s->lock);
    return status;
}

static cw_status fail_both(void)
{
    cw__error error;

    cw__error_set(
        &error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
        "cookie_file is set beside a cookie jar that sockets share: load the file into the jar, and unset "
        "cookie_file");
    error.limit = CW_OPT_COOKIE_FILE + 1;
    return cw__fail_with(&error);
}

cw_status cw__cookie_control_make(const cw_socket *s, cw_cookie_jar **out)
{
    const char *only_read = cw__setting_text(s, CW_OPT_COOKIE_FILE);
    const char *own = cw__setting_text(s, CW_OPT_COOKIE_JAR);

    *out = NULL;
    if (s->settings.jar && *only_read)
        return fail_both();
    if (s->settings.jar) {
        cw_cookie_jar_retain(s->settings.jar);
        *out = s->settings.jar;
        return CW_OK;
    }
    if (!*only_read && !*own)
        return CW_OK;
    return cw__cookie_jar_make(*own ? own : NULL, *only_read ? only_read : NULL, true, out);
}
