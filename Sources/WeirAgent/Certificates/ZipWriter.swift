/// Writes a zip archive whose entries are stored as they are (PKWARE APPNOTE 6.3.10, section 4.3). For short files.
struct ZipWriter {
    private struct Entry {
        let name: [UInt8]
        let content: [UInt8]
        let checksum: UInt32
        let offset: Int
    }

    private var bytes: [UInt8] = []
    private var entries: [Entry] = []

    /// Version 2.0, by a Unix system: the upper byte says how the attributes are meant.
    private static let madeBy: UInt16 = 3 << 8 | 20
    private static let neededVersion: UInt16 = 20
    /// 1 January 1980, the first day: the archive tells nothing about when it was made.
    private static let date: UInt16 = 1 << 5 | 1
    /// A regular file that its owner alone may read and write.
    private static let attributes: UInt32 = 0o100600 << 16

    /// Appends a file.
    mutating func append(_ name: String, _ content: [UInt8]) {
        let entry = Entry(
            name: Array(name.utf8), content: content,
            checksum: CRC32.checksum(of: content.span, count: content.count), offset: bytes.count)
        entries.append(entry)
        append(UInt32(0x0403_4b50))
        append(Self.neededVersion)
        appendCommon(entry)
        bytes += entry.name + content
    }

    /// The whole archive.
    consuming func finish() -> [UInt8] {
        let start = bytes.count
        for entry in entries {
            append(UInt32(0x0201_4b50))
            append(Self.madeBy)
            append(Self.neededVersion)
            appendCommon(entry)
            // The length of the comment, the disk, the internal attributes.
            for _ in 0..<3 { append(UInt16(0)) }
            append(Self.attributes)
            append(UInt32(entry.offset))
            bytes += entry.name
        }
        let length = bytes.count - start
        append(UInt32(0x0605_4b50))
        // The disk, and that of the directory.
        append(UInt32(0))
        append(UInt16(entries.count))
        append(UInt16(entries.count))
        append(UInt32(length))
        append(UInt32(start))
        append(UInt16(0))
        return bytes
    }

    /// Flags and method (none), time, checksum and lengths, which both headers have.
    private mutating func appendCommon(_ entry: Entry) {
        for number in [0, 0, 0, Self.date] { append(number) }
        append(entry.checksum)
        append(UInt32(entry.content.count))
        append(UInt32(entry.content.count))
        append(UInt16(entry.name.count))
        append(UInt16(0))
    }

    private mutating func append(_ number: UInt16) {
        bytes += [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
    }

    private mutating func append(_ number: UInt32) {
        append(UInt16(truncatingIfNeeded: number))
        append(UInt16(truncatingIfNeeded: number >> 16))
    }
}
