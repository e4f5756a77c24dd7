import LinuxIO

// The PROXY header in front of datagrams to the upstream.
extension UDPSession {
    /// A socket was connected: whoever is there has seen no header yet.
    func oweHeader() {
        guard let headers = route.settings.relayedHeader else { return }
        if header.isEmpty {
            header = ProxyHeaderWriter.datagramBytes(
                for: .init(source: context.clientAddress, destination: context.localAddress))
        }
        owesHeader = headers == .first
    }

    /// Nobody was there to see the header.
    func upstreamRefused() {
        owesHeader = route.settings.relayedHeader == .first
    }

    /// Room in front of datagrams that wait, like that in the inbox.
    var queueHeadroom: Int { route.settings.relayedHeader == nil ? 0 : DatagramInbox.headroom }

    /// Puts the header in front of the first `count` datagrams of the outbox: which ones have it.
    func prependHeaders(_ count: Int) -> Range<Int> {
        for index in 0..<count { core.outbox.prepend(header, at: index) }
        return 0..<count
    }
}
