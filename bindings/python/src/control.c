/* SPDX-License-Identifier: MIT */
/* The type of ws.control, whose attributes and docstrings come from the core's table of controls. The constructors use it
 * to set controls. */
#include "state.h"

#include <stdio.h>
#include <string.h>

enum { KIND_BYTES = 100, TAKES_BYTES = 100, NONE_BYTES = 50, VALUES_BYTES = 150 };

typedef struct control {
    PyObject_HEAD websocket *ws;
} control;

static cw_option option_of_name(PyObject *name, cw_class socket_class)
{
    for (int i = 0; i < CW_OPTION_COUNT; i++) {
        cw_option option = (cw_option)i;
        if (cw_option_applies(option, socket_class) &&
            PyUnicode_CompareWithASCIIString(name, cw_option_key(option)) == 0)
            return option;
    }
    return CW_OPTION_COUNT;
}

/* Raises "there is no control 'x'; the controls are ..." as an exception of the given class. */
static void raise_unknown(PyObject *exception, PyObject *name, cw_class socket_class)
{
    PyObject *list = PyUnicode_FromString("");
    for (int i = 0; i < CW_OPTION_COUNT && list != NULL; i++) {
        if (!cw_option_applies((cw_option)i, socket_class))
            continue;
        PyObject *longer = PyUnicode_FromFormat("%U%s%s", list, PyUnicode_GetLength(list) > 0 ? ", " : "",
                                                cw_option_key((cw_option)i));
        Py_DECREF(list);
        list = longer;
    }
    if (list != NULL)
        PyErr_Format(exception, "there is no control %R; the controls are %U", name, list);
    Py_XDECREF(list);
}

/* Returns whether the values of a control are members of a Python enumeration. The enumerations of UWP have a Python class.
 * The values of all other enumerated controls are str. */
static bool has_members(cw_option option)
{
    return option == CW_OPT_MESSAGE_TYPE || option == CW_OPT_RECEIVE_MODE;
}

static PyObject *enum_of_option(module_state *state, cw_option option, int64_t number)
{
    if (!has_members(option))
        return PyUnicode_FromString(cw_option_words(option)[number]);
    enum_index index = option == CW_OPT_MESSAGE_TYPE ? ENUM_MESSAGE_TYPE : ENUM_RECEIVE_MODE;
    return enum_member(state, index, (long)number);
}

static PyObject *number_value(websocket *ws, cw_option option)
{
    int64_t number = 0;
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_number(ws->socket, option, &number);
    PyEval_RestoreThread(thread);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    cw_option_type type = cw_option_type_of(option);
    if (type == CW_TYPE_BOOL)
        return PyBool_FromLong(number != 0);
    if (type == CW_TYPE_ENUM)
        return enum_of_option(ws->state, option, number);
    if (number < 0)
        Py_RETURN_NONE;
    if (type == CW_TYPE_MS)
        return PyFloat_FromDouble((double)number / 1000);
    return PyLong_FromLongLong(number);
}

static PyObject *get_member(PyObject *self, void *closure)
{
    websocket *ws = ((control *)self)->ws;
    cw_option option = (cw_option)(intptr_t)closure;
    if (option == CW_OPT_COOKIE_JAR)
        return cookie_jar_get_control(ws);
    return control_is_text(option) ? control_get_text(ws, option) : number_value(ws, option);
}

static PyObject *get_actual_interval(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = ((control *)self)->ws;
    int64_t interval_ms = 0;
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_actual_pong_interval(ws->socket, &interval_ms);
    PyEval_RestoreThread(thread);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    return PyFloat_FromDouble((double)interval_ms / 1000);
}

/* Returns why the control does not take a word, or NULL. */
static const char *word_fault(cw_option option, PyObject *value)
{
    Py_ssize_t len_bytes;
    const char *word = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &len_bytes) : NULL;
    if (word == NULL)
        PyErr_Clear(); /* a str with a lone surrogate */
    return word != NULL ? cw_option_word_fault(option, word, (size_t)len_bytes) : NULL;
}

