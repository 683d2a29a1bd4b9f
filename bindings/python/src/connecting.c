/* SPDX-License-Identifier: MIT */
/* The methods connect(), set_request_header(), add_request_header() and set_connected_socket(). Both classes have them, and websocket.c lists them. */
#include "state.h"

#include <string.h>

const char connect_doc[] =
    "connect($self, /, uri, timeout=curlwire.DEFAULT)\n--\n\n"
    "Connects to a WebSocket server.\n\n"
    "uri: a str that begins with ws:// or wss://.\n"
    "timeout: seconds for the whole connect. None = no limit; the default is control.connect_timeout.\n"
    "Raises ConnectError or a subclass (HandshakeError, CertificateError, ConnectTimeout) if the\n"
    "connect fails, ArgumentError for a bad URI, StateError for a socket that is not new.\n"
    "Blocks until connected. Any thread may call it. close() in another thread cancels it.";

/* Connects. In the dispatcher thread it also calls the handler of the server's certificate, because no other thread
 * would. */
static cw_status connect_once(websocket *ws, const char *uri, size_t len_bytes, int timeout_ms)
{
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_connect(ws->socket, uri, len_bytes, timeout_ms));
    while (status == CW_QUESTION) {
        websocket_validate(ws);
        blocking_begin(ws->state, &b);
        status = blocking_end(&b, cw_socket_connect_continue(ws->socket));
    }
    return status;
}

static bool is_in_dispatcher(const module_state *state)
{
    return atomic_load(&state->dispatcher_thread) == PyThread_get_thread_ident();
}

bool name_authorities(module_state *state)
{
    PyObject *find = get_helper(state, HELPER_find_authorities);
    PyObject *path = find != NULL ? PyObject_CallNoArgs(find) : NULL;
    PyObject *bytes = NULL;
    bool is_good = path != NULL && (path == Py_None || PyUnicode_FSConverter(path, &bytes));
    const char *text = bytes != NULL ? PyBytes_AsString(bytes) : NULL;
    size_t len_bytes = bytes != NULL ? (size_t)PyBytes_Size(bytes) : 0;
    if (is_good && cw_set_last_authorities("certifi", strlen("certifi"), text, len_bytes) != CW_OK) {
        PyErr_NoMemory(); /* PyUnicode_FSConverter has refused a NUL */
        is_good = false;
    }
    Py_XDECREF(bytes);
    Py_XDECREF(path);
    return is_good;
}

PyObject *websocket_connect(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_CONNECT, "connect", 1, {"uri", "timeout", NULL}, 0};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    const char *uri;
    size_t len_bytes;
    int timeout_ms;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_text(ws->state, given[0], "the URI", &uri, &len_bytes) ||
        !parse_timeout(ws->state, given[1], &timeout_ms))
        return NULL;
    if (websocket_choose_answerer(ws, is_in_dispatcher(ws->state)) < 0)
        return NULL;
    cw_status status = connect_once(ws, uri, len_bytes, timeout_ms);
    if (status == CW_CONNECT_FAILED && cw_error_option() == CW_OPT_CA_FILE) { /* no authorities are found */
        if (!name_authorities(ws->state))
            return NULL;
        status = connect_once(ws, uri, len_bytes, timeout_ms);
    }
    if (status == CW_OK) {
        ws->was_open = true;
        websocket_update_keeping(ws);
        Py_RETURN_NONE;
    }
    raise_connect(ws, status);
    if (ws->is_subscribed) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        websocket_tell_change(ws);
        PyErr_Restore(type, value, traceback);
    }
    return NULL;
}

const char set_request_header_doc[] =
    "set_request_header($self, /, name, value)\n--\n\n"
    "Sets a header of the opening handshake and replaces all headers of that name.\n\n"
    "name: a str. value: a str; '' removes the header.\n"
    "Raises ArgumentError for a header that the WebSocket protocol sets, and for control characters.\n"
    "Also raises it for a value over 256 KiB, and for more than 512 KiB of headers. Raises StateError\n"
    "after connect() has begun. Does not block. Any thread may call it.";

