/// The hosts file (hosts(5)), as far as it tells which names are answered without a name server.
public enum HostsFile {
    private static let path = "/etc/hosts"
    private static let maxBytes = 1 << 20

    /// Whether the file has the name, or the name is one of this machine (`localhost`, RFC 6761 section 6.3). Reads the
    /// file; false where it cannot be read.
    public static func contains(_ name: String) -> Bool {
        let name = name.lowercased()
        if name == "localhost" || name.hasSuffix(".localhost") { return true }
        return SystemFile.bytes(of: path, limit: maxBytes).map { contains(name, in: $0) } ?? false
    }

    /// Whether a line of the text has the name, in lower case, behind its address.
    static func contains(_ name: String, in text: some Collection<UInt8>) -> Bool {
        let wanted = Array(name.utf8)
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let content = line.prefix { $0 != UInt8(ascii: "#") }
            let words = content.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == 13 }
            if words.dropFirst().contains(where: { $0.lazy.map(lowercase).elementsEqual(wanted) }) { return true }
        }
        return false
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 32 : byte }
}
