"""What Go writes in assembly: the thread's M, the switch between stacks, and the mutex's compare-and-swap.

The C form of asm.py, which has the text. Differs from it: under the GIL a mutex is a plain flag, since nothing
between lock and unlock gives the GIL up; on a free-threaded build it is an atomic compare-and-swap. It is reentrant too.
"""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdlib cimport free, malloc

from greenlet import getcurrent, greenlet

__all__ = [
    "LOCKS",
    "afterfork",
    "callersite",
    "curcontext",
    "curstack",
    "getcurrent",
    "getm",
    "gogo",
    "gqueue",
    "immortal",
    "invoke",
    "lock",
    "mutex",
    "newstack",
    "ownstack",
    "setm",
    "smallstack",
    "trylock",
    "unlock",
]


cdef extern from *:
    """
    #include "greenlet.h"
    #include <string.h>
    #include <time.h>
    #if PY_VERSION_HEX < 0x030B0000
    #include "frameobject.h"
    #endif

    #if defined(_MSC_VER)
    static __declspec(thread) PyObject *gonet_tls_m = NULL;
    #else
    /* initial-exec: a load instead of a call; one pointer fits into what the loader keeps for late modules */
    static __thread PyObject *gonet_tls_m __attribute__((tls_model("initial-exec"))) = NULL;
    #endif

    static CYTHON_INLINE PyObject *gonet_getm(void) { return gonet_tls_m; }
    static CYTHON_INLINE void gonet_setm(PyObject *m) { gonet_tls_m = m; }

    static int gonet_import_greenlet(void) {
        PyGreenlet_Import();
        return _PyGreenlet_API == NULL ? -1 : 0;
    }

    /* Which greenlet runs is asked at every park, and greenlet is slow to tell. But each has Python frames of its own,
     * in chunks of which it keeps the first as long as it lives (CPython 3.11 to 3.13): so a thread remembers the
     * greenlet at the bottom of the goroutine that it runs, and its first chunk; found in use, that chunk says that this
     * greenlet runs and not one that the program made. Otherwise greenlet is asked, and the pair forgotten: that other
     * one will be its goroutine's gr, and nothing may hold the bottom one any more. Both are borrowed, from the gr of
     * the goroutine that runs, and NULL on g0 and on foreign threads. gonet_gogo gives a stack its pair back. */
    #if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
    #define GONET_CHUNKS 1
    static __thread PyObject *gonet_tls_stack __attribute__((tls_model("initial-exec"))) = NULL;
    static __thread void *gonet_tls_root __attribute__((tls_model("initial-exec"))) = NULL;
    static __thread PyThreadState *gonet_tls_ts __attribute__((tls_model("initial-exec"))) = NULL;  /* with the pair */

    static CYTHON_INLINE PyObject *gonet_curstack(void) {
        if (gonet_tls_root != NULL) {
            _PyStackChunk *c = gonet_tls_ts->datastack_chunk;
            while (c != NULL && c->previous != NULL) c = c->previous;
            if (c == gonet_tls_root) return Py_NewRef(gonet_tls_stack);
            gonet_tls_stack = NULL;
            gonet_tls_root = NULL;
        }
        return (PyObject *)PyGreenlet_GetCurrent();
    }
    #else
    #define GONET_CHUNKS 0
    static CYTHON_INLINE PyObject *gonet_curstack(void) { return (PyObject *)PyGreenlet_GetCurrent(); }
    #endif

    static CYTHON_INLINE int gonet_gogo(PyObject *to) {
        PyObject *r;
    #if GONET_CHUNKS
        PyObject *stack = gonet_tls_stack;
        void *root = gonet_tls_root;
        gonet_tls_stack = NULL;
        gonet_tls_root = NULL;
    #endif
        r = PyGreenlet_Switch((PyGreenlet *)to, NULL, NULL);
    #if GONET_CHUNKS
        gonet_tls_stack = stack;
        gonet_tls_root = root;
    #endif
        if (r == NULL) return -1;
        Py_DECREF(r);
        return 0;
    }

    /* The key of a mutex that is held is the epoch in which it was taken: one more in each forked child. owner is the
     * address of the holder's slot; only the holder can find its own there. */
    static int gonet_epoch = 1;
    static void *gonet_forker = NULL;   /* the owner that the last fork has left alive, */
    static int gonet_forkerborn = 0;    /* and the epoch in which its thread began */

    #ifdef Py_GIL_DISABLED
    #define GONET_LOCKS 1
    #define gonet_key(key) __atomic_load_n((key), __ATOMIC_ACQUIRE)
    #define gonet_give(key) __atomic_store_n((key), 0, __ATOMIC_RELEASE)
    static CYTHON_INLINE int gonet_take(int *key, int was) {
        return __atomic_compare_exchange_n(key, &was, gonet_epoch, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    }
    #else
    #define GONET_LOCKS 0
    #define gonet_key(key) (*(key))
    #define gonet_give(key) (*(key) = 0)
    static CYTHON_INLINE int gonet_take(int *key, int was) { return *key == was ? (*key = gonet_epoch) : 0; }
    #endif

    static void gonet_afterfork(void) {
        if (gonet_forker != &gonet_tls_m) {
            gonet_forker = &gonet_tls_m;
            gonet_forkerborn = gonet_epoch;
        }
        gonet_epoch++;
    }

    /* Taken before a fork. A new thread may have its slot where that of a holder was, who is gone. */
    static int gonet_inherit(int *key, int was, int *depth, void **owner) {
        if (*owner == gonet_forker && was >= gonet_forkerborn) {
            if (*owner != &gonet_tls_m) return 0;
            ++*depth;
            return 1;
        }
        if (!gonet_take(key, was)) return 0;    /* another thread was first */
        *depth = 0;
        *owner = &gonet_tls_m;
        return 1;
    }

    static CYTHON_INLINE int gonet_trylock(int *key, int *depth, void **owner) {
        int was;
        if (gonet_take(key, 0)) {
            *owner = &gonet_tls_m;
            return 1;
        }
        was = gonet_key(key);
        if (was != gonet_epoch) return was != 0 && gonet_inherit(key, was, depth, owner);
        if (*owner == &gonet_tls_m) {
            ++*depth;
            return 1;
        }
        return 0;
    }
    static CYTHON_INLINE void gonet_unlock(int *key, int *depth, void **owner) {
        if (*depth > 0) {
            --*depth;
            return;
        }
        *owner = NULL;
        gonet_give(key);
    }

    /* Contended: the holder has lost the GIL inside, or runs beside us. Both are over in microseconds. */
    static void gonet_lockslow(int *key, int *depth, void **owner) {
        struct timespec ts = {0, 20000};
        while (!gonet_trylock(key, depth, owner)) {
            Py_BEGIN_ALLOW_THREADS
            nanosleep(&ts, NULL);
            Py_END_ALLOW_THREADS
        }
    }

    /* CPython (3.11 to 3.13) keeps a thread's Python frames in chunks of 16 KB that it maps for itself; a greenlet has its
     * own. Two things follow. A goroutine parked a frame or two deep touches the first page of a chunk, 4 KB, for a few
     * hundred bytes: so a new stack begins with a small root chunk (gonet_smallstack), as push_chunk would have set it
     * up, only smaller; deeper calls get whole chunks behind it. And mapping and unmapping a chunk costs microseconds:
     * so chunks go through a cache, by an arena allocator in front of the one that was. It knows what it is given back
     * by the size: no arena and no chunk of CPython's is as small as ours. */
    #if GONET_CHUNKS
    enum { GONET_SMALL = 1008, GONET_CHUNK = 16 * 1024, GONET_CACHED = 64 };
    static PyObjectArenaAllocator gonet_arena;
    static void *gonet_cached[GONET_CACHED];
    static int gonet_ncached = 0;
    static char gonet_spin = 0;     /* subinterpreters may have GILs of their own */

    static void *gonet_arena_alloc(void *ctx, size_t size) {
        void *p = NULL;
        if (size == GONET_CHUNK) {
            while (__atomic_test_and_set(&gonet_spin, __ATOMIC_ACQUIRE)) {}
            if (gonet_ncached > 0) p = gonet_cached[--gonet_ncached];
            __atomic_clear(&gonet_spin, __ATOMIC_RELEASE);
        }
        return p != NULL ? p : gonet_arena.alloc(gonet_arena.ctx, size);
    }
    static void gonet_arena_free(void *ctx, void *p, size_t size) {
        if (size == GONET_SMALL) {
            free(p);
            return;
        }
        if (size == GONET_CHUNK) {
            int kept = 0;
            while (__atomic_test_and_set(&gonet_spin, __ATOMIC_ACQUIRE)) {}
            if (gonet_ncached < GONET_CACHED) {
                gonet_cached[gonet_ncached++] = p;
                kept = 1;
            }
            __atomic_clear(&gonet_spin, __ATOMIC_RELEASE);
            if (kept) return;
        }
        gonet_arena.free(gonet_arena.ctx, p, size);
    }
    static void gonet_cachechunks(void) {
        PyObjectArenaAllocator ours = {NULL, gonet_arena_alloc, gonet_arena_free};
        PyObject_GetArenaAllocator(&gonet_arena);
        if (gonet_arena.alloc != gonet_arena_alloc) PyObject_SetArenaAllocator(&ours);
    }
    static void gonet_smallstack(void) {
        PyThreadState *ts = PyThreadState_Get();
        _PyStackChunk *c;
        if (ts->datastack_chunk != NULL || (c = (_PyStackChunk *)malloc(GONET_SMALL)) == NULL) return;
        c->previous = NULL;
        c->size = GONET_SMALL;
        c->top = 0;
        ts->datastack_chunk = c;
        ts->datastack_top = &c->data[1];    /* the root chunk's first word stays free: no frame at data[0] pops it */
        ts->datastack_limit = (PyObject **)((char *)c + GONET_SMALL);
    }
    static void gonet_ownstack(PyObject *stack) {
        PyThreadState *ts = PyThreadState_Get();
        _PyStackChunk *c = ts->datastack_chunk;
        if (c == NULL) return;
        while (c->previous != NULL) c = c->previous;
        gonet_tls_ts = ts;
        gonet_tls_stack = stack;
        gonet_tls_root = c;
    }
    #else
    static void gonet_cachechunks(void) {}
    static void gonet_smallstack(void) {}
    static void gonet_ownstack(PyObject *stack) {}
    #endif

    static CYTHON_INLINE PyObject *gonet_curcontext(void) {
        PyObject *ctx = PyThreadState_Get()->context;
        return Py_NewRef(ctx == NULL ? Py_None : ctx);
    }

    static PyObject *gonet_invoke(PyObject *fn, PyObject *args, PyObject *kwargs) {
        PyObject *type, *value, *tb, *r = PyObject_Call(fn, args, kwargs);
        if (r != NULL) {
            Py_DECREF(r);
            Py_RETURN_NONE;
        }
        PyErr_Fetch(&type, &value, &tb);
        PyErr_NormalizeException(&type, &value, &tb);
        if (tb != NULL) PyException_SetTraceback(value, tb);
        Py_XDECREF(tb);
        Py_XDECREF(type);
        return value;
    }

    static int gonet_ours(PyFrameObject *f, PyObject *key) {
        int ours = 0;
    #if PY_VERSION_HEX >= 0x030B0000
        PyObject *globals = PyFrame_GetGlobals(f);
    #else
        PyObject *globals = f->f_globals;
        Py_INCREF(globals);
    #endif
        PyObject *name = PyDict_GetItemWithError(globals, key);
        if (name != NULL && PyUnicode_Check(name) && PyUnicode_IS_COMPACT_ASCII(name)) {
            const char *s = (const char *)PyUnicode_1BYTE_DATA(name);
            ours = (s[0] == 'g' && strncmp(s, "gonet", 5) == 0 && (s[5] == 0 || s[5] == '.'))
                || (s[0] == 'r' && strncmp(s, "runtime", 7) == 0 && (s[7] == 0 || s[7] == '.'));
        }
        Py_DECREF(globals);
        return ours;
    }

    static PyObject *gonet_callersite(PyObject *key) {
        PyFrameObject *f = PyEval_GetFrame();      /* borrowed */
        PyObject *code, *site, *offset;
        int lasti;
        Py_XINCREF(f);
        while (f != NULL && gonet_ours(f, key)) {
            PyFrameObject *back = PyFrame_GetBack(f);
            Py_DECREF(f);
            f = back;
        }
        if (f == NULL) Py_RETURN_NONE;
        code = (PyObject *)PyFrame_GetCode(f);
    #if PY_VERSION_HEX >= 0x030B0000
        lasti = PyFrame_GetLasti(f);
    #else
        lasti = f->f_lasti * 2;
    #endif
        Py_DECREF(f);
        site = PyTuple_New(2);
        offset = PyLong_FromLong(lasti);
        if (site == NULL || offset == NULL) {
            Py_XDECREF(site);
            Py_XDECREF(offset);
            Py_DECREF(code);
            return NULL;
        }
        PyTuple_SET_ITEM(site, 0, code);
        PyTuple_SET_ITEM(site, 1, offset);
        return site;
    }
    """
    PyObject *gonet_getm() noexcept
    void gonet_setm(PyObject *m) noexcept
    int gonet_import_greenlet() except -1
    int gonet_gogo(PyObject *to) except -1
    void gonet_cachechunks() noexcept
    void gonet_smallstack() noexcept
    void gonet_ownstack(PyObject *stack) noexcept
    bint GONET_LOCKS
    bint gonet_trylock(int *key, int *depth, void **owner) noexcept
    void gonet_unlock(int *key, int *depth, void **owner) noexcept
    void gonet_lockslow(int *key, int *depth, void **owner)
    void gonet_afterfork() noexcept
    object gonet_curstack()
    object gonet_curcontext()
    object gonet_invoke(object fn, object args, PyObject *kwargs)
    object gonet_callersite(object key)


