// Modules: NetworkTypes Threading LinuxIO WeirStream

import LinuxIO
import WeirStream

private let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

/// PROXY headers of version 2: the input as it is, and behind the signature, from a stream and as a datagram. Nothing
/// may trap, and what is read must be the same with payload behind it, and when it is written and read again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    for bytes in [input, signature + input] {
        check(bytes) {
            ProxyHeaderParser.parse(stream: $0.span)
        } write: {
            ProxyHeaderWriter.bytes(.v2, for: $0)
        }
        let isDecided = ProxyHeaderParser.parse(datagram: bytes.span) != .incomplete
        precondition(isDecided, "nothing follows a datagram")
        check(bytes) { bytes in
            let scan = ProxyHeaderParser.parse(datagram: bytes.span)
            // A datagram that is cut off is what a stream still waits for.
            return scan == .invalid(.truncated) ? .incomplete : scan
        } write: {
            ProxyHeaderWriter.datagramBytes(for: $0)
        }
    }
    return 0
}

private func check(
    _ bytes: [UInt8], scan: ([UInt8]) -> ProxyHeaderScan, write: (ProxyHeader.Addresses) -> [UInt8]
) {
    switch scan(bytes) {
    case .incomplete:
        precondition(bytes.count < ProxyHeader.maxLengthV2, "undecided however much came")
    case .invalid: break
    case .complete(let header):
        precondition(header.length <= min(bytes.count, ProxyHeader.maxLengthV2))
        precondition(scan(Array(bytes[..<header.length])) == .complete(header), "payload changed it")
        precondition(scan(Array(bytes[..<(header.length - 1)])) == .incomplete, "complete too early")
        guard let addresses = header.addresses else { return }
        let written = write(addresses)
        guard case .complete(let again) = scan(written), again.version == .v2, again.length == written.count,
            again.addresses == addresses
        else { preconditionFailure("written and read differ") }
    }
}
