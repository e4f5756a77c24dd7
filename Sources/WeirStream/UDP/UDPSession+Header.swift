import LinuxIO

// The PROXY header in front of datagrams to the upstream.
extension UDPSession {
    /// Marks the header as missing after a connect: the new peer has not received it.
    func oweHeader() {
        guard let headers = route.settings.relayedHeader else { return }
        if header.isEmpty {
            header = ProxyHeaderWriter.datagramBytes(
                for: .init(source: context.clientAddress, destination: context.localAddress))
        }
        owesHeader = headers == .first
    }

    /// Marks the header as missing after an ICMP error: it was not delivered and is sent again.
    func upstreamRefused() {
        owesHeader = route.settings.relayedHeader == .first
    }

    /// The bytes of room in front of a queued datagram, as in the inbox.
    var queueHeadroom: Int { route.settings.relayedHeader == nil ? 0 : DatagramInbox.headroom }

    /// Puts the header in front of the first `count` datagrams of the outbox. Returns the range of those that have it.
    func prependHeaders(_ count: Int) -> Range<Int> {
        for index in 0..<count { core.outbox.prepend(header, at: index) }
        return 0..<count
    }
}
