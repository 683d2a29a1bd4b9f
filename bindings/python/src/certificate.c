/* SPDX-License-Identifier: MIT */
/* Certificates of the server: the functions that copy them, and the facts about them. websocket.c and module.c list the
 * functions. The class Certificate, which is written in Python, calls them. */
#include "state.h"

#include <string.h>

static cw_status copy(websocket *ws, size_t number, void *buffer, size_t size_bytes, size_t *len_bytes)
{
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_certificate(ws->socket, number, buffer, size_bytes, len_bytes);
    PyEval_RestoreThread(thread);
    return status;
}

/* Returns a certificate as bytes, which are empty after the last one; NULL with an exception set. */
static PyObject *certificate_bytes(websocket *ws, size_t number)
{
    size_t len_bytes = 0;
    cw_status status = copy(ws, number, NULL, 0, &len_bytes);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    PyObject *der = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len_bytes);
    if (der == NULL || len_bytes == 0)
        return der;
    size_t again_bytes = 0;
    status = copy(ws, number, PyBytes_AsString(der), len_bytes, &again_bytes);
    if (status == CW_OK && again_bytes == len_bytes)
        return der;
    Py_DECREF(der); /* another thread has begun a connect meanwhile, which forgets the certificates */
    return status == CW_OK ? PyBytes_FromStringAndSize(NULL, 0) : raise_status(ws->state, ws, status);
}

PyObject *certificate_chain(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *chain = PyList_New(0);
    bool goes_on = chain != NULL;
    for (size_t number = 0; goes_on; number++) {
        PyObject *der = certificate_bytes((websocket *)self, number);
        goes_on = der != NULL && PyBytes_Size(der) > 0;
        if (der == NULL || (goes_on && PyList_Append(chain, der) < 0)) {
            Py_CLEAR(chain);
            goes_on = false;
        }
        Py_XDECREF(der);
    }
    return chain;
}

static int find_fact(const char *key)
{
    int fact = 0;
    while (fact < CW_CERTIFICATE_FACT_COUNT && strcmp(cw_certificate_key((cw_certificate_fact)fact), key) != 0)
        fact++;
    return fact;
}

PyObject *certificate_fact(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *der;
    const char *key;
    size_t len_bytes = 0;
    if (!PyArg_ParseTuple(arguments, "Ss", &der, &key))
        return NULL;
    const char *bytes = PyBytes_AsString(der);
    size_t der_bytes = (size_t)PyBytes_Size(der);
    cw_certificate_fact fact = (cw_certificate_fact)find_fact(key);
    cw_certificate_get(bytes, der_bytes, fact, NULL, 0, &len_bytes);
    char *text = PyMem_Malloc(len_bytes + 1);
    if (text == NULL)
        return PyErr_NoMemory();
    cw_certificate_get(bytes, der_bytes, fact, text, len_bytes + 1, NULL);
    PyObject *result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)len_bytes, "replace");
    PyMem_Free(text);
    return result;
}
