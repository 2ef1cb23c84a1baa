# SPDX-License-Identifier: MIT
"""Walls around an interpreter, put up by itself before it sees any program of a model.

Everything is done with system calls through ctypes while the process has one thread and runs only
this file. Each wall reports whether it stands; what follows decides whether that is enough. The
system call numbers and the seccomp programs come from the C side, which knows the machine.
"""
import ctypes
import errno
import os
import resource
import stat
import struct

libc = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE, MS_RELATIME, MNT_DETACH = 1 << 14, 1 << 18, 1 << 21, 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SECCOMP_SET_MODE_FILTER = 1
SIGKILL = 9
OWN_USERS = 0x70000000  # plus the guard's pid, which is unique on the machine
SCRATCH_BYTES, SCRATCH_FILES = 64 << 20, 1024
DEVICES = ("null", "zero", "full", "random", "urandom")


def check(result, what):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, "%s: %s" % (what, os.strerror(code)))
    return result


def prctl(what, a=0, b=0, c=0, d=0):
    words = [ctypes.c_ulong(x) for x in (a, b, c, d)]
    return check(libc.prctl(what, *words), "prctl %d" % what)


def call(number, what, *words):
    """A raw system call; integers are passed as longs, the rest as ctypes makes it."""
    words = [ctypes.c_long(w) if isinstance(w, int) else w for w in words]
    return check(libc.syscall(ctypes.c_long(number), *words), what)


def attempt(work, *words):
    """Whether it worked: walls that a machine refuses are reported, not fatal."""
    try:
        work(*words)
        return True
    except OSError:
        return False


def unshare(flags):
    check(libc.unshare(flags), "unshare")


# ---- who we are ----

def become_nobody(owned, serial):
    """Root takes a user that nobody else has, and gives it the folder `owned`. One a worker, so
    that what the kernel counts by user is counted by worker. A container may not know such
    users: then the one called nobody, and if it knows only root, we stay without capabilities."""
    for uid in (OWN_USERS + serial, 65534):
        try:
            os.setgroups([])
            os.chown(owned, uid, uid)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            return
        except OSError:
            continue


def drop_capabilities():
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    libc.prctl(PR_CAP_AMBIENT, ctypes.c_ulong(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0)
    header = struct.pack("=Ii", 0x20080522, 0)
    check(libc.capset(header, bytes(24)), "capset")
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def map_self(uid, gid):
    """In a new user namespace: this user, and nobody else."""
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (uid, uid)),
                       ("gid_map", "%d %d 1" % (gid, gid))):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)


def enter_pid_namespace(scratch, serial):
    """Children of the caller live in a pid namespace of their own. Returns "root" (we may mount
    and are still root), "user" (in a user namespace), or None."""
    if os.geteuid() == 0:
        if attempt(unshare, NEWPID):
            return "root"
        become_nobody(scratch, serial)
    uid, gid = os.geteuid(), os.getegid()
    try:
        prctl(PR_SET_DUMPABLE, 1)  # else /proc/self belongs to root after the change of user
        unshare(NEWUSER | NEWPID)
        map_self(uid, gid)
        return "user"
    except OSError:
        return None


# ---- what can be seen ----

def readable_paths(interpreter_paths):
    """Python's own files and the libraries that they load; nothing of anybody's."""
    wanted = list(interpreter_paths)
    wanted += ["/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64"]
    wanted += ["/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo"]
    return [path for path in dict.fromkeys(wanted) if os.path.exists(path)]


def bind(source, target, flags):
    source_stat = os.stat(source)
    if stat.S_ISDIR(source_stat.st_mode):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    kept = os.statvfs(source).f_flag
    flags |= kept & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | 1024 | 2048)
    if kept & 4096:  # ST_RELATIME
        flags |= MS_RELATIME
    mount(source, target, None, MS_BIND | MS_REC, None)
    mount(None, target, None, MS_BIND | MS_REMOUNT | MS_NOSUID | flags, None)


def mount(source, target, kind, flags, data):
    words = [x.encode() if x is not None else None for x in (source, target, kind)]
    check(libc.mount(*words, ctypes.c_ulong(flags), data.encode() if data else None),
          "mount " + target)


