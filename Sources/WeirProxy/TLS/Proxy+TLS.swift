import Logging
import NetworkTypes
import WeirConfiguration
import WeirStream

#if TLS
import WeirTLS
#endif

// The TLS of routes, and the files of certificates.

extension Proxy {
    /// How often the files of certificates are looked at.
    private static var certificateInterval: Duration { .milliseconds(250) }

    #if TLS
    /// Reads the files that a configuration needs.
    func prepareTLS(_ new: Configuration) throws(ProxyError) {
        do throws(TLSFileError) {
            try tls.prepare(new)
        } catch {
            throw .certificate(error.text)
        }
    }

    /// Follows the configuration that is in use now.
    func takeTLS() {
        tls.forget(except: configuration)
        let certificates = tls.report(configuration) + agents.report
        certificateMetrics.keep(Set(certificates.map(\.path)))
        for certificate in certificates { certificateMetrics.taken(certificate.path, expiry: certificate.expiry) }
    }

    /// Takes changed files until the end.
    func followCertificates() {
        certificateClock = Task { [weak self] in
            while (try? await Task.sleep(for: Self.certificateInterval)) != nil {
                guard let self else { return }
                await self.refreshCertificates()
            }
        }
    }

    private func refreshCertificates() {
        if tls.isEmpty, agents.isEmpty { return }
        let now = WallClock.nanoseconds / 1_000_000_000
        for news in tls.refresh(now: now) + agents.refresh(now: now) {
            switch news {
            case .taken(let path, let names, let expiry):
                if expiry > 0 { certificateMetrics.taken(path, expiry: expiry) }
                logger.info(
                    "certificate reloaded",
                    metadata: ["certificate": "\(path)", "names": "\(names)", "ends": "\(UTCTime.date(expiry))"])
            case .refused(let path, let problem):
                certificateMetrics.refused(path)
                logger.error(
                    "a changed certificate cannot be used, the old one stays",
                    metadata: ["certificate": "\(path)", "error": "\(problem)"])
            }
        }
    }

    /// Adds the sessions of a route that speaks TLS.
    func addTLS(of route: RouteConfiguration, _ observer: any RouteObserver, to hooks: inout StreamHooks) {
        guard route.tls != nil || route.upstreamTLS != nil else { return }
        let metrics = RouteTLSMetrics(observer.common.route, registry: components.registry)
        let wanted = nextConfiguration ?? configuration
        if route.tls != nil {
            // The second one is that of a route which goes back to where it was.
            if let server = tls.server(of: route, wanted) ?? tls.server(of: route, configuration) {
                if let agent = route.ownAgent {
                    install(agent, of: route, in: &hooks) { server.makeSession(worker: $0.worker, observer: metrics) }
                } else {
                    hooks.clientSession = { server.makeSession(worker: $0.worker, observer: metrics) }
                }
            } else {
                hooks.clientSession = { _ in RefusingSession() }
            }
        }
        guard route.upstreamTLS != nil else { return }
        guard let client = tls.client(of: route, wanted) ?? tls.client(of: route, configuration) else {
            hooks.upstreamSession = { _, _ in RefusingSession() }
            return
        }
        let names = Self.serverNames(of: route)
        hooks.upstreamSession = { context, upstream in
            client.makeSession(
                to: names[upstream] ?? nil, port: upstream.port, worker: context.worker, observer: metrics)
        }
    }

    /// The name under which each upstream is known; nil for a Unix socket.
    private static func serverNames(of route: RouteConfiguration) -> [Upstream: String?] {
        var names: [Upstream: String?] = [:]
        for upstream in route.upstreams {
            guard let target = try? route.target(of: upstream) else { continue }
            let name: String? =
                switch upstream.host {
                case .name(let name): name
                case .address(let address): upstream.hostName ?? address.ip.description
                case .unix: nil
                }
            names[target] = name.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
        }
        return names
    }
    #else
    func prepareTLS(_ new: Configuration) throws(ProxyError) {
        let speaks = new.routes.contains { $0.tls != nil || $0.upstreamTLS != nil }
        if speaks { throw .certificate("this program was built without the package trait `TLS`") }
    }

    func takeTLS() {}

    func serveAgentPages(_ configuration: Configuration) async throws(ProxyError) {}

    func followCertificates() {}

    func addTLS(of route: RouteConfiguration, _ observer: any RouteObserver, to hooks: inout StreamHooks) {}
    #endif
}

#if TLS
import LinuxIO

/// Refuses its peer: nothing is ever sent in clear where TLS was asked for.
private final class RefusingSession: SecureSession {
    var traits: ChannelTraits { [] }
    var hasPendingOutput: Bool { false }

    func handshake(on socket: borrowing Socket) -> HandshakeStep { .failed }
    func receive(into buffer: UnsafeMutableRawBufferPointer, from socket: borrowing Socket) -> ReadResult {
        .wouldBlock
    }
    func send(_ bytes: UnsafeRawBufferPointer, to socket: borrowing Socket) -> WriteResult { .wouldBlock }
    func finishWriting(on socket: borrowing Socket) {}
    func flush(to socket: borrowing Socket) -> SystemError? { nil }
}
#endif
