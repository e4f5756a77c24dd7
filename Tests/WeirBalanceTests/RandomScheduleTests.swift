import LinuxIO
import NetworkTypes
import TestSupport
import Testing
import WeirBalance
import WeirStream

/// The rules of the set as a sequential program: no atomics, no views, no trials.
private struct Model {
    struct Member {
        var member: BalancedMember
        var isDown = false
        var isDrained = false
        var dials = 0
        var breaks = 0
        var level = 0
        var isOnProbation = false
        var failedDials = false
        var ejectedUntil: UInt64?
        var active = 0

        var state: MemberState {
            if isDrained || member.isDraining { return .draining }
            if isDown { return .down }
            return ejectedUntil == nil ? .up : .ejected
        }
    }

    var members: [Member]
    let ejection = Ejection()

    private func others(than index: Int) -> Bool {
        members.indices.contains { $0 != index && members[$0].state == .up }
    }

    mutating func passTime(_ now: UInt64) {
        for index in members.indices {
            if let end = members[index].ejectedUntil, now >= end { members[index].ejectedUntil = nil }
        }
    }

    mutating func settle() {
        guard !members.contains(where: { $0.state == .up }) else { return }
        let first = members.indices.filter { members[$0].state == .ejected }
            .min { (members[$0].ejectedUntil ?? 0) < (members[$1].ejectedUntil ?? 0) }
        if let first { members[first].ejectedUntil = nil }
    }

    mutating func fail(_ index: Int, isDial: Bool, _ now: UInt64) {
        if isDial { members[index].dials += 1 } else { members[index].breaks += 1 }
        let run = isDial ? members[index].dials : members[index].breaks
        guard run >= ejection.failures || members[index].isOnProbation else { return }
        passTime(now)
        guard members[index].state == .up, others(than: index) else { return settle() }
        members[index].level += 1
        let seconds = min(10 << (members[index].level - 1), 300)
        members[index].ejectedUntil = now + .seconds(Double(seconds))
        members[index].dials = 0
        members[index].breaks = 0
        members[index].isOnProbation = true
        members[index].failedDials = isDial
        settle()
    }

    mutating func succeed(_ index: Int, isAnswer: Bool, _ now: UInt64) {
        members[index].dials = 0
        if isAnswer { members[index].breaks = 0 }
        guard members[index].isOnProbation, isAnswer || members[index].failedDials else { return }
        passTime(now)
        guard members[index].ejectedUntil == nil else { return }
        members[index].level = 0
        members[index].isOnProbation = false
        settle()
    }

    mutating func check(_ index: Int, isUp: Bool, _ now: UInt64) {
        passTime(now)
        if members[index].isDown, isUp { members[index].ejectedUntil = nil }
        members[index].isDown = !isUp
        settle()
    }

    mutating func drain(_ index: Int, _ isDrained: Bool, _ now: UInt64) {
        passTime(now)
        members[index].isDrained = isDrained
        settle()
    }
}

@Suite("Random schedules of a set")
struct RandomScheduleTests {
    /// A connection, and where its release goes: to the selector under which it began.
    private struct Open {
        var address: String
        var selector: any UpstreamSelector
        var handle: UpstreamHandle
    }

