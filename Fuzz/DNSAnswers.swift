// Modules: NetworkTypes

@testable import NetworkTypes

/// Answers of name servers. The first byte of the input says for which type of records; the rest is a message, whose
/// question is for a name that the input has itself, too. Nothing may trap, and what is read must be bounded.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = Array(UnsafeBufferPointer(start: data, count: count))
    guard let first = input.first else { return 0 }
    // A slice that does not begin at 0.
    let bytes = input.dropFirst()
    guard let message = DNSMessage(bytes) else {
        precondition(bytes.count < DNSMessage.headerLength, "a header is enough")
        return 0
    }
    let types: [DNSRecordType] = [.a, .aaaa, .srv, .cname]
    _ = message.isWhole
    if let records = message.answerRecords {
        precondition(records.count * 11 <= bytes.count, "more records than the message has room for")
        for record in records { check(record.owner) }
    }
    guard let name = DNSName(in: bytes, at: DNSMessage.headerLength) else { return 0 }
    check(name)
    let question = DNSQuestion(name, types[Int(first & 3)])
    if let answer = message.answer(to: question) {
        precondition(answer.contents.isEmpty || answer.timeToLiveSeconds <= Int32.max, "a time with the top bit")
        for case .service(let service) in answer.contents { check(service.target) }
    }
    return 0
}

private func check(_ name: DNSName) {
    precondition((1...255).contains(name.bytes.count) && name.bytes.last == 0, "a name with bounds")
    if let text = name.text { precondition(DNSName(text) == name, "the text is the name") }
}
