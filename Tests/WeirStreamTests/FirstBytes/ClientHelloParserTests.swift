import TestSupport
import Testing

@testable import WeirStream

@Suite struct ClientHelloParserTests {
    /// Returns the outcome of a scan, whose names are read from the same bytes.
    private func outcome(_ bytes: [UInt8]) -> HelloVector.Outcome {
        switch ClientHelloParser.parse(bytes.span) {
        case .needsMore: return .needsMore
        case .notTLS: return .notTLS
        case .malformed: return .malformed
        case .tooLong: return .tooLong
        case .complete(let hello):
            var protocols: [String] = []
            var offers = hello.protocols
            while let name = offers.next(in: bytes.span) { protocols.append(name.description) }
            return .hello(hello.serverName?.description, protocols)
        }
    }

    private func length(_ bytes: [UInt8]) throws -> Int {
        guard case .complete(let hello) = ClientHelloParser.parse(bytes.span) else {
            throw SystemFailure("a hello of \(bytes.count) bytes is not complete")
        }
        return hello.length
    }

    /// Returns the message of a hello in one record.
    private func message(_ bytes: [UInt8]) throws -> [UInt8] { Array(bytes[5..<(try length(bytes))]) }

    @Test func `the table has an outcome for every file, and no other`() throws {
        #expect(try HelloVector.filesOfCorpus() == Set(HelloVector.all.map(\.file)))
        #expect(HelloVector.all.count == Set(HelloVector.all.map(\.file)).count)
    }

    @Test(arguments: HelloVector.all) func `every hello has the outcome of the table`(vector: HelloVector) throws {
        #expect(outcome(try vector.bytes) == vector.outcome)
    }

    @Test(arguments: HelloVector.good)
    func `each beginning needs more than it has, and never more than the hello`(vector: HelloVector) throws {
        let bytes = try vector.bytes
        let length = try length(bytes)
        // Each beginning of a long one takes minutes in a debug build.
        for count in stride(from: 0, to: length, by: length > 3_000 ? 61 : 1) {
            let beginning = bytes.span.extracting(first: count)
            guard case .needsMore(let wanted) = ClientHelloParser.parse(beginning) else {
                Issue.record("decided after \(count) bytes")
                continue
            }
            #expect(wanted > count)
            #expect(wanted <= length)
        }
        #expect(outcome(Array(bytes[..<length])) == vector.outcome)
        for behind in [[0], [22, 3, 3, 0, 0], Pattern.bytes(40_000)] {
            #expect(outcome(bytes[..<length] + behind) == vector.outcome)
        }
    }

