/* SPDX-License-Identifier: MIT */
/* The extension module curlwire._core: its enumerations and functions. The other files add the types. The package passes its
 * Python helpers through bind(). No other file calls this file. */
#include "state.h"

#include <ctype.h>
#include <string.h>

/* Appends (name, number) to a list. Returns false with an exception set if that fails. */
static bool append_pair(PyObject *list, const char *name, long number)
{
    PyObject *pair = Py_BuildValue("(sl)", name, number);
    int result = pair != NULL ? PyList_Append(list, pair) : -1;
    Py_XDECREF(pair);
    return result == 0;
}

/* Writes a name as Python spells constants: CannotConnect becomes CANNOT_CONNECT. */
static void constant_name(const char *name, char *out, size_t size_bytes)
{
    size_t length = 0;
    for (const char *c = name; *c != '\0' && length + 2 < size_bytes; c++) {
        if (c != name && isupper((unsigned char)*c))
            out[length++] = '_';
        out[length++] = (char)toupper((unsigned char)*c);
    }
    out[length] = '\0';
}

static PyObject *web_status_pairs(void)
{
    static const struct {
        const char *name;
        int number;
    } all[] = {
#define CW_X(name, number) {#name, number},
        CW_WEB_STATUS_LIST(CW_X)
#undef CW_X
    };
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < sizeof all / sizeof all[0]; i++) {
        char name[64];
        constant_name(all[i].name, name, sizeof name);
        if (!append_pair(list, name, all[i].number))
            Py_CLEAR(list);
    }
    return list;
}

