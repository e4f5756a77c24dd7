import LinuxIO
import NetworkTypes
import WeirAccess
import WeirConfiguration
import WeirExporter

// What the exporter is told of its section.

extension Configuration.Exporter {
    /// The addresses among its listeners.
    func addresses() throws(ProxyError) -> [SocketAddress] {
        var addresses: [SocketAddress] = []
        for case .address(let listen) in listen {
            guard let address = SocketAddress(resolving: listen.address, port: listen.port) else {
                throw .route("exporter", .invalidListenAddress(listen.addressText))
            }
            addresses.append(address)
        }
        return addresses
    }

    /// The Unix sockets among them.
    var unixSockets: [UnixListener] {
        listen.compactMap { listener in
            guard case .unix(let path) = listener else { return nil }
            return UnixListener(path: path, mode: socketMode)
        }
    }

    /// The clients that may read its pages.
    var access: ExporterAccess {
        var access = ExporterAccess()
        access.hosts = hosts
        if let allow {
            let list = IPPrefixList(allow)
            // This machine asks from a loopback address, or from the address that it asks.
            access.isAllowed = { peer, local in peer.isLoopback || peer == local || list.contains(peer) }
        }
        if let authentication {
            access.tokens = authentication.tokens.map { Array($0.text.utf8) }
            access.users = authentication.users
        }
        return access
    }
}
