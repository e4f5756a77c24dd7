import Testing
import YAMLEvents

struct YAMLEventReaderTests {
    /// The events of a text in short words, up to its end, or to the error.
    private func words(_ text: String) throws -> [String] {
        var reader = try YAMLEventReader(text)
        var words: [String] = []
        for _ in 0..<1_000 {
            let (event, mark) = try reader.next()
            let location = "\(mark.line):\(mark.column)"
            switch event {
            case .documentStart: words.append("document")
            case .documentEnd: words.append("end of document")
            case .alias(let name): words.append("*\(name) \(location)")
            case .scalar(let text, let isPlain, let anchor):
                words.append("\(anchor.map { "&\($0) " } ?? "")\(isPlain ? text : "'\(text)'") \(location)")
            case .sequenceStart(let anchor): words.append("\(anchor.map { "&\($0) " } ?? "")[ \(location)")
            case .mappingStart(let anchor): words.append("\(anchor.map { "&\($0) " } ?? "")\("{") \(location)")
            case .collectionEnd: words.append("]")
            case .streamEnd: return words
            }
        }
        return words
    }

    @Test("events come in the order of the text, with locations that count from 1 in characters")
    func events() throws {
        #expect(
            try words("a: &x [é, 'b']\nö: *x\n") == [
                "document", "{ 1:1", "a 1:1", "&x [ 1:4", "é 1:8", "'b' 1:11", "]", "ö 2:1", "*x 2:4", "]",
                "end of document",
            ])
        #expect(try words("") == [])
        #expect(try words("# nothing\n") == [])
        #expect(
            try words("--- a\n--- b\n") == [
                "document", "a 1:5", "end of document", "document", "b 2:5", "end of document",
            ])
    }

    @Test("an error names its location and context, and comes again with each further call")
    func errors() throws {
        var reader = try YAMLEventReader("a: [b\n")
        var found: [YAMLSyntaxError] = []
        for _ in 0..<100 where found.count < 3 {
            do throws(YAMLSyntaxError) {
                _ = try reader.next()
            } catch {
                found.append(error)
            }
        }
        #expect(found.count == 3)
        #expect(found.allSatisfy { $0.mark == found[0].mark && $0.problem == found[0].problem })
        #expect(found[0].mark?.line == 2)
        #expect(found[0].context?.words == "while parsing a flow sequence")
        #expect(found[0].context?.mark.column == 4)
    }

    @Test("the end comes again with each further call")
    func end() throws {
        var reader = try YAMLEventReader("a")
        for _ in 0..<3 { _ = try reader.next() }
        for _ in 0..<3 {
            guard case .streamEnd = try reader.next().event else {
                Issue.record("something behind the end")
                return
            }
        }
    }
}
