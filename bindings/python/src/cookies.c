/* SPDX-License-Identifier: MIT */
/* The type CookieJar, and the control cookie_jar, whose value it may be. The class Cookie is written in Python. control.c calls
 * this file. No text shows the value of a cookie. */
#include "state.h"

#include <math.h>

typedef struct cookie_jar {
    PyObject_HEAD module_state *state;
    cw_cookie_jar *jar; /* NULL if __init__ was not called, or has failed */
} cookie_jar;

/* Returns the jar of the core; NULL with StateError set if there is none. */
static cw_cookie_jar *jar_of(PyObject *self)
{
    cookie_jar *c = (cookie_jar *)self;
    if (c->jar == NULL)
        raise_state(c->state, "the CookieJar has no cookies: call CookieJar.__init__() first");
    return c->jar;
}

/* Converts a path to bytes, as a new reference. An empty path is refused. */
static PyObject *path_bytes(module_state *state, PyObject *value, const char *what)
{
    PyObject *bytes = NULL;
    if (!PyUnicode_FSConverter(value, &bytes)) {
        if (PyErr_ExceptionMatches(PyExc_ValueError)) {
            PyErr_Clear();
            raise_argument(
                state,
                "%s cannot be %R: a path must not contain NUL or characters that the encoding of file "
                "names lacks",
                what, value);
        }
        return NULL;
    }
    if (PyBytes_Size(bytes) > 0)
        return bytes;
    Py_DECREF(bytes);
    return raise_argument(state, "%s is empty: name a file", what);
}

/* ---- Life -------------------------------------------------------------------------------------------------- */

static PyObject *jar_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    module_state *state = state_of_type(type);
    cookie_jar *c = state != NULL ? (cookie_jar *)PyType_GenericAlloc(type, 0) : NULL;
    if (c != NULL)
        c->state = state;
    return (PyObject *)c;
}

static int jar_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"path", NULL};
    cookie_jar *c = (cookie_jar *)self;
    PyObject *path = Py_None, *bytes = NULL;
    cw_cookie_jar *made = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:CookieJar", names, &path))
        return -1;
    if (c->jar != NULL) {
        raise_state(c->state, "the CookieJar has been made already: make another one");
        return -1;
    }
    if (path != Py_None && (bytes = path_bytes(c->state, path, "path")) == NULL)
        return -1;
    blocking b;
    blocking_begin(c->state, &b);
    cw_status status = cw_cookie_jar_create(bytes != NULL ? PyBytes_AsString(bytes) : NULL,
                                            bytes != NULL ? (size_t)PyBytes_Size(bytes) : 0, &made);
    bool is_made = status == CW_OK;
    status = blocking_end(&b, status);
    Py_XDECREF(bytes);
    if (status == CW_OK) {
        c->jar = made;
        return 0;
    }
    if (is_made) /* a signal handler has raised */
        cw_cookie_jar_release(made);
    raise_status(c->state, NULL, status);
    return -1;
}

static void jar_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyThreadState *thread = PyEval_SaveThread(); /* it may write the file */
    cw_cookie_jar_release(((cookie_jar *)self)->jar);
    PyEval_RestoreThread(thread);
    free_object(self);
    Py_DECREF(type);
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

static PyObject *text_of(const char *text, size_t len_bytes)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)len_bytes, "surrogateescape");
}

/* Makes a Cookie. */
static PyObject *make_cookie(module_state *state, const cw_cookie *cookie)
{
    PyObject *make = get_helper(state, HELPER_cookie);
    PyObject *name = text_of(cookie->name, cookie->name_len_bytes);
    PyObject *value = text_of(cookie->value, cookie->value_len_bytes);
    PyObject *domain = text_of(cookie->domain, cookie->domain_len_bytes);
    PyObject *path = text_of(cookie->path, cookie->path_len_bytes);
    PyObject *expires = cookie->expires > 0 ? PyLong_FromLongLong(cookie->expires) : Py_NewRef(Py_None);
    PyObject *made = NULL;
    if (make != NULL && name != NULL && value != NULL && domain != NULL && path != NULL && expires != NULL)
        made = PyObject_CallFunctionObjArgs(
            make, name, value, domain, path, expires, cookie->secure ? Py_True : Py_False,
            cookie->http_only ? Py_True : Py_False, cookie->include_subdomains ? Py_True : Py_False, NULL);
    Py_XDECREF(name);
    Py_XDECREF(value);
    Py_XDECREF(domain);
    Py_XDECREF(path);
    Py_XDECREF(expires);
    return made;
}

