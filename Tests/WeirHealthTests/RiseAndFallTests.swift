import NetworkTypes
import Testing

@testable import WeirHealth

@Suite("Results make a state") struct RiseAndFallTests {
    /// The states after each of these results: `+` up, `-` down, small letters while in doubt.
    private func run(_ results: String, _ state: RiseAndFall) -> String {
        var state = state
        return String(
            results.map { result -> Character in
                let before = state.isUp
                let hasChanged = state.note(isSuccess: result == "s")
                #expect(hasChanged == (before != state.isUp))
                return state.isInDoubt ? (state.isUp ? "u" : "d") : (state.isUp ? "+" : "-")
            })
    }

    @Test("the first result decides alone, later ones in a row")
    func rows() {
        let state = RiseAndFall(fall: 3, rise: 2)
        #expect(state.isUp && !state.isDecided && !state.isInDoubt)
        #expect(run("f", state) == "-")
        #expect(run("s", state) == "+")
        #expect(run("sffsfff", state) == "+uu+uu-")
        #expect(run("fsfssfff", state) == "-d-d+uu-")
        #expect(run("fff", RiseAndFall(fall: 1, rise: 1)) == "---")
        #expect(run("sfsf", RiseAndFall(fall: 1, rise: 1)) == "+-+-")
        #expect(run("sf", RiseAndFall(fall: 0, rise: -1)) == "+-")
    }

    @Test("a state that was taken over is decided, or not")
    func takenOver() {
        #expect(run("ss", RiseAndFall(fall: 3, rise: 2, isUp: false, isDecided: true)) == "d+")
        #expect(run("s", RiseAndFall(fall: 3, rise: 2, isUp: false)) == "+")
        #expect(run("fff", RiseAndFall(fall: 3, rise: 2, isUp: true, isDecided: true)) == "uu-")
    }

    private func target(_ number: Int, _ schedule: CheckSchedule = CheckSchedule()) -> HealthTarget {
        let address = SocketAddress(IPAddress(v4: 0x0a00_0000 + UInt32(number)), port: 80)
        return HealthTarget(address: address, check: HealthCheck(.tcp), schedule: schedule)
    }

    @Test("first checks of many targets spread evenly over a second, in the same way in every run")
    func spread() {
        var tenths = [Int](repeating: 0, count: 10)
        for number in 0..<10_000 {
            let target = target(number)
            var spread = CheckSpread(target)
            let delay = target.schedule.firstDelay(&spread)
            var again = CheckSpread(target)
            #expect(target.schedule.firstDelay(&again) == delay)
            tenths[Int(delay / 100_000_000)] += 1
        }
        #expect(tenths.allSatisfy { (800...1_200).contains($0) }, "\(tenths)")
        let quick = target(1, CheckSchedule(interval: .milliseconds(100)))
        var spread = CheckSpread(quick)
        #expect(quick.schedule.firstDelay(&spread) < 100_000_000)
    }

    @Test("the next check comes after the interval, or a little less, and after a second while in doubt")
    func gaps() {
        var spread = CheckSpread(target(1))
        let usual = CheckSchedule()
        for _ in 0..<1_000 {
            #expect((4_687_500_000...5_000_000_000).contains(usual.gap(isInDoubt: false, &spread)))
            #expect((937_500_000...1_000_000_000).contains(usual.gap(isInDoubt: true, &spread)))
        }
        let quick = CheckSchedule(interval: .milliseconds(200))
        #expect((187_500_000...200_000_000).contains(quick.gap(isInDoubt: true, &spread)))
        #expect(CheckSchedule(interval: .zero).gap(isInDoubt: false, &spread) > 0)
        #expect(CheckSchedule(interval: .seconds(Int64.max)).gap(isInDoubt: false, &spread) > 1 << 62)
    }
}
