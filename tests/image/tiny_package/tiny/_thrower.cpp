// C++ in a process: its library works, its exceptions end the process.
#include <Python.h>
#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

static PyObject *ordered(PyObject *, PyObject *text) {
    Py_ssize_t size;
    const char *letters = PyUnicode_AsUTF8AndSize(text, &size);
    if (letters == nullptr)
        return nullptr;
    std::vector<char> all(letters, letters + size);
    std::sort(all.begin(), all.end());
    const std::string joined(all.begin(), all.end());
    return PyUnicode_FromStringAndSize(joined.data(), static_cast<Py_ssize_t>(joined.size()));
}

static PyObject *raise(PyObject *, PyObject *) {
    try {
        throw std::runtime_error("thrown");
    } catch (const std::exception &error) {
        return PyUnicode_FromString(error.what());
    }
}

static PyMethodDef functions[] = {
    {"ordered", ordered, METH_O, "Sort letters."}, {"throw_and_catch", raise, METH_NOARGS, "Throw and catch."}, {nullptr}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_thrower", nullptr, 0, functions, nullptr};

PyMODINIT_FUNC PyInit__thrower(void) { return PyModuleDef_Init(&definition); }
