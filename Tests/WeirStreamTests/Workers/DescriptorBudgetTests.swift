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

    @Test func `a limit of sessions can come, move and go`() {
        let budget = DescriptorBudget(limit: 10_000, maxConnections: nil)
        for _ in 0..<5 { #expect(budget.takeSession()) }
        budget.limitSessions(to: 3)
        #expect(!budget.takeSession())
        for _ in 0..<3 { budget.giveSession() }
        #expect(budget.takeSession())
        #expect(!budget.takeSession())
        #expect(budget.takeConnection())
        budget.limitSessions(to: 4)
        #expect(budget.takeSession())
        #expect(!budget.takeSession())
        budget.limitSessions(to: nil)
        #expect(budget.takeSession())
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
