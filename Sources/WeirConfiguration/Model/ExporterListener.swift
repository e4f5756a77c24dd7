import NetworkTypes

extension Configuration.Exporter {
    /// A listener of the exporter.
    public enum Listener: Sendable, Hashable {
        /// TCP.
        case address(ListenAddress)
        /// A Unix socket, by its absolute path.
        case unix(UnixSocketPath)

        /// The listener without a setting: 127.0.0.1:9847.
        public static let defaultListener = Listener.address(
            ListenAddress(over: .tcp, address: .loopbackIPv4, port: 9847))
    }
}

extension Configuration.Exporter.Listener: CustomStringConvertible {
    /// `127.0.0.1:9847` or `unix:/run/weir/exporter.sock`.
    public var description: String {
        switch self {
        case .address(let address): address.addressText
        case .unix(let path): "\(path)"
        }
    }
}

extension Configuration.Exporter.Listener {
    /// Reads what ``description`` writes; nil for anything else.
    public init?(_ text: String) {
        do throws(ValueError) {
            try self.init(parsing: text)
        } catch {
            return nil
        }
    }

    /// Reads what ``description`` writes.
    init(parsing text: String) throws(ValueError) {
        guard text.hasPrefix(UnixSocketPath.prefix) else {
            self = .address(try ListenAddress(exporter: text))
            return
        }
        self = .unix(
            try UnixSocketPath(configured: text, isAbstractAllowed: false, example: "unix:/run/weir/exporter.sock"))
    }
}

/// The permission bits of a file, `0660`.
func parseFileMode(_ text: String) throws(ValueError) -> UInt32 {
    let digits = Array(text.utf8)
    let isOctal = digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
    guard isOctal, digits.count == 3 || (digits.count == 4 && digits[0] == UInt8(ascii: "0")) else {
        throw ValueError("expected permissions in octal such as `0660`, found \(quoted(text))")
    }
    return digits.reduce(0) { $0 << 3 | UInt32($1 - UInt8(ascii: "0")) }
}
