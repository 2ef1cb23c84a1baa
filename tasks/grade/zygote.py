# SPDX-License-Identifier: MIT
"""An interpreter behind walls (lockdown.py) that forks a child a job.

Two processes: the guard, which waits and then removes the scratch folder, and its child, the
zygote, which answers requests on the control socket until it closes. The reader of the socket
decides about time and output; the zygote only starts, kills and reaps.
"""
import atexit
import builtins
import gc
import io
import json
import select
import signal
import socket
import sys
import threading
import types

# What programs usually import is there already, and where files are closed it is all there is.
for _name in """
        __future__ abc array ast base64 bisect bz2 calendar cmath collections.abc contextlib copy
        csv dataclasses datetime decimal enum fractions functools graphlib hashlib heapq inspect
        itertools linecache locale logging lzma math numbers operator pprint queue random re
        secrets statistics string struct textwrap time timeit tokenize traceback typing unittest
        uuid weakref zlib _strptime encodings.ascii encodings.latin_1 encodings.utf_16
        """.split():
    try:
        __import__(_name)
    except ImportError:
        pass  # an optional part that this Python was built without

REQUEST = struct.Struct("=Q7q16s")
KILL = struct.Struct("=Q")
REPORT = struct.Struct("=Qqqqq")
STDIN, STDOUT, STDERR, REPLY = 0, 1, 2, 3
FAILED, FLOODED, SQUEEZED = 1, 2, 3
JOB_FILES = 64
STACK_BYTES = 64 << 20


class Job:
    """One request, in the child."""

    def __init__(self, words):
        (self.serial, self.program_size, self.driver_size, self.input_size, self.memory,
         self.file, self.cpu, self.threads, self.nonce) = words

    def read(self, file):
        parts = []
        at = 0
        for size in (self.program_size, self.driver_size, self.input_size):
            part = bytearray()
            while len(part) < size:
                piece = os.pread(file, min(size - len(part), 1 << 24), at)
                if not piece:
                    raise OSError(errno.EIO, "a short job")
                part += piece
                at += len(piece)
            parts.append(bytes(part))
        self.program, self.driver, self.input = parts


# ---- in the child ----

def send_home(nonce, kind, payload):
    frame = memoryview(nonce + kind + struct.pack("=I", len(payload)) + payload)
    while frame:
        frame = frame[os.write(REPLY, frame):]


def close_limits(job, base_threads):
    limit(resource.RLIMIT_CPU, job.cpu, job.cpu + 1)
    limit(resource.RLIMIT_AS, job.memory)
    limit(resource.RLIMIT_FSIZE, job.file)
    limit(resource.RLIMIT_STACK, STACK_BYTES)
    limit(resource.RLIMIT_NOFILE, JOB_FILES)
    limit(resource.RLIMIT_NPROC, base_threads + job.threads)


def fresh_streams():
    """As the interpreter opens them in the C.UTF-8 locale."""
    names = (("stdin", STDIN, "rb", None), ("stdout", STDOUT, "wb", "\n"),
             ("stderr", STDERR, "wb", "\n"))
    for name, file, mode, newline in names:
        binary = io.open(file, mode, closefd=False)
        errors = "backslashreplace" if name == "stderr" else "surrogateescape"
        text = io.TextIOWrapper(binary, encoding="utf-8", errors=errors, newline=newline,
                                line_buffering=name == "stderr")
        text.mode = mode[0]
        setattr(sys, name, text)
        setattr(sys, "__%s__" % name, text)


def run_main(source, names):
    """As `python main.py`, up to the exit code; returns that and whether memory was the end."""
    code, memory = 0, False
    try:
        if not isinstance(source, types.CodeType):
            source = compile(source, "main.py", "exec", dont_inherit=True)
        exec(source, names)
    except SystemExit as stop:
        code = stop.code
        if code is None:
            code = 0
        elif not isinstance(code, int):
            sys.stderr.write(str(code) + "\n")
            code = 1
    except BaseException as error:
        memory = isinstance(error, MemoryError)
        code = 1
        try:
            if error.__traceback__:
                error.__traceback__ = error.__traceback__.tb_next
            sys.excepthook(type(error), error, error.__traceback__)
        except BaseException:
            pass  # nothing that a broken exception does changes that it failed
    return code, memory


