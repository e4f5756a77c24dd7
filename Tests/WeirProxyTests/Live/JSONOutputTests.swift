import Foundation
import Testing

@testable import WeirProxy

struct JSONOutputTests {
    @Test("Objects, arrays and values are what a reader of JSON reads, also in pieces")
    func document() throws {
        var json = JSONOutput()
        var bytes: [UInt8] = []
        json.open(nil, UInt8(ascii: "{"))
        json.add("text", "a \"b\" \\ \n \u{1} \u{7f} ü <script>")
        json.object("empty") { _ in }
        json.flush(to: &bytes)
        json.array("numbers") { json in
            json.add(nil, UInt64.max)
            json.add(nil, Int64(-7))
            json.add(nil, true)
        }
        json.object("nested") { json in
            json.array("list") { json in
                json.object { $0.add("a", Int64(1)) }
                json.object { $0.add("b", false) }
            }
        }
        json.close(UInt8(ascii: "}"))
        json.flush(to: &bytes)
        let read = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        #expect(read["text"] as? String == "a \"b\" \\ \n \u{1} \u{7f} ü <script>")
        #expect((read["empty"] as? [String: Any])?.isEmpty == true)
        #expect((read["numbers"] as? [NSNumber])?.first == NSNumber(value: UInt64.max))
        let list = (read["nested"] as? [String: Any])?["list"] as? [[String: Any]]
        #expect(list?.count == 2 && list?[1]["b"] as? Bool == false)
    }

    @Test(
        "Seconds are exact, without zeros at their end",
        arguments: [
            (0, "0"), (1, "0.000000001"), (1_000_000_000, "1"), (1_500_000_000, "1.5"), (12_000_300_000, "12.0003"),
            (UInt64.max, "18446744073.709551615"),
        ])
    func seconds(nanoseconds: UInt64, expected: String) {
        var json = JSONOutput()
        json.add(nil, secondsOf: nanoseconds)
        #expect(String(decoding: json.bytes, as: UTF8.self) == expected)
    }
}
