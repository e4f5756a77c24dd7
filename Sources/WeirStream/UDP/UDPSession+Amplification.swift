// The bound on replies to an address that may be forged (RFC 9000 section 8.1): until the client has spoken again after
// a reply, so many bytes for each byte that came from it.
extension UDPSession {
    /// Adds to what the client may get. A datagram counts once, also where it is sent to a second upstream.
    func noteClientBytes(_ count: Int) {
        guard let factor = route.settings.amplification, !isAssured else { return }
        let added = UInt64(count).multipliedReportingOverflow(by: UInt64(max(0, factor)))
        let sum = UInt64(replyAllowance).addingReportingOverflow(added.partialValue)
        replyAllowance = added.overflow || sum.overflow ? .max : UInt32(clamping: sum.partialValue)
    }

    /// Whether the client may get a reply of this length now.
    func allowsReply(_ count: Int) -> Bool {
        route.settings.amplification == nil || isAssured || count <= replyAllowance
    }

    /// Takes a reply off what the client may get.
    func noteReply(_ count: Int) {
        replyAllowance -= min(replyAllowance, UInt32(clamping: count))
    }
}