def finish(code):
    """What the interpreter does at its end: threads, exit functions, buffers."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        pass  # reported by the functions themselves
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            code = code or 120
    return code & 0xFF


def play(job):
    """Program or driver, then the exit code."""
    main = types.ModuleType("__main__")
    names = main.__dict__
    names["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.argv = ["main.py"]
    nonce, program, driver = job.nonce, job.program, job.driver
    if driver:
        names.update(program=program, input=job.input,
                     reply=lambda message: send_home(nonce, b"R", bytes(message)))
    else:
        names["__file__"] = "main.py"
    del job
    code, memory = run_main(drivers.get(driver, driver) or program, names)
    if memory:
        try:
            send_home(nonce, b"M", b"")
        except BaseException:
            pass  # it closed the pipe: its end is then an exit
    return finish(code)


def child(files, ready, words, walls):
    """Never returns. `ready` closes when the walls are up; a byte says that they are not."""
    try:
        job = Job(words)
        prctl(PR_SET_PDEATHSIG, SIGKILL)
        if os.getppid() != walls.parent:
            os._exit(1)
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        job_file, streams = files[0], files[1:]
        job.read(job_file)
        for target, file in enumerate(streams):
            os.dup2(file, target, inheritable=False)
        os.closerange(REPLY + 1, ready)
        os.closerange(ready + 1, 4096)
        try:
            if not job.driver and walls.own_root and b"/dev/stdin" in job.program:
                keep_input()
            fresh_streams()
            close_limits(job, walls.base_threads)
            walls.cgroup.join()
            walls.close_job()
        except BaseException as error:
            os.write(STDERR, str(error).encode())
            raise
        os.close(ready)
    except BaseException:
        os.write(ready, b"!")
        os._exit(1)
    code = 1
    try:
        code = play(job)
    finally:
        os._exit(code)


def keep_input():
    """/dev/stdin without /proc: a link to this file of the scratch folder."""
    with open(".stdin", "wb") as file:
        at = 0
        while True:
            piece = os.pread(STDIN, 1 << 20, at)
            if not piece:
                break
            file.write(piece)
            at += len(piece)


# ---- the zygote ----

class Walls:
    """What stands around this process, and what is added around each job."""

    def __init__(self, config, scratch, mode, cgroup):
        self.cgroup = cgroup
        self.config, self.scratch, self.mode = config, scratch, mode
        self.names, self.parent, self.own_root = [], os.getpid(), False
        self.seccomp, self.open_files, self.base_threads = False, True, 0
        self.landlock = Landlock(config["landlock"])
        if "landlock" in config["without"]:
            self.landlock.version = 0

    def close(self):
        """From the widest wall to the narrowest; the order is that of the privileges needed."""
        number = self.config["numbers"]
        paths = readable_paths(interpreter_paths())
        if self.mode:
            self.names.append("pid")
            for name, flag in (("mount", NEWNS), ("net", NEWNET), ("ipc", NEWIPC),
                               ("uts", NEWUTS), ("cgroup", NEWCGROUP)):
                if attempt(unshare, flag):
                    self.names.append(name)
            if "mount" in self.names:
                self.own_root = attempt(build_root, self.scratch, paths, number["pivot_root"])
                if self.own_root:
                    self.scratch = "/tmp"
                    os.chdir("/tmp")
        if os.geteuid() == 0:
            become_nobody(".", self.config["serial"])
        alone = self.mode == "user" or os.getuid() >= OWN_USERS
        # RLIMIT_NPROC counts a user's threads in its namespace: guard, zygote and first thread
        self.base_threads = 3 if alone else user_tasks() + 1024
        self.look_around()
        drop_capabilities()
        prctl(PR_SET_DUMPABLE, 0)
        for which in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
            limit(which, 0)
        if self.landlock.version > 0:
            self.landlock.close_files(paths, ".", self.own_root)
        self.open_files = self.own_root or self.landlock.version > 0
        if self.config["filter_zygote"]:
            load_filter(number["seccomp"], self.config["filter_zygote"])
            self.seccomp = True
        self.filter = self.config["filter_job" if self.open_files else "filter_closed"]

    def look_around(self):
        """Where programs import from must be in sight, or they would fail one by one."""
        library = os.path.dirname(os.__file__)
        try:
            os.listdir(library)
        except OSError:
            raise OSError("%s cannot be read by the sandbox's user; name a Python under /usr "
                          "(configure --with-python=PATH)" % library) from None

    def close_job(self):
        if self.landlock.version > 0:
            self.landlock.close_job()
        if self.seccomp:
            program = self.filter.replace(PID_MARK, struct.pack("=I", os.getpid()))
            load_filter(self.config["numbers"]["seccomp"], program)

    def report(self):
        return {"namespaces": self.names, "root": self.own_root,
                "landlock": self.landlock.version, "seccomp": self.seccomp,
                "files": self.open_files, "cgroup": self.cgroup.place is not None}


def interpreter_paths():
    found = [path for path in sys.path if os.path.isdir(path)]
    return found + [os.path.dirname(os.__file__)]


def supervise(control, pid, serial, walls):
    """Wait for the child, or for the word to kill it; a closed socket is such a word. Returns its
    status and usage, and whether it left more files than it may."""
    try:
        waiter = call(walls.config["numbers"]["pidfd_open"], "pidfd_open", pid, 0)
    except OSError:
        waiter = -1
    shared = walls.open_files and not walls.own_root
    pause = 2 if waiter < 0 else 50 if shared else None
    poll = select.poll()
    poll.register(control, select.POLLIN)
    if waiter >= 0:
        poll.register(waiter, select.POLLIN)
    gone = flooded = False
    while not gone:
        ready = [file for file, _ in poll.poll(pause)]
        flooded = shared and overfull(".")
        if control.fileno() in ready:
            word = control.recv(KILL.size)
            if word and (len(word) != KILL.size or KILL.unpack(word)[0] != serial):
                continue
        if control.fileno() in ready or flooded:
            os.kill(pid, SIGKILL)
            break
        gone = waiter in ready if waiter >= 0 else \
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    if waiter >= 0:
        os.close(waiter)
    # A job is one process where seccomp stands; where it does not, all that it started ends here.
    attempt(os.kill, -1 if walls.mode else -pid, SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    while attempt(os.waitpid, -1, 0):
        pass
    return status, usage, flooded


def receive(control):
    files = struct.Struct("=5i")
    data, extra, _, _ = control.recvmsg(REQUEST.size, socket.CMSG_SPACE(files.size))
    for level, kind, body in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS and len(body) == files.size:
            return data, list(files.unpack(body))
    return data, []


drivers = {}  # source -> code


def remember_driver(file, words):
    """Compile a driver, which is ours, once for all jobs: that is a third of a short job's time."""
    text = os.pread(file, words[2], words[1]) if words[2] else b""
    if len(text) != words[2] or not text or text in drivers:
        return
    if len(drivers) >= 16:
        drivers.clear()
    try:
        drivers[text] = compile(text, "main.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        pass  # the child finds out again, and says so


def serve(control, walls):
    gc.collect()
    gc.freeze()
    while True:
        data, files = receive(control)
        if not data:
            return
        if len(data) != REQUEST.size:
            continue  # the word to kill a job that had ended by itself
        words = REQUEST.unpack(data)
        remember_driver(files[0], words)
        walls.cgroup.prepare(words[4], words[7])
        said, ready = os.pipe()
        pid = os.fork()
        if pid == 0:
            child(files, ready, words, walls)
        for file in files + [ready]:
            os.close(file)
        failed = len(os.read(said, 1))
        os.close(said)
        status, usage, flooded = supervise(control, pid, words[0], walls)
        if walls.open_files:
            empty(".")
        cpu = int(1e6 * (usage.ru_utime + usage.ru_stime))
        note = FAILED if failed else FLOODED if flooded else \
            SQUEEZED if walls.cgroup.ran_out() else 0
        control.send(REPORT.pack(words[0], status, cpu, usage.ru_maxrss << 10, note))


def zygote(control, config, scratch, mode, cgroup):
    try:
        prctl(PR_SET_PDEATHSIG, SIGKILL)
        if sys.version_info < (3, 7):
            raise OSError("Python %s is too old; 3.7 is needed" % sys.version.split()[0])
        if "" in sys.path:
            sys.path.remove("")
        walls = Walls(config, scratch, mode, cgroup)
        walls.close()
        prctl(PR_SET_PDEATHSIG, SIGKILL)  # a change of user has cleared it
        os.environ.update(HOME=walls.scratch, TMPDIR=walls.scratch)
        sys.setrecursionlimit(sys.getrecursionlimit() + 7)  # the frames below a program's own
        control.send(json.dumps(dict(walls.report(), scratch=scratch)).encode())
    except BaseException as error:
        control.send(json.dumps({"error": "%s: %s" % (type(error).__name__, error)}).encode())
        return
    serve(control, walls)


def guard(control, pid, scratch, cgroup):
    """Outlives the zygote, to leave nothing behind."""
    control.close()
    while True:
        try:
            os.waitpid(pid, 0)
            break
        except InterruptedError:
            continue
    cgroup.remove()
    try:
        empty(scratch)
        os.rmdir(scratch)
    except OSError:
        pass  # the other side, which knows the name, tries again


def begin(control):
    config = json.loads(control.recv(1 << 20))
    os.closerange(4, 1 << 16)
    for name in ("filter_zygote", "filter_job", "filter_closed"):
        config[name] = bytes.fromhex(config[name])
    config["serial"] = os.getpid()
    scratch = os.path.join(config["tmp"], "intuitor-" + os.urandom(8).hex())
    os.mkdir(scratch, 0o700)
    os.chdir(scratch)  # while we may walk the way to it: another user may not
    cgroup = Cgroup(config["serial"])
    mode = None
    if "namespaces" not in config["without"]:
        mode = enter_pid_namespace(scratch, config["serial"])
    pid = os.fork()
    if pid == 0:
        zygote(control, config, scratch, mode, cgroup)
        os._exit(0)
    guard(control, pid, scratch, cgroup)
    os._exit(0)
