# SPDX-License-Identifier: MIT
# The escape suite: programs that try to get out, each after a line "#: name | verdicts". A program
# reads what an attacker would like to know as JSON from its standard input (or from `input`): the
# grader's pid, the port of a server of the grader's on 127.0.0.1, a file of the grader's. It prints
# "held" when every attempt failed and "ESCAPED ..." when one succeeded. AC means that it printed
# "held" and nothing else; the verdict must be one of those named. Names that begin with "driver"
# run under a driver; what they send home must not hold the expected answer, and not "forged".

#: prelude
import ctypes, errno, json, os, signal, sys, time
facts = json.loads(sys.stdin.read())
libc = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine != "x86_64"
outcome = []
def refused(name, attempt):
    try:
        result = attempt()
    except (OSError, AttributeError, MemoryError, RuntimeError, ImportError, ValueError,
            LookupError, OverflowError):
        return
    outcome.append("ESCAPED %s: %.60r" % (name, result))
def call(number, *words):
    words = [ctypes.c_long(w) if isinstance(w, int) else w for w in words]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
def libc_call(name, *words):
    function = getattr(libc, name)
    function.restype = ctypes.c_long
    if function(*words) in (-1, 0xFFFFFFFF):
        raise OSError(ctypes.get_errno(), "refused")
    return name
def done():
    print("\n".join(outcome) if outcome else "held")

#: driver
import json
names = {"facts": json.loads(input)}
try:
    exec(compile(program, "program.py", "exec"), names)
    value = repr(names["f"]())
except Exception as error:
    value = "error " + repr(error)
reply(b"value " + value.encode())

#: fork bomb | AC
def bomb():
    pids = []
    for _ in range(64):
        pid = os.fork()
        if pid == 0:
            time.sleep(0.5)
            os._exit(0)
        pids.append(pid)
    return pids
refused("fork", bomb)
done()

#: fork by every name | AC
refused("vfork", lambda: call(58 if not ARM else 9999))
refused("fork", lambda: call(57 if not ARM else 9999))
refused("clone", lambda: call(220 if ARM else 56, signal.SIGCHLD, 0, 0, 0, 0))
refused("clone3", lambda: call(435, b"\0" * 88, 88))
refused("forkpty", os.forkpty)
refused("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}))
refused("subprocess", lambda: __import__("subprocess").run(["true"]))
refused("multiprocessing", lambda: __import__("multiprocessing").Process(target=print).start())
if os.system("exit 0") == 0:
    outcome.append("ESCAPED system")
done()

#: fork from a thread | AC
import threading
thread = threading.Thread(target=lambda: refused("fork in a thread", os.fork))
thread.start()
thread.join()
done()

#: 10 GiB allocation | MLE
data = bytearray(10 << 30)

#: memory in pieces | AC
pieces = []
def hoard():
    for _ in range(10240):
        pieces.append(bytearray(1 << 20))
    return "10 GiB"
refused("memory", hoard)
pieces = None
done()

#: memory outside the address space | AC
refused("shmget", lambda: libc_call("shmget", 0, 1 << 30, 0o1600))
refused("memfd", lambda: os.memfd_create("x"))
refused("mq_open", lambda: libc_call("mq_open", b"/it", os.O_CREAT | os.O_RDWR, 0o600, None))
refused("mlock", lambda: libc_call("mlockall", 3))
done()

#: 1 GiB on standard output | OLE
part = b"x" * (1 << 20)
for _ in range(1024):
    os.write(1, part)

#: 1 GiB on standard error | OLE
part = b"x" * (1 << 20)
for _ in range(1024):
    os.write(2, part)

#: 1 GiB file | AC
def big():
    with open("big", "wb") as file:
        for _ in range(1024):
            file.write(b"x" * (1 << 20))
            file.flush()
refused("a large file", big)
refused("truncate", lambda: os.truncate("big", 1 << 30))
refused("sparse", lambda: os.ftruncate(os.open("sparse", os.O_RDWR | os.O_CREAT), 1 << 30))
done()

#: files without end | AC OLE
def flood():
    for i in range(100000):
        with open("file%d" % i, "wb") as file:
            file.write(b"x" * (1 << 19))
refused("100,000 files", flood)
done()

#: infinite loop, nothing gets through | TLE
while True:
    try:
        while True:
            pass
    except BaseException:
        pass

#: sleep without end | TLE
while True:
    time.sleep(1)

#: every signal ignored | TLE
for number in range(1, signal.NSIG):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
while True:
    pass

#: a thread that stays | TLE
import threading
threading.Thread(target=lambda: [time.sleep(1) for _ in range(100)]).start()

#: SIGSTOP to itself | TLE
os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(100)

#: daemon, twice forked | AC
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3)
        os._exit(0)
