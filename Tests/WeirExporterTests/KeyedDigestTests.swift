import Testing

@testable import WeirExporter

@Suite struct KeyedDigestTests {
    private let digest = KeyedDigest(key: (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908))

    /// The output of `openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH`, over 0, 1,
    /// 2, ….
    @Test(
        "It is SipHash-2-4 with 128 bits",
        arguments: [
            (0, "A3817F04BA25A8E66DF67214C7550293"), (1, "DA87C1D86B99AF44347659119B22FC45"),
            (7, "A1F1EBBED8DBC153C0B84AA61FF08239"), (8, "3B62A9BA6258F5610F83E264F31497B4"),
            (15, "5493E99933B0A8117E08EC0F97CFC3D9"), (63, "5150D1772F50834A503E069A973FBD7C"),
        ])
    func vectors(length: Int, expected: String) {
        let value = digest.value(ofMessage: (0..<length).map { UInt8($0) })
        let text = [value.first, value.second].map { word in
            String(repeating: "0", count: 16 - String(word.byteSwapped, radix: 16).count)
                + String(word.byteSwapped, radix: 16, uppercase: true)
        }.joined()
        #expect(text == expected)
    }

    @Test("Where one part ends and the next begins matters, and so does the key")
    func parts() {
        let (a, b, ab) = (Array("a".utf8), Array("b".utf8), Array("ab".utf8))
        #expect(digest.value(of: [a, b]) != digest.value(of: [ab, []]))
        #expect(digest.value(of: [a, b]) != digest.value(of: [b, a]))
        #expect(digest.value(of: [a]).isSame(as: digest.value(of: [a])))
        #expect(!digest.value(of: [a]).isSame(as: digest.value(of: [b])))
        #expect(KeyedDigest().value(of: [a]) != KeyedDigest().value(of: [a]))
    }
}
