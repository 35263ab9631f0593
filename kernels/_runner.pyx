"""The hot boundary: hand arrays in, one native call, hand arrays out."""

cimport cython
cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pythread cimport (
    NOWAIT_LOCK,
    WAIT_LOCK,
    PyThread_acquire_lock,
    PyThread_allocate_lock,
    PyThread_free_lock,
    PyThread_release_lock,
    PyThread_type_lock,
)
from libc.string cimport memcpy

from linnet.kernels import _core

cnp.import_array()

cdef extern from "core/api.h":
    const int kProgramApi
    struct ProgramApi:
        int abi
        int (*run)(void* program, int* at, int end) noexcept nogil
    cdef enum Outcome:
        kDone
        kHost
        kPaused

cdef const ProgramApi* api = <const ProgramApi*>PyCapsule_GetPointer(
    _core.program_api, "linnet.ProgramApi"
)
if api.abi != kProgramApi:
    raise ImportError("linnet.kernels._runner and _core come from different builds")

cdef enum:
    MAX_RANK = 8


@cython.final
cdef class _Port:
    cdef object name
    cdef cnp.dtype dtype
    cdef int type_num
    cdef int rank
    cdef cnp.npy_intp shape[MAX_RANK]
    cdef size_t nbytes
    cdef char* memory

    def __init__(self, name, dtype, shape, size_t address):
        if len(shape) > MAX_RANK:
            raise ValueError(f"'{name}' has rank {len(shape)}; at most {MAX_RANK} is supported")
        self.name = name
        self.dtype = dtype
        self.type_num = self.dtype.num
        self.rank = len(shape)
        self.nbytes = self.dtype.itemsize
        for i in range(self.rank):
            self.shape[i] = shape[i]
            self.nbytes *= <size_t>shape[i]
        self.memory = <char*>address

    cdef bint fits(self, object value):
        if not cnp.PyArray_Check(value):
            return False
        cdef cnp.ndarray array = <cnp.ndarray>value
        cdef int i
        if cnp.PyArray_NDIM(array) != self.rank or cnp.PyArray_TYPE(array) != self.type_num:
            return False
        if not cnp.PyArray_ISCARRAY_RO(array):
            return False
        for i in range(self.rank):
            if cnp.PyArray_DIM(array, i) != self.shape[i]:
                return False
        return True


@cython.final
cdef class Runner:
    """Runs one bound program on dicts of arrays.

    Parameters
    ----------
    program : Program
        Kept alive.
    inputs, outputs : sequence of (name, dtype, shape, address)
        Where each tensor lies in the program's arena.
    hosts : dict of int to callable
        What does the program's host steps.
    """

    cdef object program
    cdef void* handle
    cdef list inputs
    cdef list outputs
    cdef dict hosts
    cdef int count

    def __init__(self, program, inputs, outputs, dict hosts):
        self.program = program
        self.handle = PyCapsule_GetPointer(program.handle, "linnet.Program")
        self.inputs = [_Port(*port) for port in inputs]
        self.outputs = [_Port(*port) for port in outputs]
        self.hosts = hosts
        self.count = len(program)

    def fits(self, dict feeds):
        """Return whether names, dtypes and shapes are this program's."""
        cdef _Port port
        if len(feeds) != len(self.inputs):
            return False
        for port in self.inputs:
            if not port.fits(feeds.get(port.name)):
                return False
        return True

    cdef bint keeps(self, dict kept):
        cdef _Port port
        cdef int found = 0
        for port in self.outputs:
            if port.name in kept:
                if not (port.fits(kept[port.name]) and cnp.PyArray_ISWRITEABLE(kept[port.name])):
                    return False
                found += 1
        return found == len(kept)

    cpdef run(self, dict feeds, dict kept=None, hidden=()):
        """Return the outputs by name; None where the feeds do not fit; -1 - step on bad data.

        Outputs named in ``kept`` overwrite its arrays; those in ``hidden`` are not returned.
        """
        cdef _Port port
        cdef cnp.ndarray array
        cdef int failed
        cdef dict results = {}
        if len(feeds) != len(self.inputs) or (kept is not None and not self.keeps(kept)):
            return None
        for port in self.inputs:
            value = feeds.get(port.name)
            if not port.fits(value):
                return None
            memcpy(port.memory, cnp.PyArray_DATA(<cnp.ndarray>value), port.nbytes)
        failed = self.run_steps()
        if failed >= 0:
            return -1 - failed
        for port in self.outputs:
            if kept is not None and port.name in kept:
                array = <cnp.ndarray>kept[port.name]
                memcpy(cnp.PyArray_DATA(array), port.memory, port.nbytes)
                if port.name in hidden:
                    continue
            array = cnp.PyArray_EMPTY(port.rank, port.shape, port.type_num, 0)
            memcpy(cnp.PyArray_DATA(array), port.memory, port.nbytes)
            results[port.name] = array
        return results

    cdef int run_steps(self) except -2:
        """Return -1, or the step that met bad data."""
        cdef int at = 0, outcome
        while True:
            with nogil:
                outcome = api.run(self.handle, &at, self.count)
            if outcome == kDone:
                return -1
            if outcome == kHost:
                self.hosts[at]()
                at += 1
            elif outcome == kPaused:
                PyErr_CheckSignals()
            else:
                return at


@cython.final
cdef class Lock:
    """What `_thread.allocate_lock` gives, taken by C without a call of Python."""

    cdef PyThread_type_lock lock

    def __cinit__(self):
        self.lock = PyThread_allocate_lock()
        if self.lock == NULL:
            raise MemoryError()

    def __dealloc__(self):
        if self.lock != NULL:
            PyThread_free_lock(self.lock)

    cdef void take(self) noexcept:
        if not PyThread_acquire_lock(self.lock, NOWAIT_LOCK):
            with nogil:
                PyThread_acquire_lock(self.lock, WAIT_LOCK)

    cdef void give(self) noexcept:
        PyThread_release_lock(self.lock)

    def __enter__(self):
        self.take()

    def __exit__(self, *_):
        self.give()


cdef class Caller:
    """Base of sessions: callers take turns; what they hand in goes to the plan that ran last.

    Attributes
    ----------
    _lock : Lock
        Held while a run lasts.
    _source : object
        Its ``current`` is a `Runner`, something else with its ``run``, or None.
    """

    cdef public Lock _lock
    cdef public object _source

    def __cinit__(self, *_, **__):
        self._lock = Lock()

    def run(self, inputs):
        """Run the model once.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            One array per input, of the dtype and shape that `inputs` declares.

        Returns
        -------
        dict of str to ndarray
            Fresh arrays, in the order of `outputs`.

        Raises
        ------
        InputError
            If a name is missing or unknown, a dtype or shape does not fit, or a value is out of
            the range that an operator accepts (an index beyond its table).
        """
        self._lock.take()
        try:
            runner = self._source.current
            if runner is not None and type(inputs) is dict:
                if type(runner) is Runner:
                    results = (<Runner>runner).run(inputs)
                else:
                    results = runner.run(inputs)
                if type(results) is dict:
                    return results
            return self._run_otherwise(inputs if type(inputs) is dict else dict(inputs))
        finally:
            self._lock.give()
