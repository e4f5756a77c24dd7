import LinuxIO
import TestSupport
import Testing

@testable import WeirStream

@Suite struct DescriptorBudgetTests {
    @Test func `traffic takes what the reserve leaves, and gives it back`() {
        let budget = DescriptorBudget(limit: 1064, maxConnections: nil)
        // A reserve of 66: 998 for traffic.
        #expect(budget.connectionLimit == 499)
        var taken = 0
        while budget.takeConnection() { taken += 1 }
        #expect(taken == 499)
        #expect(!budget.takeSession())
        budget.giveConnection()
        #expect(budget.takeSession())
        #expect(budget.takeSession())
        #expect(!budget.takeSession())
        #expect(!budget.takeConnection())
    }

    @Test func `a limit of connections holds beside the descriptors`() {
        let budget = DescriptorBudget(limit: 10_000, maxConnections: 3)
        #expect(budget.connectionLimit == 3)
        for _ in 0..<3 { #expect(budget.takeConnection()) }
        for _ in 0..<5 { #expect(!budget.takeConnection()) }
        budget.giveConnection()
        #expect(budget.takeConnection())
        #expect(!budget.takeConnection())
        #expect(budget.takeSession())
    }

    @Test func `datagram sessions leave a tenth to connections`() {
        let budget = DescriptorBudget(limit: 1064, maxConnections: nil)
        var sessions = 0
        while budget.takeSession() { sessions += 1 }
        #expect(sessions == 891)
        var connections = 0
        while budget.takeConnection() { connections += 1 }
        #expect(connections == (998 - 891) / 2)
    }

    @Test func `listeners get one socket a worker while a quarter is not used up, then one`() {
        let budget = DescriptorBudget(limit: 1024, maxConnections: nil)
        for _ in 0..<32 { #expect(budget.takeListeners(wanted: 8) == 8) }
        #expect(budget.takeListeners(wanted: 8) == 1)
        budget.giveListeners(8)
        #expect(budget.takeListeners(wanted: 7) == 7)
    }
}

@Suite struct OwnListenersTests {
    private static func address(_ text: String) throws -> SocketAddress { try #require(SocketAddress(text)) }

    @Test func `an exact address is ours, another port or transport is not`() throws {
        var own = OwnListeners()
        own.insert(.tcp, try Self.address("192.0.2.1:80"))
        #expect(own.wouldLoop(.tcp, try Self.address("192.0.2.1:80")))
        #expect(!own.wouldLoop(.tcp, try Self.address("192.0.2.1:81")))
        #expect(!own.wouldLoop(.udp, try Self.address("192.0.2.1:80")))
        #expect(!own.wouldLoop(.tcp, try Self.address("192.0.2.2:80")))
        #expect(!own.wouldLoop(.tcp, try Self.address("127.0.0.1:80")))
    }

    @Test func `a wildcard is reached by loopback and by every interface`() throws {
        var own = OwnListeners()
        own.interfaceAddresses = [try #require(IPAddress("198.51.100.4"))]
        own.insert(.udp, try Self.address("0.0.0.0:53"))
        for text in ["127.0.0.1:53", "127.8.8.8:53", "0.0.0.0:53", "198.51.100.4:53"] {
            #expect(own.wouldLoop(.udp, try Self.address(text)), "\(text)")
        }
        for text in ["198.51.100.5:53", "[::1]:53", "127.0.0.1:54"] {
            #expect(!own.wouldLoop(.udp, try Self.address(text)), "\(text)")
        }
    }

    @Test func `a dual-stack wildcard is reached over both families`() throws {
        var own = OwnListeners()
        own.insert(.tcp, try Self.address("[::]:22"))
        for text in ["127.0.0.1:22", "[::1]:22", "[::]:22", "0.0.0.0:22", "[::ffff:127.0.0.1]:22"] {
            #expect(own.wouldLoop(.tcp, try Self.address(text)), "\(text)")
        }
    }

    @Test func `an address that two streams had is ours until both are gone`() throws {
        let address = try Self.address("127.0.0.1:80")
        var own = OwnListeners()
        own.remove(.tcp, address)
        own.insert(.tcp, address)
        own.insert(.tcp, address)
        own.remove(.tcp, address)
        #expect(own.wouldLoop(.tcp, address))
        own.remove(.tcp, address)
        #expect(!own.wouldLoop(.tcp, address))
    }
}

@Suite(.timeLimit(.minutes(1))) struct StreamLifecycleTests {
    @Test func `a stream starts once and is closed by its last worker`() async throws {
        let lifecycle = StreamLifecycle()
        await lifecycle.waitUntilClosed()
        try lifecycle.start()
        #expect(throws: StreamError.alreadyStarted) { try lifecycle.start() }
        #expect(!lifecycle.beginClosing())
        lifecycle.started(workers: 2)
        #expect(lifecycle.beginClosing())
        #expect(!lifecycle.beginClosing())
        #expect(!lifecycle.workerFinished())
        #expect(lifecycle.workerFinished())
        #expect(lifecycle.phase == .closing)
        async let waiting: Void = lifecycle.waitUntilClosed()
        lifecycle.closed()
        await waiting
        await lifecycle.waitUntilClosed()
        #expect(throws: StreamError.alreadyStarted) { try lifecycle.start() }
    }

    @Test func `a start that failed may be tried again`() throws {
        let lifecycle = StreamLifecycle()
        try lifecycle.start()
        lifecycle.startFailed()
        try lifecycle.start()
        #expect(lifecycle.phase == .starting)
    }
}