def build_root(place, paths, pivot_root):
    """A root of a few read-only folders, an empty /tmp of bounded size, five devices; no /proc."""
    mount(None, "/", None, MS_REC | MS_PRIVATE, None)
    mount("none", place, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=4096,mode=755")
    bound = []
    for path in sorted(paths, key=len):
        real = os.path.realpath(path)
        if not any(real == b or real.startswith(b + "/") for b in bound):
            bind(real, place + real, MS_RDONLY | MS_NODEV)
            bound.append(real)
        if real != path and not os.path.lexists(place + path):
            os.makedirs(os.path.dirname(place + path), exist_ok=True)
            os.symlink(real, place + path)
    for name in DEVICES:
        if os.path.exists("/dev/" + name):
            bind("/dev/" + name, place + "/dev/" + name, MS_NOEXEC)
    os.symlink("/tmp/.stdin", place + "/dev/stdin")
    os.mkdir(place + "/tmp")
    mount("none", place + "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
          "size=%d,nr_inodes=%d,mode=700" % (SCRATCH_BYTES, SCRATCH_FILES))
    os.chdir(place)
    if attempt(call, pivot_root, "pivot_root", b".", b"."):
        check(libc.umount2(b".", MNT_DETACH), "umount")
    else:
        os.chroot(".")  # inside a chroot; leaving it would take a capability that is dropped next
    os.chdir("/")
    mount(None, "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, None)


# ---- Landlock (Linux 5.13; the numbers are those of the kernel's interface) ----

FS_EXECUTE, FS_WRITE, FS_READ, FS_READ_DIR = 1, 2, 4, 8
FS_REMOVE_DIR, FS_REMOVE_FILE, FS_MAKE_DIR, FS_MAKE_REG = 16, 32, 128, 256
FS_MAKE_SYM, FS_REFER, FS_TRUNCATE = 1 << 12, 1 << 13, 1 << 14
FS_OF_FILES = FS_EXECUTE | FS_WRITE | FS_READ | FS_TRUNCATE | 1 << 15
FS_KNOWN = (0, 13, 14, 15, 15, 16)  # access rights known to each version
SCRATCH_RIGHTS = (FS_WRITE | FS_READ | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE |
                  FS_MAKE_REG | FS_TRUNCATE)


class Landlock:
    def __init__(self, numbers):
        self.create, self.add, self.restrict = numbers
        try:
            self.version = call(self.create, "landlock", None, 0, 1)
        except OSError:
            self.version = 0

    def ruleset(self, fs, net, scoped):
        data = struct.pack("=QQQ", fs, net, scoped)
        size = 24 if self.version >= 6 else 16 if self.version >= 4 else 8
        return call(self.create, "landlock_create_ruleset", data[:size], size, 0)

    def allow(self, ruleset, path, rights):
        file = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(file).st_mode):
                rights &= FS_OF_FILES
            call(self.add, "landlock_add_rule", ruleset, 1, struct.pack("=Qi", rights, file), 0)
        finally:
            os.close(file)

    def enforce(self, ruleset):
        try:
            call(self.restrict, "landlock_restrict_self", ruleset, 0)
        finally:
            os.close(ruleset)

    def close_files(self, paths, scratch, folders):
        """Paths for reading, `scratch` for writing (with folders in it, or flat), no TCP, no
        signals to the outside."""
        known = (1 << FS_KNOWN[min(self.version, 5)]) - 1
        net = 3 if self.version >= 4 else 0
        ruleset = self.ruleset(known, net, 3 if self.version >= 6 else 0)
        for path in paths:
            self.allow(ruleset, path, FS_READ | FS_READ_DIR)
        for name in DEVICES:
            if os.path.exists("/dev/" + name):
                self.allow(ruleset, "/dev/" + name, known & (FS_READ | FS_WRITE | FS_TRUNCATE))
        rights = SCRATCH_RIGHTS
        if folders and self.version >= 2:  # which can be moved, so that empty() can do its work
            rights |= FS_MAKE_DIR | FS_MAKE_SYM | FS_REFER
        self.allow(ruleset, scratch, rights & known)
        self.enforce(ruleset)

    def close_job(self):
        """A job's own domain: it cannot look into its parent or signal it."""
        if self.version >= 6:
            self.enforce(self.ruleset(0, 0, 3))


# ---- seccomp ----

PID_MARK = struct.pack("=I", 0x7E57C0DE)  # stands for the job's own pid in the filter


class SockFprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def load_filter(number, program):
    fprog = SockFprog(len(program) // 8, program)
    call(number, "seccomp", SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(fprog))


# ---- limits ----

def limit(which, most, hard=None):
    """Lower a limit; never above what we were given."""
    given = resource.getrlimit(which)[1]
    hard = most if hard is None else hard
    if given != resource.RLIM_INFINITY:
        most, hard = min(most, given), min(hard, given)
    resource.setrlimit(which, (most, hard))


def user_tasks():
    """Threads of this user on the machine, as RLIMIT_NPROC counts them."""
    uid, count = os.getuid(), 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.stat("/proc/" + name).st_uid == uid:
                    count += len(os.listdir("/proc/" + name + "/task"))
            except OSError:
                continue
    return count


# ---- cgroup v2: the memory of a job, whatever it is made of ----

class Cgroup:
    """A group of our own, made where we may: in the group we are in or the nearest one above it
    that hands memory and pids down. Files are opened now, while they can be seen; a job joins by
    writing to one of them."""

    MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")

    def __init__(self, serial):
        self.place = self.find(serial)
        self.killed = 0
        if self.place:
            for name in ("memory.max", "pids.max", "cgroup.procs"):
                setattr(self, name.split(".")[0], os.open(self.place + "/" + name, os.O_WRONLY))
            self.events = os.open(self.place + "/memory.events", os.O_RDONLY)
            try:
                with open(self.place + "/memory.swap.max", "w") as file:
                    file.write("0")
            except OSError:
                pass  # a kernel without swap accounting

    def find(self, serial):
        try:
            with open("/proc/self/cgroup") as file:
                ours = [line[3:].strip() for line in file if line.startswith("0::/")]
        except OSError:
            return None
        for mount in self.MOUNTS:
            folder = os.path.normpath(mount + (ours[0] if ours else ""))
            while ours and folder.startswith(mount):
                place = folder + "/intuitor-%d" % serial
                if attempt(os.mkdir, place, 0o755):
                    if all(os.access(place + "/" + name, os.W_OK)
                           for name in ("memory.max", "pids.max", "cgroup.procs")):
                        return place
                    os.rmdir(place)
                folder = os.path.dirname(folder)
        return None

    def prepare(self, memory, threads):
        if self.place:
            os.write(self.memory, b"%d" % memory)
            os.write(self.pids, b"%d" % (threads + 1))

    def join(self):
        if self.place:
            os.write(self.cgroup, b"0")

    def ran_out(self):
        """Whether the kernel killed for memory since the last call."""
        if not self.place:
            return False
        words = os.pread(self.events, 4096, 0).split()
        count = int(words[words.index(b"oom_kill") + 1]) if b"oom_kill" in words else 0
        grown, self.killed = count > self.killed, count
        return grown

    def remove(self):
        if self.place:
            attempt(os.rmdir, self.place)


# ---- the scratch folder ----

def overfull(folder):
    """Whether a flat scratch folder on a shared disk holds more than a job may leave."""
    count = total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            count += 1
            try:
                total += entry.stat(follow_symlinks=False).st_blocks << 9
            except OSError:
                continue
            if count > SCRATCH_FILES or total > SCRATCH_BYTES:
                return True
    return False


def empty(folder):
    """Remove what a program left, however deep and whatever its names and modes. Folders inside
    folders are first moved up, so that neither paths nor recursion grow with the depth."""
    serial = 0
    pending = os.listdir(folder)
    while pending:
        path = folder + "/" + pending.pop()
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            continue
        os.chmod(path, 0o700)
        for name in os.listdir(path):
            inner = path + "/" + name
            if stat.S_ISDIR(os.lstat(inner).st_mode):
                os.chmod(inner, 0o700)
                moved = ".moved-%d" % serial
                serial += 1
                while os.path.lexists(folder + "/" + moved):
                    moved += "x"
                os.rename(inner, folder + "/" + moved)
                pending.append(moved)
            else:
                os.unlink(inner)
        os.rmdir(path)
