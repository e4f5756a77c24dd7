import LinuxIO

/// The standard streams and capabilities of the process.
public enum ProcessPrivileges {
    /// Opens what is missing of the standard streams. Before anything else is opened.
    public static func holdStandardStreams() { ProcessLimits.holdStandardStreams() }

    /// Keeps it from the programs that hooks run: ports below 1024 are for Weir alone. Before any thread is started, so
    /// that all of them inherit it.
    public static func keep() { ProcessLimits.keepCapabilities() }
}
