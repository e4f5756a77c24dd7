public import WeirConfiguration

/// The places at which an exporter is asked.
public struct ExporterEndpoints: Sendable, Equatable {
    /// Its listeners.
    public var listeners: [Configuration.Exporter.Listener]
    /// Whether it speaks TLS at its addresses. Unix sockets never do.
    public var isEncrypted: Bool

    /// Joins both.
    public init(_ listeners: [Configuration.Exporter.Listener], isEncrypted: Bool) {
        self.listeners = listeners
        self.isEncrypted = isEncrypted
    }

    /// Those of a configuration.
    public init(_ configuration: Configuration) {
        self.init(configuration.exporter.listen, isEncrypted: configuration.exporter.tls != nil)
    }

    static let encryptedPrefix = "https://"

    /// A line for each: `127.0.0.1:9847`, `https://127.0.0.1:9847` or `unix:/run/weir/exporter.sock`.
    var texts: [String] {
        listeners.map { listener in
            if case .address = listener, isEncrypted {
                Self.encryptedPrefix + listener.description
            } else {
                listener.description
            }
        }
    }

    /// Reads the lines that ``texts`` has, and passes over others.
    init(texts: [String]) {
        isEncrypted = texts.contains { $0.hasPrefix(Self.encryptedPrefix) }
        listeners = texts.compactMap { text in
            let isPlain = !text.hasPrefix(Self.encryptedPrefix)
            return Configuration.Exporter.Listener(
                isPlain ? text : String(text.dropFirst(Self.encryptedPrefix.count)))
        }
    }
}
