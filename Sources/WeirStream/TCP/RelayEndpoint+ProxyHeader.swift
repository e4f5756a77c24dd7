import Glibc
import LinuxIO

/// The outcome of a peek for a PROXY header at the beginning of a stream.
enum ProxyHeaderArrival {
    /// More bytes are needed.
    case waiting
    /// The header is complete, and was read from the socket.
    case complete(ProxyHeader)
    case refused(ProxyHeaderError, ProxyHeaderExcerpt)
    /// The peer ended the connection before its first byte, with an end or by a reset.
    case unused
    /// The connection failed within the header.
    case broken(SystemError)
}

extension RelayEndpoint {
    /// Peeks for the header. The bytes stay in the socket until the header is complete; then exactly the header is
    /// read, and the following bytes are left for the relay. A slow peer occupies no buffer. Call it once per
    /// edge-triggered event. `buffer` must hold the longest header.
    mutating func receiveProxyHeader(buffer: UnsafeMutableRawBufferPointer) -> ProxyHeaderArrival {
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<ProxyHeader.maxLengthV2])
        switch unsafe receiveCopy(into: buffer) {
        case .bytes(let count):
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
            switch unsafe ProxyHeaderParser.parse(stream: bytes.span) {
            case .incomplete:
                return sawEnd ? .refused(.truncated, unsafe ProxyHeaderExcerpt(bytes.span)) : .waiting
            case .invalid(let reason): return .refused(reason, unsafe ProxyHeaderExcerpt(bytes.span))
            case .complete(let header):
                discard(header.length)
                return .complete(header)
            }
        case .wouldBlock:
            isReadable = false
            return .waiting
        // The call returns bytes before an error: there were none.
        case .endOfStream: return .unused
        case .failed(let error): return error.code == ECONNRESET ? .unused : .broken(error)
        }
    }

    /// Whether no byte waits in the socket, which may have failed.
    var isEmpty: Bool {
        guard let result = withSocket({ $0.peek() }) else { return true }
        return if case .bytes = result { false } else { true }
    }

    /// Returns the first bytes that have arrived and were not read, for the log. `buffer` must hold the longest header.
    mutating func headerExcerpt(buffer: UnsafeMutableRawBufferPointer) -> ProxyHeaderExcerpt {
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<ProxyHeader.maxLengthV2])
        guard case .bytes(let count) = unsafe receiveCopy(into: buffer) else { return ProxyHeaderExcerpt() }
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count]).bindMemory(to: UInt8.self)
        return unsafe ProxyHeaderExcerpt(bytes.span)
    }
}