refused("daemon", daemon)
done()

#: files of others | AC
paths = ["/etc/passwd", "/etc/shadow", "/etc/hostname", "/root", "/home", "/var", "/", "/etc",
         facts["home"], facts["canary"], os.path.dirname(facts["canary"]), "/usr/share/doc",
         "/proc/self/environ", "/proc/meminfo", "/sys/class", "/dev/mem", "/dev/kmsg", "/tmp/.."]
def theirs(names):
    """A root made for the sandbox may be listed; those names are not in it."""
    found = [name for name in names if name not in ("dev", "etc", "tmp", "usr", "null", "stdin",
             "ld.so.cache", "localtime") and not name.startswith("lib")]
    if not found:
        raise PermissionError("nothing of anybody's")
    return found
def look(path):
    if os.path.isdir(path):
        return theirs(os.listdir(path))
    with open(path, "rb") as file:
        return file.read(100)
for path in paths:
    refused(path, lambda: look(path))
done()

#: writing outside | AC
for path in ("/it-out", "/tmp/../it-out", "/usr/lib/it-out", "/var/tmp/it-out", "/dev/shm/it-out",
             "/etc/it-out", facts["canary"], facts["canary"] + "2", facts["home"] + "/it-out",
             sys.prefix + "/it-out", os.__file__):
    refused(path, lambda: open(path, "ab").write(b"forged"))
    refused(path, lambda: os.unlink(path))
    refused(path, lambda: os.mkdir(path))
refused("mkfifo", lambda: os.mkfifo("/it-out"))
refused("chmod", lambda: os.chmod(os.__file__, 0o777))
done()

#: links | AC
names = iter(range(1000))
def through(target):
    name = "link%d" % next(names)
    os.symlink(target, name)
    with open(name, "rb") as file:
        return file.read(100)
def over(target):
    name = "over%d" % next(names)
    os.symlink(target, name)
    with open(name, "ab") as file:
        return file.write(b"forged")
for target in ("/etc/passwd", facts["canary"], "/proc/self/root/etc/passwd",
               "/proc/%d/root/etc/passwd" % facts["pid"], "../../../../../../etc/passwd"):
    refused("symbolic link to " + target, lambda: through(target))
    refused("writing through a link", lambda: over(target))
    refused("hard link", lambda: os.link(target, "hard"))
    refused("moving", lambda: os.rename(target, "moved"))
refused("dir_fd", lambda: os.open("../../../../../etc/passwd", os.O_RDONLY,
                                  dir_fd=os.open(".", os.O_RDONLY)))
done()

#: litter | AC
# Left for whoever cleans up: links out, folders without rights, a deep chain, odd names.
def litter():
    os.symlink(os.path.dirname(facts["canary"]), "away")
    os.symlink(facts["canary"], "canary")
    os.mkdir("closed")
    open("closed/inside", "w").close()
    os.symlink(os.path.dirname(facts["canary"]), "closed/away")
    open(b"\xff\n ..", "w").close()
    os.chmod("closed", 0)
    for _ in range(300):
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
try:
    litter()
except OSError:
    pass
done()

