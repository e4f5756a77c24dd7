import CLinux

extension Socket {
    /// The options with an integer value.
    public enum Option: Sendable {
        /// `SO_REUSEADDR`: bind beside connections in TIME_WAIT.
        case reuseAddress
        /// `IP_FREEBIND`: bind to an address that this machine does not have yet (ip(7)).
        case freeBindIPv4
        /// `IPV6_FREEBIND`: the same for IPv6.
        case freeBindIPv6
        /// `IP_BIND_ADDRESS_NO_PORT`: bind(2) without a port leaves the choice of the port to connect(2) (ip(7)).
        case bindWithoutPort
        /// `IP_TOS`: the second byte of the IPv4 headers that the socket sends (ip(7)).
        case trafficClassIPv4
        /// `IPV6_TCLASS`: the traffic class of the IPv6 headers that the socket sends (ipv6(7)).
        case trafficClassIPv6
        /// `SO_REUSEPORT`: several sockets on one port, among which the kernel spreads clients.
        case reusePort
        /// `IPV6_V6ONLY`: off makes an IPv6 wildcard take IPv4 clients too.
        case ipv6Only
        /// `TCP_NODELAY`: no waiting for more data; inherited from a listener.
        case noDelay
        /// `TCP_QUICKACK`: sends an ACK that is due now.
        case quickAcknowledge
        /// `TCP_DEFER_ACCEPT`: on a listener, seconds to wait for data before a connection can be accepted; on a
        /// connecting socket, the ACK that ends the handshake waits for data to carry it, for at most 200 ms.
        case deferAccept
        /// `SO_OOBINLINE`: an urgent byte stays in its place among the others (RFC 6093 section 3.4); inherited from a
        /// listener. Without it, reads leave the byte out.
        case urgentInline
        /// `TCP_FASTOPEN`: on a listener, the bound on connections with data before the end of their handshake (RFC
        /// 7413).
        case fastOpen
        /// `SO_KEEPALIVE`: probe a silent peer; inherited from a listener.
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
        /// `SO_RCVLOWAT`, bytes that must be queued before a stream socket counts as readable (socket(7)). An end of
        /// stream always counts.
        case receiveLowWater
        /// `SO_RXQ_OVFL`: report the number of dropped datagrams with each datagram.
        case receiveOverflow
        /// `IP_PKTINFO`: report the local address that a datagram was sent to.
        case packetInfoIPv4
        /// `IPV6_RECVPKTINFO`, the same for IPv6.
        case packetInfoIPv6
        /// `IP_MULTICAST_ALL`: receive datagrams of multicast groups that other sockets have joined.
        case multicastAllIPv4
        /// `IPV6_MULTICAST_ALL`, the same for IPv6.
        case multicastAllIPv6
        /// `IP_RECVERR`: report every ICMP error to a datagram socket, soft ones included (ip(7)). Errors also queue
        /// up: see ``Socket/takeQueuedError()``.
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
            case .urgentInline: WEIR_OPTION_URGENT_INLINE
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
            case .freeBindIPv4: WEIR_OPTION_FREEBIND_V4
            case .freeBindIPv6: WEIR_OPTION_FREEBIND_V6
            case .bindWithoutPort: WEIR_OPTION_BIND_NO_PORT
            case .trafficClassIPv4: WEIR_OPTION_TRAFFIC_CLASS_V4
            case .trafficClassIPv6: WEIR_OPTION_TRAFFIC_CLASS_V6
            case .packetInfoIPv4: WEIR_OPTION_PACKET_INFO_V4
            case .packetInfoIPv6: WEIR_OPTION_PACKET_INFO_V6
            case .multicastAllIPv4: WEIR_OPTION_MULTICAST_ALL_V4
            case .multicastAllIPv6: WEIR_OPTION_MULTICAST_ALL_V6
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

    /// Sets an option that is only an optimization (setsockopt(2)): a failure is reported, never fatal. Returns whether
    /// the kernel accepted it.
    @discardableResult
    public borrowing func setIfPossible(_ option: Option, _ value: Int) -> Bool {
        weir_set_option(number, option.raw, CInt(clamping: value)) == 0
    }

    /// getsockopt(2).
    public borrowing func value(of option: Option) throws(SystemError) -> Int {
        Int(try check(weir_get_option(number, option.raw), .socketOption))
    }
}
