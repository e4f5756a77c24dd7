public import NetworkTypes

/// Reads the destinations that peers name.
public enum TunnelDestination {
    /// Reads a host, which is an address literal without brackets or a host name, perhaps with a dot at its end; nil
    /// for anything else. A peer can name no Unix socket.
    public static func parse(host: ArraySlice<UInt8>, port: UInt16) -> Upstream? {
        guard let host = parse(host) else { return nil }
        do throws(EndpointError) {
            return try Upstream(host, port: port)
        } catch {
            return nil
        }
    }

    private static func parse(_ text: ArraySlice<UInt8>) -> UpstreamHost? {
        do throws(ScopedAddress.ParseError) {
            return .address(try ScopedAddress(parsing: text))
        } catch {
            return name(text).map { .name($0) }
        }
    }

    private static func name(_ text: ArraySlice<UInt8>) -> String? {
        let isRooted = text.last == UInt8(ascii: ".")
        var scan = HostNameScan()
        var name: [UInt8] = []
        name.reserveCapacity(text.count)
        for byte in isRooted ? text.dropLast() : text {
            guard let lowercase = scan.next(byte) else { return nil }
            name.append(lowercase)
        }
        guard scan.isName else { return nil }
        if isRooted { name.append(UInt8(ascii: ".")) }
        return String(decoding: name, as: UTF8.self)
    }
}
