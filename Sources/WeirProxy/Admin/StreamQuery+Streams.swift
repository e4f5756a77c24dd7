import NetworkTypes
import WeirStream

extension StreamQuery {
    /// Whether the query is for this one.
    func fits(_ stream: OpenStream) -> Bool {
        if let id, stream.id != id { return false }
        if let route, stream.route != route { return false }
        if let client, stream.clientAddress.isUnix || !client.contains(stream.clientAddress.ip) { return false }
        if let upstream, stream.upstream?.description != upstream, stream.upstreamAddress?.description != upstream {
            return false
        }
        return stream.age >= age
    }

    /// The first ones in the wanted order.
    func sorted(_ streams: [OpenStream]) -> [OpenStream] {
        let sorted =
            switch order {
            case .bytes: streams.sorted { ($0.totalBytes, $0.id) > ($1.totalBytes, $1.id) }
            case .age: streams.sorted { ($0.age, $0.id) > ($1.age, $1.id) }
            }
        return Array(sorted.prefix(limit))
    }
}

extension OpenStream {
    fileprivate var totalBytes: UInt64 { ingressBytes &+ egressBytes }
}
