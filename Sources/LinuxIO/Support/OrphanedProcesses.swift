import CLinux
import Glibc

/// Processes whose parents have ended, and that process 1 of a PID namespace inherits (pid_namespaces(7)): nothing else
/// reaps them.
public enum OrphanedProcesses {
    /// Whether this process is the one that inherits them.
    public static var areOurs: Bool { getpid() == 1 }

    /// Reaps those that have ended, and no program that ``SpawnedProgram`` started. Returns whether some may be left:
    /// then a later call reaps them.
    public static func reap() -> Bool { weir_reap_orphans() == -EAGAIN }
}
