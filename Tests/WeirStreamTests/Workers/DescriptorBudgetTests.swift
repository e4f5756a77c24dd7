import Testing

@testable import WeirStream

@Suite struct DescriptorBudgetTests {
    @Test func `traffic takes what the reserve leaves, and gives it back`() {
        let budget = DescriptorBudget(limit: 1064, maxConnections: nil)
        // A reserve of 66: 998 for traffic.
        #expect(budget.connectionLimit == 499)
        var taken = 0
        while budget.acquireConnection() { taken += 1 }
        #expect(taken == 499)
        #expect(!budget.acquireSession())
        budget.releaseConnection()
        #expect(budget.acquireSession())
        #expect(budget.acquireSession())
        #expect(!budget.acquireSession())
        #expect(!budget.acquireConnection())
    }

    @Test func `a limit of sessions can come, move and go`() {
        let budget = DescriptorBudget(limit: 10_000, maxConnections: nil)
        for _ in 0..<5 { #expect(budget.acquireSession()) }
        budget.limitSessions(to: 3)
        #expect(!budget.acquireSession())
        for _ in 0..<3 { budget.releaseSession() }
        #expect(budget.acquireSession())
        #expect(!budget.acquireSession())
        #expect(budget.acquireConnection())
        budget.limitSessions(to: 4)
        #expect(budget.acquireSession())
        #expect(!budget.acquireSession())
        budget.limitSessions(to: nil)
        #expect(budget.acquireSession())
    }

    @Test func `a limit of connections holds beside the descriptors`() {
        let budget = DescriptorBudget(limit: 10_000, maxConnections: 3)
        #expect(budget.connectionLimit == 3)
        for _ in 0..<3 { #expect(budget.acquireConnection()) }
        for _ in 0..<5 { #expect(!budget.acquireConnection()) }
        budget.releaseConnection()
        #expect(budget.acquireConnection())
        #expect(!budget.acquireConnection())
        #expect(budget.acquireSession())
    }

    @Test func `datagram sessions leave a tenth to connections`() {
        let budget = DescriptorBudget(limit: 1064, maxConnections: nil)
        var sessions = 0
        while budget.acquireSession() { sessions += 1 }
        #expect(sessions == 891)
        var connections = 0
        while budget.acquireConnection() { connections += 1 }
        #expect(connections == (998 - 891) / 2)
    }

    @Test func `sessions leave a sixteenth of the local ports to others`() {
        for (ports, expected) in [(8, 7), (1, 1), (160, 150), (28_232, 27_720)] {
            let budget = DescriptorBudget(limit: 100_000, maxConnections: nil, localPorts: ports)
            var sessions = 0
            while budget.acquireSession() { sessions += 1 }
            #expect(sessions == expected)
        }
    }

    @Test func `listeners get one socket a worker while a quarter is not used up, then one`() {
        let budget = DescriptorBudget(limit: 1024, maxConnections: nil)
        for _ in 0..<32 { #expect(budget.acquireListeners(wanted: 8) == 8) }
        #expect(budget.acquireListeners(wanted: 8) == 1)
        budget.releaseListeners(8)
        #expect(budget.acquireListeners(wanted: 7) == 7)
    }
}