    @Test("states, counts and identities are those of a simple model", arguments: BalanceMethod.allCases, 1...6)
    func schedule(method: BalanceMethod, seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var configuration = BalanceConfiguration.weighted([1, 2, 3, 4, 5], method)
        configuration.members[3].maxConnections = 4
        configuration.members[4].isBackup = true
        let rig = try Rig(configuration, workers: 2)
        var model = Model(members: configuration.members.map { Model.Member(member: $0) })
        var open: [Open] = []
        var lastStates = Dictionary(uniqueKeysWithValues: configuration.members.map { ($0.address, MemberState.up) })
        var seen = 0
        // A table of Maglev takes time in a debug build.
        for step in 0..<(method == .maglev ? 400 : 1_500) {
            let index = Int.random(in: 0..<model.members.count, using: &generator)
            let name = model.members[index].member.name
            switch Int.random(in: 0..<100, using: &generator) {
            case ..<40:
                try choose(rig, &model, &open, step, &generator)
            case ..<60:
                guard !open.isEmpty else { continue }
                let old = open.remove(at: Int.random(in: 0..<open.count, using: &generator))
                old.selector.released(old.handle)
                if let at = model.members.firstIndex(where: { $0.member.address == old.address }) {
                    model.members[at].active -= 1
                }
            case ..<72:
                rig.dial(name, .refused, worker: step % 2)
                model.fail(index, isDial: true, rig.now)
            case ..<80:
                rig.breakUp(name)
                model.fail(index, isDial: false, rig.now)
            case ..<83:
                rig.dial(name)
                model.succeed(index, isAnswer: false, rig.now)
            case ..<86:
                rig.answer(name)
                model.succeed(index, isAnswer: true, rig.now)
            case ..<90:
                let isUp = Bool.random(using: &generator)
                rig.set.checkResult(name, isUp: isUp, now: rig.now)
                model.check(index, isUp: isUp, rig.now)
            case ..<92:
                let isDrained = Bool.random(using: &generator)
                rig.set.setDraining(name, to: isDrained, now: rig.now)
                model.drain(index, isDrained, rig.now)
            case ..<97:
                rig.now += .seconds(Double(Int.random(in: 1...8, using: &generator)))
            default:
                try update(rig, &model, step, &generator)
            }
            model.passTime(rig.now)
            let status = rig.set.status(now: rig.now)
            try #require(status.map(\.member) == model.members.map(\.member), "step \(step)")
            try #require(status.map(\.state) == model.members.map(\.state), "step \(step)")
            try #require(status.map(\.activeCount) == model.members.map(\.active), "step \(step)")
            // Each change continues the one before of the same member, by whichever name.
            let changes = rig.recorder.changes
            for change in changes[seen...] {
                let address = model.members.first { $0.member.name == change.member }?.member.address ?? ""
                #expect(lastStates[address] == change.from && change.from != change.to, "step \(step): \(change)")
                lastStates[address] = change.to
            }
            seen = changes.count
        }
        for connection in open { connection.selector.released(connection.handle) }
        #expect(rig.set.status(now: rig.now).allSatisfy { $0.activeCount == 0 })
    }

    private func choose(
        _ rig: Rig, _ model: inout Model, _ open: inout [Open], _ step: Int, _ generator: inout SeededGenerator
    ) throws {
        model.passTime(rig.now)
        let client = SocketAddress.client(Int.random(in: 0..<10_000, using: &generator))
        let worker = step % 2
        let selector = rig.selectors[worker]
        func hasRoom(_ member: Model.Member) -> Bool { member.active < member.member.maxConnections ?? .max }
        let up = model.members.filter { $0.state == .up }
        guard let handle = selector.next(for: client, tried: TriedUpstreams(), now: rig.now) else {
            #expect(up.isEmpty || !up.contains(where: hasRoom), "step \(step): none was chosen")
            let isAllDraining = model.members.allSatisfy { $0.state == .draining }
            #expect(selector.rejectReason == (isAllDraining ? .noUpstream : .upstreamLimit), "step \(step)")
            return
        }
        selector.chosen(handle)
        let address = rig.configuration.members[Int(handle.slot)].address
        let index = try #require(model.members.firstIndex { $0.member.address == address })
        let chosen = model.members[index]
        #expect(hasRoom(chosen) && chosen.state != .draining, "step \(step)")
        if !up.isEmpty { #expect(chosen.state == .up, "step \(step)") }
        // One on probation may wait for its trial.
        let better = up.filter { !$0.member.isBackup && !$0.isOnProbation && hasRoom($0) }
        if !better.isEmpty { #expect(!chosen.member.isBackup, "step \(step)") }
        model.members[index].active += 1
        open.append(Open(address: address, selector: selector, handle: handle))
    }

    /// Another order, other weights and names.
    private func update(
        _ rig: Rig, _ model: inout Model, _ step: Int, _ generator: inout SeededGenerator
    ) throws {
        model.members.shuffle(using: &generator)
        for index in model.members.indices {
            if Int.random(in: 0..<4, using: &generator) == 0 {
                model.members[index].member.name = "name \(step) \(index)"
            }
            if Int.random(in: 0..<4, using: &generator) == 0 {
                model.members[index].member.weight = Int.random(in: 1...256, using: &generator)
            }
        }
        model.passTime(rig.now)
        model.settle()
        var configuration = rig.configuration
        configuration.members = model.members.map(\.member)
        try rig.update(configuration)
    }
}