/* Copies the lines of a jar. If another thread adds cookies meanwhile, it tries again with more room. Returns NULL with an
 * exception set if that fails. Owns: the caller frees the lines by PyMem_Free. */
static char *copy_lines(module_state *state, cw_cookie_jar *jar, size_t *len_bytes)
{
    *len_bytes = 1023;
    for (;;) {
        size_t room = *len_bytes + 1;
        char *lines = PyMem_Malloc(room);
        if (lines == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        PyThreadState *thread = PyEval_SaveThread();
        cw_status status = cw_cookie_jar_get_lines(jar, lines, room, len_bytes);
        PyEval_RestoreThread(thread);
        if (status == CW_OK && *len_bytes < room)
            return lines;
        PyMem_Free(lines);
        if (status != CW_OK) {
            raise_status(state, NULL, status);
            return NULL;
        }
    }
}

/* Returns the cookies as a list; NULL with an exception set. */
static PyObject *list_of(PyObject *self)
{
    cw_cookie_jar *jar = jar_of(self);
    size_t len_bytes, at_bytes = 0;
    cw_cookie cookie;
    module_state *state = ((cookie_jar *)self)->state;
    char *lines = jar != NULL ? copy_lines(state, jar, &len_bytes) : NULL;
    PyObject *list = lines != NULL ? PyList_New(0) : NULL;
    while (list != NULL && cw_cookie_next(lines, len_bytes, &at_bytes, &cookie)) {
        PyObject *made = make_cookie(state, &cookie);
        if (made == NULL || PyList_Append(list, made) < 0)
            Py_CLEAR(list);
        Py_XDECREF(made);
    }
    PyMem_Free(lines);
    return list;
}

static PyObject *jar_iter(PyObject *self)
{
    PyObject *list = list_of(self);
    PyObject *iterator = list != NULL ? PyObject_GetIter(list) : NULL;
    Py_XDECREF(list);
    return iterator;
}

static Py_ssize_t jar_length(PyObject *self)
{
    cw_cookie_jar *jar = jar_of(self);
    size_t len_bytes, at_bytes = 0;
    cw_cookie cookie;
    char *lines = jar != NULL ? copy_lines(((cookie_jar *)self)->state, jar, &len_bytes) : NULL;
    Py_ssize_t count = 0;
    if (lines == NULL)
        return -1;
    while (cw_cookie_next(lines, len_bytes, &at_bytes, &cookie))
        count++;
    PyMem_Free(lines);
    return count;
}

/* A jar is true, also without cookies, so that "jar or None" keeps it. */
static int jar_bool(PyObject *Py_UNUSED(self)) { return 1; }

static PyObject *jar_repr(PyObject *self)
{
    if (((cookie_jar *)self)->jar == NULL)
        return PyUnicode_FromString("<curlwire.CookieJar>");
    Py_ssize_t count = jar_length(self);
    if (count >= 0)
        return PyUnicode_FromFormat("<curlwire.CookieJar of %zd cookie%s>", count, count == 1 ? "" : "s");
    if (!PyErr_ExceptionMatches(PyExc_RuntimeError))
        return NULL;
    PyErr_Clear(); /* the StateError in a child after fork() */
    return PyUnicode_FromString("<a curlwire.CookieJar of the parent process>");
}

/* ---- Changing ------------------------------------------------------------------------------------------------ */

/* Returns None, or raises for a call of the core. */
static PyObject *end_call(PyObject *self, blocking *b, cw_status status)
{
    status = blocking_end(b, status);
    if (status != CW_OK)
        return raise_status(((cookie_jar *)self)->state, NULL, status);
    Py_RETURN_NONE;
}

/* Converts the argument expires: seconds since 1970, or None. A fraction is dropped. */
static bool parse_expires(module_state *state, PyObject *value, int64_t *seconds)
{
    *seconds = 0;
    if (value == NULL || value == Py_None)
        return true;
    double number = PyBool_Check(value) ? NAN : PyFloat_AsDouble(value);
    if (PyBool_Check(value) || (number == -1.0 && PyErr_Occurred())) {
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError))
            PyErr_Format(PyExc_TypeError, "expires must be a number of seconds since 1970, or None, not %R",
                         Py_TYPE(value));
        return false;
    }
    if (!(number >= 1 && number < 9e15))
        return refuse_value(state, "expires", value,
                            "seconds since 1970, 1 or more, or None for a session cookie");
    *seconds = (int64_t)number;
    return true;
}

