import CLinux

extension Socket {
    /// Allows that a datagram which is longer than the packets of a link is cut into fragments, or forbids it. Returns
    /// whether the kernel accepted it.
    ///
    /// Allowed, IPv4 sends without the DF bit, so that routers may cut, too, and believes no report of a path's MTU
    /// (`IP_PMTUDISC_OMIT`, ip(7)). IPv6 has no such bit: the sender cuts to the path MTU that routers report, which is
    /// the kernel's default. Forbidden, a datagram that exceeds the known path MTU fails with EMSGSIZE
    /// (`IP_PMTUDISC_DO`).
    @discardableResult
    public borrowing func setFragmentation(isAllowed: Bool) -> Bool {
        weir_set_fragmentation(number, family == .ipv6 ? 1 : 0, isAllowed ? 1 : 0) == 0
    }
}
