import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirStream

/// Settings and hooks that the tests of PROXY headers share.
enum Proxied {
    /// Remembers how the contexts look that come to `admit`, and lets all pass but one client.
    final class Gate: Sendable {
        struct Seen: Equatable, Sendable {
            var client: String
            var local: String
            var peer: String
        }

        private let box = Box<[Seen]>([])
        private let denied: String?

        init(denying address: String? = nil) { denied = address }

        var seen: [Seen] { box.value }

        /// Hooks that trust loopback, 127.0.0.9 apart.
        var hooks: StreamHooks {
            StreamHooks(
                admit: { [box, denied] context in
                    box.update {
                        $0.append(
                            Seen(
                                client: context.clientAddress.description, local: context.localAddress.description,
                                peer: context.peerAddress.description))
                    }
                    return context.clientAddress.ip.description == denied ? .reject(.acl) : .accept
                },
                isTrustedProxy: { $0.isLoopback && $0.description != "127.0.0.9" })
        }
    }

    static func tcp(_ mode: ProxyProtocolMode, maxConnections: Int? = nil) -> TCPSettings {
        var settings = TCPSettings()
        settings.proxyProtocol.mode = mode
        settings.maxConnections = maxConnections
        return settings
    }

    static func relaying(_ version: ProxyHeader.Version) -> TCPSettings {
        var settings = TCPSettings()
        settings.relayedHeader = version
        return settings
    }

    static func udp(_ mode: ProxyProtocolMode, _ headers: DatagramHeaders = .first) -> UDPSettings {
        var settings = UDPSettings()
        settings.proxyProtocol = ProxyProtocolSettings(mode: mode, datagrams: headers)
        return settings
    }

    static func relaying(_ headers: DatagramHeaders) -> UDPSettings {
        var settings = UDPSettings()
        settings.relayedHeader = headers
        return settings
    }

    static func header(
        _ version: ProxyHeader.Version = .v2, from source: String = "192.0.2.1:56324",
        to destination: String = "198.51.100.2:443"
    ) throws -> [UInt8] {
        ProxyHeaderWriter.bytes(version, for: try addresses(source, destination))
    }

    static func datagramHeader(
        from source: String = "192.0.2.1:56324", to destination: String = "198.51.100.2:443"
    ) throws -> [UInt8] {
        ProxyHeaderWriter.datagramBytes(for: try addresses(source, destination))
    }

    private static func addresses(_ source: String, _ destination: String) throws -> ProxyHeader.Addresses {
        ProxyHeader.Addresses(
            source: try #require(SocketAddress(source)), destination: try #require(SocketAddress(destination)))
    }
}
