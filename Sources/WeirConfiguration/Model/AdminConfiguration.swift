public import NetworkTypes

extension Configuration {
    /// `admin:`, the socket for operators. Cannot be reloaded.
    public struct Admin: Sendable, Equatable {
        /// The path of its Unix socket; nil is only in a section that is not read yet.
        public var listen: UnixSocketPath?
        /// The permission bits of its file: who may write to it may ask and command.
        public var socketMode: UInt32 = 0o600

        /// A section with this socket.
        public init(listen: UnixSocketPath? = nil) {
            self.listen = listen
        }
    }
}
