import LinuxIO
import WeirBalance
import WeirStream

/// The lines that `weir status`, `weir connections` and `weir top` read: fields with tabs between them, of which the
/// first says what the line is.
enum StatusLines {
    /// `route NAME PROTOCOL STATE OPEN INGRESS EGRESS FAILED REJECTED DENIED`, then for each of its upstreams `member
    /// NAME STATE SECONDS CAUSE OPEN`, then `agent NAME ADDRESS STATE SECONDS REASON PROTOCOL TUNNELS`, then `event
    /// ROUTE SECONDS COUNT TEXT`.
    static func bytes(_ state: LiveBoard.State, _ events: EventRecorder) -> [UInt8] {
        var bytes: [UInt8] = []
        let clock = LiveClock()
        for route in state.routes {
            let report = route.observer.report
            let failed = report.failures.reduce(0) { $1.key == "canceled" ? $0 : $0 + $1.value }
            append(
                ["route", report.route, report.transport, route.isDraining ? "draining" : "up"]
                    + [
                        UInt64(clamping: report.active), report.ingressBytes, report.egressBytes, failed,
                        report.rejected, report.denied,
                    ]
                    .map { "\($0)" }, to: &bytes)
            for status in route.set?.status(now: clock.monotonic) ?? [] {
                let seconds = (clock.monotonic - min(clock.monotonic, status.changedAt)) / 1_000_000_000
                append(
                    [
                        "member", status.member.name, status.state.rawValue, "\(seconds)",
                        status.cause?.rawValue ?? "", "\(status.activeCount)",
                    ], to: &bytes)
            }
        }
        for agent in state.agents?() ?? [] { append(fields(of: agent, clock), to: &bytes) }
        for event in events.latest(64) where event.level >= .warning {
            let seconds = max(0, WallClock.nanoseconds - event.last) / 1_000_000_000
            let reason = [event.reason, event.detail].filter { !$0.isEmpty }.joined(separator: ": ")
            let text = reason.isEmpty ? event.text : "\(event.text) (\(reason))"
            append(["event", event.route, "\(seconds)", "\(event.count)", text], to: &bytes)
        }
        return bytes
    }

    private static func fields(of agent: LiveBoard.Agent, _ clock: LiveClock) -> [String] {
        let standing = agent.standing
        let state = standing.isUp.map { $0 ? "up" : "down" } ?? "unknown"
        let seconds = (clock.monotonic - min(clock.monotonic, standing.changedAt)) / 1_000_000_000
        return [
            "agent", agent.name, agent.address, state, standing.isUp == nil ? "0" : "\(seconds)",
            standing.failure?.words ?? "", standing.tunnelProtocol ?? "", "\(agent.tunnels)",
        ]
    }

    /// `total N`, then `stream ID ROUTE PROTOCOL CLIENT UPSTREAM SECONDS INGRESS EGRESS`.
    static func bytes(_ streams: [OpenStream], total: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        append(["total", "\(total)"], to: &bytes)
        for stream in streams {
            append(
                [
                    "stream", String(stream.id, radix: 16), stream.route, stream.transport.rawValue,
                    stream.clientAddress.description, stream.upstream?.description ?? "",
                    "\(stream.age.components.seconds)", "\(stream.ingressBytes)", "\(stream.egressBytes)",
                ], to: &bytes)
        }
        return bytes
    }

    /// `total N BOUND`, then `client ADDRESS OPEN INGRESS EGRESS MISSED`.
    static func bytes(_ clients: [ClientSketch.Client], of sketch: ClientSketch) -> [UInt8] {
        var bytes: [UInt8] = []
        append(["total", "\(sketch.streams)", "\(sketch.bound)"], to: &bytes)
        for client in clients {
            append(
                [
                    "client", client.name, "\(client.streams)", "\(client.ingressBytes)", "\(client.egressBytes)",
                    "\(client.missed)",
                ], to: &bytes)
        }
        return bytes
    }

    /// Texts from outside cannot be taken for fields or lines.
    private static func append(_ fields: [String], to bytes: inout [UInt8]) {
        for (index, field) in fields.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: "\t")) }
            for byte in field.utf8 { bytes.append(byte < 0x20 || byte == 0x7f ? UInt8(ascii: " ") : byte) }
        }
        bytes.append(UInt8(ascii: "\n"))
    }
}
