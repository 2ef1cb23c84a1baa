/* SPDX-License-Identifier: MIT */
/* Which system calls a sandboxed process may make: lists of what is allowed; everything else fails
 * with EPERM, so that a program sees an OSError instead of dying. The names are libseccomp's, which
 * knows their numbers on this machine and skips those that it does not have. */
#define _GNU_SOURCE
#include "config.h"

#include "tasks/grade/sandbox_internal.h"

#ifndef HAVE_SECCOMP

enum it_status it_sandbox_filter(enum it_sandbox_filter which, struct it_str *program_out)
{
    (void)which;
    (void)program_out;
    return IT_UNSUPPORTED;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Stands for the process's own number; lockdown.py, which knows it, puts it in. */
#define PID_MARK 0x7E57C0DEu

/* Memory, files that are open, time, threads, signals to oneself. */
static const char *const always[] = {
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "lseek", "_llseek", "close", "close_range", "fstat", "fstat64", "dup", "dup2",
    "dup3", "pipe", "pipe2", "select", "_newselect", "pselect6", "poll", "ppoll", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd",
    "eventfd2", "flock", "fsync", "fdatasync", "ftruncate", "ftruncate64", "fallocate", "sendfile",
    "sendfile64", "copy_file_range", "splice", "tee", "fadvise64", "readahead", "fstatfs",
    "fstatfs64", "mmap", "mmap2", "mprotect", "munmap", "mremap", "madvise", "msync", "mincore",
    "brk", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "rt_sigpending",
    "rt_sigtimedwait", "rt_sigsuspend", "sigaltstack", "restart_syscall", "pause",
    "futex", "futex_time64", "futex_waitv", "set_robust_list", "set_tid_address", "rseq",
    "membarrier", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_max", "sched_get_priority_min", "getcpu", "getpriority",
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "gettimeofday",
    "time", "times", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "getitimer",
    "setitimer", "alarm", "timer_create", "timer_settime", "timer_settime64", "timer_gettime",
    "timer_gettime64", "timer_delete", "timer_getoverrun", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "getrandom", "exit", "exit_group", "arch_prctl", "set_thread_area",
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid",
    "getresgid", "getgroups", "getpgrp", "getpgid", "getsid", "getrlimit", "ugetrlimit",
    "getrusage", "sysinfo", "uname", "umask", "wait4", "waitid", "capget",
    "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "shutdown", "getsockname",
    "getpeername", "getsockopt", "setsockopt", "riscv_flush_icache", "riscv_hwprobe", "cacheflush",
};

/* What names a file: only where another wall decides which files there are. */
static const char *const paths[] = {
    "open", "openat", "creat", "stat", "stat64", "lstat", "lstat64", "newfstatat", "fstatat64",
    "statx", "access", "faccessat", "faccessat2", "getcwd", "chdir", "fchdir", "getdents",
    "getdents64", "readlink", "readlinkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat",
    "rmdir", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "truncate",
    "truncate64", "chmod", "fchmod", "fchmodat", "fchmodat2", "utime", "utimes", "utimensat",
    "utimensat_time64", "futimesat", "statfs", "statfs64",
};

/* The zygote starts, ends and restricts its children; its filter also stands before theirs, so it
 * allows at least what job_rules() allows. */
static const char *const starting[] = {
    "fork", "vfork", "clone", "kill", "setsid", "seccomp", "prctl", "landlock_create_ruleset",
    "landlock_add_rule", "landlock_restrict_self", "pidfd_open", "setrlimit", "prlimit64", "fcntl",
    "fcntl64", "ioctl", "tgkill", "tkill", "socketpair",
};

/* Commands of fcntl: none that send signals or leases. */
static const unsigned fcntl_commands[] = {
    F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC,
    F_GETPIPE_SZ, F_GET_SEALS,
};
static const unsigned ioctl_requests[] = {FIOCLEX, FIONCLEX, FIONBIO, FIONREAD, TCGETS, TIOCGWINSZ};
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
static const unsigned prctl_options[] = {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, PR_GET_DUMPABLE,
                                         PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_CAPBSET_READ};

static int allow(scmp_filter_ctx filter, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) { return 0; }
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    return error == -EDOM ? 0 : error; /* not one of this machine's */
}