static PyObject *jar_set(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {
        "name", "value", "domain", "path", "expires", "secure", "http_only", "include_subdomains", NULL};
    module_state *state = ((cookie_jar *)self)->state;
    cw_cookie_jar *jar = jar_of(self);
    cw_cookie cookie = {.path = "/", .path_len_bytes = 1};
    PyObject *name, *value, *domain, *path = NULL, *expires = NULL;
    PyObject *flags[3] = {Py_False, Py_False, Py_False};
    if (jar == NULL || !PyArg_ParseTupleAndKeywords(args, keywords, "OOO|$OOOOO:set", names, &name, &value,
                                                    &domain, &path, &expires, &flags[0], &flags[1], &flags[2]))
        return NULL;
    if (!parse_text(state, name, "name", &cookie.name, &cookie.name_len_bytes) ||
        !parse_text(state, value, "value", &cookie.value, &cookie.value_len_bytes) ||
        !parse_text(state, domain, "domain", &cookie.domain, &cookie.domain_len_bytes) ||
        (path != NULL && !parse_text(state, path, "path", &cookie.path, &cookie.path_len_bytes)) ||
        !parse_expires(state, expires, &cookie.expires) || !parse_flag(flags[0], "secure", &cookie.secure) ||
        !parse_flag(flags[1], "http_only", &cookie.http_only) ||
        !parse_flag(flags[2], "include_subdomains", &cookie.include_subdomains))
        return NULL;
    blocking b;
    blocking_begin(state, &b);
    return end_call(self, &b, cw_cookie_jar_set(jar, &cookie));
}

static PyObject *clear(PyObject *self, bool only_session_cookies)
{
    cw_cookie_jar *jar = jar_of(self);
    if (jar == NULL)
        return NULL;
    blocking b;
    blocking_begin(((cookie_jar *)self)->state, &b);
    return end_call(self, &b, cw_cookie_jar_clear(jar, only_session_cookies));
}

static PyObject *jar_clear(PyObject *self, PyObject *Py_UNUSED(none)) { return clear(self, false); }
static PyObject *jar_clear_session(PyObject *self, PyObject *Py_UNUSED(none)) { return clear(self, true); }

static PyObject *jar_load(PyObject *self, PyObject *path)
{
    module_state *state = ((cookie_jar *)self)->state;
    cw_cookie_jar *jar = jar_of(self);
    PyObject *bytes = jar != NULL ? path_bytes(state, path, "path") : NULL;
    if (bytes == NULL)
        return NULL;
    blocking b;
    blocking_begin(state, &b);
    PyObject *result =
        end_call(self, &b, cw_cookie_jar_load(jar, PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes)));
    Py_DECREF(bytes);
    return result;
}

static PyObject *jar_save(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"path", NULL};
    module_state *state = ((cookie_jar *)self)->state;
    cw_cookie_jar *jar = jar_of(self);
    PyObject *path = Py_None, *bytes = NULL;
    if (jar == NULL || !PyArg_ParseTupleAndKeywords(args, keywords, "|O:save", names, &path))
        return NULL;
    if (path != Py_None && (bytes = path_bytes(state, path, "path")) == NULL)
        return NULL;
    blocking b;
    blocking_begin(state, &b);
    cw_status status = cw_cookie_jar_save(jar, bytes != NULL ? PyBytes_AsString(bytes) : NULL,
                                          bytes != NULL ? (size_t)PyBytes_Size(bytes) : 0);
    PyObject *result = end_call(self, &b, status);
    Py_XDECREF(bytes);
    return result;
}

/* ---- The control cookie_jar -------------------------------------------------------------------------------- */

/* Stores the object of the control; NULL = the control is a text. Steals the object. */
static void keep(websocket *ws, PyObject *object)
{
    fields_lock();
    PyObject *old = ws->cookie_jar;
    ws->cookie_jar = object;
    fields_unlock();
    Py_XDECREF(old);
}

PyObject *cookie_jar_get_control(websocket *ws)
{
    fields_lock();
    PyObject *object = Py_XNewRef(ws->cookie_jar);
    fields_unlock();
    return object != NULL ? object : control_get_text(ws, CW_OPT_COOKIE_JAR);
}

