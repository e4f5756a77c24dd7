import TestSupport
import Testing

@testable import WeirDocker

@Suite("JSON of engines") struct JSONReaderTests {
    private func read(_ text: String) -> JSONNode? { try? JSONReader.read(Array(text.utf8)) }

    @Test("Values of every kind, with blanks around them")
    func values() {
        #expect(read(" null ") == .null)
        #expect(read("true") == .flag(true))
        #expect(read("[1, -2.5e3,[]]") == .list([.number("1"), .number("-2.5e3"), .list([])]))
        #expect(read(#"{"a": {"b": "c"}, "d": 5}"#)?["a"]?["b"]?.text == "c")
        #expect(read(#"{"a": {"b": "c"}, "d": 5}"#)?["d"]?.integer == 5)
        #expect(read(#"{"p": "8080"}"#)?["p"]?.port == 8080)
    }

    @Test("Escapes, surrogate pairs, and halves of them")
    func texts() {
        #expect(read(#""a\n\t\"\\\/é""#)?.text == "a\n\t\"\\/é")
        #expect(read(#""😀""#)?.text == "😀")
        #expect(read(#""\ud83dx""#)?.text == "\u{FFFD}x")
        #expect(read(#""\ude00""#)?.text == "\u{FFFD}")
    }

    @Test(
        "What is no value is a fault",
        arguments: [
            "", "{", "[", "\"", "{\"a\"}", "{\"a\":}", "[1,]", "{,}", "tru", "nul", "1 2", "\"\\x\"", "\"\\u12\"",
            "\"a\nb\"", "[1 2]", "'a'", "--", "{\"a\" 1}", "\"\\",
        ])
    func faults(text: String) {
        // `--` is read as the text of a number, of which nothing can be made.
        if text == "--" { #expect(read(text)?.integer == nil) } else { #expect(read(text) == nil) }
    }

    @Test("Nesting has a bound, and so have numbers and the count of values")
    func bounds() {
        #expect(read("[\(String(repeating: "0,", count: JSONReader.maxValues))0]") == nil)
        #expect(read(String(repeating: "[", count: 30) + String(repeating: "]", count: 30)) != nil)
        #expect(read(String(repeating: "[", count: 40) + String(repeating: "]", count: 40)) == nil)
        #expect(read(String(repeating: "[", count: 1_000_000)) == nil)
        #expect(read(String(repeating: "1", count: 100)) == nil)
    }

    @Test("Random bytes and cut values never trap")
    func random() {
        let whole = Array(#"[{"Id":"ab","Names":["/x"],"Labels":{"a":"😀"},"Ports":[{"PrivatePort":1}]}]"#.utf8)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            var bytes = Array(whole.prefix(Int.random(in: 0...whole.count, using: &generator)))
            for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            if let node = try? JSONReader.read(bytes) { _ = try? Container.list(node) }
        }
    }

    @Test("Lines of a stream, cut anywhere; one that is too long is left out")
    func lines() {
        var lines = EventLines()
        #expect(lines.take(Array("ab".utf8)).lines.isEmpty)
        #expect(lines.take(Array("c\n\nde\nf".utf8)).lines == [Array("abc".utf8), Array("de".utf8)])
        let cut = lines.take([UInt8](repeating: 0x61, count: EventLines.maxLength + 1))
        #expect(cut.isCut && cut.lines.isEmpty)
        #expect(lines.take(Array("x\ny\n".utf8)).lines == [Array("y".utf8)])
    }
}
