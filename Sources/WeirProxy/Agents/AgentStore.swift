#if TLS
import WeirAgent
import WeirConfiguration
import WeirMetrics
import WeirTLS

/// The clients of all agents, with the content of the files that their credentials come from. Used by the proxy alone.
struct AgentStore {
    /// An agent as it is configured, and what is made of it.
    struct Agent: Sendable {
        let configuration: AgentConfiguration
        let client: AgentClient
        let metrics: AgentMetrics
    }

    /// The files of an agent, and the content that is in use.
    private struct Source {
        let configuration: AgentConfiguration
        var stamps: [FileStamp]
        var bytes: [[UInt8]]
        /// How often a change was found unusable in a row.
        var attempts = 0

        /// How often a change is looked at before it is refused: a file may be in the middle of its replacement.
        static let maxAttempts = 3
    }

    private var clients: [String: (client: AgentClient, metrics: AgentMetrics)] = [:]
    private var sources: [String: Source] = [:]
    /// The sources of a configuration that is not in use yet, where they differ.
    private var prepared: [String: (source: Source, credentials: AgentCredentials)] = [:]

    /// Whether there are files to watch.
    var isEmpty: Bool { sources.isEmpty }

    // MARK: Configurations

    /// Makes what a configuration needs. What there is already stays as it is.
    /// - Throws: the fault, in words, of a file that has changed since it was checked.
    mutating func prepare(
        _ configuration: Configuration, workers: Int, registry: MetricsRegistry
    ) throws(TLSFileError) {
        prepared = [:]
        for agent in configuration.agents where sources[agent.name]?.configuration.files != agent.files {
            let stamps = agent.files.map { FileStamp(of: $0.path) }
            let bytes = try Self.read(agent)
            let source = Source(configuration: agent, stamps: stamps, bytes: bytes)
            let credentials = try Self.credentials(agent, bytes)
            if clients[agent.name] != nil {
                _ = try Self.check(agent, credentials, now: .min)
                prepared[agent.name] = (source, credentials)
                continue
            }
            let metrics = AgentMetrics(agent: agent.name, registry: registry)
            do throws(CertificateProblem) {
                let client = try AgentClient(name: agent.name, credentials, workers: workers, observer: metrics)
                clients[agent.name] = (client, metrics)
                sources[agent.name] = source
            } catch {
                throw TLSFileError("\(agent.certificateText): \(error.text)")
            }
        }
    }

    /// Goes over to the credentials of the configuration that was prepared.
    mutating func take(_ configuration: Configuration) {
        for (name, new) in prepared where configuration.agent(named: name) != nil {
            // It was checked when it was prepared.
            try? clients[name]?.client.use(new.credentials)
            sources[name] = new.source
        }
        prepared = [:]
    }

    /// Forgets the agents that a configuration does not have. Nothing may probe them any more.
    mutating func forget(except configuration: Configuration) {
        for (name, gone) in clients where configuration.agent(named: name) == nil {
            gone.metrics.retire()
            clients[name] = nil
            sources[name] = nil
        }
    }

    /// The client of an agent.
    func client(named name: String) -> AgentClient? { clients[name]?.client }

    /// All clients.
    var clientsByName: [String: AgentClient] { clients.mapValues(\.client) }

    /// The agents of a configuration.
    func agents(of configuration: Configuration) -> [Agent] {
        configuration.agents.compactMap { agent in
            clients[agent.name].map { Agent(configuration: agent, client: $0.client, metrics: $0.metrics) }
        }
    }

    /// The certificates that agents get to see, by their files, with names and ends.
    var report: [(path: String, names: String, expiry: Int64)] {
        sources.values.compactMap { source in
            guard let credentials = try? Self.credentials(source.configuration, source.bytes),
                let facts = try? Self.check(source.configuration, credentials, now: .min)
            else { return nil }
            return (source.configuration.certificateText, facts.names, facts.expiry)
        }
    }

    // MARK: Changed files

    /// Takes files that have changed, for new tunnels. `now` is in seconds since 1970.
    mutating func refresh(now: Int64) -> [TLSStore.News] {
        var news: [TLSStore.News] = []
        for (name, source) in sources {
            let agent = source.configuration
            let stamps = agent.files.map { FileStamp(of: $0.path) }
            guard stamps != source.stamps || source.attempts > 0 else { continue }
            do throws(TLSFileError) {
                let bytes = try Self.read(agent)
                let credentials = try Self.credentials(agent, bytes)
                let isChanged = bytes != source.bytes
                let facts = try Self.check(agent, credentials, now: isChanged ? now : .min)
                if isChanged { try use(credentials, name, agent) }
                if isChanged || source.attempts > 0 {
                    news.append(.taken(path: agent.certificateText, names: facts.names, expiry: facts.expiry))
                }
                sources[name] = Source(configuration: agent, stamps: stamps, bytes: bytes)
            } catch {
                let attempts = stamps != source.stamps ? 1 : source.attempts + 1
                sources[name]?.stamps = stamps
                sources[name]?.attempts = min(attempts, Source.maxAttempts + 1)
                if attempts == Source.maxAttempts {
                    news.append(.refused(path: agent.certificateText, problem: error.text))
                }
            }
        }
        return news
    }

    private func use(
        _ credentials: AgentCredentials, _ name: String, _ agent: AgentConfiguration
    ) throws(TLSFileError) {
        do throws(CertificateProblem) {
            try clients[name]?.client.use(credentials)
        } catch {
            throw TLSFileError("\(agent.certificateText): \(error.text)")
        }
    }

    // MARK: Files

    private static func read(_ agent: AgentConfiguration) throws(TLSFileError) -> [[UInt8]] {
        var bytes: [[UInt8]] = []
        for file in agent.files {
            do throws(ValueError) {
                bytes.append(try readWhole(file))
            } catch {
                throw TLSFileError(error.message)
            }
        }
        return bytes
    }

    private static func credentials(
        _ agent: AgentConfiguration, _ bytes: [[UInt8]]
    ) throws(TLSFileError) -> AgentCredentials {
        if agent.bundle == nil {
            guard bytes.count == 3 else { throw TLSFileError("agent \(agent.name): a file is missing") }
            return AgentCredentials(authority: bytes[0], own: CertificateBytes(chain: bytes[1], key: bytes[2]))
        }
        do throws(AgentBundle.Fault) {
            let bundle = try AgentBundle(zip: bytes.first ?? [])
            return AgentCredentials(
                authority: bundle.authority, own: CertificateBytes(chain: bundle.certificate, key: bundle.key))
        } catch {
            throw TLSFileError("\(agent.certificateText): \(error.text)")
        }
    }

    private static func check(
        _ agent: AgentConfiguration, _ credentials: AgentCredentials, now: Int64
    ) throws(TLSFileError) -> (names: String, expiry: Int64) {
        do throws(CertificateProblem) {
            try CertificateSet.check(authorities: credentials.authority)
            let set = try CertificateSet([credentials.own])
            let expiry = set.expiry(at: 0)
            if expiry > now { return (set.names(at: 0), expiry) }
        } catch {
            throw TLSFileError("\(agent.certificateText): \(error.text)")
        }
        throw TLSFileError("\(agent.certificateText): the certificate has ended")
    }
}
#endif
