import LinuxIO

/// The policy `first`: every client tries the members in the order of the configuration. It ignores the results of
/// dials.
final class FirstSelector: UpstreamSelector {
    private let members: [UpstreamHandle]

    init(_ members: [UpstreamHandle]) {
        self.members = members
    }

    func next(for client: SocketAddress, tried: TriedUpstreams) -> UpstreamHandle? {
        tried.isEmpty ? members.first : members.first { !tried.contains($0) }
    }

    func chosen(_ member: UpstreamHandle) {}
    func dialEnded(_ member: UpstreamHandle, failure: DialFailure?) {}
    func answered(_ member: UpstreamHandle) {}
    func brokeUnanswered(_ member: UpstreamHandle, isAsked: Bool) {}
    func released(_ member: UpstreamHandle) {}
}
