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

    @Test(arguments: [("2222:22", 2222, 22), ("53", 53, 53), ("1:65535", 1, 65535)])
    func `a pair of ports is read, or one for both`(text: String, listen: UInt16, target: UInt16) throws {
        #expect(try PortPair(parsing: text) == PortPair(listen: listen, target: target))
    }

    @Test(arguments: [
        ("", PortPair.ParseError.malformed), ("1:2:3", .malformed), (":", .missingHalf), (":80", .missingHalf),
        ("80:", .missingHalf), ("0", .malformedPort("0", .malformed)), ("80:0", .malformedPort("0", .malformed)),
        ("65536:1", .malformedPort("65536", .malformed)), ("80:080", .malformedPort("080", .leadingZeros(80))),
    ])
    func `what is no pair of ports is refused`(text: String, fault: PortPair.ParseError) {
        #expect(throws: fault) { try PortPair(parsing: text) }
    }
}
