/*
 * What a disk still has after the loss of power: loaded into a server (LD_PRELOAD), it keeps beside the server's
 * directories a shadow that knows only what the server has synced, in the strictest reading of POSIX:
 *
 *   a file has the bytes of its last fsync or fdatasync, and none if there was none;
 *   a directory has the names of its last fsync: what was created, renamed, linked or removed since is as it was;
 *   sync_file_range, O_SYNC and a mapping's msync promise nothing.
 *
 * POWER_CUT_ROOT is the directory that plays the disk, POWER_CUT_SHADOW an existing directory beside it, on the same
 * file system. POWER_CUT_BOOT_ID names the file that is read in place of the kernel's boot id.
 *
 *   SHADOW/bytes/INODE   what of a file is durable
 *   SHADOW/names/INODE   what of a directory is durable: "f INODE NAME\0" or "d INODE NAME\0", one after the other
 *   SHADOW/pins/INODE    the file itself by a second name, so that its number is given to no other while this goes on
 *
 * What the disk has when the first process starts counts as durable. Killed at any point the shadow is right: a file's
 * bytes are updated in place, and in the middle of a sync any of them may be durable; names are replaced at once.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536

static char root[4096];
static char boot_id[4096];
static int bytes_dir = -1, names_dir = -1, pins_dir = -1;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *what) {
    fprintf(stderr, "power_cut: %s: %s\n", what, strerror(errno));
    abort();
}

/* The descriptor's file by a name that works for as long as the descriptor is open. */
static const char *by_descriptor(int fd, char *buffer, size_t size) {
    snprintf(buffer, size, "/proc/self/fd/%d", fd);
    return buffer;
}

static bool is_on_the_disk(int fd) {
    char link[64], path[4200];
    ssize_t length = readlink(by_descriptor(fd, link, sizeof link), path, sizeof path - 1);
    if (names_dir < 0 || length <= 0)
        return false;
    path[length] = 0;
    size_t prefix = strlen(root);
    return strncmp(path, root, prefix) == 0 && (path[prefix] == '/' || path[prefix] == 0);
}

static void pin_file(int fd, ino_t inode) {
    char name[32], link[64];
    snprintf(name, sizeof name, "%llu", (unsigned long long)inode);
    if (linkat(AT_FDCWD, by_descriptor(fd, link, sizeof link), pins_dir, name, AT_SYMLINK_FOLLOW) != 0 &&
        errno != EEXIST && errno != ENOENT)
        die("pinning a file");
}

/* A directory can have no second name; an open descriptor keeps its number as well. */
static void pin_directory(int fd, ino_t inode) {
    static ino_t *pinned;
    static size_t count;
    for (size_t at = 0; at < count; at++)
        if (pinned[at] == inode)
            return;
    pinned = realloc(pinned, (count + 1) * sizeof *pinned);
    if (!pinned || fcntl(fd, F_DUPFD_CLOEXEC, 0) < 0)
        die("pinning a directory");
    pinned[count++] = inode;
}

