#if TLS
import LinuxIO
import NetworkTypes
import Threading
import WeirAgent
import WeirStream

/// Performs the checks that clients ask an agent for: a few at once, each on a thread of its own, to destinations that
/// its list allows.
actor RequestedChecker {
    struct Verdict: Sendable {
        var isHealthy = false
        var isDenied = false
        var detail: String
        var nanoseconds: UInt64 = 0
    }

    private let engine: StreamEngine
    private var running = 0
    private static let maxRunning = 16
    /// How long a check over UDP awaits a refusal.
    private static let refusalTime = Duration.milliseconds(250)
    /// The status line, up to its code.
    private static let statusLength = 12

    init(_ engine: StreamEngine) {
        self.engine = engine
    }

    func run(_ check: RequestedCheck, _ list: DestinationList) async -> Verdict {
        guard let scheme = check.scheme, let destination = check.destination else {
            return Verdict(detail: "this scheme is not checked here")
        }
        guard running < Self.maxRunning else { return Verdict(detail: "too many checks at once") }
        running += 1
        defer { running -= 1 }
        let addresses: [SocketAddress]
        if destination.host.isName {
            guard case .success(let found) = await engine.lookUp("\(destination.host)"), !found.isEmpty else {
                return Verdict(detail: "the name has no address")
            }
            addresses = found.map { SocketAddress($0.ip, port: destination.port, scope: $0.scope) }
        } else {
            addresses = destination.literal.map { [$0] } ?? []
        }
        let own = engine.listeningAddresses(with: [])
        guard let allowed = list.choose(addresses, over: check.transport)?.addresses.first,
            !own.wouldLoop(check.transport, allowed)
        else { return Verdict(isDenied: true, detail: "the agent does not allow this destination") }
        return await Self.perform(scheme, check, at: allowed)
    }

    private static func perform(
        _ scheme: RequestedCheck.Scheme, _ check: RequestedCheck, at address: SocketAddress
    ) async -> Verdict {
        await withCheckedContinuation { continuation in
            do {
                try Thread.start(name: "weir-check") {
                    let start = MonotonicClock.system.nanoseconds
                    var verdict = Verdict(isHealthy: true, detail: "")
                    do throws(SystemError) {
                        verdict.detail = try ask(scheme, check, at: address)
                        verdict.isHealthy = verdict.detail.isEmpty
                    } catch {
                        verdict = Verdict(detail: "\(error)")
                    }
                    verdict.nanoseconds = MonotonicClock.system.nanoseconds - start
                    continuation.resume(returning: verdict)
                }
            } catch {
                continuation.resume(returning: Verdict(detail: "\(error)"))
            }
        }
    }

    /// Asks the destination. Returns what is wrong; empty where nothing is.
    private static func ask(
        _ scheme: RequestedCheck.Scheme, _ check: RequestedCheck, at address: SocketAddress
    ) throws(SystemError) -> String {
        switch scheme {
        // An empty datagram, because one that is not of its protocol would tell nothing: only a refusal counts.
        case .udp, .udp4, .udp6:
            let socket = try BlockingSocket.datagrams(to: address, timeout: check.timeout)
            try socket.probeDatagrams(within: min(check.timeout, refusalTime))
            return ""
        case .tcp, .tcp4, .tcp6:
            _ = try BlockingSocket.connect(to: address, timeout: check.timeout)
            return ""
        case .http:
            let socket = try BlockingSocket.connect(to: address, timeout: check.timeout)
            let head =
                "HEAD \(check.path) HTTP/1.1\r\nHost: \(address)\r\nUser-Agent: weir\r\nConnection: close\r\n\r\n"
            try socket.send(Array(head.utf8))
            var answer: [UInt8] = []
            while answer.count < statusLength {
                let bytes = try socket.receive(atMost: 512)
                if bytes.isEmpty { return "no answer" }
                answer += bytes
            }
            let line = String(decoding: answer.prefix(statusLength), as: UTF8.self)
            guard line.hasPrefix("HTTP/1."), let status = Int(line.suffix(3)) else { return "no answer of HTTP" }
            return status < 500 ? "" : "status \(status)"
        }
    }
}
#endif
