import CLinux

extension Socket {
    /// What can be set with an integer.
    public enum Option: Sendable {
        /// `SO_REUSEADDR`: bind beside connections in TIME_WAIT.
        case reuseAddress
        /// `SO_REUSEPORT`: several sockets on one port, among which the kernel spreads clients.
        case reusePort
        /// `IPV6_V6ONLY`: off makes an IPv6 wildcard take IPv4 clients too.
        case ipv6Only
        /// `TCP_NODELAY`: no waiting for more data; inherited from a listener.
        case noDelay
        /// `TCP_QUICKACK`: sends an ACK that is due now.
        case quickAcknowledge
        /// `TCP_DEFER_ACCEPT`: on a listener, seconds to wait for data before a connection can be accepted; on a socket that
        /// connects, the ACK that ends the handshake waits for data to go with, for at most 200 ms.
        case deferAccept
        /// `TCP_FASTOPEN`: on a listener, how many connections may bring data before their handshake is over.
        case fastOpen
        /// `SO_KEEPALIVE`: ask a silent peer; inherited from a listener.
        case keepalive
        /// `TCP_KEEPIDLE`, seconds of silence before the first probe.
        case keepaliveIdle
        /// `TCP_KEEPINTVL`, seconds between probes.
        case keepaliveInterval
        /// `TCP_KEEPCNT`, probes without an answer before the connection is broken.
        case keepaliveCount
        /// `TCP_USER_TIMEOUT`, milliseconds that sent data may stay unacknowledged (RFC 5482).
        case userTimeout
        /// `SO_SNDBUF`, bytes; the kernel doubles it.
        case sendBuffer
        /// `SO_RCVBUF`, bytes; the kernel doubles it.
        case receiveBuffer
        /// `SO_RCVLOWAT`, bytes that must wait before a stream socket counts as readable (socket(7)). An end always does.
        case receiveLowWater
        /// `SO_RXQ_OVFL`: count with each datagram what the socket dropped.
        case receiveOverflow
        /// `IP_PKTINFO`: tell to which of our addresses a datagram was sent.
        case packetInfoIPv4
        /// `IPV6_RECVPKTINFO`, the same for IPv6.
        case packetInfoIPv6
        /// `IP_RECVERR`: tell a datagram socket of every ICMP error, the soft ones included (ip(7)). They also queue up: see
        /// ``Socket/takeQueuedError()``.
        case receiveErrorsIPv4
        /// `IPV6_RECVERR`, the same for IPv6.
        case receiveErrorsIPv6

        fileprivate var raw: weir_option {
            switch self {
            case .reuseAddress: WEIR_OPTION_REUSE_ADDRESS
            case .reusePort: WEIR_OPTION_REUSE_PORT
            case .ipv6Only: WEIR_OPTION_V6_ONLY
            case .noDelay: WEIR_OPTION_NO_DELAY
            case .quickAcknowledge: WEIR_OPTION_QUICK_ACK
            case .deferAccept: WEIR_OPTION_DEFER_ACCEPT
            case .fastOpen: WEIR_OPTION_FAST_OPEN
            case .keepalive: WEIR_OPTION_KEEPALIVE
            case .keepaliveIdle: WEIR_OPTION_KEEPALIVE_IDLE
            case .keepaliveInterval: WEIR_OPTION_KEEPALIVE_INTERVAL
            case .keepaliveCount: WEIR_OPTION_KEEPALIVE_COUNT
            case .userTimeout: WEIR_OPTION_USER_TIMEOUT
            case .sendBuffer: WEIR_OPTION_SEND_BUFFER
            case .receiveBuffer: WEIR_OPTION_RECEIVE_BUFFER
            case .receiveLowWater: WEIR_OPTION_RECEIVE_LOW_WATER
            case .receiveOverflow: WEIR_OPTION_RECEIVE_OVERFLOW
            case .packetInfoIPv4: WEIR_OPTION_PACKET_INFO_V4
            case .packetInfoIPv6: WEIR_OPTION_PACKET_INFO_V6
            case .receiveErrorsIPv4: WEIR_OPTION_RECEIVE_ERRORS_V4
            case .receiveErrorsIPv6: WEIR_OPTION_RECEIVE_ERRORS_V6
            }
        }
    }

    /// setsockopt(2).
    public borrowing func set(_ option: Option, _ value: Int) throws(SystemError) {
        try check(weir_set_option(number, option.raw, CInt(clamping: value)), .socketOption)
    }

    /// setsockopt(2) for a switch.
    public borrowing func set(_ option: Option, _ isOn: Bool) throws(SystemError) {
        try set(option, isOn ? 1 : 0)
    }

    /// setsockopt(2) where a kernel that refuses does no harm: the connection only lacks a comfort. Returns whether
    /// the kernel took it.
    @discardableResult
    public borrowing func setIfPossible(_ option: Option, _ value: Int) -> Bool {
        weir_set_option(number, option.raw, CInt(clamping: value)) == 0
    }

    /// getsockopt(2).
    public borrowing func value(of option: Option) throws(SystemError) -> Int {
        Int(try check(weir_get_option(number, option.raw), .socketOption))
    }
}