static void record_bytes(int fd, ino_t inode) {
    static char now[BLOCK], before[BLOCK];
    char name[32], link[64];
    snprintf(name, sizeof name, "%llu", (unsigned long long)inode);
    int from = open(by_descriptor(fd, link, sizeof link), O_RDONLY | O_CLOEXEC);
    int to = openat(bytes_dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        die("opening a file's bytes");
    off_t at = 0;
    for (;;) {
        ssize_t length = pread(from, now, sizeof now, at);
        if (length < 0)
            die("reading a file");
        if (length == 0)
            break;
        if (pread(to, before, (size_t)length, at) != length || memcmp(now, before, (size_t)length) != 0)
            if (pwrite(to, now, (size_t)length, at) != length)
                die("writing a file's bytes");
        at += length;
    }
    if (ftruncate(to, at) != 0)
        die("cutting a file's bytes");
    close(from);
    close(to);
}

static void record_names(int fd, ino_t inode) {
    char link[64], name[32], draft[40];
    int directory = open(by_descriptor(fd, link, sizeof link), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = directory < 0 ? NULL : fdopendir(directory);
    if (!entries)
        die("reading a directory");
    snprintf(name, sizeof name, "%llu", (unsigned long long)inode);
    snprintf(draft, sizeof draft, "%s.new", name);
    int to = openat(names_dir, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *out = to < 0 ? NULL : fdopen(to, "w");
    if (!out)
        die("writing names");
    struct dirent *entry;
    while ((entry = readdir(entries))) {
        struct stat found;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        int child = openat(directory, entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0)
            continue; /* Removed since the directory was read. */
        if (fstat(child, &found) == 0 && found.st_nlink > 0 && (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) {
            bool is_file = S_ISREG(found.st_mode);
            is_file ? pin_file(child, found.st_ino) : pin_directory(child, found.st_ino);
            fprintf(out, "%c %llu %s%c", is_file ? 'f' : 'd', (unsigned long long)found.st_ino, entry->d_name, 0);
        }
        close(child);
    }
    closedir(entries);
    if (fclose(out) != 0 || renameat(names_dir, draft, names_dir, name) != 0)
        die("replacing names");
}

static void record(int fd) {
    struct stat found;
    if (fstat(fd, &found) != 0 || found.st_nlink == 0)
        return; /* What has no name is gone with the power, whatever was synced. */
    if (S_ISREG(found.st_mode)) {
        pin_file(fd, found.st_ino);
        record_bytes(fd, found.st_ino);
    } else if (S_ISDIR(found.st_mode)) {
        pin_directory(fd, found.st_ino);
        record_names(fd, found.st_ino);
    }
}

static void record_tree(int parent, const char *name) {
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat found;
    if (fd < 0 || fstat(fd, &found) != 0)
        die(name);
    record(fd);
    if (S_ISDIR(found.st_mode)) {
        DIR *entries = fdopendir(fd);
        struct dirent *entry;
        while (entries && (entry = readdir(entries)))
            if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
                record_tree(dirfd(entries), entry->d_name);
        closedir(entries);
    } else {
        close(fd);
    }
}

static int directory_in(int parent, const char *name) {
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
        die(name);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        die(name);
    return fd;
}

__attribute__((constructor)) static void begin(void) {
    const char *disk = getenv("POWER_CUT_ROOT"), *beside = getenv("POWER_CUT_SHADOW"), *boot = getenv("POWER_CUT_BOOT_ID");
    struct stat found;
    char name[32];
    if (!disk || !beside)
        return;
    unsetenv("LD_PRELOAD"); /* For this process and none that it starts. */
    if (!realpath(disk, root) || (boot && !realpath(boot, boot_id)) || stat(root, &found) != 0)
        die(disk);
    int shadow = open(beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (shadow < 0)
        die(beside);
    bytes_dir = directory_in(shadow, "bytes");
    pins_dir = directory_in(shadow, "pins");
    names_dir = directory_in(shadow, "names");
    close(shadow);
    snprintf(name, sizeof name, "%llu", (unsigned long long)found.st_ino);
    if (faccessat(names_dir, name, F_OK, 0) != 0)
        record_tree(AT_FDCWD, root);
}

static int synced(int fd, const char *name) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!is_on_the_disk(fd))
        return next(fd);
    int before = errno;
    pthread_mutex_lock(&turn);
    record(fd);
    pthread_mutex_unlock(&turn);
    errno = before;
    return 0;
}

int fsync(int fd) { return synced(fd, "fsync"); }

int fdatasync(int fd) { return synced(fd, "fdatasync"); }

static void all_synced(void) {
    if (names_dir >= 0) {
        pthread_mutex_lock(&turn);
        record_tree(AT_FDCWD, root);
        pthread_mutex_unlock(&turn);
    }
}

void sync(void) { all_synced(); }

int syncfs(int fd) {
    (void)fd;
    all_synced();
    return 0;
}

/* After the loss of power the machine has started anew. */
static const char *redirected(const char *path) {
    return boot_id[0] && path && !strcmp(path, "/proc/sys/kernel/random/boot_id") ? boot_id : path;
}

#define OPEN(NAME)                                                                                                     \
    int NAME(const char *path, int flags, ...) {                                                                       \
        int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #NAME);                \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                                      \
        va_end(rest);                                                                                                  \
        return next(redirected(path), flags, mode);                                                                    \
    }

OPEN(open)
OPEN(open64)
