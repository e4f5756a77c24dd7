import TestSupport
import Testing

/// Sends the corpus to HAProxy and nginx: for every header, at least one of them agrees with the table.
@Suite(.timeLimit(.minutes(3))) struct OtherReceiversTests {
    /// The headers on which neither agrees, with the reason of the table.
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

    @Test func `HAProxy or nginx agrees with the table on every header, except for the listed ones`() async throws {
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
