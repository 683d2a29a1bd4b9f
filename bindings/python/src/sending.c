/* SPDX-License-Identifier: MIT */
/* The methods of MessageWebSocket that send: messages, iterables, JSON, many messages, and single frames. message_type.c lists
 * them. */
#include "state.h"

enum { BATCH_MESSAGES = 128, BATCH_BYTES = 1 << 20, CLOSE_INTERNAL_ERROR = 1011 };

/* Sends one message. Returns None, or NULL with an exception set. */
static PyObject *send_payload(websocket *ws, const payload *p, cw_compress compress, int timeout_ms)
{
    blocking b;
    cw_status status;
    blocking_begin(ws->state, &b);
    if (compress == CW_COMPRESS_DEFAULT) {
        status = cw_socket_send(ws->socket, p->message_type, p->data, p->len_bytes, timeout_ms);
    } else {
        const cw_message m = {
            .message_type = p->message_type, .data = p->data, .len_bytes = p->len_bytes, .compress = compress};
        size_t sent_count;
        status = cw_socket_send_many(ws->socket, &m, 1, timeout_ms, &sent_count);
    }
    return none_or_raise(ws, blocking_end(&b, status));
}

/* ---- The items of an iterable as the fragments of one message ---- */

typedef struct pieces {
    choice text;
    cw_message next; /* type and compress are those of the message */
    bool is_of_str;  /* the type of the first item */
    bool is_begun;   /* a fragment has been sent, and the last has not */
    int timeout_ms;
} pieces;

static bool send_piece(websocket *ws, pieces *m, bool is_final)
{
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status sent = cw_socket_send_fragment(ws->socket, &m->next, m, is_final, m->timeout_ms);
    cw_status status = blocking_end(&b, sent);
    if (sent == CW_OK) /* a signal handler may have raised nevertheless */
        m->is_begun = !is_final;
    if (status != CW_OK)
        raise_status(ws->state, ws, status);
    return status == CW_OK;
}

static bool send_item(websocket *ws, pieces *m, PyObject *item)
{
    bool is_str = PyUnicode_Check(item);
    payload p;
    if (!payload_acquire(ws->state, item, "an iterable for send()", &p))
        return false;
    if (m->is_begun && m->text == CHOICE_OPEN && is_str != m->is_of_str) {
        PyErr_SetString(PyExc_TypeError,
                        "the items of an iterable for send() must be all str or all bytes; to mix "
                        "them, give text=True or text=False");
        payload_release(&p);
        return false;
    }
    m->is_of_str = is_str;
    payload_choose(&p, m->text);
    m->next.message_type = p.message_type;
    m->next.data = p.data;
    m->next.len_bytes = p.len_bytes;
    bool is_well = send_piece(ws, m, false);
    payload_release(&p);
    return is_well;
}

/* Closes the connection, because a message has begun and cannot be ended. The exception stays set. */
static void abandon(websocket *ws)
{
    static const char reason[] = "a message could not be completed";
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyThreadState *thread = PyEval_SaveThread();
    (void)cw_socket_close_start(ws->socket, CLOSE_INTERNAL_ERROR, reason, sizeof reason - 1);
    PyEval_RestoreThread(thread);
    PyErr_Restore(type, value, traceback);
}

/* Returns a new iterator, or NULL with TypeError set. A socket would be iterated for ever. The keys of a dict are hardly
 * meant. */
static PyObject *get_items(websocket *ws, PyObject *iterable)
{
    if (PyDict_Check(iterable)) {
        PyErr_SetString(PyExc_TypeError, "send() cannot send a dict; send it by send_json()");
        return NULL;
    }
    int is_socket = PyObject_IsInstance(iterable, (PyObject *)ws->state->types[TYPE_WEBSOCKET]);
    PyObject *iterator = is_socket == 0 ? PyObject_GetIter(iterable) : NULL;
    if (is_socket > 0 || (iterator == NULL && PyErr_ExceptionMatches(PyExc_TypeError)))
        PyErr_Format(PyExc_TypeError, "send() takes a str, a bytes-like object or an iterable of them, not %R",
                     Py_TYPE(iterable));
    return iterator;
}

