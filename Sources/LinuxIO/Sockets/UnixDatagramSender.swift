import CLinux
import NetworkTypes

/// Sends datagrams to one Unix socket (unix(7)), such as a service manager's. Any thread; it never waits.
public struct UnixDatagramSender: ~Copyable, Sendable {
    private let descriptor: FileDescriptor
    /// The destination: a path, or `@` and an abstract name.
    public let receiver: UnixSocketPath

    /// Opens the sending socket now, so that a process that runs out of descriptors can still send.
    public init(to receiver: UnixSocketPath) throws(SystemError) {
        descriptor = FileDescriptor(adopting: try check(weir_socket_unix_datagram(), .socket))
        self.receiver = receiver
    }

    /// Sends one datagram, whole or not at all. Throws if no process receives there, or the receiver's queue is full.
    public borrowing func send(_ text: String) throws(SystemError) {
        var text = text
        let sent = text.withUTF8 { bytes in
            unsafe weir_send_to_unix(
                descriptor.rawValue, receiver.path, receiver.path.utf8.count, bytes.baseAddress, bytes.count)
        }
        if sent < 0 { throw SystemError(.send, CInt(truncatingIfNeeded: -sent)) }
    }
}