/* Returns the words as a new str, such as "'binary' or 'utf8'", with the fault in brackets. */
static PyObject *words_text(const char *const *words, const char *fault)
{
    PyObject *text = PyUnicode_FromFormat("'%s'", words[0]);
    for (int i = 1; words[i] != NULL && text != NULL; i++) {
        PyObject *longer =
            PyUnicode_FromFormat("%U%s'%s'", text, words[i + 1] != NULL ? ", " : " or ", words[i]);
        Py_DECREF(text);
        text = longer;
    }
    if (fault == NULL || text == NULL)
        return text;
    PyObject *longer = PyUnicode_FromFormat("%U (%s)", text, fault);
    Py_DECREF(text);
    return longer;
}

/* Converts a word ("utf8") or a member of the enumeration to its number. */
static bool parse_enum(module_state *state, cw_option option, PyObject *value, int64_t *number)
{
    const char *const *words = cw_option_words(option);
    const char *key = cw_option_key(option);
    int count = 0, overflow = 0;
    bool is_type_right = PyUnicode_Check(value);
    *number = -1;
    for (; words[count] != NULL; count++) {
        if (is_type_right && PyUnicode_CompareWithASCIIString(value, words[count]) == 0)
            *number = count;
    }
    if (PyLong_Check(value) && !PyBool_Check(value) && has_members(option)) {
        is_type_right = true;
        *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    }
    if (overflow == 0 && *number >= 0 && *number < count)
        return true;
    PyObject *text = words_text(words, word_fault(option, value));
    const char *takes = text != NULL ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (takes != NULL && is_type_right)
        refuse_value(state, key, value, takes);
    else if (takes != NULL)
        PyErr_Format(PyExc_TypeError, "%s must be %s%s, not %R", key, takes,
                     has_members(option) ? " or a member of its enumeration" : "", Py_TYPE(value));
    Py_XDECREF(text);
    return false;
}

/* Writes the end of an error text: ", or None for no limit" if None is allowed, else "". Returns text. */
static const char *or_none(cw_option option, char text[NONE_BYTES])
{
    const char *none = cw_option_none(option);
    (void)snprintf(text, NONE_BYTES, "%s%s", none != NULL ? ", or None for " : "", none != NULL ? none : "");
    return text;
}

/* Converts a whole number, or None where it is allowed.
 *   unit   " bytes", " bits" or "" */
static bool parse_count(module_state *state, cw_option option, PyObject *value, const char *unit,
                        int64_t *number)
{
    const char *key = cw_option_key(option);
    char kind[KIND_BYTES], takes[TAKES_BYTES], none[NONE_BYTES];
    int64_t least, most;
    int overflow = 0;
    cw_option_range(option, &least, &most);
    *number = -1;
    if (value == Py_None && cw_option_none(option) != NULL)
        return true;
    (void)snprintf(kind, sizeof kind, "a number%s%s, an int%s", *unit != '\0' ? " of" : "", unit,
                   or_none(option, none));
    bool is_none = value == Py_None && cw_option_type_of(option) != CW_TYPE_BITS;
    if (!is_none && !parse_int(value, key, kind, number, &overflow))
        return false;
    if (overflow == 0 && *number >= least && *number <= most)
        return true;
    if (most == INT64_MAX)
        (void)snprintf(takes, sizeof takes, "%lld or more%s%s", (long long)least, unit, none);
    else
        (void)snprintf(takes, sizeof takes, "%lld to %lld%s%s", (long long)least, (long long)most, unit, none);
    return refuse_value(state, key, value, takes);
}

static bool parse_number(websocket *ws, cw_option option, PyObject *value, int64_t *number)
{
    char none[NONE_BYTES];
    switch (cw_option_type_of(option)) {
    case CW_TYPE_BOOL: {
        bool flag;
        if (!parse_flag(value, cw_option_key(option), &flag))
            return false;
        *number = flag;
        return true;
    }
    case CW_TYPE_MS:
        return parse_seconds(ws->state, value, cw_option_key(option), or_none(option, none), -1, number);
    case CW_TYPE_ENUM:
        return parse_enum(ws->state, option, value, number);
    case CW_TYPE_BITS:
        return parse_count(ws->state, option, value, " bits", number);
    case CW_TYPE_COUNT:
        return parse_count(ws->state, option, value, " bytes", number);
    default:
        return parse_count(ws->state, option, value, "", number);
    }
}

