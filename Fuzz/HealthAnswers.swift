// Modules: NetworkTypes Threading LinuxIO WeirHealth

@testable import WeirHealth

/// Answers to health checks, whose bytes come from any upstream. The first byte of the input says which check. Nothing
/// may trap, and the verdict must not depend on how a stream is split.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let first = input.first, let check = try? check(first) else { return 0 }
    let bytes = input.dropFirst()
    let whole = verdict(check, bytes, step: bytes.count)
    precondition(whole == verdict(check, bytes, step: 1), "the split decides")
    precondition(whole == verdict(check, bytes, step: 3), "the split decides")
    if whole == .more { precondition(bytes.count < Conversation.maxAnswerBytes, "undecided however much came") }
    var datagrams = conversation(check)
    // The same datagram again and again is decided at some time.
    var steps = 0
    while datagrams.receive(datagram: bytes) == .more {
        steps += 1
        precondition(steps < Conversation.maxDatagrams, "undecided however many came")
    }
    return 0
}

private func check(_ first: UInt8) throws -> HealthCheck {
    switch first & 7 {
    case 0: HealthCheck(.http(try HTTPCheck()))
    case 1: HealthCheck(.redis)
    case 2: HealthCheck(.postgres(try PostgresCheck()))
    case 3: HealthCheck(.dns(try DNSCheck(name: "a", over: .tcp)))
    case 4: HealthCheck(.dns(try DNSCheck(over: .udp)))
    case 5: HealthCheck(.exchange(try ExchangeCheck(over: .tcp, send: [], expect: .bytes([97, 97, 98]))))
    case 6: HealthCheck(.exchange(try ExchangeCheck(over: .udp, send: [], expect: .bytes([97, 98, 97, 99]))))
    default: HealthCheck(.exchange(try ExchangeCheck(over: .tcp, send: [], expect: .anything)))
    }
}

private func conversation(_ check: HealthCheck) -> Conversation {
    ConversationMaker(check, address: "192.0.2.1:1").make(identifier: 0x3132).conversation
}

private func verdict(_ check: HealthCheck, _ bytes: ArraySlice<UInt8>, step: Int) -> CheckStep {
    var conversation = conversation(check)
    var rest = bytes
    while !rest.isEmpty {
        let result = conversation.receive(rest.prefix(step))
        if result != .more { return result }
        rest = rest.dropFirst(step)
    }
    return .more
}
