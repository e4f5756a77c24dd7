public import NetworkTypes

extension IPAddress {
    /// Blocks that only private networks use, and links: those that `allow_local` lets in. RFC 1918, RFC 4193, RFC
    /// 3927, RFC 4291 section 2.5.6.
    public static let privateNetworks = [
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10",
    ]

    /// Whether the address is in one of ``privateNetworks``. Loopback is not one of them: it has a step of its own.
    public var isPrivate: Bool {
        guard isIPv4 else { return high >> 57 == 0xfc >> 1 || isLinkLocal }
        let bits = v4Bits
        return bits >> 24 == 10 || bits >> 20 == 0xac1 || bits >> 16 == 0xc0a8 || isLinkLocal
    }
}