static int set_option(websocket *ws, cw_option option, PyObject *value)
{
    if (value == NULL) {
        PyErr_Format(PyExc_TypeError, "the control %s cannot be deleted; set a value instead",
                     cw_option_key(option));
        return -1;
    }
    if (option == CW_OPT_COOKIE_JAR)
        return cookie_jar_set_control(ws, value);
    if (control_is_text(option))
        return control_set_text(ws, option, value);
    int64_t number;
    if (!parse_number(ws, option, value, &number))
        return -1;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_set_number(ws->socket, option, number));
    if (status == CW_OK)
        return 0;
    raise_status(ws->state, ws, status);
    return -1;
}

static int set_member(PyObject *self, PyObject *value, void *closure)
{
    return set_option(((control *)self)->ws, (cw_option)(intptr_t)closure, value);
}

bool control_set_all(websocket *ws, PyObject *keywords)
{
    PyObject *name, *value;
    Py_ssize_t position = 0;
    cw_class socket_class = cw_socket_class(ws->socket);
    while (PyDict_Next(keywords, &position, &name, &value)) {
        cw_option option = option_of_name(name, socket_class);
        if (option == CW_OPTION_COUNT) {
            raise_unknown(PyExc_TypeError, name, socket_class);
            return false;
        }
        if (set_option(ws, option, value) < 0)
            return false;
    }
    return true;
}

/* Replaces an AttributeError about an unknown name by an AttributeError that lists the names of all controls. */
static void explain_missing(PyObject *self, PyObject *name)
{
    cw_class socket_class = cw_socket_class(((control *)self)->ws->socket);
    if (PyErr_ExceptionMatches(PyExc_AttributeError) && PyUnicode_Check(name) &&
        option_of_name(name, socket_class) == CW_OPTION_COUNT) {
        PyErr_Clear();
        raise_unknown(PyExc_AttributeError, name, socket_class);
    }
}

static PyObject *control_getattro(PyObject *self, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(self, name);
    if (value == NULL)
        explain_missing(self, name);
    return value;
}

static int control_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    int result = PyObject_GenericSetAttr(self, name, value);
    if (result < 0)
        explain_missing(self, name);
    return result;
}

/* Returns the value of a control as repr shows it. For subprotocols and bytes it shows only their number, because they may
 * be secret. Some servers take a token as a subprotocol, and bytes may be a key. For a credential it says only that it is
 * set. */
static PyObject *shown_value(PyObject *self, cw_option option)
{
    PyObject *value = get_member(self, (void *)(intptr_t)option);
    PyObject *text = NULL;
    if (value != NULL && PyTuple_Check(value) && PyTuple_Size(value) > 0)
        text = PyUnicode_FromFormat("(%zd)", PyTuple_Size(value));
    else if (value != NULL && PyBytes_Check(value))
        text = PyUnicode_FromFormat("(%zd bytes)", PyBytes_Size(value));
    else if (value != NULL && value != Py_None &&
             (cw_option_type_of(option) == CW_TYPE_CREDENTIAL ||
              option == CW_OPT_DOH_URL)) /* it may have a key */
        text = PyUnicode_FromString("(set)");
    else if (value != NULL)
        text = PyObject_Repr(value);
    Py_XDECREF(value);
    return text;
}

