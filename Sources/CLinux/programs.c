#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
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
    if (!error) error = posix_spawnp(&process, arguments[0], &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error) return -error;
    // Until this process reaps its child, the kernel does not reuse the number.
    int descriptor = (int)syscall(SYS_pidfd_open, process, 0);
    if (descriptor < 0) {
        error = errno;
        int result;
        kill(-process, SIGKILL);
        RETRY(result, waitpid(process, NULL, 0));
        return -error;
    }
    *process_descriptor = descriptor;
    return process;
}

int weir_kill_group(int process) { return kill(-process, SIGKILL) < 0 ? -errno : 0; }

int weir_reap(int process, int *status) {
    int raw = 0;
    int result;
    RETRY(result, waitpid(process, &raw, WNOHANG));
    if (result <= 0) return result;
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -WTERMSIG(raw);
    return 1;
}
