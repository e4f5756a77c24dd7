import LinuxIO
import Logging
import NetworkTypes
import WeirConfiguration
import WeirExporter
import WeirHealth
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
        for certificate in certificates {
            certificateMetrics.taken(certificate.path, names: certificate.names, expiry: certificate.expiry)
        }
        publishCertificates()
        if tls.isEmpty, agents.isEmpty {
            certificateClock?.cancel()
            certificateClock = nil
        } else if certificateClock == nil {
            certificateClock = followCertificates()
        }
    }

    /// Encrypts what the exporter accepts from now on, as a configuration says.
    func secureExporter(_ configuration: Configuration) {
        guard let settings = configuration.exporter.tls else { return components.exporter.encrypt(with: nil) }
        let server = tls.exporterServer(configuration)
        let metrics = ExporterTLSMetrics(components.registry)
        components.exporter.encrypt(
            with: ExporterEncryption(demandsCertificate: settings.clientAuthorities != nil) {
                if let server { server.makeSession(worker: 0, observer: metrics) } else { RefusingSession() }
            })
    }

    /// How the checks of a route are encrypted; nil where they are not.
    func checkEncryption(of route: RouteConfiguration, _ upstream: UpstreamConfiguration) -> CheckEncryption? {
        guard route.checkTLS != nil else { return nil }
        let wanted = nextConfiguration ?? configuration
        guard let client = tls.checkClient(of: route, wanted) ?? tls.checkClient(of: route, configuration) else {
            return CheckEncryption(refusal, name: nil) { RefusingSession() }
        }
        let name = Self.serverName(of: upstream)
        return CheckEncryption(client, name: name) {
            client.makeSession(to: name, port: 0, resumes: false, worker: 0, observer: nil)
        }
    }

    /// Takes changed files, and changes the keys of tickets, until it is told to end.
    private func followCertificates() -> Task<Void, Never> {
        Task { [weak self] in
            while (try? await Task.sleep(for: Self.certificateInterval)) != nil {
                guard let self else { return }
                TicketKeys.follow(seconds: Int64(clamping: MonotonicClock.system.nanoseconds / 1_000_000_000))
                await self.refreshCertificates()
            }
        }
    }

    private func refreshCertificates() {
        let now = WallClock.nanoseconds / 1_000_000_000
        let changes = tls.refresh(now: now) + agents.refresh(now: now)
        defer { if !changes.isEmpty { publishCertificates() } }
        for news in changes {
            switch news {
            case .taken(let path, let names, let expiry):
                certificateMetrics.taken(path, names: names, expiry: expiry)
                guard expiry > 0 else {
                    logger.info("certificates of authorities reloaded", metadata: ["certificate": "\(path)"])
                    continue
                }
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

    /// Adds the sessions of a route that speaks TLS. `access` judges the clients that requests to an agent name.
    func addTLS(
        of route: RouteConfiguration, _ observer: any RouteObserver, _ access: RouteAccess?, to hooks: inout StreamHooks
    ) {
        guard route.tls != nil || route.upstreamTLS != nil else { return }
        let metrics = RouteTLSMetrics(observer.common.route, registry: components.registry)
        let wanted = nextConfiguration ?? configuration
        if route.tls != nil {
            // The second one is that of a route which goes back to where it was.
            if let server = tls.server(of: route, wanted) ?? tls.server(of: route, configuration) {
                if let agent = route.ownAgent {
                    install(agent, of: route, access, in: &hooks) {
                        server.makeSession(worker: $0.worker, observer: metrics)
                    }
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
            names[target] = serverName(of: upstream)
        }
        return names
    }

    private static func serverName(of upstream: UpstreamConfiguration) -> String? {
        let name: String? =
            switch upstream.host {
            case .name(let name): name
            case .address(let address): upstream.hostName ?? address.ip.description
            case .unix: nil
            }
        return name.map { $0.hasSuffix(".") ? String($0.dropLast()) : $0 }
    }
    #else
    func prepareTLS(_ new: Configuration) throws(ProxyError) {
        let speaks = new.routes.contains { $0.tls != nil || $0.upstreamTLS != nil || $0.checkTLS != nil }
        if speaks || new.exporter.tls != nil {
            throw .certificate("this program was built without the package trait `TLS`")
        }
    }

    func takeTLS() {}

    func secureExporter(_ configuration: Configuration) {}

    func checkEncryption(of route: RouteConfiguration, _ upstream: UpstreamConfiguration) -> CheckEncryption? { nil }

    func serveAgentPages(_ configuration: Configuration) async throws(ProxyError) {}

    func addTLS(
        of route: RouteConfiguration, _ observer: any RouteObserver, _ access: RouteAccess?, to hooks: inout StreamHooks
    ) {}
    #endif
}

#if TLS
/// Stands for no client: checks that cannot be made over TLS fail.
private final class Refusal: Sendable {}
private let refusal = Refusal()

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