gonet_import_greenlet()
gonet_cachechunks()

LOCKS = bool(GONET_LOCKS)


cdef class mutex:
    """A runtime lock: held for a few lines, never over a park. Subclassed by what embeds one (PollDesc, timers)."""

    def __init__(self):
        self.key = 0
        self.depth = 0
        self.owner = NULL


@cython.final
cdef class gqueue(mutex):
    """A FIFO of goroutines for any thread: append, popleft (None if there is none), remove, copy, len."""

    # A ring of owned references; cap is a power of two. The collector does not see them: what is queued is alive.

    def __cinit__(self):
        self.cap = 64
        self.head = 0
        self.used = 0
        self.ring = <PyObject **>malloc(self.cap * sizeof(PyObject *))
        if self.ring == NULL:
            raise MemoryError

    def __init__(self):
        mutex.__init__(self)

    def __dealloc__(self):
        while self.popleft() is not None:
            pass
        free(self.ring)

    cdef int _grow(self) noexcept:
        """-1 if there is no memory."""
        cdef Py_ssize_t i
        cdef PyObject **ring = <PyObject **>malloc(2 * self.cap * sizeof(PyObject *))
        if ring == NULL:
            return -1
        for i in range(self.used):
            ring[i] = self.ring[(self.head + i) & (self.cap - 1)]
        free(self.ring)
        self.ring = ring
        self.cap *= 2
        self.head = 0
        return 0

    cpdef int append(self, object g) except -1:
        """Put g at the end."""
        if GONET_LOCKS:
            lock(self)
        if self.used == self.cap and self._grow() < 0:
            if GONET_LOCKS:
                unlock(self)
            raise MemoryError
        Py_INCREF(g)
        self.ring[(self.head + self.used) & (self.cap - 1)] = <PyObject *>g
        self.used += 1
        if GONET_LOCKS:
            unlock(self)
        return 0

    cpdef object get(self):
        """popleft without a look before."""
        return self.popleft()

    cpdef object popleft(self):
        """Take and return the first; None if there is none."""
        cdef PyObject *p = NULL
        cdef object g
        if GONET_LOCKS:
            lock(self)
        if self.used > 0:
            p = self.ring[self.head]
            self.head = (self.head + 1) & (self.cap - 1)
            self.used -= 1
        if GONET_LOCKS:
            unlock(self)
        if p == NULL:
            return None
        g = <object>p
        Py_DECREF(g)
        return g

    def copy(self):
        """A list of what is queued now."""
        cdef Py_ssize_t i
        cdef list out = []
        if GONET_LOCKS:
            lock(self)
        for i in range(self.used):
            out.append(<object>self.ring[(self.head + i) & (self.cap - 1)])
        if GONET_LOCKS:
            unlock(self)
        return out

    def remove(self, object g):
        """Take g out; quick near the head, where a thief takes many. Raises: ValueError."""
        cdef Py_ssize_t i, j
        cdef Py_ssize_t mask
        if GONET_LOCKS:
            lock(self)
        mask = self.cap - 1
        for i in range(self.used):
            if self.ring[(self.head + i) & mask] == <PyObject *>g:
                break
        else:
            if GONET_LOCKS:
                unlock(self)
            raise ValueError("not in the gqueue")
        if i < self.used // 2:
            for j in range(i, 0, -1):
                self.ring[(self.head + j) & mask] = self.ring[(self.head + j - 1) & mask]
            self.head = (self.head + 1) & mask
        else:
            for j in range(i + 1, self.used):
                self.ring[(self.head + j - 1) & mask] = self.ring[(self.head + j) & mask]
        self.used -= 1
        if GONET_LOCKS:
            unlock(self)
        Py_DECREF(g)

    def __len__(self):
        return self.used

    def __bool__(self):
        return self.used != 0

    def __iter__(self):
        return iter(self.copy())