/* Sends the items of an iterable as they come, and an empty final fragment after them. */
static PyObject *send_items(websocket *ws, PyObject *iterable, choice text, cw_compress compress,
                            int timeout_ms)
{
    pieces m = {.text = text, .next = {.compress = compress}, .timeout_ms = timeout_ms};
    PyObject *iterator = get_items(ws, iterable), *item;
    bool is_well = iterator != NULL;
    while (is_well && (item = PyIter_Next(iterator)) != NULL) {
        is_well = send_item(ws, &m, item);
        Py_DECREF(item);
    }
    is_well = is_well && !PyErr_Occurred();
    if (is_well && m.is_begun) {
        m.next.data = NULL;
        m.next.len_bytes = 0;
        is_well = send_piece(ws, &m, true);
    }
    if (!is_well && m.is_begun)
        abandon(ws);
    Py_XDECREF(iterator);
    return is_well ? Py_NewRef(Py_None) : NULL;
}

/* ---- One message ---- */

const char send_doc[] =
    "send($self, /, data, timeout=curlwire.DEFAULT, *, text=None, compress=None)\n--\n\n"
    "Sends one message.\n\n"
    "data: a str is sent as text, a bytes-like object as binary. An iterable of them is sent as one\n"
    "message: each item as a fragment as soon as the iterable returns it, then an empty last fragment.\n"
    "text: True sends bytes as text; they must be UTF-8. False sends a str as binary, in UTF-8.\n"
    "The default is None, by the type of data, or of the first item of an iterable.\n"
    "compress: True compresses the message whatever its size, if the server has accepted compression.\n"
    "False does not compress it. The default is None, by control.compression_threshold.\n"
    "timeout: seconds without progress. None = no limit; the default is control.send_timeout.\n"
    "With timeout=0 the call does not wait, as try_send(), and raises WebSocketTimeout in place of False.\n"
    "Raises WebSocketTimeout, ConnectionClosed, StateError, and ArgumentError for text that is not\n"
    "UTF-8, also for a str with lone surrogates. If a part of the message is sent already, a timeout\n"
    "drops the connection and raises ConnectionClosed. An exception after the first fragment of an\n"
    "iterable closes the connection with code 1011, because the message cannot be taken back. An\n"
    "iterable without items sends nothing. Blocks until the kernel has taken the whole message.\n"
    "Any thread and any handler may call it. It raises StateError while another call sends an iterable.";

PyObject *message_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND, "send", 1, {"data", "timeout", "text", "compress", NULL}, 2};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    choice text = CHOICE_OPEN;
    cw_compress compress = CW_COMPRESS_DEFAULT;
    payload p;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[1], &timeout_ms))
        return NULL;
    /* without keywords there is nothing to parse; a plain send takes only 1,700 instructions */
    if (names != NULL && (!parse_choice(given[2], "text", &text) || !parse_compress(given[3], &compress)))
        return NULL;
    if (!payload_acquire(ws->state, given[0], NULL, &p))
        return PyErr_Occurred() ? NULL : send_items(ws, given[0], text, compress, timeout_ms);
    payload_choose(&p, text);
    PyObject *result = send_payload(ws, &p, compress, timeout_ms);
    payload_release(&p);
    return result;
}

const char try_send_message_doc[] =
    "try_send($self, /, data, *, text=None, compress=None)\n--\n\n"
    "Sends one message if that needs no waiting. Returns True if the message was accepted, else False.\n\n"
    "data: a str is sent as text, a bytes-like object as binary.\n"
    "text, compress: as for send().\n"
    "The socket queues what the kernel does not take at once, up to control.send_high_water_mark, or one\n"
    "larger message, and the service thread writes it. False means that the queue has no room, or that\n"
    "another thread is sending; nothing was sent. on_writable is called when there is room again.\n"
    "Raises ConnectionClosed, StateError, ArgumentError, as send() does. Does not block. Any thread and\n"
    "any handler may call it.";

PyObject *message_try_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_TRY_SEND, "try_send", 1, {"data", "text", "compress", NULL}, 2};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX], *result = NULL;
    choice text;
    cw_compress compress;
    payload p;
    if (!parse_arguments(ws, &sig, args, count, names, given) || !parse_choice(given[1], "text", &text) ||
        !parse_compress(given[2], &compress) || !payload_acquire(ws->state, given[0], "try_send()", &p))
        return NULL;
    payload_choose(&p, text);
    const cw_message m = {
        .message_type = p.message_type, .data = p.data, .len_bytes = p.len_bytes, .compress = compress};
    size_t sent_count;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_send_many(ws->socket, &m, 1, 0, &sent_count));
    if (status == CW_OK || status == CW_WOULD_BLOCK)
        result = PyBool_FromLong(status == CW_OK);
    else
        raise_status(ws->state, ws, status);
    payload_release(&p);
    return result;
}