#: network | AC
import socket
def reach(family, kind, address):
    with socket.socket(family, kind) as s:
        s.settimeout(0.3)
        s.connect(address)
        s.send(b"forged")
refused("127.0.0.1", lambda: reach(socket.AF_INET, socket.SOCK_STREAM,
                                   ("127.0.0.1", facts["port"])))
refused("8.8.8.8", lambda: reach(socket.AF_INET, socket.SOCK_STREAM, ("8.8.8.8", 53)))
refused("udp", lambda: reach(socket.AF_INET, socket.SOCK_DGRAM, ("8.8.8.8", 53)))
refused("::1", lambda: reach(socket.AF_INET6, socket.SOCK_STREAM, ("::1", facts["port"])))
refused("netlink", lambda: socket.socket(16, socket.SOCK_RAW, 0))
refused("packet", lambda: socket.socket(17, socket.SOCK_RAW, 0))
refused("vsock", lambda: socket.socket(40, socket.SOCK_STREAM, 0))
refused("unix", lambda: reach(socket.AF_UNIX, socket.SOCK_STREAM, "/run/systemd/private"))
refused("abstract", lambda: reach(socket.AF_UNIX, socket.SOCK_STREAM, "\0it"))
refused("listen", lambda: socket.create_server(("127.0.0.1", 0)))
refused("names", lambda: socket.getaddrinfo("example.com", 80))
done()

#: ptrace | AC
for pid in (os.getppid(), facts["pid"], 1):
    refused("attach", lambda: libc_call("ptrace", 16, pid, 0, 0))
    refused("seize", lambda: libc_call("ptrace", 0x4206, pid, 0, 0))
refused("traceme", lambda: libc_call("ptrace", 0, 0, 0, 0))
done()

#: signals to others | AC
for pid in (1, os.getppid(), facts["pid"], -1, 0, -os.getppid() or -1):
    if pid != os.getpid():
        for number in (signal.SIGKILL, signal.SIGSTOP, 0):
            refused("kill %d" % pid, lambda: os.kill(pid, number) or number)
refused("tgkill", lambda: call(131 if ARM else 234, os.getppid(), os.getppid(), 9))
refused("queue", lambda: call(138 if ARM else 129, os.getppid(), 9, b"\0" * 128))
refused("pidfd", lambda: os.pidfd_open(os.getppid()))
import fcntl
reader, writer = os.pipe()
refused("F_SETOWN", lambda: fcntl.fcntl(reader, fcntl.F_SETOWN, os.getppid()) or "set")
refused("F_SETSIG", lambda: fcntl.fcntl(reader, 10, signal.SIGKILL) or "set")
refused("FIOSETOWN", lambda: fcntl.ioctl(reader, 0x8901, b"\1\0\0\0"))
refused("TIOCSTI", lambda: fcntl.ioctl(0, 0x5412, b"x"))
done()

#: the grader's memory | AC
buffer = ctypes.create_string_buffer(64)
class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
here = Part(ctypes.addressof(buffer), 64)
there = Part(id(facts), 64)
for pid in (os.getppid(), facts["pid"], 1):
    for name in ("process_vm_readv", "process_vm_writev"):
        refused(name, lambda: libc_call(name, pid, ctypes.byref(here), ctypes.c_ulong(1),
                                        ctypes.byref(there), ctypes.c_ulong(1), ctypes.c_ulong(0)))
    refused("mem", lambda: open("/proc/%d/mem" % pid, "r+b"))
done()

#: /proc of the parent | AC
for pid in (os.getppid(), facts["pid"], 1):
    for name in ("environ", "maps", "cmdline", "fd", "cwd", "root", "exe", "mem", "status", "task"):
        path = "/proc/%d/%s" % (pid, name)
        refused(path, lambda: os.listdir(path) if name in ("fd", "task") else open(path, "rb"))
        refused(path, lambda: os.listdir(path + "/"))
done()

