public import LinuxIO
import Threading

/// The encryption of the TCP connections of an ``Exporter``. Unix sockets have none: the permissions of their files say
/// who may connect.
public struct ExporterEncryption: Sendable {
    /// Makes the session of a new connection, on the exporter's thread.
    public var makeSession: @Sendable () -> any SecureSession
    /// Whether pages are for clients with a verified certificate; `/healthz` and `/readyz` are for all.
    public var demandsCertificate: Bool

    /// An encryption by these sessions.
    public init(demandsCertificate: Bool = false, makeSession: @escaping @Sendable () -> any SecureSession) {
        self.demandsCertificate = demandsCertificate
        self.makeSession = makeSession
    }
}

/// The encryption of new connections, which any thread may replace.
final class EncryptionSlot: Sendable {
    private let encryption: Lock<ExporterEncryption?>

    init(_ encryption: ExporterEncryption?) {
        self.encryption = Lock(encryption)
    }

    var value: ExporterEncryption? {
        get { encryption.withLock { $0 } }
        set { encryption.withLock { $0 = newValue } }
    }
}
