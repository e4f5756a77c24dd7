import TestSupport
import Testing
import WeirStream

/// A sequence of datagrams, given by their sizes. Adjacent datagrams have different bytes.
struct DatagramRun: CustomTestStringConvertible, Sendable {
    let name: String
    let sizes: [Int]

    init(_ name: String, _ parts: [Int]...) {
        self.name = name
        sizes = parts.flatMap { $0 }
    }

    var testDescription: String { name }
    var byteCount: Int { sizes.reduce(0, +) }

    /// Their bytes. Runs with other seeds differ everywhere but in empty ones.
    func datagrams(seed: Int = 1) -> [[UInt8]] {
        sizes.enumerated().map { index, size in
            var bytes = Pattern.bytes(size, seed: UInt64(seed * 1_000 + index))
            // However short: its number.
            if size > 0 { bytes[0] = UInt8(truncatingIfNeeded: seed * 100 + index) }
            return bytes
        }
    }
}

/// `count` datagrams of one size.
func equal(_ size: Int, _ count: Int) -> [Int] { Array(repeating: size, count: count) }

/// Expects exactly these datagrams in this order, and says where they first differ.
func expectSame(_ got: [[UInt8]], _ wanted: [[UInt8]], sourceLocation: SourceLocation = #_sourceLocation) {
    if let index = zip(got, wanted).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
        let sizes = "\(got[index].count) bytes, wanted \(wanted[index].count)"
        Issue.record("datagram \(index) of \(wanted.count) differs: \(sizes)", sourceLocation: sourceLocation)
    } else if got.count != wanted.count {
        Issue.record("\(got.count) datagrams instead of \(wanted.count)", sourceLocation: sourceLocation)
    }
}

extension Recorder {
    /// Bytes of the datagrams that were forwarded.
    func forwardedBytes(_ direction: Direction) -> Int {
        events.reduce(0) { sum, event in
            if case .forwarded(direction, _, let bytes) = event { sum + bytes } else { sum }
        }
    }

    /// Datagrams that were dropped for whatever reason.
    func dropped(_ direction: Direction) -> Int {
        DropReason.allCases.reduce(0) { $0 + dropped(direction, $1) }
    }
}

/// A datagram upstream that keeps what comes and answers only when the test says so.
final class CollectingUpstream: Sendable {
    let server: UDPServer
    private let box: Box<[UDPSocket.Datagram]>

    init(host: String = "127.0.0.1", port: UInt16? = nil) throws {
        let box = Box<[UDPSocket.Datagram]>([])
        self.box = box
        server = try UDPServer(host: host, port: port) { datagram in
            box.update { $0.append(datagram) }
            return []
        }
    }

    var datagrams: [UDPSocket.Datagram] { box.value }
    var payloads: [[UInt8]] { box.value.map(\.bytes) }
    var count: Int { box.update { $0.count } }

    /// Waits until at least `count` datagrams have arrived, and returns all.
    func payloads(atLeast count: Int) throws -> [[UInt8]] {
        try waitUntil("\(count) datagrams reach the upstream; so far \(self.count)") { self.count >= count }
        return payloads
    }

    /// From where the session of the first datagram came.
    func session() throws -> Endpoint {
        _ = try payloads(atLeast: 1)
        return datagrams[0].source
    }
}
