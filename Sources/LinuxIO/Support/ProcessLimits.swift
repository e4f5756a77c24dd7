import CLinux

/// What the process as a whole is allowed.
public enum ProcessLimits {
    /// Raises the soft limit of open descriptors to the hard one (setrlimit(2)) and returns it.
    public static func raiseDescriptorLimit() throws(SystemError) -> Int {
        let result = weir_raise_descriptor_limit()
        if result < 0 { throw SystemError(.resourceLimit, CInt(-result)) }
        return Int(clamping: result)
    }

    /// Programs that this thread, or one that it starts, executes later get none of the capabilities that a service manager
    /// gave this one (the ambient set, capabilities(7)); what runs already keeps its own.
    public static func keepCapabilities() {
        // It fails only where the kernel knows no such set.
        _ = weir_clear_ambient_capabilities()
    }

    /// A write to a broken connection gives EPIPE instead of ending the process (signal(7)).
    public static func ignoreBrokenPipeSignal() {
        weir_ignore_sigpipe()
    }
}
