/* What compiled code does in a process: values, errors, buffers, a type of its own, the C library; and harm. */
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <structmember.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static PyObject *add(PyObject *self, PyObject *args) {
    long long a, b;
    if (!PyArg_ParseTuple(args, "LL", &a, &b))
        return NULL;
    if (a < 0) {
        PyErr_Format(PyExc_ValueError, "%lld is negative", a);
        return NULL;
    }
    return PyLong_FromLongLong(a + b);
}

static PyObject *total(PyObject *self, PyObject *object) {
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0)
        return NULL;
    unsigned long sum = 0;
    for (Py_ssize_t i = 0; i < view.len; i++)
        sum += ((unsigned char *)view.buf)[i];
    PyBuffer_Release(&view);
    return PyLong_FromUnsignedLong(sum);
}

static PyObject *missing_file(PyObject *self, PyObject *unused) {
    if (open("/no/such/file", O_RDONLY) < 0)
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, "/no/such/file");
    Py_RETURN_NONE;
}

/* What this library's headers say of structures that the guest's C library fills in; the caller compares. */
static PyObject *layouts(PyObject *self, PyObject *args) {
    const char *path;
    if (!PyArg_ParseTuple(args, "s", &path))
        return NULL;
    struct stat status;
    memset(&status, 0, sizeof status);
    if (stat(path, &status) < 0)
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    time_t when = 1000000000; /* 2001-09-09 01:46:40, a Sunday, day 252 of the year */
    struct tm broken;
    memset(&broken, 0, sizeof broken);
    gmtime_r(&when, &broken);
    char line[32] = "";
    FILE *file = fopen(path, "r");
    long position = -1;
    int descriptor = -1, at_end = -1;
    if (file != NULL) {
        descriptor = fileno(file);
        if (fgets(line, sizeof line, file) == NULL)
            line[0] = 0;
        position = ftell(file);
        at_end = getc(file) == EOF && feof(file);
        fclose(file);
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return Py_BuildValue(
        "{s:(LLi),s:(iiiiiiii),s:(slii),s:(iii),s:i}",
        "stat", (long long)status.st_size, (long long)status.st_mtim.tv_sec, (int)S_ISREG(status.st_mode),
        "tm", broken.tm_year, broken.tm_mon, broken.tm_mday, broken.tm_hour, broken.tm_min, broken.tm_sec, broken.tm_wday, broken.tm_yday,
        "FILE", line, position, descriptor > 2, at_end,
        "errno", ENOENT, EINVAL, ERANGE,
        "recent", (int)(now.tv_sec > 1700000000 && now.tv_nsec < 1000000000));
}

/* Write over all memory that the process has. */
static PyObject *scribble(PyObject *self, PyObject *unused) {
    memset((void *)1024, 0xff, __builtin_wasm_memory_size(0) * 65536 - 1024);
    Py_RETURN_NONE;
}

typedef struct {
    PyObject_HEAD
    double x, y;
} Point;

static PyMemberDef point_members[] = {
    {"x", Py_T_DOUBLE, offsetof(Point, x), 0, NULL}, {"y", Py_T_DOUBLE, offsetof(Point, y), 0, NULL}, {NULL}};

static void point_free(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot point_slots[] = {{Py_tp_members, point_members}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, point_free}, {0, NULL}};
static PyType_Spec point_spec = {"tiny._core.Point", sizeof(Point), 0, Py_TPFLAGS_DEFAULT, point_slots};

static int fill(PyObject *module) {
    PyObject *type = PyType_FromSpec(&point_spec);
    return type == NULL ? -1 : PyModule_Add(module, "Point", type);
}

static PyMethodDef functions[] = {
    {"add", add, METH_VARARGS, "Add two numbers; the first is not negative."},
    {"total", total, METH_O, "Add up bytes."},
    {"missing_file", missing_file, METH_NOARGS, "Open a file that does not exist."},
    {"layouts", layouts, METH_VARARGS, "Return what the headers say of a file, a time and the errors."},
    {"scribble", scribble, METH_NOARGS, "Write over all memory."},
    {NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_core", NULL, 0, functions, slots};

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
