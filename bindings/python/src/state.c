/* SPDX-License-Identifier: MIT */
/* The state of the module, access to it, and the lock of a socket's fields. Every other file uses this file. It calls only
 * Python. */
#include "state.h"

#ifdef Py_GIL_DISABLED
static PyMutex fields_mutex;
void fields_lock(void) { PyMutex_Lock(&fields_mutex); }
void fields_unlock(void) { PyMutex_Unlock(&fields_mutex); }
void fields_after_fork(void) { fields_mutex = (PyMutex){0}; }
#endif

const char refuse_copy_doc[] =
    "__reduce_ex__($self, protocol, /)\n--\n\nRaises TypeError: the object cannot be copied.";

PyObject *refuse_copy(PyObject *self, PyObject *Py_UNUSED(protocol))
{
    PyObject *name = PyType_GetName(Py_TYPE(self));
    if (name != NULL)
        PyErr_Format(PyExc_TypeError,
                     "cannot copy or pickle a %U: it belongs to one live connection; copy the values that you "
                     "need, or make a new socket",
                     name);
    Py_XDECREF(name);
    return NULL;
}

module_state *state_of_type(PyTypeObject *type)
{
    for (PyTypeObject *t = type; t != NULL; t = PyType_GetSlot(t, Py_tp_base)) {
        PyObject *module = PyType_GetModule(t);
        if (module == NULL)
            PyErr_Clear(); /* this class was made in Python, or by no module */
        else if (PyModule_GetDef(module) == &module_definition)
            return PyModule_GetState(module);
    }
    PyErr_SetString(PyExc_TypeError, "not a type of curlwire");
    return NULL;
}

void free_object(PyObject *self)
{
    freefunc release = (freefunc)(intptr_t)PyType_GetSlot(Py_TYPE(self), Py_tp_free);
    release(self);
}

PyObject *get_helper(module_state *state, helper index)
{
    PyObject *object = state->helpers[index];
    if (object == NULL)
        PyErr_SetString(PyExc_RuntimeError,
                        "curlwire._core is used without the package curlwire; import curlwire");
    return object;
}

PyObject *enum_member(module_state *state, enum_index index, long number)
{
    return PyObject_CallFunction(state->enums[index], "l", number);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    for (int i = 0; i < TYPE_COUNT; i++)
        Py_VISIT(state->types[i]);
    for (int i = 0; i < ENUM_COUNT; i++)
        Py_VISIT(state->enums[i]);
    for (int i = 0; i < HELPER_COUNT; i++)
        Py_VISIT(state->helpers[i]);
    Py_VISIT(state->done_nothing);
    Py_VISIT(state->get_running_loop);
    Py_VISIT(state->run_key);
    Py_VISIT(state->run_name);
    return 0;
}

static int module_clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    for (int i = 0; i < TYPE_COUNT; i++)
        Py_CLEAR(state->types[i]);
    for (int i = 0; i < ENUM_COUNT; i++)
        Py_CLEAR(state->enums[i]);
    for (int i = 0; i < HELPER_COUNT; i++)
        Py_CLEAR(state->helpers[i]);
    Py_CLEAR(state->done_nothing);
    Py_CLEAR(state->get_running_loop);
    Py_CLEAR(state->run_key);
    Py_CLEAR(state->run_name);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

/* module.c adds the functions and the slots, because they call the files above this one. */
struct PyModuleDef module_definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "curlwire._core",
    .m_doc = "The C side of curlwire; import curlwire instead.",
    .m_size = sizeof(module_state),
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};
