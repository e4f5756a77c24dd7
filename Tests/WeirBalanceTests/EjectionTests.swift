import LinuxIO
import NetworkTypes
import Testing
import WeirBalance
import WeirStream

@Suite("Ejection")
struct EjectionTests {
    private static func rig(
        _ method: BalanceMethod = .roundRobin, transport: Transport = .tcp, probesMembers: Bool = false
    ) throws -> Rig {
        try Rig(.weighted([1, 1, 1], method), transport: transport, probesMembers: probesMembers)
    }

    private static let own: [DialFailure] = [
        .refused, .timeout, .unreachable, .reset, .tls, .dnsNotFound, .dnsTimeout, .dnsFailure, .agent,
    ]

    @Test("five failed dials in a row eject, and four do not", arguments: own)
    func dials(failure: DialFailure) throws {
        let rig = try Self.rig()
        for _ in 0..<4 { rig.dial("a", failure) }
        #expect(rig.state("a") == .up)
        rig.dial("a")
        for _ in 0..<4 { rig.dial("a", failure) }
        #expect(rig.state("a") == .up)
        rig.dial("a", failure)
        #expect(rig.state("a") == .ejected)
        #expect(rig.recorder.texts == ["a: up→ejected dial_failed"])
        #expect(rig.recorder.changes.first?.ejectionReason == .dialFailed)
        #expect(rig.recorder.changes.first?.ejectionTime == .seconds(10))
        for _ in 0..<100 { #expect(rig.pass() != "a") }
    }

    @Test(
        "failures of this machine and of the client never count",
        arguments: DialFailure.allCases.filter { !own.contains($0) })
    func foreign(failure: DialFailure) throws {
        let rig = try Self.rig()
        for _ in 0..<100 { rig.dial("a", failure) }
        #expect(rig.recorder.changes.isEmpty)
        // Nor do they end a run.
        for _ in 0..<4 { rig.dial("a", .refused) }
        rig.dial("a", failure)
        rig.dial("a", .refused)
        #expect(rig.state("a") == .ejected)
    }

    @Test("each further ejection lasts twice as long, up to the limit, and a success begins anew")
    func growing() throws {
        let rig = try Self.rig()
        for _ in 0..<5 { rig.dial("a", .refused) }
        for expected in [10, 20, 40, 80, 160, 300, 300] {
            #expect(rig.recorder.changes.last?.ejectionTime == .seconds(expected))
            rig.now += .seconds(Double(expected)) - 1
            rig.set.advance(now: rig.now)
            #expect(rig.state("a") == .ejected)
            rig.now += 1
            #expect(rig.state("a") == .up)
            #expect(rig.recorder.changes.last?.cause == .recovered)
            // One failure is enough now.
            rig.dial("a", .refused)
            #expect(rig.state("a") == .ejected)
        }
        rig.now += .seconds(300)
        rig.dial("a")
        for _ in 0..<4 { rig.dial("a", .refused) }
        #expect(rig.state("a") == .up)
        rig.dial("a", .refused)
        #expect(rig.recorder.changes.last?.ejectionTime == .seconds(10))
    }

    @Test("failures further apart than the longest ejection are not in a row")
    func apart() throws {
        let rig = try Self.rig()
        for _ in 0..<20 {
            rig.dial("a", .refused)
            rig.now += .seconds(301)
        }
        #expect(rig.recorder.changes.isEmpty)
    }

    @Test("a selector takes a member back when its time is over, also where the set has not noticed")
    func expiry() throws {
        let rig = try Self.rig(.first)
        for _ in 0..<5 { rig.dial("a", .refused) }
        #expect(rig.pass() == "b")
        rig.now += .seconds(10)
        #expect(rig.choose() == "a")
        #expect(rig.recorder.changes.count == 1)
        // Told by the first result, with the time at which it was over.
        rig.now += .seconds(1)
        rig.dial("a")
        #expect(rig.recorder.texts.last == "a: ejected→up recovered")
        #expect(rig.recorder.changes.last?.time == .seconds(1_010))
    }

    @Test("after its ejection a member gets one client until that one has shown the result", arguments: [true, false])
    func trial(isConnected: Bool) throws {
        let rig = try Self.rig(.first)
        for _ in 0..<5 { rig.dial("a", .timeout) }
        rig.now += .seconds(10)
        #expect(rig.choose(.client(1)) == "a")
        for index in 0..<50 { #expect(rig.pass(.client(index)) == "b") }
        rig.now += .seconds(4)
        #expect(rig.pass() == "b")
        if isConnected {
            rig.dial("a")
            #expect(rig.pass() == "a")
        } else {
            rig.dial("a", .timeout)
            #expect(rig.pass() == "b")
            #expect(rig.recorder.changes.last?.ejectionTime == .seconds(20))
        }
    }

    @Test("a trial that was canceled, or whose proposal was not used, gives way to another one")
    func abandonedTrial() throws {
        let rig = try Self.rig(.first)
        for _ in 0..<5 { rig.dial("a", .refused) }
        rig.now += .seconds(10)
        #expect(rig.choose() == "a")
        rig.dial("a", .canceled)
        rig.release("a")
        // A proposal alone.
        #expect(
            rig.selectors[0].next(for: .client(1), tried: TriedUpstreams(), now: rig.now) == rig.handle("a"))
        #expect(rig.choose() == "a")
    }

    @Test("a member that accepts and resets at once gets less than one percent", arguments: BalanceMethod.allCases)
    func resets(method: BalanceMethod) throws {
        for isAsked in [false, true] {
            let rig = try Self.rig(method, probesMembers: isAsked)
            var chosen = 0
            var failures = 0
            for index in 0..<20_000 {
                // A hundred clients a second.
                rig.now += .seconds(0.01)
                let name = try #require(rig.choose(.client(index)))
                rig.dial(name)
                if name == "a" {
                    if failures >= 5 { chosen += 1 }
                    failures += 1
                    rig.breakUp("a", isAsked: isAsked)
                    if rig.status("a")?.isSuspect == true {
                        rig.set.probeEnded("a", stayedOpen: false, now: rig.now)
                        failures = max(failures, 5)
                    }
                } else {
                    rig.answer(name)
                }
                rig.release(name)
            }
            #expect(failures >= 5)
            #expect(chosen < 200, "\(chosen) of 20,000")
            #expect(rig.recorder.changes.contains { $0.ejectionReason == .reset })
        }
    }

    @Test("an answer ends a run of resets, and a dial does not")
    func answers() throws {
        let rig = try Self.rig()
        for _ in 0..<4 { rig.breakUp("a") }
        rig.answer("a")
        for _ in 0..<4 { rig.breakUp("a") }
        rig.dial("a")
        #expect(rig.state("a") == .up)
        rig.breakUp("a")
        #expect(rig.state("a") == .ejected)
    }

    @Test("the last member that is up is never ejected, backups included")
    func last() throws {
        var configuration = BalanceConfiguration.weighted([1, 1, 1], .roundRobin)
        configuration.members[2].isBackup = true
        let rig = try Rig(configuration)
        for name in ["a", "b", "c"] { for _ in 0..<20 { rig.dial(name, .refused) } }
        #expect(rig.set.status(now: rig.now).map(\.state) == [.ejected, .ejected, .up])
        #expect(rig.pass() == "c")
        // Where a check takes the last one out, the ejection that ends first is over.
        rig.now += .seconds(1)
        rig.set.checkResult("c", isUp: false, now: rig.now)
        #expect(rig.set.status(now: rig.now).map(\.state) == [.up, .ejected, .down])
        for _ in 0..<20 { #expect(rig.pass() == "a") }
        rig.dial("a", .refused)
        #expect(rig.state("a") == .up)
        // With another one up again, its next failure ejects it, for longer.
        rig.set.checkResult("c", isUp: true, now: rig.now)
        rig.dial("a", .refused)
        #expect(rig.recorder.changes.last?.ejectionTime == .seconds(20))
    }

    @Test("a client alone makes a member suspect, never ejects it, and cannot keep it out")
    func suspicion() throws {
        let rig = try Self.rig(.first, probesMembers: true)
        for _ in 0..<100 { rig.breakUp("a", isAsked: true) }
        #expect(rig.recorder.probes == ["a"])
        #expect(rig.recorder.changes.isEmpty)
        #expect(rig.status("a")?.isSuspect == true)
        #expect(rig.pass() == "b")
        rig.set.probeEnded("a", stayedOpen: true, now: rig.now)
        #expect(rig.pass() == "a")
        // For the time of an ejection it is not suspected again.
        for _ in 0..<100 { rig.breakUp("a", isAsked: true) }
        #expect(rig.recorder.probes == ["a"])
        rig.now += .seconds(10)
        rig.breakUp("a", isAsked: true)
        #expect(rig.recorder.probes == ["a", "a"])
        rig.set.probeEnded("a", stayedOpen: false, now: rig.now)
        #expect(rig.recorder.texts == ["a: up→ejected reset"])
    }

    @Test("suspicion never takes the last one, ends without a report, and needs a prober")
    func boundedSuspicion() throws {
        let rig = try Self.rig(.first, probesMembers: true)
        for name in ["a", "b", "c"] { rig.breakUp(name, isAsked: true) }
        #expect(rig.recorder.probes == ["a", "b"])
        #expect(rig.pass() == "c")
        rig.set.checkResult("c", isUp: false, now: rig.now)
        #expect(rig.pass() == "a")
        rig.breakUp("b", isAsked: true)
        #expect(rig.pass() == "a")
        rig.now += .seconds(10)
        #expect(rig.status("b")?.isSuspect == false)
        let without = try Self.rig(.first)
        without.breakUp("a", isAsked: true)
        #expect(without.pass() == "a")
        // A report that no probe belongs to has no effect.
        without.set.probeEnded("a", stayedOpen: false, now: without.now)
        #expect(without.state("a") == .up)
    }

    @Test("network errors before an answer eject a UDP upstream")
    func networkErrors() throws {
        let rig = try Self.rig(.first, transport: .udp)
        for _ in 0..<5 {
            rig.dial("a")
            rig.breakUp("a", isAsked: true)
        }
        #expect(rig.recorder.texts == ["a: up→ejected network_error"])
    }

    @Test("questions without an answer eject a UDP upstream, unless it answers others")
    func unanswered() throws {
        let rig = try Self.rig(.first, transport: .udp)
        func leave() { rig.selectors[0].leftUnanswered(rig.handle("a"), now: rig.now) }
        rig.answer("a")
        for _ in 0..<20 {
            rig.now += .seconds(0.5)
            rig.selectors[0].answeredAgain(rig.handle("a"), now: rig.now)
            leave()
        }
        #expect(rig.recorder.changes.isEmpty)
        rig.now += .seconds(2)
        for _ in 0..<4 { leave() }
        rig.selectors[0].answeredAgain(rig.handle("a"), now: rig.now)
        rig.now += .seconds(2)
        for _ in 0..<4 { leave() }
        #expect(rig.recorder.changes.isEmpty)
        leave()
        #expect(rig.recorder.texts == ["a: up→ejected unanswered"])
    }

    @Test("a success of a connection from before the ejection does not end it")
    func staleSuccess() throws {
        let rig = try Self.rig()
        for _ in 0..<5 { rig.dial("a", .refused) }
        rig.dial("a")
        rig.answer("a")
        #expect(rig.state("a") == .ejected)
        rig.now += .seconds(10)
        rig.dial("a", .refused)
        #expect(rig.recorder.changes.last?.ejectionTime == .seconds(20))
    }

    @Test("without ejection no failure counts, and turning it off takes every member back")
    func off() throws {
        let rig = try Self.rig()
        for _ in 0..<5 { rig.dial("a", .refused) }
        try rig.update { $0.ejection = nil }
        #expect(rig.recorder.texts.last == "a: ejected→up recovered")
        for _ in 0..<50 {
            rig.dial("a", .refused)
            rig.breakUp("b")
        }
        #expect(rig.set.status(now: rig.now).map(\.state) == [.up, .up, .up])
    }

    @Test("times grow without an overflow")
    func extremes() throws {
        var configuration = BalanceConfiguration.weighted([1, 1], .roundRobin)
        configuration.ejection = Ejection(
            failures: 1, duration: .seconds(Int64.max), maxDuration: .seconds(Int64.max))
        let rig = try Rig(configuration)
        rig.dial("a", .refused)
        #expect(rig.state("a") == .ejected)
        rig.now = .max - 1
        #expect(rig.state("a") == .ejected)
        #expect(rig.pass() == "b")
    }
}
