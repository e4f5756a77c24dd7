import CLinux
import NetworkTypes

// What needs the kernel, or its names of interfaces.

extension SocketAddress {
    /// Reads `192.0.2.1:80`, `[2001:db8::1]:80` or `[fe80::1%eth0]:80`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Self.port(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.first == "[" {
            guard host.last == "]" else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// Reads an address literal, with a scope (`fe80::1%eth0`, `fe80::1%2`) where it has one.
    public init?(host: String, port: UInt16) {
        let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let ip = IPAddress(parts[0]) else { return nil }
        var scope: UInt32 = 0
        if parts.count == 2 {
            guard !ip.isIPv4, !parts[1].isEmpty, !parts[1].utf8.contains(0) else { return nil }
            if let number = UInt32(parts[1]), parts[1].first != "+" {
                scope = number
            } else {
                scope = unsafe weir_interface_index(String(parts[1]))
            }
            if scope == 0 { return nil }
        }
        self.init(ip, port: port, scope: scope)
    }

    init(_ raw: weir_address) {
        self.init(IPAddress(high: raw.high, low: raw.low), port: raw.port, scope: raw.scope)
    }

    var raw: weir_address {
        weir_address(high: ip.high, low: ip.low, scope: scope, port: port, present: 1)
    }
}