/* Returns the repr: "<curlwire.MessageWebSocketControl connect_timeout=60.0, ...>". */
static PyObject *control_repr(PyObject *self)
{
    cw_class socket_class = cw_socket_class(((control *)self)->ws->socket);
    PyObject *name = PyType_GetName(Py_TYPE(self));
    PyObject *text = name != NULL ? PyUnicode_FromFormat("<curlwire.%U", name) : NULL;
    const char *separator = " ";
    Py_XDECREF(name);
    for (int i = 0; i < CW_OPTION_COUNT && text != NULL; i++) {
        if (!cw_option_applies((cw_option)i, socket_class))
            continue;
        PyObject *value = shown_value(self, (cw_option)i);
        PyObject *longer = NULL;
        if (value != NULL)
            longer = PyUnicode_FromFormat("%U%s%s=%U", text, separator, cw_option_key((cw_option)i), value);
        Py_XDECREF(value);
        Py_DECREF(text);
        text = longer;
        separator = ", ";
    }
    PyObject *result = text != NULL ? PyUnicode_FromFormat("%U>", text) : NULL;
    Py_XDECREF(text);
    if (result == NULL &&
        PyErr_ExceptionMatches(PyExc_RuntimeError)) { /* this is the StateError in a child after fork() */
        PyErr_Clear();
        return PyUnicode_FromString("<the control of a socket of the parent process>");
    }
    return result;
}

PyObject *control_create(websocket *ws)
{
    bool is_message = cw_socket_class(ws->socket) == CW_MESSAGE_SOCKET;
    PyTypeObject *type = ws->state->types[is_message ? TYPE_MESSAGE_CONTROL : TYPE_STREAM_CONTROL];
    control *c = (control *)PyType_GenericAlloc(type, 0);
    if (c != NULL)
        c->ws = (websocket *)Py_NewRef((PyObject *)ws);
    return (PyObject *)c;
}

/* There is no tp_clear, so a control always has its socket. The collector still breaks each cycle through a control, because
 * such a cycle also contains the socket, which has a tp_clear. */
static int control_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((control *)self)->ws);
    return 0;
}

static void control_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF((PyObject *)((control *)self)->ws);
    free_object(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(control_doc,
             "The options of a socket, as attributes. A change after connect() raises StateError.");

/* Appends the words of an enumeration or a list to a text: "'auto', 'curl' or 'native'". */
static void add_words(char *text, size_t size_bytes, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++) {
        size_t len_bytes = strlen(text);
        const char *separator = i == 0 ? "" : words[i + 1] != NULL ? ", " : " or ";
        (void)snprintf(text + len_bytes, size_bytes - len_bytes, "%s'%s'", separator, words[i]);
    }
}

/* Returns the values and the default of a control that is one text, a credential or headers. */
static const char *values_of_text(cw_option option)
{
    switch (cw_option_type_of(option)) {
    case CW_TYPE_SECRET:
        return "A str, read as '(set)'. Default None";
    case CW_TYPE_PROXY:
        return cw_option_words(option) != NULL
                   ? "A str, read without user name and password; False = no proxy; True = None; default None"
                   : "A str, read without user name and password; default None";
    case CW_TYPE_TEXTS:
        return "Default ()";
    case CW_TYPE_PAIRS:
        return "A dict of int and str. Default {}";
    case CW_TYPE_HEADERS:
        return "A mapping or pairs of str, read as the names alone; default ()";
    case CW_TYPE_CREDENTIAL:
        return "A tuple (user, password), read as the user alone; default None";
    default:
        return "Default None";
    }
}