const char send_json_doc[] =
    "send_json($self, /, value, timeout=curlwire.DEFAULT, *, dumps=None, compress=None)\n--\n\n"
    "Sends a value as JSON, in one text message.\n\n"
    "value: what dumps takes.\n"
    "timeout, compress: as for send().\n"
    "dumps: a function that returns the JSON of a value, a str or UTF-8 bytes, such as orjson.dumps. The\n"
    "default is None: json.dumps, which raises ValueError for nan and inf here.\n"
    "Raises every exception of dumps, before anything is sent. Raises and blocks as send() does.\n"
    "Any thread and any handler may call it.";

PyObject *message_send_json(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {
        METHOD_SEND_JSON, "send_json", 1, {"value", "timeout", "dumps", "compress", NULL}, 2};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX], *dumps, *result = NULL;
    int timeout_ms;
    cw_compress compress;
    payload p;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[1], &timeout_ms) || !parse_compress(given[3], &compress) ||
        (dumps = parse_function(ws->state, given[2], "dumps", HELPER_dumps)) == NULL)
        return NULL;
    PyObject *json = PyObject_CallFunctionObjArgs(dumps, given[0], NULL);
    if (json != NULL && !PyUnicode_Check(json) && !PyObject_CheckBuffer(json))
        PyErr_Format(PyExc_TypeError, "dumps must return a str or a bytes-like object, not %R", Py_TYPE(json));
    else if (json != NULL && payload_acquire(ws->state, json, "send_json()", &p)) {
        p.message_type = CW_UTF8;
        result = send_payload(ws, &p, compress, timeout_ms);
        payload_release(&p);
    }
    Py_XDECREF(json);
    return result;
}

/* The messages that one call of cw_socket_send_many sends: the Python objects, their bytes, and the core's descriptions. */
typedef struct batch {
    PyObject *objects[BATCH_MESSAGES];
    payload payloads[BATCH_MESSAGES];
    cw_message messages[BATCH_MESSAGES];
    size_t count;
    choice text;
    cw_compress compress;
} batch;

/* Takes objects from an iterator until the batch is full. Returns false at the end of the iterator, or with an exception
 * set. */
static bool batch_gather(websocket *ws, batch *b, PyObject *iterator)
{
    size_t bytes = 0;
    b->count = 0;
    while (b->count < BATCH_MESSAGES && bytes < BATCH_BYTES) {
        payload *p = &b->payloads[b->count];
        PyObject *object = PyIter_Next(iterator);
        if (object == NULL)
            return false;
        if (!payload_acquire(ws->state, object, "send_many()", p)) {
            Py_DECREF(object);
            return false;
        }
        payload_choose(p, b->text);
        bytes += p->len_bytes;
        b->messages[b->count] = (cw_message){.message_type = p->message_type,
                                             .data = p->data,
                                             .len_bytes = p->len_bytes,
                                             .compress = b->compress};
        b->objects[b->count++] = object;
    }
    return true;
}

/* Sends the batch, even if an exception is set. Returns false with an exception set if the send fails, or if an exception
 * was set before. */
static bool batch_send(websocket *ws, batch *b, int timeout_ms, size_t *sent_count)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    cw_status status = CW_OK;
    if (b->count > 0) {
        blocking call;
        size_t sent = 0;
        blocking_begin(ws->state, &call);
        status = blocking_end(&call, cw_socket_send_many(ws->socket, b->messages, b->count, timeout_ms, &sent));
        *sent_count += sent;
    }
    if (status != CW_OK)
        raise_status(ws->state, ws, status);
    for (size_t i = 0; i < b->count; i++) { /* a destructor may run Python code */
        PyObject *error_type, *error, *error_traceback;
        PyErr_Fetch(&error_type, &error, &error_traceback);
        payload_release(&b->payloads[i]);
        Py_DECREF(b->objects[i]);
        PyErr_Restore(error_type, error, error_traceback);
    }
    if (status == CW_OK) {
        PyErr_Restore(type, value, traceback);
        return type == NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return false;
}

/* Adds the number of sent messages to the exception that is set, as its attribute sent_count. */
static void tell_sent_count(size_t sent_count)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *number = PyLong_FromSize_t(sent_count);
    if (number == NULL || value == NULL || PyObject_SetAttrString(value, "sent_count", number) < 0)
        PyErr_Clear(); /* an exception of this class has no room for attributes */
    Py_XDECREF(number);
    PyErr_Restore(type, value, traceback);
}

