import LinuxIO
import NetworkTypes
import WeirStream

/// The calls of selectors, by the index of the member.
final class SelectorAccount: Sendable {
    enum Call: Equatable, Sendable {
        case chosen, connected, failed(DialFailure), answered, broke(isAsked: Bool), released
        case answeredAgain, leftUnanswered
    }

    private let calls = Box<[Int: [Call]]>([:])
    /// The reason of selectors that choose none.
    let rejectReason = Box(RejectReason.noUpstream)
    /// Members that are not chosen, and that sessions leave.
    let hidden = Box<Set<Int>>([])

    /// The calls about a member.
    subscript(_ index: Int) -> [Call] { calls.value[index] ?? [] }

    var all: [[Call]] { Array(calls.value.values) }

    /// Makes selectors that keep this account.
    var makeSelector: StreamHooks.MakeSelector {
        { members, _ in AccountingSelector(members.map(\.handle), self) }
    }

    fileprivate func note(_ call: Call, _ member: UpstreamHandle) {
        calls.update { $0[Int(member.slot), default: []].append(call) }
    }
}

/// The policy `first` with an account of every call.
private final class AccountingSelector: UpstreamSelector {
    private let members: [UpstreamHandle]
    private let account: SelectorAccount

    init(_ members: [UpstreamHandle], _ account: SelectorAccount) {
        self.members = members
        self.account = account
    }

    func next(for client: SocketAddress, tried: TriedUpstreams, now: UInt64) -> UpstreamHandle? {
        let hidden = account.hidden.value
        return members.first { !tried.contains($0) && !hidden.contains(Int($0.slot)) }
    }

    var rejectReason: RejectReason { account.rejectReason.value }

    func accepts(_ member: UpstreamHandle, now: UInt64) -> Bool { !account.hidden.value.contains(Int(member.slot)) }

    func answeredAgain(_ member: UpstreamHandle, now: UInt64) { account.note(.answeredAgain, member) }

    func leftUnanswered(_ member: UpstreamHandle, now: UInt64) { account.note(.leftUnanswered, member) }

    func keeps(_ member: UpstreamHandle, now: UInt64) -> Bool { !account.hidden.value.contains(Int(member.slot)) }

    func chosen(_ member: UpstreamHandle) { account.note(.chosen, member) }

    func dialEnded(_ member: UpstreamHandle, failure: DialFailure?, now: UInt64) {
        account.note(failure.map { .failed($0) } ?? .connected, member)
    }

    func answered(_ member: UpstreamHandle, now: UInt64) { account.note(.answered, member) }

    func brokeUnanswered(_ member: UpstreamHandle, isAsked: Bool, now: UInt64) {
        account.note(.broke(isAsked: isAsked), member)
    }

    func released(_ member: UpstreamHandle) { account.note(.released, member) }
}
