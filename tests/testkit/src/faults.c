// Faults in the file system for one program: it is loaded before the C library (LD_PRELOAD) and stands in front of it.
//
// Every call that changes something below FINIAL_FAULT_FOLDER is counted, in the file FINIAL_FAULT_REPORT, which outlives
// the process and goes on counting in the next. The calls from FINIAL_FAULT_FIRST to FINIAL_FAULT_LAST meet the fault
// FINIAL_FAULT_KIND:
//
//   kill       the process is killed (SIGKILL) instead
//   torn       the same, after half of what was to be written
//   full       ENOSPC, after half of what was to be written
//   broken     EIO, after half of what was to be written
//   read-only  EROFS
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { KILL, TORN, FULL, BROKEN, READ_ONLY };

struct report {
    atomic_ulong calls;
    char struck[248];
};

static struct report *report;
static const char *folder;
static unsigned long first, last;
static enum kind kind;

static unsigned long number(const char *name) {
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FINIAL_FAULT_REPORT"), *wanted = getenv("FINIAL_FAULT_KIND");
    const char *kinds[] = {"kill", "torn", "full", "broken", "read-only"};
    folder = getenv("FINIAL_FAULT_FOLDER");
    first = number("FINIAL_FAULT_FIRST");
    last = number("FINIAL_FAULT_LAST");
    for (size_t i = 0; wanted && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(wanted, kinds[i])) kind = i;
    int fd = path && folder ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR) : -1;
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (shared != MAP_FAILED) report = shared;
}

// What the call meets: 0 for nothing, else an errno. It does not return from `kill`, nor from `torn` unless there are
// bytes to be written: then it is EINTR, and die() follows.
static int meets(const char *call, const char *path, size_t bytes) {
    size_t length = folder ? strlen(folder) : 0;
    if (!report || strncmp(path, folder, length) || (path[length] && path[length] != '/')) return 0;
    unsigned long at = atomic_fetch_add(&report->calls, 1) + 1;
    if (at < first || at > last) return 0;
    if (!report->struck[0]) snprintf(report->struck, sizeof report->struck, "%s %s", call, path + length);
    switch (kind) {
    case FULL: return ENOSPC;
    case BROKEN: return EIO;
    case READ_ONLY: return EROFS;
    case TORN: if (bytes > 1) return EINTR; // fall through
    default: syscall(SYS_kill, syscall(SYS_getpid), SIGKILL); pause(); return EINTR;
    }
}

static int meets_at(const char *call, int fd, size_t bytes) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return meets(call, path, bytes);
}

static int fails(int error) {
    errno = error;
    return -1;
}

// After half of the bytes are written.
static ssize_t half_way(int error) {
    if (kind == TORN) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    return fails(error);
}

static int opens(int at, const char *path, int flags, mode_t mode) {
    // A full disk does not keep a file from being opened that is there already; one that is read-only does.
    int changes = kind == READ_ONLY ? flags & (O_CREAT | O_WRONLY | O_RDWR)
                                    : flags & O_CREAT && syscall(SYS_faccessat, at, path, F_OK);
    int error = changes ? meets("open", path, 0) : 0;
    return error ? fails(error) : syscall(SYS_openat, at, path, flags, mode);
}

#define MODE(flags) ({ mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); \
    mode = va_arg(rest, mode_t); va_end(rest); } mode; })

int open(const char *path, int flags, ...) { return opens(AT_FDCWD, path, flags, MODE(flags)); }
int open64(const char *path, int flags, ...) { return opens(AT_FDCWD, path, flags, MODE(flags)); }
int openat(int at, const char *path, int flags, ...) { return opens(at, path, flags, MODE(flags)); }
int openat64(int at, const char *path, int flags, ...) { return opens(at, path, flags, MODE(flags)); }

ssize_t write(int fd, const void *bytes, size_t count) {
    int error = meets_at("write", fd, count);
    if (!error) return syscall(SYS_write, fd, bytes, count);
    if (error != EROFS) syscall(SYS_write, fd, bytes, count / 2);
    return half_way(error);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    int error = meets_at("writev", fd, count > 0 ? parts->iov_len : 0);
    if (!error) return syscall(SYS_writev, fd, parts, count);
    if (error != EROFS && count > 0) syscall(SYS_write, fd, parts->iov_base, parts->iov_len / 2);
    return half_way(error);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    int error = meets_at("pwrite", fd, count);
    if (!error) return syscall(SYS_pwrite64, fd, bytes, count, offset);
    if (error != EROFS) syscall(SYS_pwrite64, fd, bytes, count / 2, offset);
    return half_way(error);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) { return pwrite64(fd, bytes, count, offset); }

#define BY_FD(name, call, parameters, ...) \
    int name parameters { int error = meets_at(#name, fd, 0); return error ? fails(error) : syscall(call, __VA_ARGS__); }
#define BY_PATH(name, call, parameters, ...) \
    int name parameters { int error = meets(#name, path, 0); return error ? fails(error) : syscall(call, __VA_ARGS__); }

BY_FD(fsync, SYS_fsync, (int fd), fd)
BY_FD(fdatasync, SYS_fdatasync, (int fd), fd)
BY_FD(ftruncate, SYS_ftruncate, (int fd, off_t length), fd, length)
BY_FD(ftruncate64, SYS_ftruncate, (int fd, off64_t length), fd, length)
BY_FD(fchmod, SYS_fchmod, (int fd, mode_t mode), fd, mode)
BY_FD(fallocate, SYS_fallocate, (int fd, int mode, off_t offset, off_t length), fd, mode, offset, length)
BY_PATH(rename, SYS_renameat2, (const char *from, const char *path), AT_FDCWD, from, AT_FDCWD, path, 0)
BY_PATH(unlink, SYS_unlinkat, (const char *path), AT_FDCWD, path, 0)

// One that is there already is told of before anything else.
int mkdir(const char *path, mode_t mode) {
    int error = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) ? meets("mkdir", path, 0) : 0;
    return error ? fails(error) : syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

BY_PATH(link, SYS_linkat, (const char *from, const char *path), AT_FDCWD, from, AT_FDCWD, path, 0)
BY_PATH(linkat, SYS_linkat, (int from_at, const char *from, int at, const char *path, int flags), from_at, from, at, path, flags)
