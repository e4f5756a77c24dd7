// Modules: NetworkTypes Threading LinuxIO WeirStream

import LinuxIO
import WeirStream

/// PROXY headers of version 1: the input as it is, and behind the word that every line begins with. Nothing may trap,
/// and what is read must be the same with payload behind it, and when it is written and read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    check(input)
    check(Array("PROXY ".utf8) + input)
    return 0
}

private func scan(_ bytes: [UInt8]) -> ProxyHeaderScan { ProxyHeaderParser.parse(stream: bytes.span) }

private func check(_ bytes: [UInt8]) {
    switch scan(bytes) {
    case .incomplete:
        precondition(bytes.count < ProxyHeader.maxLengthV2, "undecided however much came")
        precondition(bytes.first != 0x50 || bytes.count < ProxyHeader.maxLengthV1, "a line without a bound")
    case .invalid(let error):
        guard case .invalid = scan(bytes + [0x0d, 0x0a]) else { preconditionFailure("\(error) was undone") }
    case .complete(let header):
        precondition(header.length <= bytes.count)
        precondition(header.version == .v2 || header.length <= ProxyHeader.maxLengthV1)
        precondition(scan(Array(bytes[..<header.length])) == .complete(header), "payload changed it")
        precondition(scan(Array(bytes[..<(header.length - 1)])) == .incomplete, "complete too early")
        guard let addresses = header.addresses else { return }
        for version in ProxyHeader.Version.allCases {
            let written = ProxyHeaderWriter.bytes(version, for: addresses)
            guard case .complete(let again) = scan(written), again.version == version, again.length == written.count,
                again.addresses == addresses
            else { preconditionFailure("written and read differ") }
        }
    }
}