const char send_many_doc[] =
    "send_many($self, /, messages, timeout=curlwire.DEFAULT, *, text=None, compress=None)\n--\n\n"
    "Sends each message of an iterable and returns their number, an int.\n\n"
    "messages: an iterable of str (text) and bytes-like objects (binary). It is read up to 128\n"
    "messages ahead, and small messages are written together.\n"
    "timeout: seconds without progress, for each message. None = no limit; the default is\n"
    "control.send_timeout.\n"
    "text, compress: as for send(), for all messages.\n"
    "Raises as send() does, and every exception of the iterable. The attribute sent_count of the\n"
    "exception is the number of messages that were sent. Blocks until the kernel has taken all\n"
    "messages. Any thread and any handler may call it.";

PyObject *message_send_many(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {
        METHOD_SEND_MANY, "send_many", 1, {"messages", "timeout", "text", "compress", NULL}, 2};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    choice text;
    cw_compress compress;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[1], &timeout_ms) || !parse_choice(given[2], "text", &text) ||
        !parse_compress(given[3], &compress))
        return NULL;
    if (PyUnicode_Check(given[0]) || PyObject_CheckBuffer(given[0])) {
        PyErr_Format(PyExc_TypeError,
                     "send_many() takes an iterable of messages, not %R; send one message by send()",
                     Py_TYPE(given[0]));
        return NULL;
    }
    PyObject *iterator = PyObject_GetIter(given[0]);
    batch *b = iterator != NULL ? PyMem_Malloc(sizeof *b) : NULL;
    size_t sent_count = 0;
    bool goes_on = b != NULL, is_well = b != NULL;
    if (b != NULL) {
        b->text = text;
        b->compress = compress;
    }
    while (goes_on && is_well) {
        goes_on = batch_gather(ws, b, iterator);
        is_well = batch_send(ws, b, timeout_ms, &sent_count);
    }
    if (iterator != NULL && b == NULL)
        PyErr_NoMemory();
    else if (iterator != NULL && !is_well)
        tell_sent_count(sent_count);
    PyMem_Free(b);
    Py_XDECREF(iterator);
    return is_well ? PyLong_FromSize_t(sent_count) : NULL;
}

/* Sends one frame of a message of the type control.message_type. Returns the number of bytes as a new int. */
static PyObject *send_frame(websocket *ws, PyObject *data, const char *what, bool is_final)
{
    payload p;
    if (!payload_acquire(ws->state, data, what, &p))
        return NULL;
    int64_t message_type = CW_BINARY;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = cw_socket_get_number(ws->socket, CW_OPT_MESSAGE_TYPE, &message_type);
    if (status == CW_OK) {
        const cw_message fragment = {
            .message_type = (cw_message_type)message_type, .data = p.data, .len_bytes = p.len_bytes};
        status = cw_socket_send_fragment(ws->socket, &fragment, NULL, is_final, CW_TIMEOUT_DEFAULT);
    }
    status = blocking_end(&b, status);
    PyObject *size = status == CW_OK ? PyLong_FromSize_t(p.len_bytes) : raise_status(ws->state, ws, status);
    payload_release(&p);
    return size;
}

const char send_final_frame_doc[] =
    "send_final_frame($self, /, data)\n--\n\n"
    "Sends the last frame of a message and returns its size in bytes, an int.\n\n"
    "data: a str, which is sent as UTF-8, or a bytes-like object. control.message_type is the type\n"
    "of the message. Without earlier frames, this frame is the whole message.\n"
    "Raises and blocks as send() does with control.send_timeout. Any thread may call it.";

PyObject *message_send_final_frame(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND_FINAL_FRAME, "send_final_frame", 1, {"data", NULL}, 0};
    PyObject *given[ARGUMENTS_MAX];
    if (!parse_arguments((websocket *)self, &sig, args, count, names, given))
        return NULL;
    return send_frame((websocket *)self, given[0], "send_final_frame()", true);
}

const char send_nonfinal_frame_doc[] =
    "send_nonfinal_frame($self, /, data)\n--\n\n"
    "Sends a frame of a message, but not its last frame, and returns its size in bytes, an int.\n\n"
    "data: a str, which is sent as UTF-8, or a bytes-like object. control.message_type is the type\n"
    "of the message. send() raises StateError until send_final_frame() has ended the message.\n"
    "Raises and blocks as send() does with control.send_timeout. Any thread may call it.";

PyObject *message_send_nonfinal_frame(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND_NONFINAL_FRAME, "send_nonfinal_frame", 1, {"data", NULL}, 0};
    PyObject *given[ARGUMENTS_MAX];
    if (!parse_arguments((websocket *)self, &sig, args, count, names, given))
        return NULL;
    return send_frame((websocket *)self, given[0], "send_nonfinal_frame()", false);
}
