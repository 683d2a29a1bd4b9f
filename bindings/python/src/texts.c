/* SPDX-License-Identifier: MIT */
/* Copies texts of any length out of the core as str, and the bytes of controls as bytes. When the core fails, these functions
 * return its status and raise nothing, because errors.c calls them while it builds an exception. The caller raises. */
#include "state.h"

/* A core function that copies one text into a buffer. */
typedef cw_status (*text_source)(cw_socket *s, int which, char *buffer, size_t size_bytes, size_t *len_bytes);

static cw_status from_info(cw_socket *s, int which, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    return cw_socket_get_info(s, (cw_info)which, buffer, size_bytes, len_bytes);
}

static cw_status from_option(cw_socket *s, int which, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    return cw_socket_get_text(s, (cw_option)which, buffer, size_bytes, len_bytes);
}

/* Copies a whole text. If another thread makes the text longer between two calls, it tries again with more room.
 *   encoding   NULL: returns bytes */
static PyObject *copy_text(websocket *ws, text_source source, int which, const char *encoding,
                           const char *errors, cw_status *status)
{
    size_t len_bytes = 255;
    for (;;) {
        size_t room = len_bytes + 1;
        char *text = PyMem_Malloc(room);
        if (text == NULL) {
            *status = CW_OK;
            return PyErr_NoMemory();
        }
        PyThreadState *thread = PyEval_SaveThread();
        *status = source(ws->socket, which, text, room, &len_bytes);
        PyEval_RestoreThread(thread);
        PyObject *result = NULL;
        bool is_whole = *status == CW_OK && len_bytes < room;
        if (is_whole && encoding == NULL)
            result = PyBytes_FromStringAndSize(text, (Py_ssize_t)len_bytes);
        else if (is_whole)
            result = PyUnicode_Decode(text, (Py_ssize_t)len_bytes, encoding, errors);
        PyMem_Free(text);
        if (is_whole || *status != CW_OK)
            return result;
    }
}

PyObject *copy_info(websocket *ws, cw_info info, cw_status *status)
{
    const char *encoding = info == CW_INFO_RESPONSE_HEADERS ? "latin-1" : "utf-8";
    return copy_text(ws, from_info, (int)info, encoding, "replace", status);
}

PyObject *copy_option(websocket *ws, cw_option option, cw_status *status)
{
    const char *encoding = cw_option_type_of(option) == CW_TYPE_BYTES ? NULL : "utf-8";
    return copy_text(ws, from_option, (int)option, encoding, "surrogateescape", status);
}