#: inherited descriptors | AC
import stat
for file in range(3, 4096):
    try:
        kind = os.fstat(file).st_mode
    except OSError:
        continue
    if file == 3 and stat.S_ISFIFO(kind):
        continue
    outcome.append("ESCAPED descriptor %d, mode %o" % (file, kind))
refused("writing the input", lambda: os.write(0, b"forged"))
refused("shrinking the input", lambda: os.ftruncate(0, 0))
done()

#: writing to every descriptor | AC
for file in range(3, 64):
    for text in (b"AC", b"R" * 64, b"\0" * 4096, b"value forged", os.urandom(512)):
        try:
            os.write(file, text)
        except OSError:
            pass
done()

#: closing all descriptors | WA RE
os.closerange(0, 4096)
print("held")

#: os._exit(0) | WA
os._exit(0)

#: a chosen exit code | RE
os._exit(213)

#: deep recursion | RE MLE
sys.setrecursionlimit(1 << 30)
import resource
resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
left, right = [], []
for _ in range(1 << 18):
    left, right = [left], [right]
print(left == right)

#: segmentation fault | RE
ctypes.string_at(0)

#: abort | RE
os.abort()

#: clock games | AC
refused("clock_settime", lambda: time.clock_settime(time.CLOCK_REALTIME, 0))
refused("settimeofday", lambda: libc_call("settimeofday", b"\0" * 16, None))
refused("adjtimex", lambda: libc_call("adjtimex", b"\1" + b"\0" * 255))
refused("alarm clock", lambda: time.clock_settime(time.CLOCK_MONOTONIC, 0))
fired = []
signal.signal(signal.SIGALRM, lambda number, frame: fired.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
time.sleep(0.05)
signal.setitimer(signal.ITIMER_REAL, 0)
done()

#: a clock that lies, and a loop | TLE
time.time = time.monotonic = time.perf_counter = lambda: 0.0
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
signal.signal(signal.SIGALRM, lambda number, frame: None)
while True:
    pass

#: namespaces and mounts | AC
for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000):
    refused("unshare %x" % flag, lambda: libc_call("unshare", flag))
refused("mount", lambda: libc_call("mount", b"none", b"/tmp", b"tmpfs", ctypes.c_ulong(0), None))
refused("bind", lambda: libc_call("mount", b"/", b".", None, ctypes.c_ulong(4096), None))
refused("umount", lambda: libc_call("umount2", b"/tmp", 2))
refused("remount", lambda: libc_call("mount", None, b"/", None, ctypes.c_ulong(4128), None))
refused("chroot", lambda: os.chroot("."))
refused("setns", lambda: libc_call("setns", 3, 0))
refused("pivot_root", lambda: call(41 if ARM else 155, b".", b"."))
refused("open_tree", lambda: call(428, -100, b"/", 1))
refused("fsopen", lambda: call(430, b"proc", 0))
refused("mknod", lambda: os.mknod("device", 0o20600, os.makedev(1, 1)))
done()

#: kernel interfaces | AC
numbers = {"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
           "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
           "init_module": (175, 105), "finit_module": (313, 273), "kexec_load": (246, 104),
           "reboot": (169, 142), "swapon": (167, 224), "syslog": (103, 116), "acct": (163, 89),
           "quotactl": (179, 60), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262),
           "inotify_init1": (294, 26), "io_setup": (206, 0), "personality": (135, 92),
           "kcmp": (312, 272), "move_pages": (279, 239), "ioprio_set": (251, 30),
           "sched_setscheduler": (144, 119), "setpriority": (141, 140), "vhangup": (153, 58)}
for name, pair in numbers.items():
    refused(name, lambda: call(pair[ARM], 0, 0, 0, 0, 0, 0))
for name, number in (("io_uring_setup", 425), ("io_uring_enter", 426), ("io_uring_register", 427),
                     ("process_madvise", 440), ("memfd_secret", 447), ("landlock", 444)):
    refused(name, lambda: call(number, 1, ctypes.create_string_buffer(256), 0, 0, 0, 0))