cpdef int lock(mutex l) except -1:
    """Acquire l, waiting for another thread if need be."""
    if not gonet_trylock(&l.key, &l.depth, &l.owner):
        gonet_lockslow(&l.key, &l.depth, &l.owner)
    return 0


cpdef bint trylock(mutex l) except -1:
    """Acquire l if that needs no waiting; whether it did."""
    return gonet_trylock(&l.key, &l.depth, &l.owner)


cpdef int unlock(mutex l) except -1:
    """Release l, which the caller holds."""
    gonet_unlock(&l.key, &l.depth, &l.owner)
    return 0


def afterfork():
    """In a forked child, before any lock is taken: what other threads held is free. What this one holds it still holds."""
    gonet_afterfork()


cpdef object getm():
    """The calling thread's M, or None if the thread has not been adopted."""
    cdef PyObject *mp = gonet_getm()
    if mp == NULL:
        return None
    return <object>mp


cpdef int setm(object mp) except -1:
    """Make mp the calling thread's M. The slot borrows: sched.allm keeps every M alive while its thread lives."""
    gonet_setm(NULL if mp is None else <PyObject *>mp)
    return 0


cpdef int gogo(object stack) except -1:
    """Switch to the greenlet stack, which the caller holds; returns when somebody switches back."""
    return gonet_gogo(<PyObject *>stack)


