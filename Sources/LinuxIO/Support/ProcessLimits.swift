import CLinux

/// Limits and privileges of the whole process.
public enum ProcessLimits {
    /// Raises the soft limit of open descriptors to the hard one (setrlimit(2)) and returns it.
    public static func raiseDescriptorLimit() throws(SystemError) -> Int {
        let result = weir_raise_descriptor_limit()
        if result < 0 { throw SystemError(.resourceLimit, CInt(-result)) }
        return Int(clamping: result)
    }

    /// Keeps the capabilities that a service manager granted (the ambient set, capabilities(7)) from programs that this
    /// thread, or a thread that it starts, executes later. Running threads keep theirs.
    public static func keepCapabilities() {
        // It fails only where the kernel knows no such set.
        _ = weir_clear_ambient_capabilities()
    }

    /// Opens /dev/null in place of each standard stream that is closed: another file would get its number, and what is
    /// written to the stream. Call it before anything is opened.
    public static func holdStandardStreams() {
        weir_hold_standard_descriptors()
    }

    /// Makes a write to a broken connection fail with EPIPE instead of ending the process (signal(7)).
    public static func ignoreBrokenPipeSignal() {
        weir_ignore_sigpipe()
    }
}
