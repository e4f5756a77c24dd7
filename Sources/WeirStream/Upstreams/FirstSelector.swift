import LinuxIO

/// The policy `first`: members in the order of the configuration, each client beginning with the first. It remembers
/// nothing of how they went.
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
