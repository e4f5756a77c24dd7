import CLinux
import NetworkTypes

/// The names that resolv.conf(5) makes of one: itself, and those in the domains of `search`.
struct SearchList: Equatable, Sendable {
    /// The number of dots with which a name is tried as it is, before the domains (`ndots`).
    var dots = 1
    /// The domains, in their order. The C library shows six of them, of 256 bytes together.
    var domains: [String] = []
    /// Whether a name without a dot is only tried in the domains (`no-tld-query`).
    var skipsTopLevel = false
    /// Whether IPv6 addresses are not asked for (`no-aaaa`).
    var skipsIPv6 = false

    private static let capacity = 2_048

    /// The settings of resolv.conf(5) and the environment (`LOCALDOMAIN`, `RES_OPTIONS`) as they are now; nil where
    /// they cannot be read.
    static func current() -> SearchList? {
        var options = weir_search_options()
        var text = [CChar](repeating: 0, count: capacity)
        let count = unsafe weir_search_list(&options, &text, text.count)
        guard count >= 0 else { return nil }
        let bytes = text.prefix(Int(count)).map { UInt8(bitPattern: $0) }
        return SearchList(
            dots: Int(options.dots),
            domains: bytes.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) },
            skipsTopLevel: options.skips_top_level != 0, skipsIPv6: options.skips_ipv6 != 0)
    }

    /// The names to try for one, in their order: only itself where it ends with a dot. None where it is no name.
    func candidates(for name: String) -> [DNSName] {
        guard let itself = DNSName(name), !itself.isRoot else { return [] }
        if name.utf8.last == UInt8(ascii: ".") { return [itself] }
        let dotsInName = name.utf8.count { $0 == UInt8(ascii: ".") }
        var candidates = domains.compactMap { $0 == "." ? itself : DNSName("\(name).\($0)") }
        if dotsInName >= dots {
            candidates.insert(itself, at: 0)
        } else if dotsInName > 0 || domains.isEmpty || !skipsTopLevel {
            candidates.append(itself)
        }
        var seen: Set<DNSName> = []
        return candidates.filter { seen.insert($0).inserted }
    }
}
