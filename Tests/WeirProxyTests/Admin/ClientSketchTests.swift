import NetworkTypes
import TestSupport
import Testing

@testable import WeirProxy

struct ClientSketchTests {
    private func client(_ number: Int, port: UInt16 = 1) throws -> SocketAddress {
        let (high, low) = (number >> 8, number & 0xff)
        return SocketAddress(try #require(IPAddress("10.0.\(high).\(low)")), port: port)
    }

    @Test("With no more clients than counters every figure is exact, whatever the ports are")
    func exact() throws {
        var sketch = ClientSketch(capacity: 4)
        for port in 1...3 as ClosedRange<UInt16> {
            for number in 0..<4 {
                sketch.add(
                    try client(number, port: port), ingressBytes: UInt64(number), egressBytes: 100 * UInt64(number))
            }
        }
        let top = sketch.top(10)
        #expect(top.map(\.name) == ["10.0.0.3", "10.0.0.2", "10.0.0.1", "10.0.0.0"])
        #expect(top.map(\.ingressBytes) == [9, 6, 3, 0] && top.map(\.egressBytes) == [900, 600, 300, 0])
        #expect(top.allSatisfy { $0.streams == 3 && $0.missed == 0 })
        #expect(sketch.streams == 12)
        #expect(sketch.top(2) == Array(top.prefix(2)))
    }

    @Test("Clients of Unix sockets are one, and interfaces tell scoped addresses apart")
    func names() throws {
        var sketch = ClientSketch()
        let scoped = SocketAddress(try #require(IPAddress("fe80::1")), port: 7, scope: 2)
        for address in [.unix, .unix, scoped, SocketAddress(scoped.ip, port: 7, scope: 3)] as [SocketAddress] {
            sketch.add(address, ingressBytes: 1, egressBytes: 1)
        }
        #expect(sketch.top(10).map(\.name) == ["unix", "fe80::1%2", "fe80::1%3"])
    }

    /// Compares a sketch of a few counters with exact sums.
    private func check(_ streams: [(client: Int, bytes: UInt64)], capacity: Int) throws {
        var sketch = ClientSketch(capacity: capacity)
        var weights: [SocketAddress: UInt64] = [:]
        var total: UInt64 = 0
        for (number, bytes) in streams {
            var address = try client(number)
            sketch.add(address, ingressBytes: bytes / 3, egressBytes: bytes - bytes / 3)
            address.port = 0
            weights[address, default: 0] += bytes + 1
            total += bytes + 1
        }
        let told = sketch.top(.max)
        #expect(told.count == min(capacity, weights.count))
        #expect(sketch.bound <= total / UInt64(capacity))
        for client in told {
            let seen = UInt64(client.streams) + client.ingressBytes + client.egressBytes
            let weight = try #require(weights[client.address])
            #expect(seen <= weight && weight <= seen + client.missed)
            #expect(client.missed <= sketch.bound)
        }
        let names = Set(told.map(\.address))
        #expect(names.count == told.count)
        for (address, weight) in weights where !names.contains(address) { #expect(weight <= sketch.bound) }
    }

    @Test("With more clients than counters the true figures lie within the bounds, and no heavy client is missed")
    func bounds() throws {
        var generator = SeededGenerator(seed: 20)
        for capacity in [1, 2, 3, 16, 100] {
            for clients in [1, 50, 500] {
                let streams = (0..<2000).map { _ in
                    // A few clients have most.
                    let limit = Int.random(in: 1...clients, using: &generator)
                    let most = UInt64(1) << UInt64.random(in: 0...30, using: &generator)
                    return (
                        client: Int.random(in: 0..<limit, using: &generator),
                        bytes: UInt64.random(in: 0...most, using: &generator)
                    )
                }
                try check(streams, capacity: capacity)
            }
        }
        // Each one new, and each one heavier or lighter than all before.
        try check((0..<1000).map { ($0, UInt64($0)) }, capacity: 10)
        try check((0..<1000).map { ($0, UInt64(1000 - $0)) }, capacity: 10)
    }

    @Test("A heavy client is first among thousands of light ones")
    func heavy() throws {
        var sketch = ClientSketch(capacity: 100)
        for number in 0..<20_000 {
            sketch.add(try client(number), ingressBytes: 1000, egressBytes: 0)
            if number % 100 == 0 { sketch.add(try client(60_000), ingressBytes: 50_000, egressBytes: 0) }
        }
        let first = try #require(sketch.top(1).first)
        #expect(first.address == SocketAddress(try client(60_000).ip, port: 0))
        #expect(first.ingressBytes + first.missed >= 200 * 50_000)
        #expect(sketch.top(.max).count == 100, "no more than its counters")
    }

    @Test("Sums that are too large wrap, and do not trap")
    func overflow() throws {
        var sketch = ClientSketch(capacity: 2)
        for number in 0..<8 { sketch.add(try client(number % 3), ingressBytes: .max, egressBytes: .max) }
        #expect(sketch.streams == 8 && sketch.top(10).count == 2)
    }
}
