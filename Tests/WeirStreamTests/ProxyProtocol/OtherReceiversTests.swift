import TestSupport
import Testing

/// The corpus through HAProxy and nginx: what the table says of a header is what one of them at least makes of it.
@Suite(.timeLimit(.minutes(3))) struct OtherReceiversTests {
    /// Where neither agrees, and why the table says otherwise.
    static let differences = [
        "a port with a leading zero": "the specification permits none; both read 080 as 80",
        "port 00": "the specification permits no leading zero; both read it as 0",
        "octet 01": "the specification permits no leading zero, which some read as octal; both take it",
        "octet 02": "the specification permits no leading zero, which some read as octal; both take it",
        "octet 256": "it is no address; HAProxy carries it over into the next octet, nginx passes the text on",
        "three octets": "it is no address; HAProxy counts it as something else, nginx passes the text on",
        "UNIX, length 216": "the specification names the family, and lets receivers keep the peer; both refuse it",
    ]

    private func agree(_ one: HeaderVector.Outcome, _ other: HeaderVector.Outcome) -> Bool {
        if case .refused = one, case .refused = other { return true }
        return one == other
    }

    @Test func `HAProxy or nginx makes of every header what the table says, but for the listed ones`() async throws {
        try await offPool {
            let receivers: [any HeaderReceiver] = [try HAProxy(), try NginxStream()]
            var differing: Set<String> = []
            for vector in HeaderVector.all {
                let others = try receivers.map { try $0.outcome(of: vector) }
                if others.contains(where: { agree($0, vector.outcome) }) { continue }
                differing.insert(vector.name)
                #expect(Self.differences[vector.name] != nil, "\(vector): \(vector.outcome), others \(others)")
            }
            // A difference that is none any more has no place in the list.
            #expect(differing == Set(Self.differences.keys))
        }
    }
}
