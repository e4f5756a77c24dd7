/// Ports to listen on, and the ports to dial for their clients: one for each, or one for all.
public struct PortMapping: Hashable, Sendable {
    /// The listening ports.
    public let listen: ClosedRange<UInt16>
    /// The ports of the upstream, in the order of ``listen``; a single one is for all of them.
    public let target: ClosedRange<UInt16>

    /// Joins two ranges of ports; nil where they differ in length and `target` is not a single port.
    public init?(listen: ClosedRange<UInt16>, target: ClosedRange<UInt16>) {
        guard target.count == 1 || target.count == listen.count else { return nil }
        self.listen = listen
        self.target = target
    }

    /// Joins two ports.
    public init(listen: UInt16, target: UInt16) {
        self.listen = listen...listen
        self.target = target...target
    }

    /// The port to dial for a client of a listening port.
    public func target(of port: UInt16) -> UInt16 {
        target.count == 1 ? target.lowerBound : target.lowerBound &+ (port &- listen.lowerBound)
    }
}

extension PortMapping: CustomStringConvertible {
    /// `2222:22`, `53`, `30000-30099:40000-40099` or `30000-30099:22`, as it is parsed.
    public var description: String {
        listen == target ? Self.text(listen) : "\(Self.text(listen)):\(Self.text(target))"
    }

    /// `22`, or `40000-40099`.
    public static func text(_ ports: ClosedRange<UInt16>) -> String {
        ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
    }
}

extension PortMapping {
    /// Why a text is no mapping of ports.
    public enum ParseError: Error, Hashable, Sendable {
        /// The text is empty, or has more than two parts.
        case malformed
        /// One side of the colon or of a hyphen is empty.
        case missingHalf
        /// One part is no port.
        case malformedPort(String, PortNumber.ParseError)
        /// The first port of a range is above the last one.
        case reversed(first: UInt16, last: UInt16)
        /// The ranges have different lengths, and the target is not a single port.
        case differentLengths(listen: Int, target: Int)
    }

    /// Reads `2222:22`, `53` for both, `30000-30099:40000-40099`, or `30000-30099:22` for one target.
    public init(parsing text: some StringProtocol) throws(ParseError) {
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard !bytes.isEmpty, parts.count <= 2 else { throw .malformed }
        if parts.contains(where: \.isEmpty) { throw .missingHalf }
        let listen = try Self.ports(parts[0])
        let target = parts.count == 2 ? try Self.ports(parts[1]) : listen
        guard let mapping = PortMapping(listen: listen, target: target) else {
            throw .differentLengths(listen: listen.count, target: target.count)
        }
        self = mapping
    }

    private static func ports(_ text: ArraySlice<UInt8>) throws(ParseError) -> ClosedRange<UInt16> {
        let ends = text.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
        if ends.contains(where: \.isEmpty) { throw .missingHalf }
        let first = try port(ends[0])
        let last = ends.count == 2 ? try port(ends[1]) : first
        guard first <= last else { throw .reversed(first: first, last: last) }
        return first...last
    }

    private static func port(_ digits: ArraySlice<UInt8>) throws(ParseError) -> UInt16 {
        let port: UInt16
        do throws(PortNumber.ParseError) {
            port = try PortNumber.parse(digits)
        } catch {
            throw .malformedPort(String(decoding: digits, as: UTF8.self), error)
        }
        // No half can be left to the kernel.
        guard port != 0 else { throw .malformedPort(String(decoding: digits, as: UTF8.self), .malformed) }
        return port
    }
}
