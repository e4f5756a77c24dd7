import CLinux

/// The command line of this process, and the runtime's own messages.
public enum ProcessArguments {
    /// The arguments, the program's name first. Unlike `CommandLine.arguments` they need no /proc, which is missing in
    /// a chroot(2).
    public static let all: [String] = (0..<weir_argument_count()).compactMap { index in
        unsafe weir_argument(index).map { unsafe String(cString: $0) }
    }

    /// Keeps the runtime's own messages out of the system's log, unless `LIBDISPATCH_LOG` is set. Call it before there
    /// is another thread.
    public static func silenceRuntime() { weir_silence_runtime() }
}
