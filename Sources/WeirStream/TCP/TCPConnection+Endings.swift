import NetworkTypes

// The endings of a connection that its route decides.
extension TCPConnection {
    /// Ends the connection after the drain time.
    func endDrained() {
        guard phase != .closed else { return }
        route.observer?.timedOut(context, kind: .drain)
        end(.drained, withReset: !tellDrained())
    }

    /// Ends the connection where it has this upstream, which is out.
    func endUpstreamDown(where isOut: (Upstream) -> Bool) {
        guard let member, phase != .closed, route.state(of: member).map({ isOut($0.upstream) }) == true else { return }
        end(.upstreamDown, withReset: true)
    }

    /// Ends the connection because its stream is killed.
    func endKilled() {
        guard phase != .closed else { return }
        end(.killed, withReset: true)
    }
}
