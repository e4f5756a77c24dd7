/// Makes small MaxMind databases (https://maxmind.github.io/MaxMind-DB/), with the records that tests ask for.
package struct GeoDatabaseFile {
    /// The record of a block of addresses.
    package struct Place: Sendable {
        package var block: String
        package var country: String?
        package var timezone: String?

        package init(_ block: String, country: String? = nil, timezone: String? = nil) {
            self.block = block
            self.country = country
            self.timezone = timezone
        }
    }

    /// A record of a node: another node, the number of a place, or nothing.
    private enum Record {
        case nothing
        case node(Int)
        case place(Int)
    }

    private var nodes: [(left: Record, right: Record)] = [(.nothing, .nothing)]
    private var data: [UInt8] = []
    private var offsets: [Int] = []

    private var type = "Weir-Test"

    /// The bytes of a database over these places, the larger blocks first.
    package static func bytes(_ places: [Place], type: String = "Weir-Test") throws -> [UInt8] {
        var file = GeoDatabaseFile()
        file.type = type
        for place in places { try file.add(place) }
        return file.bytes
    }

    /// Sixteen bytes and a length; IPv4 is below `::/96`, where readers look for it.
    private static func bits(of block: String) throws -> (bytes: [UInt8], length: Int) {
        let parts = block.split(separator: "/")
        guard parts.count == 2, let length = Int(parts[1]) else { throw SystemFailure("block \(block)", code: 22) }
        if parts[0].contains(":") {
            let groups = parts[0].split(separator: ":").compactMap { UInt16($0, radix: 16) }
            let filled = groups + Array(repeating: 0, count: max(0, 8 - groups.count))
            return (filled.prefix(8).flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }, length)
        }
        let octets = parts[0].split(separator: ".").compactMap { UInt8($0) }
        guard octets.count == 4 else { throw SystemFailure("block \(block)", code: 22) }
        return (Array(repeating: 0, count: 12) + octets, length + 96)
    }

    private mutating func add(_ place: Place) throws {
        let (bytes, length) = try Self.bits(of: place.block)
        offsets.append(data.count)
        var map: [(String, [UInt8])] = []
        if let country = place.country { map.append(("country", Self.map([("iso_code", Self.text(country))]))) }
        if let zone = place.timezone { map.append(("location", Self.map([("time_zone", Self.text(zone))]))) }
        data += Self.map(map)
        var node = 0
        for bit in 0..<length {
            let isRight = bytes[bit / 8] >> UInt8(7 - bit % 8) & 1 == 1
            let isLast = bit == length - 1
            let record = isRight ? nodes[node].right : nodes[node].left
            var next = record
            if isLast {
                next = .place(offsets.count - 1)
            } else if case .node = record {
            } else {
                // The larger block's record goes on beside the smaller block.
                nodes.append((record, record))
                next = .node(nodes.count - 1)
            }
            if isRight { nodes[node].right = next } else { nodes[node].left = next }
            if case .node(let number) = next { node = number }
        }
    }

    private var bytes: [UInt8] {
        var tree: [UInt8] = []
        for node in nodes {
            for record in [node.left, node.right] {
                let value =
                    switch record {
                    case .nothing: nodes.count
                    case .node(let number): number
                    case .place(let number): nodes.count + 16 + offsets[number]
                    }
                tree += [UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
            }
        }
        let metadata = Self.map([
            ("binary_format_major_version", Self.number(2, type: 5)),
            ("binary_format_minor_version", Self.number(0, type: 5)),
            ("build_epoch", Self.number(1_700_000_000, type: 9)), ("database_type", Self.text(type)),
            ("description", Self.map([("en", Self.text("a test"))])), ("ip_version", Self.number(6, type: 5)),
            ("languages", Self.control(11, 1) + Self.text("en")), ("node_count", Self.number(nodes.count, type: 6)),
            ("record_size", Self.number(24, type: 5)),
        ])
        return tree + Array(repeating: 0, count: 16) + data + [0xab, 0xcd, 0xef] + Array("MaxMind.com".utf8) + metadata
    }

    // MARK: Data types

    /// The type and the size, below 29, of what follows.
    private static func control(_ type: Int, _ size: Int) -> [UInt8] {
        type < 8 ? [UInt8(type << 5 | size)] : [UInt8(size), UInt8(type - 7)]
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        if bytes.count < 29 { return control(2, bytes.count) + bytes }
        return [UInt8(2 << 5 | 29), UInt8(bytes.count - 29)] + bytes
    }

    private static func number(_ value: Int, type: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest > 0 {
            bytes.insert(UInt8(rest & 255), at: 0)
            rest >>= 8
        }
        return control(type, bytes.count) + bytes
    }

    private static func map(_ entries: [(String, [UInt8])]) -> [UInt8] {
        control(7, entries.count) + entries.flatMap { text($0.0) + $0.1 }
    }
}