int cookie_jar_set_control(websocket *ws, PyObject *value)
{
    if (!PyObject_TypeCheck(value, ws->state->types[TYPE_COOKIE_JAR])) {
        if (control_set_text(ws, CW_OPT_COOKIE_JAR, value) < 0)
            return -1;
        keep(ws, NULL);
        return 0;
    }
    cw_cookie_jar *jar = jar_of(value);
    if (jar == NULL)
        return -1;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_set_cookie_jar(ws->socket, jar));
    if (status != CW_OK) {
        raise_status(ws->state, ws, status);
        return -1;
    }
    keep(ws, Py_NewRef(value));
    return 0;
}

/* ---- The type -------------------------------------------------------------------------------------------------- */

PyDoc_STRVAR(
    set_doc,
    "set($self, /, name, value, domain, *, path='/', expires=None, secure=False, http_only=False, "
    "include_subdomains=False)\n--\n\n"
    "Sets a cookie. It replaces the cookie of the same name, domain and path.\n\n"
    "domain: a host name in ASCII, or an IP address. expires: seconds since 1970; None = a session\n"
    "cookie; a time that has passed removes the cookie. secure: the cookie goes out over wss only, and to\n"
    "this machine. include_subdomains: the subdomains of domain get it too.\n"
    "Raises ArgumentError, which shows nothing of the value, and StateError if the jar is full. Does not\n"
    "block. Any thread may call it.");

PyDoc_STRVAR(
    load_doc,
    "load($self, path, /)\n--\n\n"
    "Adds the cookies of a file in Netscape's form, in place of those of the same name, domain and path.\n\n"
    "Raises WebSocketError with os_errno if the file cannot be read, and ArgumentError if it is not a\n"
    "cookie file; then it adds nothing. Blocks while it reads. Any thread may call it.");

PyDoc_STRVAR(save_doc,
             "save($self, /, path=None)\n--\n\n"
             "Writes the cookies to a file, which only its owner can read, and replaces it as a whole.\n\n"
             "path: None = the file of the jar. Raises WebSocketError with os_errno if the file cannot be\n"
             "written, and ArgumentError without a file. Blocks while it writes. Any thread may call it.");

static PyMethodDef methods[] = {
    {"set", (PyCFunction)(void (*)(void))jar_set, METH_VARARGS | METH_KEYWORDS, set_doc},
    {"clear", jar_clear, METH_NOARGS,
     "clear($self, /)\n--\n\nRemoves all cookies. Raises StateError in a child after fork(). Does not block. "
     "Any "
     "thread may call it."},
    {"clear_session_cookies", jar_clear_session, METH_NOARGS,
     "clear_session_cookies($self, /)\n--\n\nRemoves the cookies whose life no time ends. Raises StateError in "
     "a child after fork(). Does not block. Any thread may call it."},
    {"load", jar_load, METH_O, load_doc},
    {"save", (PyCFunction)(void (*)(void))jar_save, METH_VARARGS | METH_KEYWORDS, save_doc},
    {"__reduce_ex__", refuse_copy, METH_O, refuse_copy_doc},
    {NULL, NULL, 0, NULL}};

PyDoc_STRVAR(
    jar_doc,
    "CookieJar(path=None)\n--\n\n"
    "Cookies that servers set and that the program sets. Sockets share it by the control cookie_jar.\n\n"
    "path: a file in Netscape's form, whose cookies the jar begins with, if it exists. The jar writes the\n"
    "file when a handshake has changed the cookies, by save(), and when it is freed; an error then shows\n"
    "nowhere. None: in memory only. Iterating gives each Cookie. A jar holds at most 3,000 cookies.\n"
    "Raises WebSocketError with os_errno if the file cannot be read or its folder cannot be written, and\n"
    "ArgumentError if it is not a cookie file. Any thread may use it. After fork() the child needs a jar\n"
    "of its own.");

static PyType_Slot slots[] = {{Py_tp_doc, (void *)jar_doc},     {Py_tp_new, SLOT(jar_new)},
                              {Py_tp_init, SLOT(jar_init)},     {Py_tp_dealloc, SLOT(jar_dealloc)},
                              {Py_tp_repr, SLOT(jar_repr)},     {Py_tp_iter, SLOT(jar_iter)},
                              {Py_mp_length, SLOT(jar_length)}, {Py_nb_bool, SLOT(jar_bool)},
                              {Py_tp_methods, methods},         {0, NULL}};

static PyType_Spec spec = {
    .name = "curlwire.CookieJar", .basicsize = sizeof(cookie_jar), .flags = Py_TPFLAGS_DEFAULT, .slots = slots};

bool add_cookie_jar_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_COOKIE_JAR] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}
