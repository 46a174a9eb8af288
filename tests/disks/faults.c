/* Loaded before the C library: what a disk does to the files of a database.
 *
 * FAULT_FILES   a part of the names of the files it is about
 * FAULT         count            counts write steps
 *               eio N            the Nth sync fails, and every one after it
 *               stall N MS       the Nth sync takes MS milliseconds longer
 *               slow N MS        so does every one after it
 *               cut N SEED MODE  at the Nth write step the power is cut: what was not synced is lost
 *                                (MODE 0), survives in pieces and out of order (1), or survives (2)
 *               lie N SEED MODE  the same, and no sync does anything
 * FAULT_FOLDER  where the files are put as the disk has them after a cut, and `steps` after a count
 *
 * A write step is a write, a truncation or a sync. What was written is kept here until it is synced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 16
#define FDS_MAX 1024
#define SECTOR 512

struct pending {
    struct pending *next;
    off_t at;
    size_t length; /* of a write */
    int truncates;
    unsigned char bytes[];
};

struct file {
    char name[256];
    int is_there;
    unsigned char *durable;
    size_t size;
    struct pending *first, **last;
};

static struct file files[FILES_MAX];
static int file_of[FDS_MAX]; /* its number from 1, 0 for files that are not ours */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *about, *folder;
static char what[16];
static long steps, syncs, at, argument, mode;
static uint64_t random_state;

static uint32_t draw(uint32_t below) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(((random_state >> 33) * below) >> 31);
}

__attribute__((constructor)) static void begin(void) {
    about = getenv("FAULT_FILES");
    folder = getenv("FAULT_FOLDER");
    const char *fault = getenv("FAULT");
    if (fault) sscanf(fault, "%15s %ld %ld %ld", what, &at, &argument, &mode);
    random_state = (uint64_t)argument * 2654435761ULL + (uint64_t)at;
}

static int is(const char *name) { return strcmp(what, name) == 0; }
static int cuts(void) { return is("cut") || is("lie"); }

static void put(struct file *file, size_t from, const unsigned char *bytes, size_t length) {
    if (from + length > file->size) {
        file->durable = realloc(file->durable, from + length);
        memset(file->durable + file->size, 0, from + length - file->size);
        file->size = from + length;
    }
    memcpy(file->durable + from, bytes, length);
}

static void apply(struct file *file, struct pending *op, size_t length) {
    if (!op->truncates) put(file, op->at, op->bytes, length);
    else if ((size_t)op->at < file->size) file->size = op->at;
}

static void forget(struct file *file) {
    while (file->first) {
        struct pending *op = file->first;
        file->first = op->next;
        free(op);
    }
    file->last = &file->first;
}

static void write_out(const char *name, const void *bytes, size_t length) {
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    ssize_t (*real_write)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = real_open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    for (size_t done = 0; done < length;) {
        ssize_t n = real_write(fd, (const char *)bytes + done, length - done);
        if (n <= 0) break;
        done += n;
    }
    close(fd);
}

static void cut(void) {
    for (int i = 0; i < FILES_MAX; i++) {
        struct file *file = &files[i];
        if (!file->is_there) continue;
        for (struct pending *op = file->first; op; op = op->next) {
            if (mode == 2) apply(file, op, op->length);
            if (mode != 1 || draw(2)) continue;
            size_t length = op->length;
            if (draw(3) == 0) length = length / SECTOR * draw(SECTOR) / SECTOR * SECTOR;
            apply(file, op, length > op->length ? op->length : length);
        }
        write_out(file->name, file->durable, file->size);
    }
    _exit(99);
}

static void step(void) {
    steps++;
    if (cuts() && steps >= at) cut();
}

static void keep(struct file *file, off_t from, const void *bytes, size_t length, int truncates) {
    struct pending *op = malloc(sizeof *op + length);
    *op = (struct pending){.at = from, .length = length, .truncates = truncates};
    if (length) memcpy(op->bytes, bytes, length);
    *file->last = op;
    file->last = &op->next;
}

static struct file *of(int fd) {
    return fd >= 0 && fd < FDS_MAX && file_of[fd] ? &files[file_of[fd] - 1] : NULL;
}

