// Modules: NetworkTypes Threading LinuxIO WeirStream

@testable import WeirStream

/// The first bytes of clients that name their server. Nothing may trap; more bytes never change a verdict; a demand for
/// more is honest; and where the records cut a hello decides nothing.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: count))
    let scan = verdict(bytes)
    precondition(scan == verdict(bytes), "the same bytes, and another verdict")
    switch scan {
    case .needsMore(let wanted):
        precondition(wanted > bytes.count && wanted <= FirstBytesTable.maxBytes)
        // Nothing less was enough before.
        for count in 0..<bytes.count {
            guard case .needsMore(let earlier) = verdict(Array(bytes[..<count])) else {
                preconditionFailure("decided earlier")
            }
            precondition(earlier <= wanted)
        }
    case .complete(let hello):
        precondition(hello.length <= min(bytes.count, FirstBytesTable.maxBytes))
        let whole = Array(bytes[..<hello.length])
        precondition(verdict(whole) == scan, "bytes behind the hello changed it")
        guard case .needsMore(let wanted) = verdict(Array(whole.dropLast())) else {
            preconditionFailure("complete too early")
        }
        precondition(wanted == hello.length)
        checkRecords(whole, hello)
    case .notTLS, .malformed, .tooLong:
        precondition(verdict(bytes + [0]) == scan, "a byte behind changed it")
    }
    for stage in 0...2 { _ = matcher.match(bytes.span, isEnd: false, stage: stage) }
    return 0
}

private let matcher: PostgresMatcher = {
    let names = ["www.example.net", "*.example.net", "*.net"].compactMap { ServerNamePattern($0) }
    let rules = names.enumerated().map { ServerNameTable.Rule(names: [$1], protocols: ["h2"], route: $0) }
    let table = try? ServerNameTable(rules + [ServerNameTable.Rule(names: names, route: 3)])
    guard let table else { preconditionFailure("the rules differ") }
    return PostgresMatcher(table)
}()

private enum Verdict: Equatable {
    case needsMore(Int)
    case notTLS, malformed, tooLong
    case complete(Hello)
}

private struct Hello: Equatable {
    var length: Int
    var name: ShortBytes?
    var protocols: [ShortBytes]
}

private func verdict(_ bytes: [UInt8]) -> Verdict {
    switch ClientHelloParser.parse(bytes.span) {
    case .needsMore(let wanted): return .needsMore(wanted)
    case .notTLS: return .notTLS
    case .malformed: return .malformed
    case .tooLong: return .tooLong
    case .complete(let hello):
        var found = Hello(length: hello.length, name: hello.serverName, protocols: [])
        var offers = hello.protocols
        while let name = offers.next(in: bytes.span) { found.protocols.append(name) }
        return .complete(found)
    }
}

/// Puts the message of a hello into records of other lengths.
private func checkRecords(_ whole: [UInt8], _ hello: Hello) {
    var message: [UInt8] = []
    var offset = 0
    while offset < whole.count {
        let end = offset + 5 + (Int(whole[offset + 3]) << 8 | Int(whole[offset + 4]))
        message += whole[(offset + 5)..<min(end, whole.count)]
        offset = end
    }
    for size in [1, 7, message.count] {
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: message.count, by: size) {
            let fragment = message[start..<min(start + size, message.count)]
            bytes += [22, 3, 3, UInt8(fragment.count >> 8), UInt8(fragment.count & 255)] + fragment
        }
        guard bytes.count <= FirstBytesTable.maxBytes else { continue }
        guard case .complete(let again) = verdict(bytes), again.name == hello.name, again.protocols == hello.protocols
        else { preconditionFailure("records of \(size) bytes changed it") }
    }
}
