/// Reads small archives (APPNOTE.TXT of PKWARE): entries that are stored or deflated, each within a bound. Pure, and
/// without a trap on any bytes. Archives of several parts, encrypted entries and ZIP64 are refused.
struct ZipReader {
    /// A fault of an archive.
    enum Fault: Error, Equatable {
        /// The bytes are no archive, or one that was cut off.
        case noArchive
        /// There are more entries than any bundle has.
        case tooManyEntries
        /// An entry has more bytes than any certificate.
        case tooLarge
        /// An entry is encrypted, or compressed in a way that is not known.
        case unsupported
        /// The bytes of an entry are damaged.
        case damaged
        /// There is no entry of this name, or there are two.
        case missing(String)
    }

    private struct Entry {
        let method: Int
        let flags: Int
        let checksum: Int
        let compressedLength: Int
        let length: Int
        let headerOffset: Int
    }

    /// The most bytes of an archive.
    static let maxArchiveLength = 1 << 20
    /// The most bytes of an entry.
    static let maxEntryLength = 256 << 10
    private static let maxEntries = 64
    private static let endLength = 22
    private static let maxCommentLength = 65_535

    private let bytes: [UInt8]
    private var entries: [(name: [UInt8], entry: Entry)] = []

    /// Reads the directory of an archive.
    init(_ bytes: [UInt8]) throws(Fault) {
        guard bytes.count >= Self.endLength, bytes.count <= Self.maxArchiveLength else { throw .noArchive }
        self.bytes = bytes
        let end = try directoryEnd()
        let count = try number(2, at: end + 10)
        guard try number(2, at: end + 4) == 0, try number(2, at: end + 6) == 0, try number(2, at: end + 8) == count
        else { throw .unsupported }
        guard count <= Self.maxEntries else { throw .tooManyEntries }
        var offset = try number(4, at: end + 16)
        for _ in 0..<count {
            guard try number(4, at: offset) == 0x0201_4b50 else { throw .noArchive }
            let nameLength = try number(2, at: offset + 28)
            let name = try slice(at: offset + 46, count: nameLength)
            let entry = Entry(
                method: try number(2, at: offset + 10), flags: try number(2, at: offset + 8),
                checksum: try number(4, at: offset + 16), compressedLength: try number(4, at: offset + 20),
                length: try number(4, at: offset + 24), headerOffset: try number(4, at: offset + 42))
            entries.append((Array(name), entry))
            offset += 46 + nameLength + (try number(2, at: offset + 30)) + (try number(2, at: offset + 32))
        }
    }

    /// The bytes of the one entry with a name.
    func bytes(of name: String) throws(Fault) -> [UInt8] {
        let named = entries.filter { $0.name == Array(name.utf8) }
        guard named.count == 1, let entry = named.first?.entry else { throw .missing(name) }
        guard entry.length <= Self.maxEntryLength else { throw .tooLarge }
        guard entry.flags & 1 == 0 else { throw .unsupported }
        let offset = entry.headerOffset
        guard try number(4, at: offset) == 0x0403_4b50 else { throw .damaged }
        // The name and the extra field may have other lengths than in the directory.
        let start = offset + 30 + (try number(2, at: offset + 26)) + (try number(2, at: offset + 28))
        let data = try slice(at: start, count: entry.compressedLength)
        let content = try Self.content(of: data, entry)
        let checksum = CRC32.checksum(of: content.span, count: content.count)
        guard content.count == entry.length, Int(checksum) == entry.checksum else { throw .damaged }
        return content
    }

    private static func content(of data: ArraySlice<UInt8>, _ entry: Entry) throws(Fault) -> [UInt8] {
        switch entry.method {
        case 0: return Array(data)
        case 8:
            do throws(Inflate.Fault) {
                return try Inflate.bytes(of: data, maxLength: entry.length)
            } catch {
                throw .damaged
            }
        default: throw .unsupported
        }
    }

    /// The offset of the record that ends the directory, behind which only a comment may stand.
    private func directoryEnd() throws(Fault) -> Int {
        let last = bytes.count - Self.endLength
        for offset in stride(from: last, through: max(0, last - Self.maxCommentLength), by: -1) {
            if bytes[offset] == 0x50, try number(4, at: offset) == 0x0605_4b50,
                try number(2, at: offset + 20) == last - offset
            {
                return offset
            }
        }
        throw .noArchive
    }

    private func slice(at offset: Int, count: Int) throws(Fault) -> ArraySlice<UInt8> {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { throw .noArchive }
        return bytes[offset..<(offset + count)]
    }

    /// The little-endian number at an offset.
    private func number(_ count: Int, at offset: Int) throws(Fault) -> Int {
        try slice(at: offset, count: count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