    @Test(arguments: HelloVector.bad)
    func `what is refused is never a hello on the way, and stays refused`(vector: HelloVector) throws {
        let bytes = try vector.bytes
        var refusal: HelloVector.Outcome?
        for count in stride(from: 0, to: bytes.count, by: bytes.count > 3_000 ? 61 : 1) + [bytes.count] {
            let outcome = outcome(Array(bytes[..<count]))
            if outcome == .needsMore {
                #expect(refusal == nil, "undecided again at \(count)")
            } else {
                #expect(outcome == vector.outcome, "at \(count)")
                refusal = outcome
            }
        }
        #expect(refusal == vector.outcome)
        for behind in [[0], Pattern.bytes(40_000)] { #expect(outcome(bytes + behind) == vector.outcome) }
    }

    @Test(arguments: [2, 15, 16, 17, 40, 400])
    func `no extension may occur twice, wherever both are`(count: Int) {
        // Half of the types are below 64, and none has contents that would be read.
        let types: [UInt16] = (0..<UInt16(count)).map { number in
            let isLow = number % 2 == 0 && number < 40
            return isLow ? 20 + number : 1_000 + 17 * number
        }
        #expect(outcome(HelloBytes.make(extensions: types)) == .hello(nil))
        for first in Set([0, count / 2 - 1, count - 2]) {
            for second in Set([first + 1, count - 1]) {
                var repeated = types
                repeated[second] = types[first]
                #expect(outcome(HelloBytes.make(extensions: repeated)) == .malformed, "\(first) and \(second)")
            }
        }
    }

    @Test func `a first byte that is not TLS decides`() {
        for byte in UInt8.min...UInt8.max { #expect(outcome([byte]) == (byte == 22 ? .needsMore : .notTLS)) }
        for byte in UInt8.min...UInt8.max { #expect(outcome([22, byte]) == (byte == 3 ? .needsMore : .notTLS)) }
        #expect(outcome([]) == .needsMore)
    }

    @Test func `a stated length that is too long is refused before its bytes arrive`() {
        #expect(outcome([22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xf7]) == .needsMore)
        #expect(outcome([22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xf8]) == .tooLong)
        #expect(outcome([22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]) == .tooLong)
    }

    @Test(arguments: ["openssl-1.3-protocols", "name-and-protocols", "protocols-alone", "no-extensions", "go"])
    func `records may cut a hello at any byte`(file: String) throws {
        let vector = try #require(HelloVector.good.first { $0.file == file })
        let message = try message(vector.bytes)
        for size in 1...message.count {
            #expect(outcome(HelloBytes.records(message, size: size)) == vector.outcome, "records of \(size)")
        }
        for cut in 1..<message.count {
            let bytes = HelloBytes.records(Array(message[..<cut])) + HelloBytes.records(Array(message[cut...]))
            #expect(outcome(bytes) == vector.outcome, "cut at \(cut)")
        }
    }

    @Test func `a hello in the shortest records is asked for a few dozen times`() throws {
        let message = try message(#require(HelloVector.good.first { $0.file == "unknown-extensions" }).bytes)
        let bytes = HelloBytes.records(message, size: 1)
        #expect(bytes.count > 13_000)
        var (count, looks) = (1, 0)
        while case .needsMore(let wanted) = ClientHelloParser.parse(bytes.span.extracting(first: count)) {
            count = wanted
            looks += 1
        }
        #expect(count == bytes.count)
        #expect(looks < 60)
    }

    @Test(arguments: HelloVector.good)
    func `no changed byte traps, and the verdict still holds with more bytes`(vector: HelloVector) throws {
        var bytes = try vector.bytes
        for index in stride(from: 0, to: bytes.count, by: bytes.count > 600 ? 97 : 1) {
            let byte = bytes[index]
            for changed in [0, 0xff, byte ^ 1, byte ^ 0x80] {
                bytes[index] = changed
                let verdict = outcome(bytes)
                if verdict != .needsMore { #expect(outcome(bytes + [0]) == verdict, "\(changed) at \(index)") }
            }
            bytes[index] = byte
        }
    }

    @Test func `arbitrary changes never trap, and more bytes never undo a verdict`() throws {
        var random = SeededGenerator(seed: 8)
        let seeds = try HelloVector.all.map { try $0.bytes }.filter { $0.count < 3_000 }
        for _ in 0..<fuzzRounds(4_000) {
            var bytes = try #require(seeds.randomElement(using: &random))
            if Int.random(in: 0..<3, using: &random) == 0, bytes.count > 5 {
                bytes = HelloBytes.records(Array(bytes[5...]), size: .random(in: 1...200, using: &random))
            }
            for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
                let offset = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[offset] = .random(in: 0...255, using: &random)
                case 1: bytes[offset] = bytes[offset] &+ 1
                case 2: bytes.insert(.random(in: 0...255, using: &random), at: offset)
                default: bytes.removeSubrange(offset..<min(bytes.count, offset + .random(in: 1...8, using: &random)))
                }
            }
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let (part, whole) = (outcome(Array(bytes[..<cut])), outcome(bytes))
            if part != .needsMore { #expect(part == whole, "\(bytes) cut at \(cut)") }
            if case .needsMore(let wanted) = ClientHelloParser.parse(bytes.span) {
                #expect(wanted > bytes.count)
                #expect(wanted <= FirstBytesTable.maxBytes)
            }
        }
    }
}
