import CLinux

/// Numbers that distinguish this process from others of the machine.
public enum ProcessIdentity {
    /// The number of its PID namespace (namespaces(7)), which containers have of their own; 0 without /proc.
    public static var namespace: UInt64 { weir_pid_namespace() }
}
