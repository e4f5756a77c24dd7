import LinuxIO

/// The arguments, standard streams and capabilities of the process.
public enum ProcessPrivileges {
    /// The arguments of the process, without the program's name.
    public static var arguments: [String] { Array(ProcessArguments.all.dropFirst()) }

    /// Opens what is missing of the standard streams, and keeps the runtime's messages out of the system's log. Before
    /// anything else is opened, and before there is another thread.
    public static func begin() {
        ProcessLimits.holdStandardStreams()
        ProcessArguments.silenceRuntime()
    }

    /// Keeps it from the programs that hooks run: ports below 1024 are for Weir alone. Before any thread is started, so
    /// that all of them inherit it.
    public static func keep() { ProcessLimits.keepCapabilities() }
}
