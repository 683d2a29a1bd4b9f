/* SPDX-License-Identifier: MIT */
/* Question: asks the program whether it accepts the server's certificate, and keeps the answer. connect.c asks when the
 * first connection has shown the certificate, and makes the second connection after the answer (handshake.c). No thread
 * waits here: while the program thinks, the connect has no connection.
 *
 * Safety: all functions but the public calls need the socket's lock. */

#include "socket.h"

cw_status cw_socket_ask_certificate(cw_socket *s, bool asks)
{
    cw_status status = cw__socket_check(s);

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (cw__socket_state(s) == CW_STATE_NEW)
        s->question.is_on = asks;
    else
        status = cw__fail(CW_INVALID_STATE, "the handler for the server's certificate cannot change once a "
                                            "connect has begun: set it before connect");
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_answer_certificate(cw_socket *s, cw_answer answer)
{
    cw_status status = cw__socket_check(s);

    if (status != CW_OK)
        return status;
    if (answer != CW_ANSWER_ACCEPT && answer != CW_ANSWER_REJECT && answer != CW_ANSWER_NONE)
        return cw__fail(CW_INVALID_ARGUMENT, "there is no answer %d: use 0 to accept, 1 to reject",
                        (int)answer);
    cw__mutex_lock(&s->lock);
    if (s->connecting && s->question.state == CW__QUESTION_ASKED) {
        s->question.answer = answer;
        s->question.state = CW__QUESTION_ANSWERED;
        cw__socket_attend_locked(s);
    } else
        status = cw__fail(CW_INVALID_STATE, "no question about the server's certificate waits for an answer: "
                                            "the connect has ended, or the question was answered before");
    cw__mutex_unlock(&s->lock);
    return status;
}

void cw__question_ask_locked(cw_socket *s)
{
    s->question.state = CW__QUESTION_ASKED;
    cw__socket_post_locked(s, CW_EVENT_CERTIFICATE);
}

bool cw__question_is_here_locked(cw_socket *s)
{
    bool is_here = s->question.state == CW__QUESTION_ASKED && !s->question.is_told &&
                   !(s->event_mask & CW_EVENT_CERTIFICATE);

    if (is_here)
        s->question.is_told = true;
    return is_here;
}

bool cw__question_is_refused_locked(const cw_socket *s)
{
    return s->question.state == CW__QUESTION_ANSWERED && s->question.answer != CW_ANSWER_ACCEPT;
}

void cw__question_explain_locked(const cw_socket *s, cw__error *error)
{
    cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_CertificateIsInvalid, "%s",
                  s->question.answer == CW_ANSWER_REJECT
                      ? "this program rejected the server's certificate: check which server answered"
                      : "this program gave no answer about the server's certificate, which counts as a "
                        "rejection: complete each deferral, and let no exception leave the handler");
}
