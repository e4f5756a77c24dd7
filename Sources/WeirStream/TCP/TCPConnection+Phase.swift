extension TCPConnection {
    enum Phase {
        /// The PROXY header of a trusted peer is not complete yet.
        case awaitingHeader
        /// The handshake of the client's session is in progress.
        case handshaking
        /// An upstream is chosen and dialed (see ``UpstreamConnector``).
        case dialing
        /// The upstream is connected, and its preface or the handshake of its session is in progress.
        case handshakingUpstream
        /// Bytes flow.
        case relaying
        /// One endpoint has failed: the other one gets its remaining bytes, and then a reset.
        case flushing
        case closed
    }

    /// The descriptor tag of the client; 1 to 7 are attempts to reach the upstream.
    static let clientTag = 0

    enum TimerTag {
        static let main = 0
        static let ingressPause = 2
        static let egressPause = 3
        static let flush = 4
    }
}