static void opened(int fd, const char *path) {
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t length = strlen(name);
    /* The log's index is memory that happens to be a file: it is made anew. */
    int is_index = length > 4 && strcmp(name + length - 4, "-shm") == 0;
    if (fd < 0 || fd >= FDS_MAX || !about || !strstr(name, about) || is_index) return;
    pthread_mutex_lock(&lock);
    int i = 0;
    while (i < FILES_MAX - 1 && files[i].name[0] && strcmp(files[i].name, name)) i++;
    if (!files[i].is_there) {
        struct file *file = &files[i];
        snprintf(file->name, sizeof file->name, "%s", name);
        file->is_there = 1;
        file->size = 0;
        file->last = &file->first;
        unsigned char buffer[4096];
        ssize_t n;
        for (off_t from = 0; (n = pread(fd, buffer, sizeof buffer, from)) > 0; from += n)
            put(file, from, buffer, n);
    }
    file_of[fd] = i + 1;
    pthread_mutex_unlock(&lock);
}

#define OPEN(NAME)                                                                        \
    int NAME(const char *path, int flags, ...) {                                          \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #NAME);                    \
        va_list list;                                                                     \
        va_start(list, flags);                                                            \
        int mode_of = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, int) : 0;              \
        va_end(list);                                                                     \
        int fd = real(path, flags, mode_of);                                              \
        opened(fd, path);                                                                 \
        return fd;                                                                        \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < FDS_MAX) file_of[fd] = 0;
    return real(fd);
}

int unlink(const char *path) {
    int (*real)(const char *) = dlsym(RTLD_NEXT, "unlink");
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < FILES_MAX; i++)
        if (files[i].is_there && strcmp(files[i].name, name) == 0) {
            forget(&files[i]);
            files[i].is_there = 0;
        }
    pthread_mutex_unlock(&lock);
    return real(path);
}

static void written(int fd, off_t from, const void *bytes, size_t length) {
    struct file *file = of(fd);
    if (!file) return;
    pthread_mutex_lock(&lock);
    step();
    if (cuts()) keep(file, from, bytes, length, 0);
    pthread_mutex_unlock(&lock);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (of(fd)) written(fd, lseek(fd, 0, SEEK_CUR), bytes, length);
    return real(fd, bytes, length);
}

#define PWRITE(NAME, OFFSET)                                                              \
    ssize_t NAME(int fd, const void *bytes, size_t length, OFFSET from) {                 \
        static ssize_t (*real)(int, const void *, size_t, OFFSET);                        \
        if (!real) real = dlsym(RTLD_NEXT, #NAME);                                        \
        written(fd, from, bytes, length);                                                 \
        return real(fd, bytes, length, from);                                             \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define FTRUNCATE(NAME, OFFSET)                                                           \
    int NAME(int fd, OFFSET length) {                                                     \
        int (*real)(int, OFFSET) = dlsym(RTLD_NEXT, #NAME);                               \
        struct file *file = of(fd);                                                       \
        if (file) {                                                                       \
            pthread_mutex_lock(&lock);                                                    \
            step();                                                                       \
            if (cuts()) keep(file, length, NULL, 0, 1);                                   \
            pthread_mutex_unlock(&lock);                                                  \
        }                                                                                 \
        return real(fd, length);                                                          \
    }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

static int synced(int fd) {
    struct file *file = of(fd);
    if (!file) return 0;
    long wait_ms = 0;
    int error = 0;
    pthread_mutex_lock(&lock);
    step();
    syncs++;
    if (is("eio") && syncs >= at) error = EIO;
    if (is("stall") && syncs == at) wait_ms = argument;
    if (is("slow") && syncs >= at) wait_ms = argument;
    if (is("cut")) {
        for (struct pending *op = file->first; op; op = op->next) apply(file, op, op->length);
        forget(file);
    }
    pthread_mutex_unlock(&lock);
    if (wait_ms) {
        struct timespec time = {wait_ms / 1000, wait_ms % 1000 * 1000000};
        nanosleep(&time, NULL);
    }
    errno = error;
    return error ? -1 : 0;
}

#define SYNC(NAME)                                                                        \
    int NAME(int fd) {                                                                    \
        int (*real)(int) = dlsym(RTLD_NEXT, #NAME);                                       \
        return synced(fd) ? -1 : real(fd);                                                \
    }
SYNC(fsync)
SYNC(fdatasync)

__attribute__((destructor)) static void end(void) {
    if (!is("count")) return;
    char text[32];
    int length = snprintf(text, sizeof text, "%ld", steps);
    write_out("steps", text, length);
}