/* Returns a list of the names with the numbers 0, 1, and so on. */
static PyObject *pairs_of_names(const char *const names[], long count)
{
    PyObject *list = PyList_New(0);
    for (long i = 0; list != NULL && i < count; i++) {
        if (!append_pair(list, names[i], i))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *pairs_of_two(const char *first, long first_number, const char *second, long second_number)
{
    PyObject *list = PyList_New(0);
    if (list != NULL && !(append_pair(list, first, first_number) && append_pair(list, second, second_number)))
        Py_CLEAR(list);
    return list;
}

/* Makes an IntEnum (an IntFlag for ENUM_STREAM_OPTIONS) from a list of (name, number) and adds it to the module. Steals
 * the list. */
static bool add_enum(PyObject *module, module_state *state, enum_index index, const char *name, const char *doc,
                     PyObject *pairs)
{
    const char *base_name = index == ENUM_STREAM_OPTIONS ? "IntFlag" : "IntEnum";
    PyObject *enum_module = pairs != NULL ? PyImport_ImportModule("enum") : NULL;
    PyObject *base = enum_module != NULL ? PyObject_GetAttrString(enum_module, base_name) : NULL;
    PyObject *args = base != NULL ? Py_BuildValue("(sO)", name, pairs) : NULL;
    PyObject *keywords = args != NULL ? Py_BuildValue("{s:s}", "module", "curlwire") : NULL;
    if (keywords != NULL)
        state->enums[index] = PyObject_Call(base, args, keywords);
    Py_XDECREF(keywords);
    Py_XDECREF(args);
    Py_XDECREF(base);
    Py_XDECREF(enum_module);
    Py_XDECREF(pairs);
    PyObject *text = state->enums[index] != NULL ? PyUnicode_FromString(doc) : NULL;
    bool is_good = text != NULL && PyObject_SetAttrString(state->enums[index], "__doc__", text) == 0 &&
                   PyModule_AddObjectRef(module, name, state->enums[index]) == 0;
    Py_XDECREF(text);
    return is_good;
}

static PyObject *core_bind(PyObject *module, PyObject *args, PyObject *keywords)
{
    static const char *const names[HELPER_COUNT] = {
#define CW_X(name) #name,
        HELPER_LIST(CW_X)
#undef CW_X
    };
    module_state *state = PyModule_GetState(module);
    if (PyTuple_Size(args) != 0 || keywords == NULL || PyDict_Size(keywords) != HELPER_COUNT) {
        PyErr_Format(PyExc_TypeError, "bind() takes %d keywords", HELPER_COUNT);
        return NULL;
    }
    for (int i = 0; i < HELPER_COUNT; i++) {
        PyObject *object = PyDict_GetItemString(keywords, names[i]);
        if (object == NULL) {
            PyErr_Format(PyExc_TypeError, "bind() lacks %s", names[i]);
            return NULL;
        }
        PyObject *old = state->helpers[i];
        state->helpers[i] = Py_NewRef(object);
        Py_XDECREF(old);
    }
    Py_RETURN_NONE;
}

/* Only the main interpreter shuts the service down, because the sockets of all interpreters share it. The sockets of a
 * subinterpreter are released with their objects. */
static bool is_main_interpreter(void) { return PyInterpreterState_GetID(PyInterpreterState_Get()) == 0; }

static PyObject *core_shutdown(PyObject *module, PyObject *timeout)
{
    module_state *state = PyModule_GetState(module);
    int64_t timeout_ms;
    if (!parse_seconds(state, timeout, "timeout", "", 0, &timeout_ms))
        return NULL;
    atomic_store(&state->exiting_thread, PyThread_get_thread_ident());
    if (!is_main_interpreter())
        Py_RETURN_NONE;
    blocking b;
    blocking_begin(state, &b);
    cw_status status = blocking_end(&b, cw_shutdown((int)timeout_ms));
    if (PyErr_Occurred()) /* a signal handler has raised, as on Ctrl-C */
        return NULL;
    if (status == CW_CLOSED)
        return PyUnicode_FromString(cw_error_message());
    Py_RETURN_NONE;
}

static PyObject *core_after_fork(PyObject *module, PyObject *Py_UNUSED(none))
{
    module_state *state = PyModule_GetState(module);
    state->main_thread = PyThread_get_thread_ident();
    state->fork_count++;
    fields_after_fork();
    Py_RETURN_NONE;
}

/* Returns a fact as str, or None if there is none. */
static PyObject *build_text(module_state *state, cw_build item)
{
    char buffer[2048] = "";
    cw_status status = cw_build_get(item, buffer, sizeof buffer, NULL);
    if (status == CW_CONNECT_FAILED && cw_error_option() == CW_OPT_CA_FILE) {
        if (!name_authorities(state))
            return NULL;
        status = cw_build_get(item, buffer, sizeof buffer, NULL);
    }
    if (status == CW_NO_MEMORY)
        return PyErr_NoMemory();
    if (status != CW_OK || *buffer == '\0')
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(buffer, (Py_ssize_t)strlen(buffer), "replace");
}

static PyObject *build_features(void)
{
    PyObject *list = PyList_New(0), *result = NULL;
    const char *name;
    for (size_t i = 0; list != NULL && (name = cw_build_feature(i)) != NULL; i++) {
        PyObject *text = PyUnicode_FromString(name);
        if (text == NULL || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    if (list != NULL)
        result = PyList_AsTuple(list);
    Py_XDECREF(list);
    return result;
}

static PyObject *core_build_info(PyObject *module, PyObject *Py_UNUSED(none))
{
    PyObject *info = PyDict_New();
    for (int i = 0; info != NULL && i < CW_BUILD_COUNT; i++) {
        PyObject *value =
            i == CW_BUILD_FEATURES ? build_features() : build_text(PyModule_GetState(module), (cw_build)i);
        if (value == NULL || PyDict_SetItemString(info, cw_build_key((cw_build)i), value) < 0)
            Py_CLEAR(info);
        Py_XDECREF(value);
    }
    return info;
}

static PyMethodDef functions[] = {
    {"bind", (PyCFunction)(void (*)(void))core_bind, METH_VARARGS | METH_KEYWORDS,
     "bind($module, /, **helpers)\n--\n\nStores the Python functions and classes that the module calls."},
    {"build_info", core_build_info, METH_NOARGS,
     "build_info($module, /)\n--\n\n"
     "Returns the facts about this build, a BuildInfo, for bug reports. It contains nothing secret.\n\n"
     "Does not block. Any thread may call it."},
    {"dispatch", core_dispatch, METH_O,
     "dispatch($module, mailbox, /)\n--\n\nCalls the handlers for the events of a mailbox until its stop() is "
     "called. Blocks. Only one thread may call it."},
    {"take_event", core_take_event, METH_O,
     "take_event($module, mailbox, /)\n--\n\nReturns the next event of a mailbox as (socket, type, line), or "
     "None. "
     "The line is that of a trace, or None. Does not block. Only one thread may call it."},
    {"shutdown", core_shutdown, METH_O,
     "shutdown($module, timeout, /)\n--\n\nSends all queued messages and closes every socket, at the exit of "
     "the main interpreter. timeout: seconds for the closing handshakes. Returns a text about lost messages, "
     "or "
     "None. Blocks."},
    {"parse_headers", information_parse_headers, METH_O,
     "parse_headers($module, lines, /)\n--\n\nReturns the (name, value) of each header line, in order."},
    {"process_statistics", information_process_statistics, METH_NOARGS,
     "process_statistics($module, /)\n--\n\nReturns what curlwire has counted: a tuple of numbers, a dict of "
     "close codes, and a dict of the WebErrorStatus of failed connects."},
    {"certificate_fact", certificate_fact, METH_VARARGS,
     "certificate_fact($module, der, key, /)\n--\n\nReturns a fact about a certificate in DER as a str, which "
     "may be empty."},
    {"after_fork", core_after_fork, METH_NOARGS,
     "after_fork($module, /)\n--\n\nMakes the calling thread the main thread, whose waits run signal "
     "handlers. For a child after fork()."},
    {NULL, NULL, 0, NULL}};

/* Finds the main thread, which is not always the thread that imports the module. gevent and eventlet change the meaning of
 * threading's ident but not of native_id, so the native_id decides if this is the main thread. */
static bool find_main_thread(module_state *state)
{
    PyObject *threading = PyImport_ImportModule("threading");
    PyObject *thread = threading != NULL ? PyObject_CallMethod(threading, "main_thread", NULL) : NULL;
    PyObject *ident = thread != NULL ? PyObject_GetAttrString(thread, "ident") : NULL;
    if (ident != NULL)
        state->main_thread = PyLong_AsUnsignedLong(ident);
#ifdef PY_HAVE_THREAD_NATIVE_ID
    PyObject *native = ident != NULL ? PyObject_GetAttrString(thread, "native_id") : NULL;
    if (native != NULL && native != Py_None && PyLong_AsUnsignedLong(native) == PyThread_get_thread_native_id())
        state->main_thread = PyThread_get_thread_ident();
    Py_XDECREF(native);
#endif
    Py_XDECREF(ident);
    Py_XDECREF(thread);
    Py_XDECREF(threading);
    return !PyErr_Occurred();
}

/* The enumerations of DataReader and DataWriter. */
static bool add_data_enums(PyObject *module, module_state *state)
{
    static const char *const orders[] = {"LITTLE_ENDIAN", "BIG_ENDIAN"};
    static const char *const encodings[] = {"UTF8", "UTF16LE", "UTF16BE"};
    static const char *const options[] = {"NONE", "PARTIAL", "READ_AHEAD"};
    return add_enum(module, state, ENUM_BYTE_ORDER, "ByteOrder", "The order of the bytes of a number.",
                    pairs_of_names(orders, 2)) &&
           add_enum(module, state, ENUM_UNICODE_ENCODING, "UnicodeEncoding",
                    "The encoding of texts in a DataReader or a DataWriter.", pairs_of_names(encodings, 3)) &&
           add_enum(module, state, ENUM_STREAM_OPTIONS, "InputStreamOptions",
                    "How DataReader.load() waits: for all bytes (NONE), or for one byte at least (PARTIAL). "
                    "READ_AHEAD also lets it read more from the stream than was asked for.",
                    pairs_of_names(options, 3));
}

static int module_exec(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    bool is_good =
        find_main_thread(state) &&
        add_enum(module, state, ENUM_WEB_STATUS, "WebErrorStatus",
                 "The reason of a failure. Names and numbers are the same as in Windows.Web. HTTP statuses "
                 "keep their own numbers.",
                 web_status_pairs()) &&
        add_enum(module, state, ENUM_MESSAGE_TYPE, "SocketMessageType",
                 "The type of a message: BINARY (bytes) or UTF8 (text).",
                 pairs_of_two("BINARY", CW_BINARY, "UTF8", CW_UTF8)) &&
        add_enum(module, state, ENUM_RECEIVE_MODE, "MessageWebSocketReceiveMode",
                 "How messages are received: whole, or in parts as they arrive.",
                 pairs_of_two("FULL_MESSAGE", CW_FULL_MESSAGE, "PARTIAL_MESSAGE", CW_PARTIAL_MESSAGE)) &&
        add_websocket_type(module, state) && add_message_type(module, state) &&
        add_stream_type(module, state) && add_control_types(module, state) && add_event_types(module, state) &&
        add_data_enums(module, state) && add_data_reader_type(module, state) &&
        add_data_writer_type(module, state) && add_mailbox_type(module, state) &&
        add_cookie_jar_type(module, state) && add_done_type(module, state) &&
        add_messages_type(module, state) && add_receiving_type(module, state) && add_ping_type(module, state) &&
        add_loop_socket_type(module, state) && add_reconnect_type(module) &&
        PyModule_AddStringConstant(module, "version", cw_version()) == 0 &&
        PyModule_AddStringConstant(module, "libcurl_version", cw_libcurl_version()) == 0 &&
        PyModule_AddObjectRef(module, "is_main_interpreter", is_main_interpreter() ? Py_True : Py_False) == 0;
    return is_good ? 0 : -1;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, SLOT(module_exec)},
#ifdef Py_GIL_DISABLED
                                          {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
                                          {0, NULL}};

PyMODINIT_FUNC PyInit__core(void)
{
    module_definition.m_methods = functions;
    module_definition.m_slots = module_slots;
    return PyModuleDef_Init(&module_definition);
}