cpdef object invoke(object fn, object args, object kwargs):
    """Call fn(*args, **kwargs), kwargs None for none; None, or the exception it raised."""
    # No try: it would keep the caller's exception state in this frame, which every parked goroutine has to store.
    return gonet_invoke(fn, args, NULL if kwargs is None else <PyObject *>kwargs)


cpdef int smallstack() except -1:
    """At the bottom of a new stack, before any Python frame: have the first frames lie in little memory."""
    gonet_smallstack()
    return 0


cpdef int ownstack(object stack) except -1:
    """The caller runs on stack, which is at the bottom of its goroutine and ends with it."""
    gonet_ownstack(<PyObject *>stack)
    return 0


cpdef object curstack():
    """The greenlet that runs."""
    return gonet_curstack()


cpdef object curcontext():
    """The contextvars context that is current, None if there is none yet."""
    return gonet_curcontext()


cpdef object newstack(object run):
    """A new greenlet that calls run() on its first switch; its parent is the current one."""
    return greenlet(run)


cpdef object callersite():
    """(code, byte offset of its instruction) of the nearest frame outside gonet, which is not kept alive."""
    return gonet_callersite("__name__")


def immortal(object obj):
    """Keep obj to the very end of the process, beyond the interpreter's own clearing up.

    Goroutines that are parked when the program ends must not be unwound: freeing a greenlet would do that.
    """
    Py_INCREF(obj)
