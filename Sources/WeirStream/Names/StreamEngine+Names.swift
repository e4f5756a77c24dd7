import LinuxIO
import NetworkTypes

extension StreamEngine {
    /// Looks a name up once, within the bounds of all lookups.
    package func lookUp(_ host: String) async -> Result<[SocketAddress], AddressLookup.Failure> {
        await resolver.lookUp(host)
    }

    /// Calls `sink` with the addresses of a name whenever a lookup of it has ended, and at once where one is known: all
    /// that are known, none where no lookup has succeeded yet. Streams that dial the name share its lookups.
    /// - Returns: the number of the watch, for ``unwatchAddresses(_:of:)``.
    package func watchAddresses(
        of host: String, sink: @escaping @Sendable ([SocketAddress]) async -> Void
    ) async -> Int {
        await resolver.watch(host) { answer, _ in
            if case .addresses(let addresses) = answer { await sink(addresses) } else { await sink([]) }
        }
    }

    /// Ends a watch of a name's addresses.
    package func unwatchAddresses(_ watch: Int, of host: String) async {
        await resolver.unwatch(watch, of: host)
    }
}