static int allow_list(scmp_filter_ctx filter, const char *const *names, size_t n)
{
    int error = 0;
    for (size_t i = 0; i < n && error == 0; i++) { error = allow(filter, names[i]); }
    return error;
}

/* `name` where its argument `index`, cut to 32 bits as the kernel reads it, is one of `values`. */
static int allow_values(scmp_filter_ctx filter, const char *name, unsigned index,
                        const unsigned *values, size_t n)
{
    int number = seccomp_syscall_resolve_name(name), error = 0;
    if (number == __NR_SCMP_ERROR) { return 0; }
    for (size_t i = 0; i < n && error == 0; i++) {
        const struct scmp_arg_cmp equal = SCMP_CMP(index, SCMP_CMP_MASKED_EQ, 0xffffffffu,
                                                   values[i]);
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &equal);
    }
    return error == -EDOM ? 0 : error;
}

/* What a job may do to processes: start threads, signal itself, read its limits. */
static int job_rules(scmp_filter_ctx filter)
{
    static const unsigned self[] = {PID_MARK}, self_or_0[] = {0, PID_MARK}, local[] = {AF_UNIX};
    const struct scmp_arg_cmp thread = SCMP_CMP(
#ifdef __s390__
        1,
#else
        0,
#endif
        SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_NEWUSER, CLONE_THREAD);
    int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);
    if (error == 0) { error = allow_values(filter, "kill", 0, self, 1); }
    if (error == 0) { error = allow_values(filter, "tgkill", 0, self, 1); }
    if (error == 0) { error = allow_values(filter, "tkill", 0, self, 1); }
    if (error == 0) { error = allow_values(filter, "prlimit64", 0, self_or_0, 2); }
    if (error == 0) { error = allow_values(filter, "socketpair", 0, local, 1); }
#define VALUES(name, index, list)                                                                  \
    allow_values(filter, name, index, list, sizeof list / sizeof *list)
    if (error == 0) { error = VALUES("fcntl", 1, fcntl_commands); }
    if (error == 0) { error = VALUES("fcntl64", 1, fcntl_commands); }
    if (error == 0) { error = VALUES("ioctl", 1, ioctl_requests); }
    if (error == 0) { error = VALUES("prctl", 0, prctl_options); }
#undef VALUES
    return error;
}

static int build(scmp_filter_ctx filter, enum it_sandbox_filter which)
{
    /* glibc starts threads with clone3, whose flags cannot be looked at, and falls back to clone
     * when the kernel does not know it. */
    int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; older libraries: a list */
    if (error == 0) { error = allow_list(filter, always, sizeof always / sizeof *always); }
    if (error == 0 && which != IT_FILTER_CLOSED) {
        error = allow_list(filter, paths, sizeof paths / sizeof *paths);
    }
    if (error == 0 && which == IT_FILTER_ZYGOTE) {
        error = allow_list(filter, starting, sizeof starting / sizeof *starting);
    }
    if (error == 0 && which != IT_FILTER_ZYGOTE) { error = job_rules(filter); }
    return error;
}

static enum it_status read_program(int file, struct it_str *program_out)
{
    char part[4096];
    if (lseek(file, 0, SEEK_SET) < 0) { return it_fail(IT_IO, "seccomp program: cannot be read"); }
    for (;;) {
        ssize_t n = read(file, part, sizeof part);
        if (n < 0) { return it_fail(IT_IO, "seccomp program: cannot be read"); }
        if (n == 0) { return IT_OK; }
        it_str_add(program_out, part, (size_t)n);
    }
}

enum it_status it_sandbox_filter(enum it_sandbox_filter which, struct it_str *program_out)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) { return it_fail(IT_FAILED, "libseccomp: no filter could be made"); }
    enum it_status status = IT_OK;
    int file = memfd_create("filter", MFD_CLOEXEC);
    int error = file < 0 ? -errno : build(filter, which);
    if (error == 0) { error = seccomp_export_bpf(filter, file); }
    if (error != 0) {
        status = it_fail(IT_FAILED, "libseccomp: the filter could not be made (error %d)", -error);
    } else {
        status = read_program(file, program_out);
    }
    if (file >= 0) { close(file); }
    seccomp_release(filter);
    return status;
}

#endif