const char add_request_header_doc[] =
    "add_request_header($self, /, name, value)\n--\n\n"
    "Adds a header to the opening handshake and keeps others of the same name.\n\n"
    "name: a str. value: a str; '' sends an empty header.\n"
    "Raises as set_request_header() does. It also raises ArgumentError for a second header of a name\n"
    "that a request may have only once. Examples: Host, Origin, Authorization, Cookie, User-Agent.\n"
    "Does not block. Any thread may call it.";

typedef cw_status (*give_header)(cw_socket *s, const char *name, size_t name_len_bytes, const char *value,
                                 size_t value_len_bytes);

static PyObject *give_request_header(websocket *ws, give_header give, const signature *sig,
                                     PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *given[ARGUMENTS_MAX];
    const char *name, *value;
    size_t name_len_bytes, value_len_bytes;
    if (!parse_arguments(ws, sig, args, count, names, given) ||
        !parse_text(ws->state, given[0], "a header's name", &name, &name_len_bytes) ||
        !parse_text(ws->state, given[1], "a header's value", &value, &value_len_bytes))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, give(ws->socket, name, name_len_bytes, value, value_len_bytes));
    return none_or_raise(ws, status);
}

PyObject *websocket_set_request_header(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {
        METHOD_SET_REQUEST_HEADER, "set_request_header", 2, {"name", "value", NULL}, 0};
    return give_request_header((websocket *)self, cw_socket_set_request_header, &sig, args, count, names);
}

PyObject *websocket_add_request_header(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {
        METHOD_ADD_REQUEST_HEADER, "add_request_header", 2, {"name", "value", NULL}, 0};
    return give_request_header((websocket *)self, cw_socket_add_request_header, &sig, args, count, names);
}

const char set_connected_socket_doc[] =
    "set_connected_socket($self, /, sock)\n--\n\n"
    "Gives the connection for the next connect(), which then connects to no address and uses no proxy.\n\n"
    "sock: a connected socket.socket, which the method closes, because the WebSocket has the connection\n"
    "now. Or an int, a descriptor that the caller keeps and may close. None takes the last one back.\n"
    "Raises ArgumentError if it is not connected, TypeError for an ssl.SSLSocket: curlwire makes TLS\n"
    "itself for a wss:// URI. Raises StateError after connect() has begun. Does not block.\n"
    "Any thread may call it.";

/* Reads a descriptor from an int, or from an object with fileno(). Returns false with an exception set. */
static bool parse_descriptor(module_state *state, PyObject *sock, int *fd)
{
    *fd = -1;
    if (sock == Py_None)
        return true;
    if (PyBool_Check(sock) || (!PyLong_Check(sock) && !PyObject_HasAttrString(sock, "fileno"))) {
        PyErr_Format(PyExc_TypeError, "sock must be a socket.socket, an int or None, not %R", Py_TYPE(sock));
        return false;
    }
    if (PyObject_HasAttrString(sock, "do_handshake")) {
        PyErr_Format(PyExc_TypeError,
                     "sock must not be an ssl.SSLSocket: give the socket without TLS, and connect to wss://");
        return false;
    }
    *fd = PyObject_AsFileDescriptor(sock);
    if (*fd >= 0)
        return true;
    if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_OverflowError))
        return false;
    PyErr_Clear();
    raise_argument(state, "sock cannot be used: it is closed, or no descriptor; give a connected socket");
    return false;
}

PyObject *websocket_set_connected_socket(PyObject *self, PyObject *const *args, Py_ssize_t count,
                                         PyObject *names)
{
    static const signature sig = {METHOD_SET_CONNECTED_SOCKET, "set_connected_socket", 1, {"sock", NULL}, 0};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int fd;
    if (!parse_arguments(ws, &sig, args, count, names, given) || !parse_descriptor(ws->state, given[0], &fd))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_set_connected_socket(ws->socket, fd));
    if (status == CW_OK && given[0] != Py_None && !PyLong_Check(given[0]))
        return PyObject_CallMethod(given[0], "close", NULL);
    return none_or_raise(ws, status);
}