done()

#: other programs | AC
for path in ("/bin/sh", "/usr/bin/python3", sys.executable, "/lib64/ld-linux-x86-64.so.2"):
    refused("execve", lambda: os.execve(path, [path], {}))
    refused("memory", lambda: libc_call("fexecve", 0, None, None))
try:
    with open("script", "w") as file:
        file.write("#!/bin/sh\necho ESCAPED\n")
    os.chmod("script", 0o777)
except OSError:
    pass
refused("own script", lambda: os.execv("./script", ["script"]))
done()

#: privileges | AC
refused("setuid", lambda: os.setuid(0))
refused("setresuid", lambda: os.setresuid(0, 0, 0))
refused("setgid", lambda: os.setgid(0))
refused("setgroups", lambda: os.setgroups([0]))
refused("capset", lambda: libc_call("capset", b"\x22\x05\x08\x20\0\0\0\0", b"\xff" * 24))
refused("dumpable", lambda: libc_call("prctl", 4, 1, 0, 0, 0))
refused("pdeathsig", lambda: libc_call("prctl", 1, 0, 0, 0, 0))
refused("subreaper", lambda: libc_call("prctl", 36, 1, 0, 0, 0))
refused("chown", lambda: os.chown(".", 0, 0))
if os.getuid() == 0 and not libc.prctl(23, 21, 0, 0, 0) <= 0:
    outcome.append("ESCAPED root with capabilities")
done()

#: higher limits | AC
import resource
for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE,
              resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
    refused("limit %d" % which, lambda: resource.setrlimit(which, (1 << 40, 1 << 40)))
    hard = resource.getrlimit(which)[1]
    refused("limit %d" % which, lambda: resource.setrlimit(which, (hard + 1, hard + 1)))
refused("parent", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_AS, (1, 1)))
refused("nice", lambda: os.nice(-1))
done()

#: thread bomb | AC
import threading
stop = threading.Event()
def threads():
    started = []
    try:
        for _ in range(4096):
            thread = threading.Thread(target=stop.wait, daemon=True)
            thread.start()
            started.append(thread)
    finally:
        stop.set()
    return len(started)
refused("4,096 threads", threads)
done()

#: descriptor bomb | AC
refused("4,096 pipes", lambda: [os.pipe() for _ in range(4096)])
done()

#: foreign system calls | AC RE
# The 32-bit door of x86-64, and its x32 numbers: filters that look at numbers alone miss them.
if os.uname().machine == "x86_64":
    import mmap
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b802000000" "cd80" "c3"))
    entry = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    pid = entry()
    if pid == 0:
        os._exit(0)
    if pid > 0:
        outcome.append("ESCAPED fork through int 0x80")
    refused("x32 fork", lambda: call(0x40000000 | 57))
done()

#: driver: an answer equal to everything | AC
class Anything:
    def __eq__(self, other):
        return True
    def __hash__(self):
        return 0
def f():
    return Anything()

#: driver: the frames above | AC
import gc, sys
def f():
    found, frame = [], sys._getframe()
    while frame is not None:
        found += [repr(x)[:9999] for x in (frame.f_locals, frame.f_code.co_consts)]
        frame = frame.f_back
    found += [x for x in gc.get_objects() if isinstance(x, str)]
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            found += [x for x in thing.values() if isinstance(x, (str, bytes))]
    return [x for x in map(repr, found) if "secret-" in x]

#: driver: a forged reply | AC
import os
def f():
    for nonce in (b"\0" * 16, b"R" * 16, os.urandom(16)):
        os.write(3, nonce + b"R" + (12).to_bytes(4, "little") + b"value forged")
    os.write(3, b"value forged")
    return 1

#: driver: exit before the answer | WA
import os
def f():
    os._exit(0)

#: driver: the environment | AC
import os
def f():
    return [x for x in os.environ.items() if "secret-" in repr(x)]