/* Writes the values and the default of a control: "Seconds, default 60; None = no limit". */
static void describe_values(cw_option option, char *text, size_t size_bytes)
{
    int64_t initial = cw_option_default(option), least, most;
    const char *none = cw_option_none(option);
    *text = '\0';
    cw_option_range(option, &least, &most);
    switch (cw_option_type_of(option)) {
    case CW_TYPE_BOOL:
        (void)snprintf(text, size_bytes, "Default %s", initial != 0 ? "True" : "False");
        break;
    case CW_TYPE_COUNT:
        (void)snprintf(text, size_bytes, "Bytes, default %lld", (long long)initial);
        break;
    case CW_TYPE_BITS:
        (void)snprintf(text, size_bytes, "%lld to %lld, default %lld", (long long)least, (long long)most,
                       (long long)initial);
        break;
    case CW_TYPE_NUMBER:
        (void)snprintf(text, size_bytes, "Default %lld", (long long)initial);
        break;
    case CW_TYPE_MS:
        (void)snprintf(text, size_bytes, "Seconds, default %g", (double)initial / 1000);
        break;
    case CW_TYPE_ENUM:
        add_words(text, size_bytes, cw_option_words(option));
        (void)snprintf(text + strlen(text), size_bytes - strlen(text), ", default '%s'",
                       cw_option_words(option)[initial]);
        break;
    case CW_TYPE_TEXT:
    case CW_TYPE_SECRET:
    case CW_TYPE_PROXY:
    case CW_TYPE_HEADERS:
    case CW_TYPE_TEXTS:
    case CW_TYPE_PAIRS:
    case CW_TYPE_CREDENTIAL:
        (void)snprintf(text, size_bytes, "%s", values_of_text(option));
        break;
    case CW_TYPE_LIST:
        if (cw_option_words(option) != NULL) {
            (void)snprintf(text, size_bytes, "A collection of ");
            add_words(text, size_bytes, cw_option_words(option));
            (void)snprintf(text + strlen(text), size_bytes - strlen(text), ". ");
        }
        (void)snprintf(text + strlen(text), size_bytes - strlen(text), "Default ()");
        break;
    case CW_TYPE_BYTES:
        (void)snprintf(text, size_bytes, "Default None");
        if (most < INT64_MAX)
            (void)snprintf(text, size_bytes, "At most %lld bytes, default None", (long long)most);
        break;
    case CW_TYPE_SECRET_BYTES:
        (void)snprintf(text, size_bytes, "At most %lld bytes, read as '(set)'; default None", (long long)most);
        break;
    }
    if (none != NULL)
        (void)snprintf(text + strlen(text), size_bytes - strlen(text), "; None = %s", none);
}

/* Writes the docstring of a control from the core's table. Returns doc. */
static const char *describe(cw_option option, char doc[CONTROL_DOC_BYTES])
{
    char values[VALUES_BYTES];
    const char *since = cw_option_since(option);
    describe_values(option, values, sizeof values);
    (void)snprintf(doc, CONTROL_DOC_BYTES, "%s. %s%s%s.", cw_option_text(option), values,
                   since != NULL ? "; needs libcurl " : "", since != NULL ? since : "");
    return doc;
}

static bool add_type(PyObject *module, module_state *state, type_index index, cw_class socket_class,
                     const char *name)
{
    PyGetSetDef *members = state->control_members[socket_class];
    int count = 0;
    for (int i = 0; i < CW_OPTION_COUNT; i++) {
        if (cw_option_applies((cw_option)i, socket_class))
            members[count++] =
                (PyGetSetDef){cw_option_key((cw_option)i), get_member, set_member,
                              describe((cw_option)i, state->control_docs[i]), (void *)(intptr_t)i};
    }
    members[count] =
        (PyGetSetDef){"actual_unsolicited_pong_interval", get_actual_interval, NULL,
                      "How often the socket sends unsolicited pongs now. Seconds, a float: "
                      "as keepalive and desired_unsolicited_pong_interval say while the connection "
                      "is open, else 0. "
                      "Read-only.",
                      NULL};
    static PyMethodDef methods[] = {{"__reduce_ex__", refuse_copy, METH_O, refuse_copy_doc},
                                    {NULL, NULL, 0, NULL}};
    PyType_Slot slots[] = {{Py_tp_doc, (void *)(uintptr_t)control_doc},
                           {Py_tp_methods, methods},
                           {Py_tp_dealloc, SLOT(control_dealloc)},
                           {Py_tp_traverse, SLOT(control_traverse)},
                           {Py_tp_repr, SLOT(control_repr)},
                           {Py_tp_getattro, SLOT(control_getattro)},
                           {Py_tp_setattro, SLOT(control_setattro)},
                           {Py_tp_getset, members},
                           {0, NULL}};
    PyType_Spec spec = {.name = name,
                        .basicsize = sizeof(control),
                        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                        .slots = slots};
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[index] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

bool add_control_types(PyObject *module, module_state *state)
{
    return add_type(module, state, TYPE_MESSAGE_CONTROL, CW_MESSAGE_SOCKET,
                    "curlwire.MessageWebSocketControl") &&
           add_type(module, state, TYPE_STREAM_CONTROL, CW_STREAM_SOCKET, "curlwire.StreamWebSocketControl");
}
