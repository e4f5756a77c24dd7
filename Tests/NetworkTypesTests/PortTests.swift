import NetworkTypes
import Testing

@Suite struct PortTests {
    @Test(arguments: [("0", 0), ("1", 1), ("65535", 65_535)])
    func `a port is read`(text: String, port: UInt16) {
        #expect(PortNumber.parse(text) == port)
    }

    @Test(arguments: [
        "", "65536", "99999999999999999999999", "+80", "-1", "8 0", "80 ", "0x50", "8_0", "٨٠", "a", "80a",
    ])
    func `what is no port is refused`(text: String) {
        #expect(throws: PortNumber.ParseError.malformed) { try PortNumber.parse(Array(text.utf8)[...]) }
    }

    @Test(arguments: [("080", 80), ("00", 0), ("000065535", 65_535)])
    func `zeros in front are told with the port that was meant`(text: String, meant: UInt16) {
        #expect(throws: PortNumber.ParseError.leadingZeros(meant)) { try PortNumber.parse(Array(text.utf8)[...]) }
        #expect(PortNumber.parse(text) == nil)
    }

    @Test(arguments: [
        ("2222:22", 2222...2222, 22...22), ("53", 53...53, 53...53), ("1:65535", 1...1, 65535...65535),
        ("30000-30099", 30000...30099, 30000...30099), ("30000-30099:22", 30000...30099, 22...22),
        ("1-65535:1-65535", 1...65535, 1...65535), ("5-5:6-6", 5...5, 6...6),
    ])
    func `ports are read as one, a pair or ranges`(
        text: String, listen: ClosedRange<UInt16>, target: ClosedRange<UInt16>
    ) throws {
        let mapping = try PortMapping(parsing: text)
        #expect(mapping.listen == listen && mapping.target == target)
        #expect(try PortMapping(parsing: mapping.description) == mapping)
    }

    @Test func `each port of a range has its own target, or all have one`() throws {
        let shifted = try PortMapping(parsing: "30000-30099:65436-65535")
        #expect([30000, 30001, 30099].map { shifted.target(of: $0) } == [65436, 65437, 65535])
        let fanIn = try PortMapping(parsing: "30000-30099:22")
        #expect([30000, 30099].map { fanIn.target(of: $0) } == [22, 22])
        #expect(PortMapping(listen: 1...2, target: 1...3) == nil)
    }

    @Test(arguments: [
        ("", PortMapping.ParseError.malformed), ("1:2:3", .malformed), (":", .missingHalf), (":80", .missingHalf),
        ("80:", .missingHalf), ("0", .malformedPort("0", .malformed)), ("80:0", .malformedPort("0", .malformed)),
        ("65536:1", .malformedPort("65536", .malformed)), ("80:080", .malformedPort("080", .leadingZeros(80))),
        ("-1", .missingHalf), ("1-", .missingHalf), ("1-2-3", .malformedPort("2-3", .malformed)),
        ("9-7", .reversed(first: 9, last: 7)), ("80:9-7", .reversed(first: 9, last: 7)),
        ("1-3:1-2", .differentLengths(listen: 3, target: 2)), ("1:1-2", .differentLengths(listen: 1, target: 2)),
        ("0-5", .malformedPort("0", .malformed)), ("1-65536", .malformedPort("65536", .malformed)),
    ])
    func `what is no mapping of ports is refused`(text: String, fault: PortMapping.ParseError) {
        #expect(throws: fault) { try PortMapping(parsing: text) }
    }
}
