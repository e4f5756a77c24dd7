import LinuxIO

/// The capabilities of the process.
public enum ProcessPrivileges {
    /// Keeps it from the programs that hooks run: ports below 1024 are for Weir alone. Before any thread is started, so
    /// that all of them inherit it.
    public static func keep() { ProcessLimits.keepCapabilities() }
}
