import LinuxIO

/// The policy `first`: every client tries the members in the order of the configuration. It ignores the results of
/// dials.
final class FirstSelector: UpstreamSelector {
    private let members: [UpstreamHandle]

    init(_ members: [UpstreamHandle]) {
        self.members = members
    }

    func next(for client: SocketAddress, tried: TriedUpstreams, now: UInt64) -> UpstreamHandle? {
        tried.isEmpty ? members.first : members.first { !tried.contains($0) }
    }

    func chosen(_ member: UpstreamHandle) {}
    func dialEnded(_ member: UpstreamHandle, failure: DialFailure?, now: UInt64) {}
    func answered(_ member: UpstreamHandle, now: UInt64) {}
    func brokeUnanswered(_ member: UpstreamHandle, isAsked: Bool, now: UInt64) {}
    func released(_ member: UpstreamHandle) {}
}
