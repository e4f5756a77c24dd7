#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "retry.h"

// Everything that the program would inherit is set before it runs: no descriptor but three on /dev/null, no blocked
// and no ignored signal, and a process group of its own.
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes) {
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
    if (!error) error = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDOUT_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(actions, STDIN_FILENO, STDERR_FILENO);
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (!error) error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
    if (!error) error = posix_spawnattr_setpgroup(attributes, 0);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    if (!error) error = posix_spawnattr_setflags(attributes, flags);
    return error;
}

// The programs that weir_spawn has started and weir_reap has not reaped: what else ends as a child of this process was
// left to it by a parent that has ended, and its status is of no interest. The lock is held over the start of a
// program, so that one that ends at once is not taken for such a process.
enum { MAX_PROGRAMS = 4096 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t programs[MAX_PROGRAMS];
static int program_count;

static void remember(pid_t process) {
    if (program_count < MAX_PROGRAMS) programs[program_count++] = process;
}

static int is_program(pid_t process) {
    for (int i = 0; i < program_count; i++)
        if (programs[i] == process) return 1;
    return 0;
}

static void forget(pid_t process) {
    for (int i = 0; i < program_count; i++) {
        if (programs[i] != process) continue;
        programs[i] = programs[--program_count];
        return;
    }
}

int weir_reap_orphans(void) {
    int count = 0, result;
    pthread_mutex_lock(&lock);
    for (;;) {
        siginfo_t found = {0};
        RETRY(result, waitid(P_ALL, 0, &found, WEXITED | WNOHANG | WNOWAIT));
        if (result < 0 || found.si_pid == 0) break;
        // The kernel shows the same process until it is reaped.
        if (is_program(found.si_pid) || program_count == MAX_PROGRAMS) {
            count = -EAGAIN;
            break;
        }
        RETRY(result, waitpid(found.si_pid, NULL, WNOHANG));
        if (result <= 0) break;
        count++;
    }
    pthread_mutex_unlock(&lock);
    return count;
}

static int spawn(
    pid_t *process, const char *file, posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes,
    char *const arguments[], char *const environment[]) {
    pthread_mutex_lock(&lock);
    int error = posix_spawnp(process, file, actions, attributes, arguments, environment);
    if (!error) remember(*process);
    pthread_mutex_unlock(&lock);
    return error;
}

static int reap(pid_t process, int *raw, int flags) {
    int result;
    pthread_mutex_lock(&lock);
    RETRY(result, waitpid(process, raw, flags));
    if (result != 0) forget(process);
    pthread_mutex_unlock(&lock);
    return result;
}

int weir_spawn(char *const arguments[], char *const environment[], int *process_descriptor) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return -error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return -error;
    }
    pid_t process = 0;
    error = prepare(&actions, &attributes);
    if (!error) error = spawn(&process, arguments[0], &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error) return -error;
    // Until this process reaps its child, the kernel does not reuse the number.
    int descriptor = (int)syscall(SYS_pidfd_open, process, 0);
    if (descriptor < 0) {
        error = errno;
        kill(-process, SIGKILL);
        reap(process, NULL, 0);
        return -error;
    }
    *process_descriptor = descriptor;
    return process;
}

int weir_kill_group(int process) { return kill(-process, SIGKILL) < 0 ? -errno : 0; }

int weir_reap(int process, int *status) {
    int raw = 0;
    int result = reap(process, &raw, WNOHANG);
    if (result <= 0) return result;
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -WTERMSIG(raw);
    return 1;
}
